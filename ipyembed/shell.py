"""The two shell classes: IPython's, with an `Attachment`. Wiring only."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.display_functions import display
from IPython.terminal.embed import InteractiveShellEmbed, KillEmbedded
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from prompt_toolkit.application import create_app_session
from prompt_toolkit.input import create_input
from prompt_toolkit.output import create_output
from traitlets import default

from ipyembed.attachment import Attachment
from ipyembed.config_magic import ConfigByParents
from ipyembed.job_cells import LeavableCells
from ipyembed.modes import modes_restored
from ipyembed.namespaces import Caller, CellModule, names_of
from ipyembed.process_state import hooks_preserved, signals_preserved
from ipyembed.slot import Opened, slot
from ipyembed.terminal import is_terminal


class _TerminalOfNow(TerminalInteractiveShell):
    """Looks at the streams when the shell is made, where IPython does so when it is imported."""

    @default("simple_prompt")
    def _simple_prompt_default(self) -> bool:
        return "IPY_TEST_SIMPLE_PROMPT" in os.environ or not is_terminal()

    @property
    def debugger_cls(self) -> type[Any]:
        """See `TerminalInteractiveShell`: the debugger whose prompt runs in a thread."""
        from ipyembed.debugger import debugger_for  # costs milliseconds, and is seldom needed

        return debugger_for(self)

    def init_prompt_toolkit_cli(self) -> None:
        """See `TerminalInteractiveShell`. The prompt is bound to a session of its own, not to the
        one that prompt_toolkit keeps for the process, whose streams may be those of long ago."""
        if self.simple_prompt:
            super().init_prompt_toolkit_cli()
            return
        with create_app_session(create_input(), create_output()):
            super().init_prompt_toolkit_cli()

    def init_magics(self) -> None:
        """See `InteractiveShell`."""
        super().init_magics()
        self.register_magics(ConfigByParents)

    def interact(self) -> None:
        """See `TerminalInteractiveShell`. No Ctrl-C leaves it, however badly timed."""
        while True:
            try:
                super().interact()
                return
            except KeyboardInterrupt:
                print("\nKeyboardInterrupt")


class ThreadedInteractiveShell(_TerminalOfNow):
    """IPython's terminal shell with its prompt in a thread, for ``interactive_shell_class``.

    Cells run on the thread that made the shell. The shell has an asyncio loop of its own.
    """

    attachment: Attachment | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.attachment = Attachment(self)

    def mainloop(self) -> None:
        """See `TerminalInteractiveShell`; may be called once."""
        with slot.hold("the shell of the command line") as opened:
            if self.attachment is not None:
                opened.attachment = self.attachment
                self.attachment.juggler.interrupts.to_shell()
            try:
                super().mainloop()
            finally:
                self._detach()

    def atexit_operations(self) -> None:
        """See `InteractiveShell`."""
        self._detach()
        super().atexit_operations()

    def _detach(self) -> None:
        if self.attachment is not None:  # the constructor may have failed
            self.attachment.detach()


class ThreadedInteractiveShellEmbed(_TerminalOfNow, InteractiveShellEmbed):
    """IPython's embedded shell with its prompt in a thread; `embed()` makes and calls it.

    Calling the instance opens the shell on the calling thread, blocking; `run_async` does so
    awaiting. Making it leaves the process's hooks as they were.
    """

    left_cells: LeavableCells | None = None
    """Those of its cells that live on as jobs."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("_init_location_id", location_of(sys._getframe(1)))
        with hooks_preserved():
            try:
                super().__init__(**kwargs)
            except BaseException:
                self.dispose()
                raise

    def init_builtins(self) -> None:
        """See `InteractiveShell`. Its names are in `builtins` while a cell runs, not for ever."""
        super().init_builtins()
        self.builtin_trap.auto_builtins.update(__IPYTHON__=True, display=display)

    def __call__(
        self,
        header: str = "",
        local_ns: Any = None,
        module: Any = None,
        dummy: bool | None = None,
        stack_depth: int = 1,
        compile_flags: int | None = None,
        **kw: Any,
    ) -> None:
        """See `InteractiveShellEmbed`."""
        frame = sys._getframe(stack_depth)
        caller = Caller(local_ns, module, compile_flags)
        if self.default_user_namespaces:
            caller = caller.completed_from(frame)
        self._call_location_id = kw.pop("_call_location_id", None) or location_of(frame)
        if self._is_off(dummy):
            return
        with slot.hold(self._call_location_id) as opened:
            self.run(caller, opened, header)

    def mainloop(
        self,
        local_ns: Any = None,
        module: Any = None,
        stack_depth: int = 0,
        compile_flags: int | None = None,
    ) -> None:
        """See `InteractiveShellEmbed`: the shell without its banner."""
        caller = Caller(local_ns, module, compile_flags)
        frame = sys._getframe(stack_depth).f_back
        if self.default_user_namespaces and frame is not None:
            caller = caller.completed_from(frame)
        with slot.hold(location_of(frame)) as opened, self._open(caller, opened):
            self.interact()

    def _is_off(self, dummy: bool | None) -> bool:
        return not self.embedded_active or bool(dummy or (dummy != 0 and self.dummy_mode))

    def run(self, caller: Caller, opened: Opened, header: str = "") -> None:
        """Open the shell on this thread until it is left, blocking.

        Raises `KillEmbedded` after ``%exit_raise``, and RuntimeError where the policy
        `embed_in_running_loop` forbids it.
        """
        with self._open(caller, opened) as attachment:
            attachment.juggler.check_may_block()
            self._greet(header)
            self.interact()
        self._part()

    async def run_async(self, caller: Caller, opened: Opened, header: str = "") -> None:
        """Open the shell in the current task until it is left, awaiting.

        Raises `KillEmbedded` after ``%exit_raise``, and the cancellation of the host's loop when
        that cancels the task, once the terminal is as it was.
        """
        with self._open(caller, opened, awaitable=True) as attachment:
            self._greet(header)
            await self._interact_async(attachment)
        self._part()

    @contextmanager
    def _open(
        self, caller: Caller, opened: Opened, awaitable: bool = False
    ) -> Iterator[Attachment]:
        self.keep_running = True
        with hooks_preserved(), signals_preserved(), modes_restored():
            attachment = Attachment(self, awaitable=awaitable)
            try:
                opened.attachment = attachment
                attachment.juggler.interrupts.to_shell()
                with names_of(caller, self):
                    yield attachment
            finally:
                attachment.detach()

    def dispose(self) -> None:
        """Do now what IPython would do at the interpreter's exit; nothing refers to the shell then.

        Works on a shell whose constructor has failed, too. Its namespaces are cleared in the
        course of this, so it gets empty ones: the present ones may be the caller's.
        """
        atexit.unregister(self.atexit_operations)
        history = getattr(self, "history_manager", None)
        if history is None:
            return
        self.user_ns = {}
        self.user_module = CellModule({"__name__": "__main__"})
        if hasattr(self, "displayhook"):
            self.atexit_operations()
        else:
            history.end_session()
        close_history(history)
        if self.left_cells is not None:
            self.left_cells.outlive()

    def _greet(self, header: str) -> None:
        kept = self.banner2
        if header:
            self.banner2 = f"{kept}\n{header}\n"
        if self.display_banner:
            self.show_banner()
        self.banner2 = kept

    def _part(self) -> None:
        if self.exit_msg is not None:
            print(self.exit_msg)
        if self.should_raise:
            self.should_raise = False
            raise KillEmbedded("Embedded IPython raising error, as user requested.")

    async def _interact_async(self, attachment: Attachment) -> None:
        host = attachment.host
        assert host is not None
        question = "Do you really want to exit ([y]/n)?"
        with host.opened(attachment.juggler):
            while self.keep_running:
                print(self.separate_in, end="")
                try:
                    code = await attachment.asking.cell_async(host)
                    if code:
                        for calls in attachment.awaited_calls:
                            calls.is_armed = self.autoawait
                        await attachment.cells.run_awaited(code, host)
                        await attachment.pager.show_what_is_left()
                except EOFError:
                    if not self.confirm_exit or await attachment.asking.yes_no_async(
                        host, question, "y", "n"
                    ):
                        self.ask_exit()
                except KeyboardInterrupt:
                    print("\nKeyboardInterrupt")


def close_history(history: Any) -> None:
    """End the history's thread and its connection; IPython before 9.10 leaves both."""
    if hasattr(history, "close"):
        history.close()
        return
    thread = getattr(history, "save_thread", None)
    if thread is not None and thread.is_alive():
        thread.stop()
        atexit.unregister(thread.stop)
    if hasattr(history.db, "close"):  # a stand-in where the history is off
        history.db.close()


def location_of(frame: Any) -> str:
    """``file:line`` of a frame, as IPython names the places that ``%kill_embedded`` kills."""
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
