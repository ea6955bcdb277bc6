"""An engine on another machine, by OpenSSH.

One connection, so one question for a password: a master process of ssh's, through which go

1. the list of the engines there, made by the `ipyembed` command of that machine;
2. the connection file, read by ``cat``. It stays in this process's memory: the key is in no file,
   argument or log on this machine;
3. the engine's five sockets, which get a counterpart each in a private directory here.

The master holds a remote ``cat`` whose input is a pipe of ours: when this process ends, however it
does, that ends, and with it the connection.

What does not work: `jupyter_client`'s tunnel forwards ports of TCP, where any user of the machine
could connect, and the sockets of an engine are files.
"""

from __future__ import annotations

import json
import shlex
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ipyembed.engine.directory import (
    CHANNELS,
    EngineNotFoundError,
    Found,
    choose,
    parse,
    runtime_directory,
)

LEFT_AFTER = 3600.0
"""Seconds after which a directory without a master is nobody's: to type a password takes less."""
_READY = "ipyembed: connected"


class SshError(ConnectionError):
    """The other machine, or an engine there, cannot be reached."""


class SshTunnel:
    """A connection to another machine, as a context manager. Main thread.

    Raises SshError where ssh, or the other machine, does not do what is asked.
    """

    def __init__(
        self, target: str, ssh: Sequence[str] = ("ssh",), ipyembed: str = "ipyembed"
    ) -> None:
        """`target`: ``user@host``, or a name from the configuration of ssh. `ssh`: the program and
        options. `ipyembed`: the command on the other machine."""
        if target.startswith("-"):  # it would be an option
            raise SshError(f"{target!r} is no host for ssh")
        self._target = target
        self._ssh = list(ssh)
        self._ipyembed = ipyembed

    def __enter__(self) -> Self:
        runtime = runtime_directory()
        _remove_left_ones(runtime)
        self._directory = Path(tempfile.mkdtemp(prefix="ssh-", dir=runtime))
        try:
            with _sigint_ignored():  # at the terminal it is for cells
                self._master = self._start_master()
            self._wait_until_connected()
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._close()

    def find(self, what: str | None) -> Found:
        """The engine there that `what` names: a pid or a name; None: the only one.

        Its sockets are forwarded from now on. Raises EngineNotFoundError.
        """
        listed = self._run(f"{self._ipyembed} engines --json")
        try:
            engines = [_listed(entry) for entry in json.loads(listed.splitlines()[-1])]
        except (ValueError, LookupError, TypeError):
            raise SshError(
                f"{self._target}: '{self._ipyembed} engines --json' has answered: {listed.strip()}"
            ) from None
        try:
            found = choose(engines, what)
        except EngineNotFoundError as error:
            raise EngineNotFoundError(f"{self._target}: {error}") from None
        there = parse(self._run(f"cat {shlex.quote(str(found.path))}"), found.path)
        return replace(there, info=self._forward(there.info), machine=self._target)

    def _forward(self, info: dict[str, Any]) -> dict[str, Any]:
        here = dict(info, transport="ipc", ip=str(self._directory / "s"))
        forwards = []
        for number, channel in enumerate(CHANNELS, start=1):
            port = info[f"{channel}_port"]
            is_path = info["transport"] == "ipc"
            there = f"{info['ip']}-{port}" if is_path else f"{info['ip']}:{port}"
            forwards += ["-L", f"{here['ip']}-{number}:{there}"]
            here[f"{channel}_port"] = number
        done = subprocess.run(
            [*self._command(), "-O", "forward", *forwards, self._target],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SshError(f"{self._target}: the sockets are not forwarded: {_said(done.stderr)}")
        return here

    # -- ssh -----------------------------------------------------------------------------------

    def _command(self) -> list[str]:
        # Whoever shows output of ssh's in the terminal of a prompt does not help.
        options = {"ControlPath": str(self._directory / "c"), "LogLevel": "ERROR"}
        return [*self._ssh, *(f"-o{name}={value}" for name, value in options.items())]

    def _start_master(self) -> subprocess.Popen[str]:
        options = ["-oControlMaster=yes", "-oControlPersist=no", "-oForwardX11=no", "-T"]
        try:
            return subprocess.Popen(
                [*self._command(), *options, self._target, f"echo '{_READY}'; exec cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        except OSError as error:
            raise SshError(f"ssh cannot be started: {error}") from None

    def _wait_until_connected(self) -> None:
        """As long as it takes: the user may be asked for a password, by ssh itself."""
        assert self._master.stdout is not None
        for line in self._master.stdout:
            if line.strip().endswith(_READY):  # what a profile prints before it does no harm
                return
        raise SshError(f"{self._target}: ssh has not connected")

    def _run(self, command: str) -> str:
        """What a command there prints."""
        done = subprocess.run(
            [*self._command(), "-T", self._target, command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode == 127:
            raise SshError(
                f"{self._target}: there is no command '{self._ipyembed}'; "
                "say where it is by --ssh-ipyembed=PATH"
            )
        if done.returncode:
            said = _said(done.stderr or done.stdout)
            raise SshError(f"{self._target}: '{command}' has failed: {said}")
        return done.stdout

    def _close(self) -> None:
        master: subprocess.Popen[str] | None = getattr(self, "_master", None)
        if master is not None:
            for stream in (master.stdin, master.stdout):
                if stream is not None:
                    stream.close()
            try:
                master.wait(2.0)
            except subprocess.TimeoutExpired:
                master.terminate()
                master.wait()
        shutil.rmtree(self._directory, ignore_errors=True)


def _remove_left_ones(runtime: Path) -> None:
    """Directories of front ends that were killed: with no master, and not made just now."""
    for directory in runtime.glob("ssh-*"):
        try:
            is_old = directory.stat().st_mtime < time.time() - LEFT_AFTER
        except OSError:  # being removed
            continue
        if is_old and not (directory / "c").exists():  # a master removes it when it ends
            shutil.rmtree(directory, ignore_errors=True)


def _listed(entry: dict[str, Any]) -> Found:
    return Found(
        path=Path(str(entry["connection_file"])),
        name=str(entry["name"]),
        pid=int(entry["pid"]),
        command=str(entry["command"]),
        started=float(entry["started"]),
        info={},
    )


def _said(text: str) -> str:
    """The last line, where the reason is."""
    return (text.strip().splitlines() or ["nothing was said"])[-1]


@contextmanager
def _sigint_ignored() -> Iterator[None]:
    """A process that is started in here ignores it, too: ssh leaves it so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
