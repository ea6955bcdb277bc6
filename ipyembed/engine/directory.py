"""Where the engines of this user are found, and whose files are refused.

Each engine has a directory of its own, ``NAME-PID``, with mode 0700, in the user's runtime
directory. In it are the connection file (mode 0600), which holds the key that signs messages, and
the sockets. Nobody else can enter it, so nobody else can connect.

A file that another user owns, or could have changed, is refused: whoever writes the connection
file of an engine decides what your front end talks to, and sees what you type.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import stat
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CONNECTION_FILE = "connection.json"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
CHANNELS = ("shell", "iopub", "stdin", "control", "hb")
LONGEST_SOCKET_PATH = 100
"""Bytes; the system's limit is 104 to 108, and `-1` to `-5` are appended."""


class EngineNotFoundError(LookupError):
    """There is no such engine, or more than one."""


@dataclass(frozen=True)
class Found:
    """An engine's connection file, read. `key` is not shown."""

    path: Path
    name: str
    pid: int
    command: str
    started: float
    """Seconds since the epoch."""
    info: dict[str, Any] = field(repr=False)
    """The contents of the connection file."""
    machine: str = ""
    """The machine it is on, if its sockets are forwarded from there."""

    @property
    def is_alive(self) -> bool:
        """Whether somebody listens on its sockets."""
        return is_listening(self.info, through_tunnel=bool(self.machine))


def runtime_directory() -> Path:
    """The directory of this user's engines; made if it is not there.

    ``$IPYEMBED_RUNTIME_DIR``, or ``ipyembed`` in ``$XDG_RUNTIME_DIR``, or ``ipyembed-UID`` in the
    directory for temporary files. Raises PermissionError if it is not this user's alone.
    """
    given = os.environ.get("IPYEMBED_RUNTIME_DIR")
    of_session = os.environ.get("XDG_RUNTIME_DIR")
    if given:
        path = Path(given)
    elif of_session and os.path.isdir(of_session) and os.access(of_session, os.W_OK):
        path = Path(of_session) / "ipyembed"
    else:
        user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
        path = Path(tempfile.gettempdir()) / f"ipyembed-{user}"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_is_ours(path)
    return path


def check_is_ours(path: Path) -> None:
    """Raises PermissionError if another user owns `path`, or may read or write it."""
    if not hasattr(os, "getuid"):  # Windows: the user's directories have the user's access list
        return
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        raise PermissionError(f"{path} is a symbolic link, where an engine's own file should be")
    if status.st_uid != os.geteuid():
        raise PermissionError(
            f"{path} belongs to another user (uid {status.st_uid}); an engine is for the user who "
            "started it"
        )
    if status.st_mode & 0o077:
        raise PermissionError(
            f"{path} is open to other users (mode {stat.S_IMODE(status.st_mode):04o}); "
            f"an engine's files are its user's alone"
        )


class EngineFiles:
    """The directory of one engine, from construction until `remove()`."""

    def __init__(self, name: str | None, runtime: Path | None = None) -> None:
        """Raises ValueError for a name that is none, and PermissionError as `runtime_directory`."""
        self.name = name if name is not None else _default_name()
        if not _NAME.fullmatch(self.name):
            raise ValueError(
                f"{self.name!r} is no name for an engine; use letters, digits, '_', '.' and '-'"
            )
        self._pid = os.getpid()
        base = runtime or runtime_directory()
        check_is_ours(base)
        self.directory = self._make(base)
        self.connection_file = self.directory / CONNECTION_FILE

    def _make(self, base: Path) -> Path:
        for suffix in ("", *(f"-{n}" for n in range(2, 10_000))):
            path = base / f"{self.name}-{self._pid}{suffix}"
            try:
                path.mkdir(mode=0o700)
            except FileExistsError:  # another engine of this process, or one that died
                continue
            return path
        raise RuntimeError(f"no directory could be made for the engine in {base}")

    @property
    def socket_path(self) -> str:
        """What the names of the sockets begin with. Raises OSError if they would be too long."""
        path = str(self.directory / "s")
        if len(os.fsencode(path)) > LONGEST_SOCKET_PATH:
            raise OSError(
                f"the path of the engine's sockets is too long for the system: {path}; choose a "
                "shorter directory by $IPYEMBED_RUNTIME_DIR"
            )
        return path

    def write(self, info: dict[str, Any]) -> None:
        """Write the connection file, whole or not at all, with mode 0600."""
        about = {
            "pid": self._pid,
            "name": self.name,
            "command": " ".join(getattr(sys, "orig_argv", None) or sys.argv),
            "started": time.time(),
        }
        text = json.dumps({**info, "kernel_name": self.name, "ipyembed": about}, indent=2)
        unfinished = self.directory / f".{CONNECTION_FILE}"
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(unfinished, self.connection_file)

    def remove(self) -> None:
        """Remove the directory; not in a forked child, for it is still the parent's."""
        if os.getpid() == self._pid:
            shutil.rmtree(self.directory, ignore_errors=True)


def _default_name() -> str:
    stem = Path(sys.argv[0]).stem if sys.argv and sys.argv[0] not in ("", "-c", "-m") else ""
    if stem == "__main__":
        stem = Path(sys.argv[0]).parent.name
    return re.sub(r"[^A-Za-z0-9_.-]", "_", stem).lstrip(".-")[:40] or "python"


def read(path: Path) -> Found:
    """Read a connection file. Raises PermissionError if it is not this user's, or ValueError."""
    check_is_ours(path)
    return parse(path.read_text(encoding="utf-8"), path)


def parse(text: str, path: Path) -> Found:
    """The contents of the connection file `path`. Raises ValueError."""
    try:
        info = json.loads(text)
        for channel in CHANNELS:
            info[f"{channel}_port"] = int(info[f"{channel}_port"])
        if not isinstance(info["key"], str) or info["transport"] not in ("ipc", "tcp"):
            raise ValueError
        about = info.get("ipyembed", {})
        return Found(
            path=path,
            name=str(about.get("name", path.stem)),
            pid=int(about.get("pid", 0)),
            command=str(about.get("command", "")),
            started=float(about.get("started", 0.0)),
            info=info,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        raise ValueError(f"{path} is no connection file of an engine") from None


def is_listening(info: dict[str, Any], through_tunnel: bool = False) -> bool:
    """Whether a process listens where the connection file says.

    The file is written when the sockets are open, so nobody listening means dead, whatever process
    has the number now. At the end of a tunnel somebody always listens; but only an engine says
    something, and nobody hangs up.
    """
    port = info["hb_port"]
    if info["transport"] == "ipc":
        address: Any = f"{info['ip']}-{port}"
        family = socket.AF_UNIX
    else:
        address = (info["ip"], port)
        family = socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(address)
            if through_tunnel and not probe.recv(1):
                return False
        except (ConnectionRefusedError, ConnectionResetError, FileNotFoundError):
            return False
        except OSError:  # too many others connect just now
            return True
    return True


def all_engines() -> list[Found]:
    """The engines of this user that live, oldest first. What dead ones have left is removed."""
    found = []
    for path in runtime_directory().glob(f"*/{CONNECTION_FILE}"):
        try:
            engine = read(path)
        except (OSError, ValueError):
            continue  # another user's, or just being removed
        if engine.is_alive:
            found.append(engine)
        else:
            shutil.rmtree(path.parent, ignore_errors=True)
    return sorted(found, key=lambda engine: engine.started)


def find(what: str | None = None) -> Found:
    """The engine that `what` names: a pid, a name or a connection file; None: the only one.

    Raises EngineNotFoundError, and PermissionError for another user's file.
    """
    if what is not None and (os.sep in what or what.endswith(".json")):
        path = Path(what)
        if not path.exists():
            raise EngineNotFoundError(f"there is no connection file {what}")
        return read(path)
    return choose(all_engines(), what)


def choose(engines: list[Found], what: str | None) -> Found:
    """The one of `engines` that a pid or a name means; None: the only one.

    Raises EngineNotFoundError.
    """
    if what is not None:
        engines = [engine for engine in engines if what in (engine.name, str(engine.pid))]
    if len(engines) == 1:
        return engines[0]
    wanted = "" if what is None else f" {what!r}"
    if not engines:
        raise EngineNotFoundError(f"no engine{wanted} is open; `ipyembed engines` lists them")
    names = ", ".join(f"{engine.name} (pid {engine.pid})" for engine in engines)
    raise EngineNotFoundError(f"more than one engine{wanted} is open, name one by its pid: {names}")
