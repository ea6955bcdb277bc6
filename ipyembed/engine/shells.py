"""The shells in which an engine's cells run: its own, or the terminal shell that is open.

While a terminal shell is open on the eval thread (`embed()`, `embed_async()`, ``%load_ext``),
clients share it: its names, its history, its numbers. One shell runs one cell at a time, so a
client's cell waits for the terminal's, and the terminal's for a client's. The prompt stays alive
meanwhile.

==============================  ====================================================================
the terminal shell              a client's cell is
==============================  ====================================================================
awaited (`embed_async`)         a task of the host loop
blocking, a loop turns          a task of that loop
blocking, no loop turns         run at once by the thread that waits for the prompt
==============================  ====================================================================
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from prompt_toolkit.formatted_text import PygmentsTokens
from traitlets.config import Config

from ipyembed.attachment import Attachment
from ipyembed.cells import Cells
from ipyembed.engine.client_output import ClientOutput
from ipyembed.engine.engine_magics import EngineContext, add_magics
from ipyembed.engine.engine_shell import make_shell
from ipyembed.engine.executing import execute, execute_blocking
from ipyembed.engine.following import Following
from ipyembed.engine.interrupting import EngineInterrupts
from ipyembed.engine.places import Place, start_here
from ipyembed.engine.redirect import Redirect
from ipyembed.juggler import LoopJuggler
from ipyembed.loops import running_loop
from ipyembed.namespaces import Caller
from ipyembed.slot import slot

Reply = dict[str, Any]
Run = Callable[[], Coroutine[Any, Any, None]]


class OwnShell:
    """The engine's own shell; made on the eval thread when it is first needed."""

    def __init__(
        self,
        place: Place,
        caller: Caller,
        config: Config | None,
        describe: Callable[[], str],
    ) -> None:
        """`describe()`: what ``%loops`` prints."""
        self.place = place
        self._describe = describe
        self._caller = caller
        self._config = config
        self._shell: InteractiveShell | None = None
        self._dispose: Callable[[], None] | None = None
        self._is_closed = False

    @property
    def thread(self) -> threading.Thread:
        """The eval thread."""
        return self.place.thread

    def call_soon_threadsafe(
        self, function: Callable[[], object], withdrawn: Callable[[], object]
    ) -> None:
        """Have `function`, which must not raise, called on the eval thread."""
        self.place.call_soon_threadsafe(function)

    def start_threadsafe(self, run: Run, elsewhere: Callable[[], object]) -> None:
        """Have a cell run, by the coroutine that `run()` makes."""
        self.place.start_threadsafe(run)

    def shell(self) -> InteractiveShell:
        """The shell. Eval thread."""
        if self._shell is None:
            if self._is_closed:
                raise RuntimeError("the engine is closed")
            shell, self._dispose = make_shell(self._caller, self._config)
            self.interrupts = EngineInterrupts(shell, self.place.call_soon_threadsafe)
            self._cells = _cells(shell, self.interrupts)
            self._redirect = Redirect(shell)
            self._redirect.put_on(ExitStack())  # for good: it is the clients' alone
            loop = getattr(self.place, "loop", None)
            add_magics(EngineContext(shell, self._cells, self.interrupts, loop), self._describe)
            self._shell = shell
        return self._shell

    async def execute(
        self, output: ClientOutput, following: Following, began: Callable[[Any], object]
    ) -> Reply:
        """Run a client's cell. `began` is told what interrupts it."""
        shell = self.shell()
        began(self.interrupts)
        return await execute(self._cells, shell, self._redirect, output, following)

    def dispose(self) -> None:
        """Nothing is left of the shell. Eval thread, or when that has ended."""
        self._is_closed = True
        dispose, self._dispose, self._shell = self._dispose, None, None
        if dispose is not None:
            dispose()

    @property
    def is_made(self) -> bool:
        """Whether there is something to dispose of."""
        return self._dispose is not None


class TerminalShell:
    """A terminal shell that is open, shared with its user."""

    def __init__(self, attachment: Attachment) -> None:
        self.attachment = attachment
        self._running: EngineInterrupts | None = None

    @property
    def thread(self) -> threading.Thread:
        """The eval thread."""
        return self.attachment.eval_thread

    def call_soon_threadsafe(
        self, function: Callable[[], object], withdrawn: Callable[[], object]
    ) -> None:
        """See `OwnShell`. If the shell is closed before, `withdrawn()` is called instead."""

        def made(call: Future[object]) -> None:
            if call.cancelled():
                withdrawn()

        self.attachment.juggler.call_in_eval_thread(function).add_done_callback(made)

    def start_threadsafe(self, run: Run, elsewhere: Callable[[], object]) -> None:
        """See `OwnShell`. If the shell is closed before, `elsewhere()` is called instead."""
        self.call_soon_threadsafe(lambda: self._start(run, elsewhere), elsewhere)

    def _start(self, run: Run, elsewhere: Callable[[], object]) -> None:
        if self.attachment.cells.is_wanted:
            self._start_after_the_terminals(run, elsewhere)
        elif self._is_standing_still():
            _drive(run())
        else:
            start_here(run)

    def _is_standing_still(self) -> bool:
        """Whether nothing turns that could await a cell."""
        juggler = self.attachment.juggler
        running = running_loop()
        if self.attachment.host is not None or running not in (None, juggler.host_loop):
            return False
        return juggler._loop_to_turn() is None

    def _start_after_the_terminals(self, run: Run, elsewhere: Callable[[], object]) -> None:
        events = self.shell().events

        def try_again() -> None:
            events.unregister("post_execute", try_again)
            self.start_threadsafe(run, elsewhere)

        events.register("post_execute", try_again)

    def shell(self) -> InteractiveShell:
        """See `OwnShell`."""
        return self.attachment.shell

    async def execute(
        self, output: ClientOutput, following: Following, began: Callable[[Any], object]
    ) -> Reply:
        """See `OwnShell`."""
        shell, attachment = self.shell(), self.attachment
        interrupts = EngineInterrupts(shell, attachment.juggler.call_in_eval_thread)
        began(interrupts)
        self._running = interrupts
        with attachment.cells.lent_to_client(), ExitStack() as stack:
            shell.events.register("pre_execute", self._show_new_number)
            stack.callback(shell.events.unregister, "pre_execute", self._show_new_number)
            redirect = Redirect(shell)
            redirect.put_on(stack)
            if not self._is_standing_still():
                cells = _cells(shell, interrupts, stack)
                reply = await execute(cells, shell, redirect, output, following)
            else:
                kept, attachment.juggler.interrupts = attachment.juggler.interrupts, interrupts
                stack.callback(setattr, attachment.juggler, "interrupts", kept)
                run = attachment.cells.run_for_client
                reply = execute_blocking(run, shell, redirect, output, following)
        self._running = None
        self._show_new_number()
        return reply

    def _show_new_number(self) -> None:
        """In the prompt that is up: IPython computes its text once (9.0 to 9.18)."""
        shell = self.attachment.shell
        if shell.pt_app is not None:
            shell.pt_app.message = lambda: PygmentsTokens(shell.prompts.in_prompt_tokens())
            shell.pt_app.app.invalidate()

    is_made = True
    """See `OwnShell`."""

    def close(self) -> None:
        """The terminal shell is being closed. Eval thread."""
        if self._running is not None:
            self._running.cancel_what_it_awaits()


AnyShell = OwnShell | TerminalShell


def open_terminal_shell(thread: threading.Thread | None) -> Attachment | None:
    """The terminal shell that is open, if it is one on `thread`; None: on any."""
    opened = slot.innermost
    attachment = None if opened is None else opened.attachment
    if attachment is None or attachment.juggler.calls.is_closed:
        return None
    if thread is not None and attachment.eval_thread is not thread:
        return None
    return attachment


def _cells(
    shell: InteractiveShell, interrupts: EngineInterrupts, stack: ExitStack | None = None
) -> Cells:
    juggler = LoopJuggler(interrupts=interrupts, parent=shell)
    cells = Cells(shell, juggler, has_terminal=False)  # type: ignore[arg-type]
    kept = vars(shell).get("showtraceback")
    shell.showtraceback = cells.errors.showtraceback  # type: ignore[method-assign]
    if stack is not None:
        stack.callback(juggler.close)
        stack.callback(setattr, shell, "showtraceback", kept)
    return cells


def _drive(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run a coroutine that does not wait to its end."""
    try:
        coroutine.send(None)
    except StopIteration:
        return
    coroutine.close()
    raise RuntimeError("a client's cell has awaited where nothing turns")
