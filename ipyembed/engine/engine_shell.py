"""The shell that runs cells where no terminal shell is open."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from IPython.core.display_functions import display
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from ipyembed.history import history_shared
from ipyembed.namespaces import Caller, CellModule, names_of
from ipyembed.process_state import hooks_preserved
from ipyembed.profile_config import load_config
from ipyembed.shell import close_history


class EngineShell(InteractiveShell):
    """IPython's shell without a terminal, that changes nothing in the process by being made."""

    def init_sys_modules(self) -> None:
        """See `InteractiveShell`: `__main__` stays the host's."""

    def init_virtualenv(self) -> None:
        """See `InteractiveShell`: `sys.path` stays the host's."""

    def init_prompts(self) -> None:
        """See `InteractiveShell`: so do `sys.ps1` to `ps3`."""

    def init_builtins(self) -> None:
        """See `InteractiveShell`. Its names are in `builtins` while a cell runs, not for ever."""
        with hooks_preserved():
            super().init_builtins()
        self.builtin_trap.auto_builtins.update(__IPYTHON__=True, display=display)

    @contextmanager
    def _tee(self, channel: str) -> Iterator[None]:
        """See `InteractiveShell` (9.1 and later, private): it would keep all output in memory."""
        yield

    def ask_exit(self) -> None:
        """Named by IPython's ``exit``; what it does is the client's."""

    def enable_gui(self, gui: str | None = None) -> None:
        """See `InteractiveShell`. The host turns its loops by itself."""


def make_shell(caller: Caller, config: Config | None) -> tuple[EngineShell, Callable[[], None]]:
    """A shell whose cells see the names of `caller`, and what disposes of it. Eval thread."""
    with hooks_preserved():
        shell = EngineShell(config=load_config() if config is None else config)
    if not _is_set(shell.config, "use_jedi"):
        # Jedi reads the source of whatever it completes, on the host's thread.
        shell.Completer.use_jedi = False
    undo = ExitStack()
    undo.enter_context(history_shared(shell.history_manager))
    undo.enter_context(names_of(caller, shell))  # type: ignore[arg-type]  # needs no terminal

    _shells.add(shell)

    def dispose() -> None:
        undo.close()
        _shells.discard(shell)
        _leave_exit_alone(shell)
        history: Any = shell.history_manager
        shell.user_ns = {}
        shell.user_module = CellModule({"__name__": "__main__"})
        shell.atexit_operations()
        close_history(history)

    return shell, dispose


_shells: weakref.WeakSet[EngineShell] = weakref.WeakSet()


def _leave_exit_alone(shell: EngineShell) -> None:
    """Have nothing of the shell called when the interpreter exits."""
    atexit.unregister(shell.atexit_operations)
    scripts = shell.magics_manager.registry.get("ScriptMagics")
    if hasattr(scripts, "kill_bg_processes"):  # IPython 9.0 registers it for each shell
        atexit.unregister(scripts.kill_bg_processes)


def _forget_in_child() -> None:
    """A forked child has neither the shells' threads nor a part in their histories."""
    for shell in list(_shells):
        _leave_exit_alone(shell)
        thread: Any = getattr(shell.history_manager, "save_thread", None)
        if thread is not None:
            atexit.unregister(thread.stop)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_in_child)


def _is_set(config: Config, name: str) -> bool:
    return any(name in config[section] for section in ("Completer", "IPCompleter"))


@contextmanager
def singleton(shell: InteractiveShell) -> Iterator[None]:
    """While the block lasts, `get_ipython()` returns `shell`."""
    classes = list(type(shell)._walk_mro())
    kept = [(cls, cls.__dict__.get("_instance")) for cls in classes]
    for cls in classes:
        cls._instance = shell  # type: ignore[assignment]
    try:
        yield
    finally:
        for cls, instance in kept:
            cls._instance = instance
