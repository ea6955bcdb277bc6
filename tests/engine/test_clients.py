"""Many clients, greedy clients, dead clients; Jupyter's own front ends."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from jupyter_client.session import Session

from ipyembed.engine.engine_magics import EngineMagics
from ipyembed.engine.following import Following
from tests.engine.host import TIMEOUT, Client, Engines, engines_in
from tests.engine.test_cells import HEAD, HOSTS
from tests.pty.conftest import Spawn


def required(module: str) -> None:
    if os.environ.get("CI"):
        __import__(module)
    pytest.importorskip(module)


@pytest.fixture
def shared(spawn: Spawn, tmp_path: Path) -> Iterator[Engines]:
    with engines_in(tmp_path, {}) as engines:
        spawn.env.update(engines.env)
        yield engines


HOST_THAT_PRINTS = (
    HEAD
    + """
    import logging
    logging.basicConfig(format="logged %(message)s")
    async def main():
        streams = sys.stdout, sys.stderr, logging.root.handlers[0].stream
        async with ipyembed.serve("host"):
            print("engine is open", flush=True)
            while await asyncio.to_thread(sys.stdin.readline) != "end\\n":
                print("the host prints")
                logging.warning("by the host")
            def now():
                return sys.stdout, sys.stderr, logging.root.handlers[0].stream
            for _ in range(1000):  # the last cell's output may have its end under way
                if now() == streams: break
                await asyncio.sleep(0.01)
            print("as before", now() == streams)
    asyncio.run(main())
"""
)


def test_follow_shows_what_the_host_prints_to_those_who_ask(engines: Engines) -> None:
    host = engines.host(HOST_THAT_PRINTS)
    host.wait_for("engine is open")
    client, other = engines.client(), engines.client()
    follow = client.run("%follow")
    assert follow.reply["status"] == "ok"
    request = follow.messages[0]["parent_header"]["msg_id"]
    host.say("print")
    heard = client.heard(request, "logged by the host")
    assert "the host prints\n" in heard
    host.wait_for("logged by the host")
    # What cells print is not the host's, and nobody else hears what it prints.
    assert other.run("print('of the other')").text == "of the other\n"
    assert client.run("print('mine')").text == "mine\n"
    sessions = {m["parent_header"]["session"] for m in other.others if "text" in m["content"]}
    assert other.raw.session.session not in sessions
    assert "of the other" not in client.heard(request, "logged")
    client.run("%follow off")
    host.say("print")
    host.say("end")
    host.wait_for("as before True")
    assert host.output.count("the host prints") == 2
    assert client.heard(request, "logged").count("the host prints") == 1


def test_magics_of_an_engine_have_examples() -> None:
    for magic in (Following.follow, EngineMagics.loops):
        assert "Example::" in (magic.__doc__ or "")


def test_client_that_follows_and_dies(engines: Engines) -> None:
    host = engines.host(HOST_THAT_PRINTS)
    host.wait_for("engine is open")
    client = Client(engines.found().path)
    client.run("%follow")
    client.close()
    other = engines.client()
    code = "import ipyembed.engine.following as f; type(sys.stdout.original) is f._Tee"
    deadline = time.monotonic() + TIMEOUT
    while other.run(code).value != "False":
        assert time.monotonic() < deadline
    host.say("end")
    host.wait_for("as before True")


def test_plot_arrives_as_png(engines: Engines) -> None:
    required("matplotlib")
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client = engines.client()
    result = client.run("%matplotlib inline\nimport matplotlib.pyplot as plt; plt.plot([1, 2])")
    assert result.reply["status"] == "ok"
    assert "Line2D" in (result.value or "")
    images = [c["data"]["image/png"] for c in result.of("display_data")]
    assert base64.b64decode(images[0]).startswith(b"\x89PNG")
    result = client.run(
        "from IPython.display import HTML, clear_output\n"
        "shown = display(HTML('<b>x</b>'), display_id=True)\n"
        "shown.update(HTML('<i>y</i>')); clear_output(wait=True)"
    )
    assert result.of("display_data")[0]["data"]["text/html"] == "<b>x</b>"
    assert result.of("update_display_data")[0]["data"]["text/html"] == "<i>y</i>"
    assert result.of("clear_output") == [{"wait": True}]


def test_twenty_clients(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    clients = [engines.client() for _ in range(20)]
    requests = [
        client.start(f"for _ in range(5): print('client {n}'); await asyncio.sleep(0.01)")
        for n, client in enumerate(clients)
    ]
    for n, (client, request) in enumerate(zip(clients, requests, strict=True)):
        assert client.finish(request).text == f"client {n}\n" * 5


def test_flood_of_requests_does_not_stop_the_host(engines: Engines) -> None:
    """Signed and unsigned ones, as fast as they can be sent, by a client that reads nothing."""
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    found, client = engines.found(), engines.client()
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.linger = 0
    sock.sndhwm = 10_000
    sock.connect(f"ipc://{found.info['ip']}-{found.info['shell_port']}")
    session = Session(key=found.info["key"].encode())
    unsigned = Session(key=b"another")
    sent = 0
    try:
        before = client.run("import resource; ticks").value
        until = time.monotonic() + 2
        while time.monotonic() < until:
            content = {"code": "1", "silent": False}
            for each in (session, unsigned):
                message = each.serialize(each.msg("execute_request", content))
                try:
                    sock.send_multipart(message, zmq.NOBLOCK)
                    sent += 1
                except zmq.Again:
                    client.read_on()
        # The host has gone on, and so has the other client; its memory is bounded.
        after = client.run("ticks").value
        assert int(after or 0) - int(before or 0) > 20
        megabytes = client.run("resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024").value
        assert int(megabytes or 0) < 400
    finally:
        context.destroy(linger=0)
    assert sent > 1000
    assert client.run("1 + 1").value == "2"


def test_client_that_does_not_read_loses_what_the_others_get(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    found, client = engines.found(), engines.client()
    context = zmq.Context()
    deaf = context.socket(zmq.SUB)
    deaf.linger = 0
    deaf.rcvhwm = 1
    deaf.subscribe(b"")
    deaf.connect(f"ipc://{found.info['ip']}-{found.info['iopub_port']}")
    try:
        # One message each, because a line is waited for before the next one is written.
        code = "for n in range(2500): display(n, metadata={'pad': 'x' * 2000})"
        result = client.run(code, timeout=90)
        assert len(result.of("display_data")) == 2500
        assert client.run("'alive'").value == "'alive'"
    finally:
        context.destroy(linger=0)


def test_million_lines(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client = engines.client()
    result = client.run("for n in range(1_000_000): print(n)", timeout=100)
    lines = result.text.split("\n")
    assert len(lines) == 1_000_001
    assert lines[:2] == ["0", "1"]
    assert lines[-2] == "999999"


def test_client_that_dies_does_not_stop_its_cell_nor_the_host(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client, other = Client(engines.found().path), engines.client()
    request = client.start("print('it', 'runs'); await asyncio.sleep(.5); finished = True")
    client.heard(request, "it runs")
    client.start("never = True")
    client.close()
    assert other.run("finished, 'never' in globals()").value == "(True, False)"


def test_jupyter_console(spawn: Spawn, shared: Engines) -> None:
    required("jupyter_console")
    host = shared.host(HEAD + HOSTS["asyncio"])
    host.wait_for("engine is open")
    terminal = spawn.module("jupyter_console", "--existing", str(shared.found().path))
    terminal.wait_for(r"In \[1\]:", 60)
    terminal.line("settings")
    terminal.wait_for(r"Out\[1\]:.*hello")
    terminal.line("print('of', 'the console')")
    terminal.wait_for("of the console")
    terminal.line("exit")
    assert terminal.wait_exit(60) == 0
    assert host.process.poll() is None
    assert shared.client().run("1 + 1").value == "2"


QTCONSOLE = """
    import os, sys
    os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from qtpy import QtCore, QtWidgets
    from qtconsole.client import QtKernelClient
    from qtconsole.rich_jupyter_widget import RichJupyterWidget
    app = QtWidgets.QApplication([])
    client = QtKernelClient(connection_file=sys.argv[1])
    client.load_connection_file()
    client.start_channels()
    widget = RichJupyterWidget()
    widget.kernel_client = client
    def look():
        text = widget._control.toPlainText()
        if "In [" in text and not widget.asked:
            widget.asked = True
            widget.execute("settings")
        if "Out[" in text and "hello" in text:
            print(text, flush=True)
            print("seen", flush=True)
            app.quit()
    widget.asked = False
    timer = QtCore.QTimer()
    timer.timeout.connect(look)
    timer.start(50)
    QtCore.QTimer.singleShot(40_000, app.quit)
    app.exec()
    client.stop_channels()
"""


def test_qtconsole(engines: Engines) -> None:
    required("PySide6")
    required("qtconsole")
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    console = engines.host(QTCONSOLE, str(engines.found().path), env={"QT_API": "pyside6"})
    console.wait_for("seen", 60)
    assert "{'greeting': 'hello'}" in console.output
