"""What others print while a prompt is up lands above it: the policy `output`.

=======  ==========================================================================================
``fd``   caught at the file descriptors that are the terminal (`output_pty`)
``sys``  caught at `sys.stdout` and `sys.stderr` (`output_sys`); also what ``fd`` falls back to
``off``  not caught
=======  ==========================================================================================
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any, Self, TypeVar

from prompt_toolkit.application import get_app_session, run_in_terminal
from prompt_toolkit.output.vt100 import Vt100_Output

from ipyembed.aside import borrower_asks
from ipyembed.lent import stepping_aside
from ipyembed.output_screen import CAUGHT_LESS
from ipyembed.output_sys import SessionText, streams_caught
from ipyembed.prompt_thread import prompt_thread

if TYPE_CHECKING:
    from prompt_toolkit.application import Application

    from ipyembed.output_pty import Catch, OutputPty

T = TypeVar("T")
Ask = Callable[[], Coroutine[Any, Any, T]]


class Output:
    """The pty that the shells of this process share; held with `with` as long as one is open."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # shells open and close on any thread
        self._holders = 0
        self._pty: OutputPty | None = None
        self._failed = False
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        if self._pty is not None:
            self._pty.forget_in_child()
        self._lock = threading.Lock()
        self._holders = 0
        self._pty = None

    def __enter__(self) -> Self:
        with self._lock:
            self._holders += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            # A shell that a forked child inherited leaves without ever having entered there.
            self._holders = max(0, self._holders - 1)
            if self._holders == 0:
                self._close()
                self._failed = False

    def _close(self) -> None:
        pty, self._pty = self._pty, None
        if pty is not None:
            pty.close()
            if not pty.is_forwarding:
                atexit.unregister(pty.hand_over)

    @property
    def pty(self) -> OutputPty | None:
        """The pty, once a prompt has needed one."""
        return self._pty

    def pty_for(self, app: Application[Any]) -> OutputPty | None:
        """The pty for the terminal that `app` draws on; None where there can be none.

        Eval thread.
        """
        output = app.output
        if self._failed or not hasattr(os, "openpty") or not isinstance(output, Vt100_Output):
            return None
        with self._lock:
            try:
                terminal = output.fileno()
                if self._pty is not None and not self._pty.is_for(terminal):
                    self._close()
                if self._pty is None and os.isatty(terminal):
                    from ipyembed.output_pty import OutputPty

                    self._pty = OutputPty(terminal, output.encoding() or "utf-8")
                    atexit.register(self._pty.hand_over)
            except (OSError, ValueError, AttributeError) as error:
                self.give_up(str(error))
                return None
            if self._pty is not None and self._pty.fault:
                self._failed = True
                return None
            return self._pty

    def give_up(self, reason: str) -> None:
        """Catch nothing at the descriptors any more, as long as a shell is open."""
        if not self._failed:
            self._failed = True
            print(f"ipyembed: {CAUGHT_LESS}: {reason}", file=sys.stderr)


output = Output()
"""The process's only one."""


@contextmanager
def above_prompt(
    policy: str, app: Application[Any], context: contextvars.Context
) -> Iterator[Callable[[Ask[T]], Ask[T]]]:
    """Catch what is printed while a question is up. Runs on the eval thread, around the question.

    `policy` is that of the trait `LoopJuggler.output`; `app` one with the question's input and
    output; the question is asked in `context`. Yields what makes of an `ask` for the prompt thread
    one that catches.
    """
    if policy == "off":
        yield lambda ask: ask
        return
    pty = output.pty_for(app) if policy == "fd" else None
    if pty is None:
        with streams_caught(context):
            yield lambda ask: ask
        return
    from ipyembed.output_pty import Catch

    catch = Catch()
    flush_streams()
    try:
        with stepping_aside(_Streams()):
            yield lambda ask: lambda: _ask_catching(pty, catch, app, ask)
    finally:
        pty.give_back(catch)  # the prompt thread has, unless something holds it
        flush_streams()


async def _ask_catching(pty: OutputPty, catch: Catch, app: Application[Any], ask: Ask[T]) -> T:
    """Ask on the prompt thread. The descriptors are led there and back by this thread alone,
    because no handler of a signal runs on it, which could raise in the midst."""
    with ExitStack() as stack:
        try:
            stack.enter_context(pty.catching(catch, app, get_app_session()))
        except OSError as error:
            output.give_up(str(error))
            stack.enter_context(streams_caught(contextvars.copy_context()))
        return await ask()


class _Streams:
    """The `Catcher` of the policy `fd`: the pty itself steps aside on the prompt thread."""

    def drain(self) -> None:
        """See `Catcher`."""
        flush_streams()

    def let_through(self) -> None:
        """See `Catcher`."""

    def catch_again(self) -> None:
        """See `Catcher`."""
        flush_streams()


async def say(line: str) -> None:
    """Write a line of ours above the prompt that is up. Prompt thread, in its context."""
    pty, text = output.pty, f"ipyembed: {line}\n"
    if pty is not None and pty.is_catching:
        await pty.whole_line()
        pty.write(text)
    elif not SessionText(get_app_session()).write(text):
        asks = borrower_asks.set(True)  # the terminal can stay raw, and echoes nothing
        await run_in_terminal(lambda: _write(text))
        borrower_asks.reset(asks)


def _write(text: str) -> None:
    out = get_app_session().output
    out.write(text)
    out.flush()


async def drained() -> None:
    """Wait until what the proxy has handed to the prompt loop is written.

    Runs on the prompt thread, when the prompt has ended: it would come after the cell's first
    output otherwise.
    """
    for _ in range(3):
        await asyncio.sleep(0)


def flush_streams() -> None:
    """Have Python's streams write what they hold, on this side of a switch."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except Exception:  # None, closed, or the user's own: he will hear of it when he prints
            pass


@contextmanager
def beside_child() -> Iterator[tuple[int | None, int | None]]:
    """While a child process has the terminal: see `OutputPty.beside_child`. Any thread."""
    flush_streams()
    pty = output.pty
    if pty is None:
        yield None, None
        return

    def listen() -> None:
        loop = prompt_thread.loop
        if loop is not None:
            with suppress(RuntimeError):  # it has just been closed
                loop.call_soon_threadsafe(pty.listen_in_prompt_thread)

    with pty.beside_child(listen) as homes:
        yield homes
        flush_streams()


def terminal_reopened() -> None:
    """Open the descriptors that were the terminal at the last prompt and are closed now."""
    if output.pty is not None:
        output.pty.reopen()


def terminal_resized() -> None:
    """Tell the pty; any thread, also in a signal handler."""
    pty = output.pty
    if pty is not None:
        pty.resized()
