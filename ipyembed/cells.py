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
from concurrent.futures import Future
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from IPython.core.interactiveshell import ExecutionResult

from ipyembed import routing
from ipyembed.cell_errors import CellErrors
from ipyembed.detach import InOwnTask
from ipyembed.job_cells import LeavableCells
from ipyembed.job_suspend import suspend_key
from ipyembed.kept_context import carry_over
from ipyembed.loops import running_loop
from ipyembed.open_line import open_line
from ipyembed.output import terminal_reopened
from ipyembed.process_state import stream_attributes_preserved

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    from ipyembed.hosts import Host
    from ipyembed.juggler import LoopJuggler

T = TypeVar("T")

open_cell: contextvars.ContextVar[Cells | None] = contextvars.ContextVar("open_cell", default=None)
"""The shell in one of whose cells the current code was started; for nested shells."""


class Cells:
    """Runs the cells of one shell. All methods run on the eval thread."""

    def __init__(
        self,
        shell: TerminalInteractiveShell,
        juggler: LoopJuggler,
        host: Host | None = None,
        has_terminal: bool = True,
    ) -> None:
        """`has_terminal`: whether keys of a terminal (Ctrl-Z) are for these cells."""
        self._shell = shell
        self._juggler = juggler
        self._has_terminal = has_terminal
        self._run_nested = shell.run_cell
        self._context = contextvars.copy_context()
        self._context.run(open_cell.set, self)
        self.leavable = LeavableCells(shell)
        self.errors = CellErrors(shell, juggler, self.leavable, host)
        juggler.interrupts.leave_cell_threadsafe = self.leavable.leave_threadsafe
        self.running = False
        """Whether a cell is running or awaiting now."""
        self._lent: Future[None] | None = None
        self._waits_for_client = False

    # -- one cell, blocking ------------------------------------------------------------------

    def run(
        self, raw_cell: str, store_history: bool = False, silent: bool = False, **kwargs: Any
    ) -> ExecutionResult:
        """In place of the shell's `run_cell`; `kwargs` are IPython's."""
        if self.running:  # a cell that runs a cell
            result: ExecutionResult = self._run_nested(raw_cell, store_history, silent, **kwargs)
            return result
        if self._lent is not None:
            self._wait_for_client()
        return self._run_armed(raw_cell, store_history, silent, **kwargs)

    def run_for_client(
        self, raw_cell: str, store_history: bool = False, silent: bool = False, **kwargs: Any
    ) -> ExecutionResult:
        """The same for a client of an engine, to whom the shell is lent, in the current context."""
        kept, self._context = self._context, contextvars.copy_context()
        try:
            return self._run_armed(raw_cell, store_history, silent, **kwargs)
        finally:
            self._context = kept

    def _run_armed(
        self, raw_cell: str, store_history: bool, silent: bool, **kwargs: Any
    ) -> ExecutionResult:
        with (
            self._running(silent) as done,
            self._juggler.interrupts.armed(),
            self._suspend_key_armed(),
        ):
            return done(self._run(raw_cell, store_history, silent, **kwargs))

    def _run(self, raw_cell: str, store_history: bool, silent: bool, **kwargs: Any) -> Any:
        output = self._context.run(routing.current_route)
        relay = routing.Relay(output)
        self._context.run(routing.set_sink, output)
        before = dict(self._context)
        try:
            coroutine, awaits = self._context.run(
                self._coroutine, raw_cell, store_history=store_history, silent=silent, **kwargs
            )
            runner = self._shell.loop_runner
            if awaits and runner != self._juggler.run_coroutine:  # `%autoawait trio` and the like
                with self._juggler.interrupts.left_to_the_runner():
                    return self._context.run(runner, coroutine)
            if awaits or self._sync_cells_are_inside():
                self._context.run(routing.set_sink, relay)
                kind = partial(InOwnTask, context=self._context)
                with self.leavable.by(kind if self._juggler.may_await() else None, relay):
                    return self._juggler.run_coroutine(coroutine, self._context)
            return self._context.run(_drive, coroutine)
        except BaseException as error:
            return self.errors.failed(error)
        finally:
            if self.leavable.was_left:  # the context is the job's now
                self._context = self._context.copy()
            self._context.run(routing.set_sink, output)
            carry_over(before, self._context)
            # An exception that is kept keeps this frame; what keeps a sink has it still in use.
            del output, relay, before

    def _sync_cells_are_inside(self) -> bool:
        # Embedded in a running loop, every cell is inside that.
        return self._juggler.sync_cells == "inside" and running_loop() is None

    # -- one cell, awaited -------------------------------------------------------------------

    async def run_awaited(
        self, raw_cell: str, host: Host, store_history: bool = True, silent: bool = False
    ) -> ExecutionResult:
        """The same in the task of an awaitable embed. Raises `host.cancellation` if cancelled."""
        if self._lent is not None:
            await self._wait_for_client_awaiting(host)
        around = open_cell.get()
        open_cell.set(self)
        try:
            with (
                self._running(silent) as done,
                self._juggler.interrupts.armed(),
                self._suspend_key_armed(),
            ):
                try:
                    coroutine, awaits = self._coroutine(
                        raw_cell, store_history=store_history, silent=silent
                    )
                    kind = host.detachable if awaits else None
                    relay = routing.Relay(routing.current_route())
                    coroutine = _routed(coroutine, relay)
                    leavable = self.leavable.by(kind, relay)
                    del relay  # as in `_run`
                    with leavable:
                        result = await host.run_cell(coroutine, self._juggler.interrupts)
                except (host.cancellation, GeneratorExit):
                    raise
                except BaseException as error:
                    result = self.errors.failed(error)
                result = done(result)
        finally:
            open_cell.set(around)  # not reset(): QtAsyncio may have changed the context
        await host.raise_if_cancelled()
        return result

    def _suspend_key_armed(self) -> AbstractContextManager[None]:
        if not self._has_terminal:
            return nullcontext()
        return suspend_key.armed(self.leavable.suspend_threadsafe)

    # -- shared with clients of an engine ------------------------------------------------------

    @property
    def is_wanted(self) -> bool:
        """Whether a cell of the terminal's runs or waits: a client's comes after it."""
        return self.running or self._waits_for_client

    @contextmanager
    def lent_to_client(self) -> Iterator[None]:
        """While a client's cell has the shell, cells of the terminal's wait."""
        lent = self._lent = Future()
        try:
            yield
        finally:
            self._lent = None
            lent.set_result(None)

    def _wait_for_client(self) -> None:
        """Raises KeyboardInterrupt at Ctrl-C; the client's cell goes on."""
        with self._juggler.interrupts.armed(), self._waiting_for_client() as lent:
            try:
                self._juggler.run_coroutine(_until_done(lent))
            except asyncio.CancelledError:
                raise KeyboardInterrupt from None

    async def _wait_for_client_awaiting(self, host: Host) -> None:
        with self._juggler.interrupts.armed(), self._waiting_for_client() as lent:
            try:
                await host.run_cell(_wait(host, lent), self._juggler.interrupts)
            except host.cancellation:
                if host.is_being_cancelled:
                    raise
                raise KeyboardInterrupt from None

    @contextmanager
    def _waiting_for_client(self) -> Iterator[Future[None]]:
        assert self._lent is not None
        self._waits_for_client = True
        try:
            yield self._lent
        finally:
            self._waits_for_client = False

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
            if self.errors.is_interrupt(value.error_in_exec):
                value.error_in_exec = KeyboardInterrupt()
            return value

        self.running = True
        routing.tidy()  # the prompt has put the streams back
        try:
            with self._output_recorded(), open_line.cell():
                yield done
        finally:
            self.running = False
            terminal_reopened()
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


def _say_that_it_waits() -> None:
    print("ipyembed: a client's cell is running, this one comes after it (Ctrl-C: it does not)")


async def _until_done(future: Future[None]) -> None:
    _say_that_it_waits()
    await asyncio.shield(asyncio.wrap_future(future))


async def _wait(host: Host, future: Future[None]) -> None:
    _say_that_it_waits()
    await host.wait_until_done(future)


def _drive(coroutine: Coroutine[Any, Any, ExecutionResult]) -> ExecutionResult:
    """Run a coroutine that does not await to its end."""
    try:
        coroutine.send(None)
    except StopIteration as stop:
        result: ExecutionResult = stop.value
        return result
    coroutine.close()
    raise RuntimeError("a cell that IPython took for one without `await` has awaited")


async def _routed(coroutine: Coroutine[Any, Any, T], relay: routing.Relay) -> T:
    routed = routing.to(relay)
    del relay  # as in `Cells._run`
    with routed:
        return await coroutine
