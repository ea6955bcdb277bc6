"""A program in a pseudo-terminal whose output is kept as bytes and drawn nowhere.

For what a screen that is drawn would be too slow to read: floods, and the moment at which a few
bytes arrive. Everything is read on the caller's thread, during a wait, in pieces as large as the
system gives.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.pty.pseudo_terminal import _TAKE_THE_TERMINAL

DEADLINE = 60.0
"""Seconds for which a wait lasts at most, unless it is told otherwise."""

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])")
_WHERE_IS_THE_CURSOR = b"\x1b[6n"
_PIECE = 1 << 20


def plain(data: bytes) -> bytes:
    """Without escape sequences."""
    return _ESCAPE.sub(b"", data)


def keep_niceness(pid: int) -> None:
    """Give a process that leads a new session the niceness of this one.

    Linux shares the CPU out among sessions first (sched(7), "The autogroup feature"), and each new
    one has a niceness of its own, which is 0.
    """
    path = Path(f"/proc/{pid}/autogroup")
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness and path.exists():
        path.write_text(str(niceness))


class RawTerminal:
    """A program and all that it has printed: `output`."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        cwd: Path | None = None,
        rows: int = 30,
        cols: int = 100,
    ) -> None:
        self.output = bytearray()
        self._answered = 0
        self._master, slave = os.openpty()
        os.set_blocking(self._master, False)
        termios.tcsetwinsize(slave, (rows, cols))
        self.started = time.perf_counter()
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_THE_TERMINAL, *argv],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=dict(env),
            cwd=cwd,
            start_new_session=True,
        )
        os.close(slave)
        keep_niceness(self._process.pid)

    @property
    def pid(self) -> int:
        return self._process.pid

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def send(self, data: bytes) -> float:
        """Type; the clock (`time.perf_counter`) when the last byte has been taken."""
        deadline = time.perf_counter() + DEADLINE
        while data:
            with contextlib.suppress(BlockingIOError):
                data = data[os.write(self._master, data) :]
            if data:
                self._read(0.01, writing=True)
                if time.perf_counter() > deadline:
                    raise self._failure("the program does not read its input")
        return time.perf_counter()

    def mark(self) -> int:
        """A point in `output`, for `wait_for`, after all that has been printed so far."""
        while self._read(0):
            pass
        return len(self.output)

    def wait_for(
        self, what: bytes | re.Pattern[bytes], since: int = 0, timeout: float = DEADLINE
    ) -> float:
        """The clock when the bytes, or the match in the plain text, have arrived.

        Bytes are found where they are, escape sequences and all; for a flood, give bytes. A pattern
        is searched in what `plain()` leaves of everything since the mark: for a few kilobytes.
        """
        deadline = time.perf_counter() + timeout
        looked = since
        while True:
            now = time.perf_counter()
            if isinstance(what, bytes):
                if self.output.find(what, looked) >= 0:
                    return now
                looked = max(since, len(self.output) - len(what) + 1)
            elif what.search(plain(bytes(self.output[since:]))):
                return now
            if now > deadline:
                raise self._failure(f"waited {timeout:g} s for {what!r}")
            has_ended = self._process.poll() is not None  # asked before the last is read
            if not self._read(deadline - now) and has_ended:
                raise self._failure(f"ended without {what!r}")

    def has_come(self, what: bytes, since: int, patience: float = 0.5) -> bool:
        """Read what there is, waiting a little; whether the bytes are in it, since that point."""
        self._read(patience)
        return self.output.find(what, since) >= 0

    def forget(self, point: int) -> None:
        """Drop the output before that point, of which nobody wants to know any more."""
        del self.output[:point]
        self._answered = max(0, self._answered - point)

    def wait_quiet(self, seconds: float = 0.1) -> None:
        """Wait until nothing has been printed for that long."""
        while self._read(seconds):
            pass

    def wait_exit(self, timeout: float = DEADLINE) -> int:
        """Read on until the program ends; its exit status."""
        deadline = time.perf_counter() + timeout
        while self._process.poll() is None:
            if time.perf_counter() > deadline:
                raise self._failure(f"waited {timeout:g} s for its exit")
            self._read(0.01)
        while self._read(0):
            pass
        assert self._process.returncode is not None
        return self._process.returncode

    def close(self) -> None:
        if self._master < 0:
            return
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGKILL)
        self._process.wait()
        os.close(self._master)
        self._master = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def _read(self, timeout: float, writing: bool = False) -> bool:
        """Whether something came."""
        wanted = [self._master] if writing else []
        ready, _, _ = select.select([self._master], wanted, [], max(0.0, min(timeout, 0.5)))
        if not ready:
            return False
        try:
            data = os.read(self._master, _PIECE)
        except BlockingIOError:
            return False
        except OSError:  # the program has gone, and so has the terminal
            time.sleep(min(timeout, 0.01))
            return False
        self.output += data
        if _WHERE_IS_THE_CURSOR[-1:] in data:
            self._answer()
        return True

    def _answer(self) -> None:
        """Say where the cursor is, or prompt_toolkit takes the terminal for one that cannot."""
        while (at := self.output.find(_WHERE_IS_THE_CURSOR, self._answered)) >= 0:
            self._answered = at + len(_WHERE_IS_THE_CURSOR)
            with contextlib.suppress(OSError):
                os.write(self._master, b"\x1b[1;1R")
        self._answered = max(self._answered, len(self.output) - len(_WHERE_IS_THE_CURSOR) + 1)

    def _failure(self, what: str) -> AssertionError:
        status = self._process.poll()
        state = "still running" if status is None else f"ended with exit status {status}"
        return AssertionError(
            f"{what}\nThe program is {state}; the end of the {len(self.output)} bytes that it "
            f"printed:\n{bytes(self.output[-3000:])!r}"
        )
