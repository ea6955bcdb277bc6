"""The debugger: IPython's, with its prompt on the prompt thread.

Goal: while the debugger asks, the eval thread waits as it waits for a cell: the toolkit's loop is
turned, the asyncio loop by policy, and ``await`` works by the policy `await_in_running_loop`.

What does not work: IPython's `TerminalPdb` prompts in a thread of its own and blocks its caller in
`Future.result()`, where nothing turns. We keep all of it but that thread.

Where the debugger is opened decides what it borrows and turns:

==============================  ==================================================================
stopped in                      the waiting is done by
==============================  ==================================================================
a cell, or host code on the     that shell's juggler; a prompt that is up steps aside
eval thread of an open shell
another thread                  a juggler of its own; a prompt that is up steps aside
a program without a shell       a shell that exists for the debugger, open only while it prompts
==============================  ==================================================================
"""

from __future__ import annotations

import ast
import asyncio
import atexit
import sys
import threading
from collections.abc import Coroutine, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from inspect import CO_COROUTINE
from types import CodeType
from typing import Any

from IPython.core.debugger import Pdb
from IPython.core.getipython import get_ipython
from IPython.terminal.debugger import TerminalPdb
from prompt_toolkit.application import create_app_session

from ipyembed.attachment import Attachment
from ipyembed.cells import open_cell
from ipyembed.completion import EvalThreadCompleter
from ipyembed.embedding import singleton_replaced
from ipyembed.hints import hint_for
from ipyembed.interrupts import CellInterrupts
from ipyembed.juggler import LoopJuggler
from ipyembed.lent import terminal_lent
from ipyembed.modes import modes_restored
from ipyembed.process_state import hooks_preserved, signals_preserved
from ipyembed.profile_config import load_config
from ipyembed.prompt_thread import prompt_thread
from ipyembed.shell import ThreadedInteractiveShellEmbed
from ipyembed.slot import slot
from ipyembed.surroundings import all_aside
from ipyembed.terminal import Terminal


def make_debugger() -> Pdb:
    """A debugger for the calling thread. Makes a shell for it where none is open."""
    shell = get_ipython()
    if shell is None or slot.innermost is None:
        shell = _make_shell()
        with singleton_replaced(shell):
            return debugger_for(shell)(nosigint=True)
    if threading.current_thread() is prompt_thread.thread:
        # It would wait for itself. This one asks by `input()`, which reads the terminal there.
        return Pdb(nosigint=True)
    return debugger_for(shell)(nosigint=True)


def debugger_for(shell: Any) -> type[Pdb]:
    """The class of a shell's debugger."""
    return Pdb if getattr(shell, "simple_prompt", True) else ThreadedPdb


def _make_shell() -> ThreadedInteractiveShellEmbed:
    """A shell that gives the debugger its settings, and leaves nothing behind."""
    config = load_config()
    config.HistoryManager.enabled = False
    with all_aside(), hooks_preserved(), singleton_replaced():
        shell = ThreadedInteractiveShellEmbed.instance(config=config)
    atexit.unregister(shell.atexit_operations)
    return shell


class ThreadedPdb(TerminalPdb):
    """IPython's debugger for terminals, with its prompt on the prompt thread.

    Ctrl-C between two of its prompts is not its business: in a cell it ends the cell, and elsewhere
    the host's handler of SIGINT stays in place.
    """

    shell: Any
    curframe: Any
    _ptcomp: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("nosigint", True)
        self._follows_stdout = len(args) < 3 and kwargs.get("stdout") is None
        super().__init__(*args, **kwargs)  # type: ignore[no-untyped-call]
        self.thread_executor: Any = self  # it is asked to `submit()` the question
        self._prompting: _Prompting | None = None

    def pt_init(self, pt_session_options: dict[str, Any] | None = None) -> None:
        """See `TerminalPdb`: its session is to read and write where the shell's does."""
        app = self.shell.pt_app.app
        with create_app_session(app.input, app.output):
            super().pt_init(pt_session_options)  # type: ignore[no-untyped-call]
        loop = getattr(self, "pt_loop", None)  # made, and never used
        if loop is not None:
            loop.close()

    # -- where it asks ---------------------------------------------------------------------------

    def interaction(self, frame: Any, tb_or_exc: Any) -> None:
        """See `Pdb`. From the first line that it prints to its end, the terminal is its own."""
        with self._opened() as self._prompting, terminal_lent(), modes_restored():
            if self._follows_stdout:
                self.stdout = sys.stdout
            super().interaction(frame, tb_or_exc)  # type: ignore[no-untyped-call]

    @contextmanager
    def _opened(self) -> Iterator[_Prompting]:
        outer = self._prompting
        cell = open_cell.get()
        in_host_code = cell is None or not cell.running
        try:
            with ExitStack() as stack:
                for opened in slot.open_shells:
                    there = opened.attachment
                    if there is not None and there.eval_thread is threading.current_thread():
                        yield _Prompting(there.juggler, there.terminal, there, in_host_code)
                        return
                if slot.innermost is not None:
                    juggler = LoopJuggler(interrupts=CellInterrupts(self.shell), parent=self.shell)
                    stack.callback(juggler.close)
                    yield _Prompting(juggler, Terminal(self.shell), None, in_host_code)
                    return
                stack.enter_context(hooks_preserved())
                stack.enter_context(signals_preserved())
                stack.enter_context(singleton_replaced(self.shell))  # key bindings look there
                hold = stack.enter_context(slot.hold("a debugger"))
                stack.enter_context(all_aside())
                there = hold.attachment = Attachment(self.shell)
                stack.callback(there.detach)
                yield _Prompting(there.juggler, there.terminal, there, in_host_code=False)
        finally:
            self._prompting = outer

    def submit(self, _prompt: object) -> Future[str]:
        """Called by `TerminalPdb.cmdloop` to have its question asked."""
        answer: Future[str] = Future()
        try:
            answer.set_result(self._ask())
        except BaseException as error:
            answer.set_exception(error)
        return answer

    def _ask(self) -> str:
        prompting = self._prompting
        if prompting is None or prompting.terminal.is_plain:
            return input(self.prompt)
        juggler = prompting.juggler
        juggler.look_for_gui()
        # IPython 9.0 to 9.18: private; it knows the debugger's commands and the frame's names.
        completer = EvalThreadCompleter(self._ptcomp, juggler)
        asking = prompting.terminal.asking_with(
            lambda: self.pt_app, juggler.output, completer=completer
        )
        with modes_restored(), asking as question:
            return juggler.wait_apart(question.answer)

    def onecmd(self, line: str) -> bool:
        """See `Pdb`. A shell may be opened by a command; it is nested in the debugger's."""
        with self._prompting.in_command() if self._prompting else nullcontext():
            return bool(super().onecmd(line))

    # -- leaving ---------------------------------------------------------------------------------

    def set_quit(self) -> None:
        """See `Pdb`. Host code that an open shell has stopped in goes on."""
        if self._prompting is None or not self._prompting.in_host_code:
            super().set_quit()
            return
        self.clear_all_breaks()
        self.set_continue()

    # -- await -----------------------------------------------------------------------------------

    def default(self, line: str) -> None:
        """See `Pdb`. A statement with ``await`` is awaited where the policies say."""
        code = _awaiting(line.removeprefix("!").strip(), "single")
        if code is None:
            super().default(line)  # type: ignore[no-untyped-call]
            return
        displayhook, sys.displayhook = sys.displayhook, self.displayhook
        try:
            self._await(code)
        except BaseException as error:
            self._say(error)
        finally:
            sys.displayhook = displayhook

    def _getval(self, arg: str) -> Any:
        # CPython 3.11 to 3.14: private; what `p` and `pp` evaluate by.
        code = _awaiting(arg.strip(), "eval")
        if code is None:
            return super()._getval(arg)
        try:
            return self._await(code)
        except BaseException as error:
            self._say(error)
            raise

    def _await(self, code: CodeType) -> Any:
        prompting = self._prompting
        assert prompting is not None
        # From 3.13 on, the second writes through to the frame.
        local = self.curframe_locals if sys.version_info < (3, 14) else self.curframe.f_locals
        coroutine: Coroutine[Any, Any, Any] = eval(code, self.curframe.f_globals, local)
        task: asyncio.Task[Any] | None = None

        async def awaited() -> Any:
            nonlocal task
            task = asyncio.current_task()
            return await coroutine

        try:
            return prompting.juggler.run_coroutine(awaited())
        except KeyboardInterrupt:
            if task is not None and not task.done():
                task.get_loop().call_soon_threadsafe(task.cancel)
            raise

    def _say(self, error: BaseException) -> None:
        text = f"{type(error).__qualname__}: {error}" if str(error) else type(error).__qualname__
        self.error(text)
        attachment = self._prompting.attachment if self._prompting else None
        if isinstance(error, (RuntimeError, TypeError)):
            hint = hint_for(error, attachment.host if attachment else None)
            if hint is not None:
                self.message(hint)


@dataclass
class _Prompting:
    """One stop of a debugger."""

    juggler: LoopJuggler
    """What waits for its questions."""
    terminal: Terminal
    attachment: Attachment | None
    """The shell of that thread, if there is one."""
    in_host_code: bool
    """Whether it has stopped in code of the host's, with a shell open."""

    @contextmanager
    def in_command(self) -> Iterator[None]:
        """While a command is executed: the thread's shell is as busy as in a cell."""
        if self.attachment is None:
            yield
            return
        cells = self.attachment.cells
        was_running, cells.running = cells.running, True
        try:
            yield
        finally:
            cells.running = was_running


def _awaiting(source: str, mode: str) -> CodeType | None:
    """The code, if it needs to be awaited."""
    if "await" not in source and "async" not in source:
        return None
    try:
        code = compile(source + "\n", "<stdin>", mode, ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError):
        return None
    return code if code.co_flags & CO_COROUTINE else None
