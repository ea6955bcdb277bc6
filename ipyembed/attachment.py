"""What makes a terminal shell threaded, and undoes it.

The shell class of ours and ``%load_ext ipyembed`` on a live shell of IPython's attach the same
component to a shell. It takes the place of these attributes of the instance:

=================  =================================================================================
`prompt_for_code`  `Asking.cell`: on the prompt thread; the juggler turns what the policies say
`ask_yes_no`       `Asking.yes_no`: likewise
`run_cell`         `Cells.run`
`showtraceback`    `CellErrors.showtraceback`
`run_ast_nodes`    `LeavableCells.run_ast_nodes`
`ask_exit`         says first that jobs are running
`system`           runs the command in a thread, while the juggler turns what it may; likewise
                   `getoutput`, and hooks for the editor and the pager
`enable_gui`       sets the policy `gui`, for ``%gui`` and ``%matplotlib``
`loop_runner`      `LoopJuggler.run_coroutine`, if it was IPython's own for asyncio
`displayhook`      stays, but keeps the style of `Out[1]:`
`history_manager`  stays, but its methods work on any thread
=================  =================================================================================
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.terminal.pt_inputhooks import get_inputhook_name_and_func

from ipyembed.asking import Asking
from ipyembed.breakpoints import breakpoints_served
from ipyembed.cells import Cells
from ipyembed.completion import EvalThreadCompleter, bindings_that_wait
from ipyembed.foreground_awaited import METHOD, AwaitedForeground, ForegroundOfCells
from ipyembed.history import history_shared
from ipyembed.hosts import current_host
from ipyembed.input_calls import input_calls_served
from ipyembed.interrupts import CellInterrupts
from ipyembed.job_magics import JobMagics, awaited_magics
from ipyembed.job_shell import ShellJobs
from ipyembed.juggler import LoopJuggler
from ipyembed.magics import LoopMagics
from ipyembed.out_prompt import out_prompt_kept
from ipyembed.output import output
from ipyembed.pager import PRIORITY as PAGER_PRIORITY
from ipyembed.pager import Pager
from ipyembed.prompt_thread import prompt_thread
from ipyembed.silenced import provisional_completions
from ipyembed.system import AWAITED, EDITOR_PRIORITY, AwaitedCommands, Commands
from ipyembed.terminal import Terminal
from ipyembed.thread_loop import loop_of_thread_if_made

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

T = TypeVar("T")
L = TypeVar("L", bound=asyncio.AbstractEventLoop)
_MISSING: Any = object()


class Attachment:
    """One shell made threaded: attached from construction until `detach()`.

    Made and used on the eval thread.
    """

    def __init__(
        self,
        shell: TerminalInteractiveShell,
        borrow_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
        awaitable: bool = False,
    ) -> None:
        """`borrow_loop`: see `LoopJuggler`. `awaitable`: the current task will await the shell.

        Raises TraitError for a policy that does not exist.
        """
        self.shell = shell
        thread_loop = loop_of_thread_if_made()
        if borrow_loop is None and thread_loop is not None:  # with jobs of before
            borrow_loop = partial(_same, thread_loop)
        self.juggler = LoopJuggler(
            interrupts=CellInterrupts(shell), borrow_loop=borrow_loop, parent=shell
        )
        self.host = current_host() if awaitable else None
        self.terminal = Terminal(shell)
        self.cells = Cells(shell, self.juggler, self.host)
        self.jobs = ShellJobs(self)
        self.commands = Commands(self)
        self.awaited_calls: list[AwaitedCommands] = []
        """What makes an ``await`` of some calls in the next cell, in an awaited shell."""
        self.pager = Pager(self)
        self.asking = Asking(shell, self.juggler, self.terminal, self.jobs.before_prompt)
        self._undo = ExitStack()
        self._undo.enter_context(history_shared(shell.history_manager))
        self._undo.enter_context(out_prompt_kept(shell))
        self._undo.callback(self.juggler.close)
        self._undo.enter_context(self.jobs.opened())
        self._undo.enter_context(prompt_thread)
        self.juggler.interrupts.open()
        self._undo.enter_context(output)
        self._undo.enter_context(provisional_completions)
        self._undo.enter_context(input_calls_served())
        self._undo.enter_context(breakpoints_served())
        self._attach()

    def _attach(self) -> None:
        shell = self.shell
        self._replace("prompt_for_code", self.asking.cell)
        self._replace("ask_yes_no", self.asking.yes_no)
        self._replace("run_cell", self.cells.run)
        self._replace("showtraceback", self.cells.errors.showtraceback)
        self._replace("run_ast_nodes", self.cells.leavable.run_ast_nodes)
        self._replace("ask_exit", self.ask_exit)
        if shell.active_eventloop is not None:  # `%gui` before `%load_ext`
            self.juggler.gui = shell.active_eventloop
        self._replace("enable_gui", self.enable_gui)
        runners = shell.loop_runner_map
        if shell.loop_runner == runners["asyncio"][0]:
            self._replace("loop_runner", self.juggler.run_coroutine)
        # `%autoawait asyncio` shall find ours.
        ours = {**runners, "asyncio": (self.juggler.run_coroutine, True)}
        self._replace("loop_runner_map", ours)
        self._attach_commands()
        if shell.pt_app is not None and shell.pt_app.completer is not None:
            original = shell.pt_app.completer
            self.use_completer(EvalThreadCompleter(original, self.juggler))
            self._undo.callback(setattr, shell.pt_app, "completer", original)
            app = shell.pt_app.app
            self._undo.callback(setattr, app, "key_bindings", app.key_bindings)
            app.key_bindings = bindings_that_wait(shell.pt_app)
        self._add_magics()
        configurables: list[Any] = shell.configurables  # where %config looks
        configurables.append(self.juggler)
        self._undo.callback(configurables.remove, self.juggler)

    def _attach_commands(self) -> None:
        """``!cmd``, ``%edit`` and the pager."""
        commands, pager = self.commands, self.pager
        is_ipythons = commands.system_is_ipythons
        if is_ipythons:
            self._replace("system", commands.system)
            self._replace("getoutput", commands.getoutput)
        self._add_hook("editor", commands.edit, EDITOR_PRIORITY)
        self._add_hook("show_in_pager", pager.show, PAGER_PRIORITY)
        self._undo.enter_context(pager.serves_help())
        if self.host is not None and is_ipythons:
            self._replace(AWAITED["system"], commands.system_awaited)
            self._replace(AWAITED["getoutput"], commands.getoutput_awaited)
            self._add_awaited_calls(AwaitedCommands())
        foreground = ForegroundOfCells(self)
        if foreground.is_needed:
            self._replace(METHOD, foreground.call)
            self._add_awaited_calls(AwaitedForeground())

    def _add_awaited_calls(self, calls: AwaitedCommands) -> None:
        self.awaited_calls.append(calls)
        self.shell.ast_transformers.append(calls)
        self._undo.callback(self.shell.ast_transformers.remove, calls)

    def _add_hook(self, name: str, hook: Callable[..., object], priority: int) -> None:
        chain = self.shell.hooks[name]
        chain.add(hook, priority)

        def put_back() -> None:
            chain.chain[:] = [entry for entry in chain.chain if entry[1] != hook]

        self._undo.callback(put_back)

    def _add_magics(self) -> None:
        manager = self.shell.magics_manager
        manager.register(LoopMagics(shell=self.shell))
        manager.register(JobMagics(self))
        transform = awaited_magics(self)
        self.shell.input_transformers_post.append(transform)

        def put_back() -> None:
            self.shell.input_transformers_post.remove(transform)
            for kind in (LoopMagics, JobMagics):
                ours = manager.registry.pop(kind.__name__)
                for line_or_cell, names in ours.magics.items():
                    for name in names:
                        manager.magics[line_or_cell].pop(name, None)
                self.shell.configurables.remove(ours)

        self._undo.callback(put_back)

    def use_debugger(self) -> None:
        """``%debug`` and ``%pdb`` use the debugger of ours, as in a shell class of ours."""
        from ipyembed.debugger import debugger_for

        shows: Any = self.shell.InteractiveTB
        kept = shows.debugger_cls, shows.pdb
        shows.debugger_cls, shows.pdb = debugger_for(self.shell), None

        def put_back() -> None:
            shows.debugger_cls, shows.pdb = kept

        self._undo.callback(put_back)

    def _replace(self, name: str, value: Any) -> None:
        """Set an attribute of the shell until `detach()`, unless somebody else sets it by then."""
        shell = self.shell
        is_trait = shell.has_trait(name)
        before = getattr(shell, name) if is_trait else vars(shell).get(name, _MISSING)
        setattr(shell, name, value)

        def put_back() -> None:
            if getattr(shell, name, _MISSING) != value:
                return
            if before is _MISSING:
                delattr(shell, name)
            else:
                setattr(shell, name, before)

        self._undo.callback(put_back)

    def detach(self) -> None:
        """Put every attribute back and end what was started."""
        self.cells.leavable.outlive()
        self._undo.close()

    def use_completer(self, completer: EvalThreadCompleter | None) -> None:
        """Complete by this one; None: by that of the shell's prompt."""
        self.asking.completer = completer

    def at_detach(self, function: Callable[[], object]) -> None:
        """Have `function` called when the shell is detached; on the eval thread."""
        self._undo.callback(function)

    # -- in place of the shell's own ---------------------------------------------------------

    def ask_exit(self) -> None:
        """As IPython's: ``exit``, Ctrl-D. Where jobs are running, the first time says so."""
        if self.jobs.may_leave():
            type(self.shell).ask_exit(self.shell)

    def enable_gui(self, gui: str | None = None) -> None:
        """As IPython's: `%gui NAME`, `%gui` for none, and what `%matplotlib` calls.

        Sets the policy `gui`. Another toolkit than before may be chosen without disabling first.
        """
        shell = self.shell
        name = "osx" if gui == "macosx" else gui or None  # matplotlib's word for it
        if name in ("asyncio", "webagg"):  # asyncio turns anyway; webagg has no loop
            return
        if name is None:
            if self.juggler.gui == "off":
                print("No event loop hook running.")
            self.juggler.gui = "off"
            shell.active_eventloop = shell._inputhook = None
            return
        from ipyembed.gui.hooks import find

        toolkit = find(name)
        toolkit.prepare()
        self.juggler.gui = toolkit.name
        self.juggler.look_for_gui()
        # Where IPython and matplotlib look; and IPython's own, should the extension be unloaded.
        shell.active_eventloop, shell._inputhook = get_inputhook_name_and_func(toolkit.name)

    @property
    def eval_thread(self) -> threading.Thread:
        """The thread on which cells run."""
        return self.juggler.eval_thread


def _same(loop: L) -> L:
    return loop
