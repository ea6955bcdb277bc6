"""A program in a real pseudo-terminal, watched as a person would: by what the screen shows.

Nothing here sleeps and hopes.  Every wait has a deadline, ends at the first moment that what it
waits for is on the screen, and on failure shows the screen and the bytes that led to it.

The child is watched from the calling thread only, and only during a wait: between waits its
output queues up in the pty.
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
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import pyte

from tests.pty.screen import ScrollbackScreen

DEFAULT_TIMEOUT = 15.0

T = TypeVar("T")

# Run in the child before the program.  `preexec_fn` would do the same, but it forks with the test
# runner's threads alive, about which Python rightly warns.  SIGINT and SIGQUIT are ignored in
# the background jobs of some shells, SIGHUP under nohup, and a child would inherit that.
_TAKE_THE_TERMINAL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGINT, signal.SIG_DFL)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])
"""

_ESCAPE = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_=>])")


class PseudoTerminal:
    """One program, its pseudo-terminal and the screen that it draws on."""

    def __init__(
        self,
        argv: Sequence[str],
        *,
        rows: int = 30,
        cols: int = 100,
        env: Mapping[str, str] | None = None,
        cwd: str | os.PathLike[str] | None = None,
    ) -> None:
        self.screen = ScrollbackScreen(cols, rows)
        self._stream = pyte.ByteStream(self.screen)
        self._transcript = bytearray()
        self.answers = True
        """Whether it answers at once when the program asks where the cursor is; or when set again,
        as a terminal at the end of a slow line."""
        # Our copy of the slave stays open: the tty's modes can be read after the program has
        # gone, and its last output is not thrown away.  So the end of the program shows as its
        # exit, not as an end of file.
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)
        termios.tcsetwinsize(self._slave, (rows, cols))
        self._process = subprocess.Popen(
            [sys.executable, "-ISc", _TAKE_THE_TERMINAL, *argv],
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            env={**os.environ, "TERM": "xterm-256color"} if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )

    # What is seen

    @property
    def pid(self) -> int:
        return self._process.pid

    def is_dead(self) -> bool:
        """Whether the program has ended."""
        return self._process.poll() is not None

    @property
    def transcript(self) -> bytes:
        """Every byte that the program has printed, as far as it has been read."""
        return bytes(self._transcript)

    @property
    def cursor(self) -> tuple[int, int]:
        """Row and column, from 0."""
        return self.screen.cursor.y, self.screen.cursor.x

    def tty_modes(self) -> list[Any]:
        """All of `termios.tcgetattr`, to compare before with after."""
        return termios.tcgetattr(self._slave)

    @property
    def foreground_process_group(self) -> int:
        return os.tcgetpgrp(self._master)

    def screen_text(self) -> str:
        """Scrollback and screen."""
        return self.screen.text

    # What is typed

    def send(self, text: str) -> None:
        """Type; reads meanwhile, so that a program that prints instead of reading cannot block."""
        data = text.encode()
        deadline = time.monotonic() + DEFAULT_TIMEOUT
        while data:
            if time.monotonic() > deadline:
                raise self._failure(f"the program does not read its input: {data[:80]!r} is left")
            _, writable, _ = select.select([self._master], [self._master], [], 0.05)
            if writable:
                with contextlib.suppress(BlockingIOError):
                    data = data[os.write(self._master, data) :]
            if data:
                self._read_available()

    def line(self, text: str = "") -> None:
        self.send(text + "\r")

    def ctrl(self, key: str) -> None:
        self.send(chr(ord(key.upper()) ^ 0x40))

    def paste(self, text: str) -> None:
        self.send(f"\x1b[200~{text}\x1b[201~")

    # What is waited for

    def wait_for(
        self,
        what: str | re.Pattern[str] | Callable[[Self], object],
        timeout: float = DEFAULT_TIMEOUT,
    ) -> str:
        """Wait until the text on the screen or in the scrollback matches; what matched.

        `^` and `$` match at line ends.  Mind that what is typed is also shown: type
        something that does not contain what it prints.  A callable is asked
        until it returns something true, and the result is empty.
        """
        if callable(what):
            self._wait(lambda: what(self), f"{what!r}", timeout)
            return ""
        pattern = re.compile(what, re.MULTILINE) if isinstance(what, str) else what
        match = self._wait(
            lambda: pattern.search(self.screen.text), f"{pattern.pattern!r}", timeout
        )
        assert match is not None
        return match[0]

    def mark(self) -> int:
        """A point in time, for `wait_for_new`."""
        self._read_available()
        return len(self._transcript)

    def printed_since(self, mark: int) -> str:
        """What was printed after the mark, in that order and without escape sequences."""
        return _ESCAPE.sub(b"", self._transcript[mark:]).decode(errors="replace")

    def wait_for_new(self, pattern: str, mark: int, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Like `wait_for`, but in what was printed after the mark.  What is still on the screen
        from before does not match, unless it is drawn again."""
        regex = re.compile(pattern, re.MULTILINE)
        match = self._wait(
            lambda: regex.search(self.printed_since(mark)), f"new output {pattern!r}", timeout
        )
        assert match is not None
        return match[0]

    def read_for(self, seconds: float) -> None:
        """For tests that choose their moments at random: what it prints meanwhile is read."""
        end = time.monotonic() + seconds
        while True:
            self._read_available()
            if time.monotonic() >= end:
                return
            time.sleep(0.0005)

    def wait_exit(self, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Wait for the program to end; its exit status, negative if a signal ended it."""
        self._wait(lambda: self._process.poll() is not None, "the program's exit", timeout)
        self._read_available(everything=True)
        assert self._process.returncode is not None
        return self._process.returncode

    # What is done to it

    def resize(self, rows: int, cols: int) -> None:
        self._read_available()
        self.screen.resize(rows, cols)
        termios.tcsetwinsize(self._master, (rows, cols))

    def hang_up(self) -> None:
        """Close the terminal, as if its window were closed; nothing more is seen of the program."""
        for fd in (self._master, self._slave):
            os.close(fd)
        self._master, self._slave = os.openpty()
        os.set_blocking(self._master, False)

    def signal(self, number: int) -> None:
        self._process.send_signal(number)

    def terminate(self, timeout: float = DEFAULT_TIMEOUT) -> int:
        self._process.terminate()
        return self.wait_exit(timeout)

    def close(self) -> None:
        """End the program and whatever it left in the terminal's foreground."""
        if self._master < 0:
            return
        groups = {self.pid} if self._process.poll() is None else set()
        with contextlib.suppress(OSError):
            groups.add(self.foreground_process_group)
        for group in groups - {0, os.getpgrp()}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    # How

    def _wait(self, ready: Callable[[], T], what: str, timeout: float) -> T:
        deadline = time.monotonic() + timeout
        while True:
            # Asked before reading: what a dead program has printed is all there already.
            dead = self._process.poll() is not None
            self._read_available(everything=dead)
            if result := ready():
                return result
            remaining = deadline - time.monotonic()
            if dead or remaining <= 0:
                raise self._failure(
                    f"ended without {what}" if dead else f"waited {timeout:g} s for {what}"
                )
            # In slices, because the program's death does not make the master readable.
            select.select([self._master], [], [], min(remaining, 0.05))

    def _read_available(self, everything: bool = False) -> None:
        # Bounded, so that a program that never stops printing cannot keep a wait from ending.
        for _ in range(10_000 if everything else 64):
            self._answer()
            try:
                data = os.read(self._master, 65536)
            except BlockingIOError:
                return
            self._transcript += data
            self._stream.feed(data)
        self._answer()

    def _answer(self) -> None:
        if self.screen.replies and self.answers:
            reply = "".join(self.screen.replies).encode()
            self.screen.replies.clear()
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, reply)

    def _failure(self, what: str) -> AssertionError:
        status = self._process.poll()
        state = "still running" if status is None else f"ended with exit status {status}"
        rule = "-" * self.screen.columns
        return AssertionError(
            f"{what}\nThe program is {state}; cursor at {self.cursor}. The screen:\n"
            f"{rule}\n{self.screen.text}\n{rule}\n"
            f"The last bytes that it printed: {bytes(self._transcript[-2000:])!r}"
        )
