"""Who may connect, and what is taken from whom."""

from __future__ import annotations

import json
import os
import stat
import time
import warnings
from pathlib import Path

import pytest
import zmq
from jupyter_client.session import Session

from ipyembed.engine import directory
from ipyembed.engine.directory import EngineFiles, EngineNotFoundError
from tests.engine.host import TIMEOUT, Engines

HOST = """
    import asyncio, ipyembed, sys, warnings
    warnings.simplefilter("ignore")
    async def main():
        async with ipyembed.serve("host", **eval(sys.argv[1])) as engine:
            print("engine is open", engine, flush=True)
            while True:
                await asyncio.sleep(.01)
    asyncio.run(main())
"""


@pytest.fixture
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "runtime"
    monkeypatch.setenv("IPYEMBED_RUNTIME_DIR", str(path))
    return path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_files_are_the_users_alone_and_the_key_is_shown_nowhere(engines: Engines) -> None:
    host = engines.host(HOST, "{}")
    host.wait_for("engine is open")
    found = engines.found()
    assert mode(found.path) == 0o600
    assert mode(found.path.parent) == 0o700
    assert mode(found.path.parent.parent) == 0o700
    sockets = [path for path in found.path.parent.iterdir() if stat.S_ISSOCK(path.stat().st_mode)]
    assert len(sockets) == 5
    key = found.info["key"]
    assert len(key) == 64
    assert key not in repr(found)
    client = engines.client()
    client.run("1/0")
    assert key not in host.output
    assert "host" in host.output
    for name in ("cmdline", "environ"):
        assert key not in Path(f"/proc/{host.process.pid}/{name}").read_text(encoding="utf-8")


def test_another_users_file_is_refused(runtime: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = EngineFiles("mine")
    files.write(
        {f"{c}_port": 1 for c in ("shell", "iopub", "stdin", "control", "hb")}
        | {
            "key": "k",
            "transport": "ipc",
            "ip": files.socket_path,
        }
    )
    assert directory.read(files.connection_file).name == "mine"
    assert mode(files.connection_file) == 0o600

    link = runtime / "link.json"
    link.symlink_to(files.connection_file)
    with pytest.raises(PermissionError, match="symbolic link"):
        directory.find(str(link))
    files.connection_file.chmod(0o640)
    with pytest.raises(PermissionError, match="open to other users"):
        directory.find(str(files.connection_file))
    files.connection_file.chmod(0o600)
    me = os.geteuid()
    monkeypatch.setattr(os, "geteuid", lambda: me + 1)
    with pytest.raises(PermissionError, match="belongs to another user"):
        directory.find(str(files.connection_file))
    with pytest.raises(PermissionError, match="belongs to another user"):
        EngineFiles("other")


def test_directory_that_others_can_enter_is_refused(runtime: Path) -> None:
    runtime.mkdir(mode=0o755)
    with pytest.raises(PermissionError, match="open to other users"):
        EngineFiles("mine")


def test_what_a_dead_engine_has_left_is_removed(runtime: Path) -> None:
    files = EngineFiles("dead")
    ports = {f"{c}_port": 1 for c in ("shell", "iopub", "stdin", "control", "hb")}
    files.write({**ports, "key": "k", "transport": "ipc", "ip": files.socket_path})
    assert directory.all_engines() == []
    assert not files.directory.exists()
    with pytest.raises(EngineNotFoundError, match="no engine is open"):
        directory.find()
    with pytest.raises(EngineNotFoundError, match="no engine 'dead' is open"):
        directory.find("dead")
    with pytest.raises(EngineNotFoundError, match="no connection file"):
        directory.find("/nothing/there.json")


def test_names_and_files_that_are_none(runtime: Path, tmp_path: Path) -> None:
    for name in ("", "..", "a/b", "a b", "-x"):
        with pytest.raises(ValueError, match="is no name for an engine"):
            EngineFiles(name)
    file = tmp_path / "x.json"
    for text in ("", "[]", "{}", json.dumps({"key": 1})):
        file.write_text(text)
        file.chmod(0o600)
        with pytest.raises(ValueError, match="is no connection file"):
            directory.find(str(file))


def test_two_engines_of_one_process_have_their_own_files(runtime: Path) -> None:
    one, two = EngineFiles("same"), EngineFiles("same")
    assert one.directory != two.directory
    one.remove()
    assert two.directory.exists()


def test_unsigned_replayed_and_malformed_messages_are_dropped_and_counted(
    engines: Engines,
) -> None:
    host = engines.host(HOST, "{}")
    host.wait_for("engine is open")
    found = engines.found()
    client = engines.client()
    client.run("import gc, ipyembed.engine.engine as s; ran = []")
    client.run("engine = next(o for o in gc.get_objects() if type(o) is s.Engine)")

    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.linger = 0
    sock.connect(f"ipc://{found.info['ip']}-{found.info['shell_port']}")
    good, bad = Session(key=found.info["key"].encode()), Session(key=b"another")

    def execute(session: Session, code: str) -> list[bytes]:
        content = {"code": code, "silent": False}
        return session.serialize(session.msg("execute_request", content))

    replayed = execute(good, "ran.append('once')")
    unsigned = execute(good, "ran.append('unsigned')")
    unsigned[1] = b""
    changed = execute(good, "ran.append('signed')")
    changed[5] = changed[5].replace(b"signed", b"forged")
    for frames in (
        replayed,
        replayed,
        unsigned,
        changed,
        execute(bad, "ran.append('bad key')"),
        [b"rubbish"],
        [b""],
        [b"<IDS|MSG>"],
        [b"<IDS|MSG>", b"", b"", b"", b"", b""],
        good.serialize({**good.msg("execute_request"), "content": b"[1, 2"}),
        good.serialize({**good.msg("execute_request"), "content": b"[]"}),
        good.serialize({**good.msg("execute_request"), "header": {}}),
        good.serialize({**good.msg("execute_request"), "header": {"msg_id": 1, "msg_type": []}}),
    ):
        sock.send_multipart(frames)
    sock.send_multipart(execute(good, "ran.append('last')"))
    deadline = time.monotonic() + TIMEOUT
    while client.run("ran[-1:]").value != "['last']":
        assert time.monotonic() < deadline
    context.destroy(linger=0)
    assert client.run("ran").value == "['once', 'last']"
    dropped = eval(client.run("engine.dropped").value or "")
    assert dropped["replayed"] == 1
    assert dropped["unsigned"] == 4
    assert dropped["malformed"] >= 5
    # Nothing of it is in the host's log.
    assert host.output.count("\n") == 1


def test_tcp_is_for_those_who_ask_and_bound_to_loopback(engines: Engines) -> None:
    engines.host(HOST, "{'transport': 'tcp'}").wait_for("engine is open")
    found = engines.found()
    assert (found.info["transport"], found.info["ip"]) == ("tcp", "127.0.0.1")
    assert engines.client().run("1 + 1").value == "2"
    listening = Path(f"/proc/{found.pid}/net/tcp").read_text(encoding="utf-8")
    assert f"0100007F:{found.info['shell_port']:04X}" in listening
    assert f"00000000:{found.info['shell_port']:04X}" not in listening


def test_tcp_on_every_address_warns(tmp_path: Path, runtime: Path) -> None:
    import ipyembed

    # Not by pytest.warns(), which makes errors of the warnings of others.
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with ipyembed.serve(transport="tcp", ip="0.0.0.0"):
            pass
    assert [str(each.message) for each in caught if "whoever can reach it" in str(each.message)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"cells": "nowhere"}, "cells is 'auto'"),
        ({"transport": "pigeon"}, "transport is 'ipc' or 'tcp'"),
        ({"name": "a b"}, "no name for an engine"),
    ],
)
def test_bad_arguments(runtime: Path, arguments: dict[str, str], message: str) -> None:
    import ipyembed

    with pytest.raises(ValueError, match=message):
        ipyembed.serve(**arguments)  # type: ignore[arg-type]
    with pytest.raises(RuntimeError, match="cells='loop'"):
        ipyembed.serve(cells="loop")
    assert not runtime.exists() or not list(runtime.iterdir())
