"""``ipyembed attach --ssh``: a real sshd, on this machine, of this test's own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ipyembed.engine.ssh import LEFT_AFTER, SshError, SshTunnel
from tests.engine.host import TIMEOUT, Engines, Host, engines_in
from tests.engine.test_cells import HEAD, HOSTS
from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

ROOT = str(Path(__file__).parents[2])


def program(name: str) -> str:
    """Its path; where it is missing, the test is skipped, and fails under CI."""
    path = shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    if path is None:
        message = f"{name} is not there; Debian's package openssh-server has it"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return path


def run(*argv: str) -> None:
    subprocess.run(argv, check=True, capture_output=True, timeout=60)


class There:
    """The other machine: a name for ssh, what it is reached by, and its engines."""

    def __init__(self, path: Path, engines: Engines) -> None:
        self.engines = engines
        sshd, ssh, keygen = program("sshd"), program("ssh"), program("ssh-keygen")
        for key in ("host", "user"):
            run(keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(path / key))
        with closing(socket.socket()) as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        variables = {"IPYEMBED_RUNTIME_DIR": str(engines.runtime), "PYTHONPATH": ROOT}
        variables["IPYTHONDIR"] = engines.env.get("IPYTHONDIR", str(path / "ipython"))
        server = [
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {path / 'host'}",
            f"AuthorizedKeysFile {path / 'user.pub'}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "PrintMotd no",
            "SetEnv " + " ".join(f"{name}={value}" for name, value in variables.items()),
        ]
        host_key = (path / "host.pub").read_text(encoding="utf-8")
        (path / "known").write_text(f"[127.0.0.1]:{self.port} {host_key}")
        client = [
            "BatchMode yes",
            "Host there",
            "HostName 127.0.0.1",
            f"Port {self.port}",
            f"IdentityFile {path / 'user'}",
            f"UserKnownHostsFile {path / 'known'}",
            "IdentitiesOnly yes",
        ]
        (path / "server").write_text("\n".join(server) + "\n", encoding="utf-8")
        (path / "client").write_text("\n".join(client) + "\n", encoding="utf-8")
        if os.getuid() == 0:
            os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # sshd's, to live in without rights
        self._log = path / "log"
        self._sshd = subprocess.Popen(
            [sshd, "-D", "-E", str(self._log), "-f", str(path / "server")],
            stdin=subprocess.DEVNULL,
        )
        self._wait_until_it_listens()
        self._arguments = {
            "ssh": "there",
            "ssh-command": f"{ssh} -F {path / 'client'}",
            "ssh-ipyembed": f"{sys.executable} -m ipyembed",
        }

    def arguments(self, **others: str) -> list[str]:
        """Of `attach`; `others` in place of those that lead there."""
        given = {name.replace("_", "-"): value for name, value in others.items()}
        return [f"--{name}={value}" for name, value in {**self._arguments, **given}.items()]

    def _wait_until_it_listens(self) -> None:
        deadline = time.monotonic() + TIMEOUT
        while self._sshd.poll() is None and time.monotonic() < deadline:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        raise AssertionError(f"sshd does not listen:\n{self.log}")

    @property
    def log(self) -> str:
        return self._log.read_text(encoding="utf-8") if self._log.exists() else ""

    def close(self) -> None:
        self._sshd.terminate()
        self._sshd.wait()


@pytest.fixture
def here(spawn: Spawn) -> Iterator[Path]:
    """The runtime directory of this machine; the engines are in another."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="ih-") as directory:
        spawn.env["IPYEMBED_RUNTIME_DIR"] = directory
        yield Path(directory)


@pytest.fixture
def there(tmp_path: Path, ipython_dir: Path) -> Iterator[There]:
    with engines_in(tmp_path, {"IPYTHONDIR": str(ipython_dir)}) as engines:
        machine = There(tmp_path, engines)
        try:
            yield machine
        finally:
            machine.close()


def attach(spawn: Spawn, there: There, *arguments: str) -> Terminal:
    return spawn.module("ipyembed", "attach", *there.arguments(), *arguments)


def open_engine(there: There, transport: str = "ipc") -> Host:
    script = HOSTS["asyncio"].replace('("host")', f'("host", transport={transport!r})')
    host = there.engines.host(HEAD + script)
    host.wait_for("engine is open")
    return host


def texts_of_processes() -> Iterator[str]:
    """Arguments and environments of all processes that we may read."""
    for name in ("cmdline", "environ"):
        for file in Path("/proc").glob(f"[0-9]*/{name}"):
            try:
                yield file.read_bytes().decode("utf-8", "replace")
            except OSError:
                continue


def test_session_on_another_machine(spawn: Spawn, there: There, here: Path) -> None:
    host = open_engine(there)
    key = there.engines.found().info["key"]
    terminal = attach(spawn, there, "host")
    terminal.wait_for(r"Attached to host on there \(pid \d+\)")
    terminal.prompt(1)
    assert terminal.run("settings").endswith("{'greeting': 'hello'}")
    terminal.send("settin\t")
    terminal.wait_for(r"In \[\d+\]: settings")
    terminal.send("\x15")
    # Ctrl-C is the cell's; ssh, which is in the same terminal, does not end.
    mark = terminal.mark()
    terminal.line("print('it', 'runs'); await asyncio.sleep(60)")
    terminal.wait_for_new("it runs", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    assert terminal.run("1 + 1").endswith("2")
    # Nothing of the key on this side; the sockets are this user's alone.
    assert not any(key in text for text in texts_of_processes())
    (directory,) = here.iterdir()
    assert directory.stat().st_mode & 0o777 == 0o700
    assert all(not path.is_file() for path in directory.iterdir())
    assert len(list(directory.glob("s-*"))) == 5
    terminal.leave()
    assert list(here.iterdir()) == []
    assert host.process.poll() is None
    assert key not in there.log
    assert key not in terminal.screen.text


def test_engine_on_tcp_that_dies_at_the_other_end(spawn: Spawn, there: There, here: Path) -> None:
    host = open_engine(there, "tcp")
    terminal = attach(spawn, there)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert terminal.run("6 * 7").endswith("42")
    host.process.send_signal(signal.SIGKILL)
    terminal.wait_for("the engine's process has ended")
    assert terminal.wait_exit() == 1
    terminal.assert_terminal_restored(modes)
    assert list(here.iterdir()) == []


def test_what_cannot_be_reached(spawn: Spawn, there: There, here: Path) -> None:
    others: list[tuple[dict[str, str], str]] = [
        ({}, "there: no engine is open"),
        ({"ssh_ipyembed": "no-such"}, "there: there is no command 'no-such'"),
        ({"ssh_ipyembed": "false"}, "there: 'false engines --json' has failed"),
        ({"ssh_ipyembed": "echo"}, "there: 'echo engines --json' has answered"),
        ({"ssh": "-oProxyCommand=x"}, "'-oProxyCommand=x' is no host for ssh"),
        ({"ssh_command": "no-such"}, "ssh cannot be started"),
        ({"ssh": "nobody@127.0.0.1"}, "nobody@127.0.0.1: ssh has not connected"),
    ]
    terminals = [
        (spawn.module("ipyembed", "attach", *there.arguments(**other)), said)
        for other, said in others
    ]
    for terminal, said in terminals:
        terminal.wait_for(said, 60)
        assert terminal.wait_exit() == 2
    assert list(here.iterdir()) == []


def test_what_a_front_end_that_was_killed_has_left_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    for name, age in (("ssh-old", 2), ("ssh-new", 0), ("ssh-in-use", 2)):
        (runtime / name).mkdir(parents=True)
        runtime.chmod(0o700)
        if name == "ssh-in-use":
            (runtime / name / "c").touch()
        then = time.time() - age * LEFT_AFTER
        os.utime(runtime / name, (then, then))
    monkeypatch.setenv("IPYEMBED_RUNTIME_DIR", str(runtime))
    with pytest.raises(SshError, match="ssh cannot be started"), SshTunnel("there", ["/no/ssh"]):
        pass
    assert sorted(path.name for path in runtime.iterdir()) == ["ssh-in-use", "ssh-new"]


def test_list_for_programs_has_no_key(there: There) -> None:
    open_engine(there)
    found = there.engines.found()
    listed = subprocess.run(
        [sys.executable, "-m", "ipyembed", "engines", "--json"],
        env={**os.environ, **there.engines.env},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    assert found.info["key"] not in listed
    (entry,) = json.loads(listed)
    assert entry.pop("command")
    assert entry == {
        "pid": found.pid,
        "name": "host",
        "started": found.started,
        "connection_file": str(found.path),
    }
