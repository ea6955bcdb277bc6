"""One job: what it is, its result, its end.

What it prints is routed to it (`routing`), and from it to where the prompt is.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ipyembed import routing
from ipyembed.job_output import JobOutput
from ipyembed.loops import running_loop, until_done
from ipyembed.sinks import current_sink

if TYPE_CHECKING:
    from ipyembed.job_table import JobTable

Outcome = asyncio.Future[Any] | Future[Any]
_now = time.time
_CANCELLED = (asyncio.CancelledError, CancelledError)


class Job:
    """Something that runs in the background. Await it, on any loop, for its result.

    A waiter that is cancelled leaves the job alone.

    ===========  ===============================================
    `state`      means
    ===========  ===============================================
    running      it is under way
    waiting      no thread or process is free for it yet
    done         it has a result
    failed       it has raised an exception, which is `result()`'s
    cancelled    it was cancelled
    ===========  ===============================================

    Where nothing else is said, attributes and methods may be used on any thread.
    """

    # Class attributes: thousands of jobs are made, and few have anything else.
    task: asyncio.Future[Any] | Future[Any] | None = None
    """What runs it: an `asyncio.Task`, or the future of the callable. None until the loop of
    another thread has made it."""
    loop: asyncio.AbstractEventLoop | None = None
    """The loop on which it runs, if it is a task."""
    thread_id: int | None = None
    """The thread on which it runs, if it is a callable that has begun."""
    kill: Callable[[], object] | None = None
    """What ends it, if that is not its task's."""
    _foreground = 0
    _name: str | None = None
    _awaited = 0
    _is_untold = False
    _ended: float | None = None
    _output: JobOutput | None = None
    _waiters: list[Callable[[Job], object]] | None = None
    _outcome: Outcome

    def __init__(self, table: JobTable, name: str | None = None) -> None:
        self._table = table
        self.id = table.next_id()
        """Its number."""
        if name is not None:
            self._name = name
        self._started = _now()
        self.outward = _outward()
        """Where what it prints goes on; None: to the stream itself."""

    # -- what it is --------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What was given to run, for people."""
        if self._name is None:
            coroutine = self.task.get_coro() if isinstance(self.task, asyncio.Task) else None
            self._name = name_of_coroutine(coroutine)
        return self._name

    @property
    def state(self) -> str:
        """See the class."""
        outcome = self._outcome
        if not outcome.done():
            is_queued = isinstance(outcome, Future) and not outcome.running()
            return "waiting" if is_queued else "running"
        if outcome.cancelled():
            return "cancelled"
        error = outcome.exception()
        if error is None:
            return "done"
        return "cancelled" if isinstance(error, _CANCELLED) else "failed"

    def done(self) -> bool:
        """Whether it has ended, in whatever way."""
        return self._outcome.done()

    @property
    def started(self) -> datetime:
        """When it was started, local time."""
        return datetime.fromtimestamp(self._started).astimezone()

    @property
    def age(self) -> float:
        """Seconds for which it has run."""
        return (self._ended or _now()) - self._started

    @property
    def output(self) -> str:
        """What it has printed: the last 1,000 lines."""
        return self._output.text if self._output is not None else ""

    def result(self) -> Any:
        """Its result; or raises its exception.

        Raises `asyncio.CancelledError` if it was cancelled, `asyncio.InvalidStateError` if it still
        runs: await it, or give it to `run_in_foreground()`.
        """
        if not self._outcome.done():
            raise asyncio.InvalidStateError(
                f"job {self} still runs; await it, or use run_in_foreground()"
            )
        try:
            return self._outcome.result()
        except CancelledError as error:
            raise asyncio.CancelledError from error

    def exception(self) -> BaseException | None:
        """The exception with which it has failed, if it has; None also while it runs."""
        outcome = self._outcome
        return outcome.exception() if outcome.done() and not outcome.cancelled() else None

    def __str__(self) -> str:
        return f"[{self.id}] {self.name}"

    def __repr__(self) -> str:
        return f"<Job {self} {self.state}>"

    # -- what is done to it ------------------------------------------------------------------

    def cancel(self) -> bool:
        """Ask it to end. False if it has ended, or is a callable in a thread that has begun."""
        if self._outcome.done():
            return False
        if self.loop is None:
            if self._outcome.cancel():
                return True
            if self.kill is not None:
                self.kill()
            return self.kill is not None
        task = self.task
        cancel = task.cancel if task is not None else self._outcome.cancel
        try:
            if self.loop is running_loop():
                cancel()
            else:
                self.loop.call_soon_threadsafe(cancel)
        except RuntimeError:  # that loop has been closed
            return False
        return True

    def add_done_callback(self, callback: Callable[[Job], object]) -> None:
        """Have `callback(job)` called when it has ended: at once, or on the thread where it ends.

        `callback` must not raise.
        """
        with self._table.lock:
            if self._ended is None:
                if self._waiters is None:
                    self._waiters = []
                self._waiters.append(callback)
                return
        callback(self)

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._wait().__await__()

    async def _wait(self) -> Any:
        if not self._outcome.done():
            with self.awaited():
                await until_done(self)
        return self.result()

    @contextmanager
    def awaited(self) -> Iterator[None]:
        """While somebody waits for it, who gets its result or exception: its end is not told."""
        with self._table.lock:
            self._awaited += 1
        got = False
        try:
            yield
            got = True
        finally:
            with self._table.lock:
                self._awaited -= 1
                is_untold = self._is_untold and not self._awaited and not got
            if is_untold:  # it has ended as the wait was broken off
                self._table.tell(self)

    @property
    def is_awaited(self) -> bool:
        """Whether somebody waits for it, who will learn of its end."""
        return self._awaited > 0

    def is_to_be_told(self) -> bool:
        """Whether its end is to be told: nobody waits for it. Called as it ends."""
        with self._table.lock:
            self._is_untold = self.is_awaited
            return not self._is_untold

    # -- a sink of `routing` -----------------------------------------------------------------

    def write(self, stream_name: str, text: str) -> None:
        """Take what it prints."""
        if self._output is None:
            with self._table.lock:
                if self._output is None:
                    self._output = JobOutput(f"[{self.id}] ", self.outward)
        self._output.write(stream_name, text, self._is_marked)

    @property
    def _is_marked(self) -> bool:
        marks: bool = getattr(self.outward, "marks", self._table.marks)
        return marks and not self._foreground

    def print_to(self, sink: routing.Sink | None) -> None:
        """From now on what it prints goes on there."""
        self.outward = sink
        if self._output is not None:
            self._output.outward = sink

    @contextmanager
    def in_foreground(self) -> Iterator[None]:
        """For this time, what it prints is shown as it comes."""
        self._foreground += 1
        if self._output is not None:
            self._output.show_begun()
        try:
            yield
        finally:
            self._foreground -= 1

    # -- its end -----------------------------------------------------------------------------

    def _on_done(self, outcome: Outcome) -> None:
        """Runs where it ends: on its loop, or in its thread."""
        if not outcome.cancelled():
            outcome.exception()  # asyncio shall not say that nobody has asked for it
        with self._table.lock:
            self._ended = _now()
            waiters, self._waiters = self._waiters, None
        if self._output is not None:
            self._output.end(self._is_marked)
        self._table._ended(self)
        for waiter in waiters or ():
            waiter(self)


def _outward() -> routing.Sink | routing.Relay | None:
    """Where a job's output goes on: a job that another has started prints beside that."""
    sink = current_sink()
    return sink.outward if isinstance(sink, Job) else sink


def current_job() -> Job | None:
    """The job that runs the code that calls this, if one does."""
    sink = routing.current_sink()
    return sink if isinstance(sink, Job) else None


def name_of_coroutine(coroutine: object) -> str:
    """What to call a job that runs it."""
    return f"{getattr(coroutine, '__qualname__', None) or 'job'}()"
