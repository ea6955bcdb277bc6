"""How one cell is run: its context, its interrupts, its result.

A cell is IPython's `run_cell_async`, driven in one of three ways: to its end at once (it does not
await), as a task of a loop that the juggler runs, or awaited in the host's own task.

Context variables: every cell runs in one context that belongs to the shell, so that what a cell
sets is seen by the next one; a task of its own would lose it. What the cell changed is carried
over to the eval thread's own context afterwards, so that the host sees it as it would see the
effect of a plain call. A shell that is awaited needs none of this: its cells run in the caller's
task, and so in its context.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from IPython.core.interactiveshell import ExecutionResult

from ipyembed.process_state import stream_attributes_preserved

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    from ipyembed.hosts import AsyncioHost
    from ipyembed.juggler import LoopJuggler

CREATE_TASK_HINT = """\
A cell without `await` runs outside the shell's loop. Put an `await asyncio.sleep(0)` in it,
or run all cells inside the loop from now on: %config LoopJuggler.sync_cells = 'inside'"""

open_cell: contextvars.ContextVar[Cells | None] = contextvars.ContextVar("open_cell", default=None)
"""The shell in one of whose cells the current code was started; for nested shells."""


class Cells:
    """Runs the cells of one shell. All methods run on the eval thread."""

    def __init__(
        self, shell: TerminalInteractiveShell, juggler: LoopJuggler, host: AsyncioHost | None = None
    ) -> None:
        self._shell = shell
        self._juggler = juggler
        self._host = host
        self._run_nested = shell.run_cell
        self._showtraceback = shell.showtraceback
        self._context = contextvars.copy_context()
        self._context.run(open_cell.set, self)
        self.running = False
        """Whether a cell is running or awaiting now."""

    # -- one cell, blocking ------------------------------------------------------------------

    def run(
        self, raw_cell: str, store_history: bool = False, silent: bool = False, **kwargs: Any
    ) -> ExecutionResult:
        """In place of the shell's `run_cell`; `kwargs` are IPython's."""
        if self.running:  # a cell that runs a cell
            result: ExecutionResult = self._run_nested(raw_cell, store_history, silent, **kwargs)
            return result
        with self._running(silent) as done, self._juggler.interrupts.armed():
            return done(self._run(raw_cell, store_history, silent, **kwargs))

    def _run(self, raw_cell: str, store_history: bool, silent: bool, **kwargs: Any) -> Any:
        before = dict(self._context)
        try:
            coroutine, awaits = self._context.run(
                self._coroutine, raw_cell, store_history=store_history, silent=silent, **kwargs
            )
            runner = self._shell.loop_runner
            if awaits and runner != self._juggler.run_coroutine:  # `%autoawait trio` and the like
                return self._context.run(runner, coroutine)
            if awaits or self._sync_cells_are_inside():
                return self._juggler.run_coroutine(coroutine, self._context)
            return self._context.run(_drive, coroutine)
        except BaseException as error:
            return self._failed(error)
        finally:
            _carry_over(before, self._context)

    def _sync_cells_are_inside(self) -> bool:
        if self._juggler.sync_cells != "inside":
            return False
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return True
        return False  # embedded in a running loop: every cell is inside that

    # -- one cell, awaited -------------------------------------------------------------------

    async def run_awaited(self, raw_cell: str, host: AsyncioHost) -> ExecutionResult:
        """The same in the task of an awaitable embed. Raises CancelledError if the host cancels."""
        token = open_cell.set(self)
        try:
            with (
                self._running(silent=False) as done,
                self._juggler.interrupts.armed(),
                host.cell_can_be_interrupted(),
            ):
                try:
                    coroutine, _ = self._coroutine(raw_cell, store_history=True)
                    result = await coroutine
                except (asyncio.CancelledError, GeneratorExit):
                    raise
                except BaseException as error:
                    result = self._failed(error)
                result = done(result)
        finally:
            open_cell.reset(token)
        if host.is_being_cancelled:
            # IPython takes every exception for the cell's and returns normally.
            raise asyncio.CancelledError
        return result

    # -- both --------------------------------------------------------------------------------

    def _coroutine(
        self, raw_cell: str, **kwargs: Any
    ) -> tuple[Coroutine[Any, Any, ExecutionResult], bool]:
        """The cell as a coroutine of IPython's, and whether that will await."""
        shell = self._shell
        transformed, error = raw_cell, None
        try:
            transformed = shell.transform_cell(raw_cell)
        except Exception:  # shown by run_cell_async as the cell's
            error = sys.exc_info()
        awaits = shell.should_run_async(
            raw_cell, transformed_cell=transformed, preprocessing_exc_tuple=error
        )
        coroutine = shell.run_cell_async(
            raw_cell, transformed_cell=transformed, preprocessing_exc_tuple=error, **kwargs
        )
        return coroutine, awaits

    @contextmanager
    def _running(self, silent: bool) -> Iterator[Callable[[ExecutionResult], ExecutionResult]]:
        """What surrounds every cell; yields what to pass the result through."""
        shell = self._shell
        result: ExecutionResult | None = None

        def done(value: ExecutionResult) -> ExecutionResult:
            nonlocal result
            result = value
            if self._juggler.interrupts.cancelled and isinstance(
                value.error_in_exec, asyncio.CancelledError
            ):
                value.error_in_exec = KeyboardInterrupt()
            return value

        self.running = True
        try:
            with self._output_recorded():
                yield done
        finally:
            self.running = False
            shell.events.trigger("post_execute")
            if not silent:
                shell.events.trigger("post_run_cell", result)

    @contextmanager
    def _output_recorded(self) -> Iterator[None]:
        """IPython (9.1 and later, private) keeps what cells print, for ``%notebook``."""
        tee = getattr(self._shell, "_tee", None)
        with stream_attributes_preserved(), ExitStack() as stack:
            if tee is not None:
                for channel in ("stdout", "stderr"):
                    stack.enter_context(tee(channel=channel))
            yield

    def _failed(self, error: BaseException) -> ExecutionResult:
        """A cell that ended outside of IPython's own care, as by Ctrl-C in a bad moment."""
        result = ExecutionResult(None)
        result.error_in_exec = error
        self._shell.showtraceback((type(error), error, error.__traceback__))
        return result

    def showtraceback(self, exc_tuple: Any = None, *args: Any, **kwargs: Any) -> None:
        """In place of the shell's: says what Ctrl-C did, and what helps."""
        _, error, tb = exc_tuple or sys.exc_info()
        if isinstance(error, asyncio.CancelledError):
            if self._juggler.interrupts.cancelled:
                interrupt = KeyboardInterrupt().with_traceback(tb)
                exc_tuple = (KeyboardInterrupt, interrupt, tb)
            elif self._host is not None and self._host.is_being_cancelled:
                return  # nobody's error: the host ends the shell
        elif isinstance(error, KeyboardInterrupt):
            exc_tuple = (type(error), error, self._juggler.interrupts.without_handler(tb))
        elif (
            isinstance(error, RuntimeError)
            and str(error) == "no running event loop"
            and self._host is None
            and CREATE_TASK_HINT not in getattr(error, "__notes__", ())
        ):
            error.add_note(CREATE_TASK_HINT)
        self._showtraceback(exc_tuple, *args, **kwargs)


def _drive(coroutine: Coroutine[Any, Any, ExecutionResult]) -> ExecutionResult:
    """Run a coroutine that does not await to its end."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: ExecutionResult = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a cell that IPython took for one without `await` has awaited")


def _carry_over(before: dict[contextvars.ContextVar[Any], Any], cell: contextvars.Context) -> None:
    """Give the current context the values that a cell has set in its own."""
    for variable, value in cell.items():
        if before.get(variable, _carry_over) is not value:
            variable.set(value)
