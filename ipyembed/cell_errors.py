"""How a cell's error is shown: what Ctrl-C did, what helps, and none of our own frames."""

from __future__ import annotations

import asyncio
import sys
import traceback
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import ExecutionResult

from ipyembed.hints import hint_for
from ipyembed.job_cells import LeavableCells
from ipyembed.stacks import own_code
from ipyembed.tracebacks import cut_ours, without_ours

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    from ipyembed.hosts import Host
    from ipyembed.juggler import LoopJuggler


class CellErrors:
    """What the cells of one shell end with. Used on the eval thread."""

    def __init__(
        self,
        shell: TerminalInteractiveShell,
        juggler: LoopJuggler,
        leavable: LeavableCells,
        host: Host | None,
    ) -> None:
        """`host`: the task that awaits the shell, if one does."""
        self._shell = shell
        self._juggler = juggler  # its interrupts are others while a client's cell runs
        self._leavable = leavable
        self._host = host
        self._own_showtraceback = vars(shell).get("showtraceback")

    def failed(self, error: BaseException) -> ExecutionResult:
        """A cell that ended outside of IPython's own care, as by Ctrl-C in a bad moment."""
        result = ExecutionResult(None)
        result.error_in_exec = error
        if isinstance(error, KeyboardInterrupt):
            error.__traceback__ = None  # it is not the user's code that was running
        shell: Any = self._shell
        if len(shell.history_manager.input_hist_parsed) > shell.execution_count:
            shell.execution_count += 1  # the cell is in the history already
        try:
            shell.showtraceback((type(error), error, error.__traceback__))
        except Exception:  # what shows tracebacks is the user's to replace
            traceback.print_exc()
        return result

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        """In place of the shell's: says what Ctrl-C did, and what helps."""
        if self._leavable.is_left():
            return  # the job's: it has the error, too
        _, error, tb = exc_tuple or sys.exc_info()
        host = self._host
        if self.is_interrupt(error):
            exc_tuple = (KeyboardInterrupt, KeyboardInterrupt().with_traceback(tb), tb)
        elif isinstance(error, KeyboardInterrupt):
            cut_ours(error)
            exc_tuple = (type(error), error, without_ours(tb))
        elif host is not None and _is_all(error, host.cancellation) and host.is_being_cancelled:
            return  # nobody's error: the host ends the shell
        elif isinstance(error, (RuntimeError, TypeError)):
            hint = hint_for(error, host)
            if hint is not None and hint not in getattr(error, "__notes__", ()):
                error.add_note(hint)
        if self._own_showtraceback is not None:
            self._own_showtraceback(exc_tuple, *args, **kwargs)
        else:  # the class's of now: somebody may have replaced it
            type(self._shell).showtraceback(self._shell, exc_tuple, *args, **kwargs)

    def is_interrupt(self, error: BaseException | None) -> bool:
        """Whether it is what a `KeyboardInterrupt` in a cell, or a cancellation by it, becomes."""
        if isinstance(error, BaseExceptionGroup):  # from a nursery
            return _is_all(error, KeyboardInterrupt)
        return self._juggler.interrupts.cancelled and isinstance(error, asyncio.CancelledError)


def _is_all(error: BaseException | None, kind: type[BaseException]) -> bool:
    """Whether it is of that kind, or a group of nothing else."""
    if isinstance(error, BaseExceptionGroup):
        return error.split(kind)[1] is None
    return isinstance(error, kind)


# Ctrl-C while a traceback is shown would add one of the code that shows it.
own_code.add(CellErrors.showtraceback.__code__)
