"""Child processes that have the terminal: a pager, an editor, ``!cmd``.

Goal: the child owns the terminal as it would in a shell of the system's, and the eval thread turns
its loops meanwhile. So a thread borrows the terminal, starts the child, waits for it, puts the
terminal's modes back and gives it back; the eval thread waits for that in the way of its host.

Ctrl-C goes to every process in the terminal's foreground: to the child, which knows what to do with
it (a pager goes on, ``sleep`` ends), and to us. So while a child has the terminal our handler only
takes note of it. When Python is told instead, as `subprocess.call` is, the child is left behind
with the terminal.

What others print meanwhile is `output_beside`'s.
"""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

from ipyembed.job_suspend import suspend_key
from ipyembed.lent import terminal_lent
from ipyembed.modes import modes_restored
from ipyembed.output import beside_child
from ipyembed.prompt_thread import TEARDOWN

if TYPE_CHECKING:
    from ipyembed.hosts import Host
    from ipyembed.juggler import LoopJuggler

T = TypeVar("T")

Start = Callable[[int | None, int | None], "subprocess.Popen[bytes]"]
"""Starts a child, with these for its standard output and error; None: what it inherits."""


class Child:
    """One child process that has the terminal, from its start to its end."""

    def __init__(self, start: Start, feed: bytes = b"") -> None:
        """`start` starts it, on a thread of ours; `feed` is written to its standard input."""
        self._start = start
        self._feed = feed
        # Guards the two below it: it may be ended before it has begun.
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._is_unwanted = False
        self.status: Future[int] = in_thread(self._run)
        """Its exit status, negative for a signal, once the terminal is free again."""

    def _run(self) -> int:
        with terminal_lent(), beside_child() as (out, err), modes_restored(), self._ended_at_exit():
            with self._lock:
                if self._is_unwanted:
                    return -signal.SIGTERM
                process = self._process = self._start(out, err)
            if process.stdin is not None:
                with suppress(BrokenPipeError), process.stdin:
                    process.stdin.write(self._feed)
            status = process.wait()
            if self._is_unwanted:
                _switch_off_what_is_left_on(1 if out is None else out)
            return status

    @contextmanager
    def _ended_at_exit(self) -> Iterator[None]:
        """If the interpreter ends, as when the host's loop was stopped, so does the child.

        Else it would be left with a terminal whose modes are its own.
        """
        atexit.register(self.end)
        try:
            yield
        finally:
            atexit.unregister(self.end)

    def end(self) -> None:
        """Have it end, and block until the terminal is free, for `TEARDOWN` seconds at most."""
        with self._lock:
            self._is_unwanted = True
            process = self._process
        if process is not None:
            process.terminate()
        with suppress(Exception):
            self.status.result(TEARDOWN)


def _switch_off_what_is_left_on(fd: int) -> None:
    """What a child that was ended may have left of itself in the terminal; `less` 590 does.

    The other screen, keypad and cursor keys, reports of the mouse, of the focus and of what is
    pasted, a hidden cursor, a colour. Nothing happens where none of it is on: to leave the other
    screen restores the cursor from where it is saved first.
    """
    modes = [1049, 1, 1000, 1002, 1003, 1004, 1006, 2004]
    off = "\x1b7" + "".join(f"\x1b[?{mode}l" for mode in modes) + "\x1b>\x1b[?25h\x1b[m"
    with suppress(OSError):
        if os.isatty(fd):
            os.write(fd, off.encode())


def in_thread(function: Callable[[], T]) -> Future[T]:
    """Have `function` called on a thread of its own."""
    result: Future[T] = Future()

    def run() -> None:
        try:
            value = function()
        except BaseException as error:
            result.set_exception(error)
        else:
            result.set_result(value)

    threading.Thread(target=run, name="ipyembed-child", daemon=True).start()
    return result


class Interrupts:
    """What Ctrl-C has done while a child had the terminal."""

    came = False


@contextmanager
def interrupts_noted() -> Iterator[Interrupts]:
    """While a child has the terminal: SIGINT is its own, we take note of it. Eval thread.

    Ctrl-Z stops it and this process, as it does without us: a prompt could not come up.
    """
    noted = Interrupts()

    def note(*_: object) -> None:
        noted.came = True

    with (
        _handled("SIGINT", note),
        _handled("SIGTSTP", signal.SIG_DFL),
        suspend_key.suspending(),
    ):
        yield noted


@contextmanager
def _handled(name: str, handler: Any) -> Iterator[None]:
    number = getattr(signal, name, None)  # Windows has no SIGTSTP
    if number is None or threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.getsignal(number)
    if previous in (None, signal.SIG_IGN):  # installed from C: it could not be put back
        yield
        return
    signal.signal(number, handler)
    try:
        yield
    finally:
        if signal.getsignal(number) is handler:
            signal.signal(number, previous)


class Waiting:
    """How the eval thread of one shell waits for what another thread does for a cell."""

    def __init__(self, juggler: LoopJuggler, host: Host | None) -> None:
        self._juggler = juggler
        self._host = host

    def wait(self, start: Callable[[], Future[T]]) -> tuple[T, Interrupts]:
        """In a cell that does not await: the result of what `start()` starts.

        The host's loop is run again from inside, if it can be.
        """
        self._juggler.look_for_gui()
        with interrupts_noted() as noted:
            return self._juggler.wait_apart(start(), reenter=self._host is not None), noted

    async def wait_awaited(self, start: Callable[[], Future[T]]) -> tuple[T, Interrupts]:
        """In a cell of an awaited shell."""
        assert self._host is not None
        with interrupts_noted() as noted:
            result = start()
            await self._host.wait_until_done(result)
            return result.result(), noted

    async def child_awaited(self, start: Callable[[], Child]) -> tuple[int, Interrupts]:
        """Likewise; if the wait is cancelled, the child is ended."""
        child: Child | None = None

        def status() -> Future[int]:
            nonlocal child
            child = start()
            return child.status

        try:
            return await self.wait_awaited(status)
        except BaseException:
            if child is not None:
                child.end()
            raise
