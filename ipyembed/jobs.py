"""Jobs: work in the background, as a shell user knows it.

A job is a coroutine that the loop turns, or a callable in a thread or a process. Jobs are numbered
in one table for the process, `job_table`, whoever has started them: so a number means the same at
each prompt, and jobs need no shell at all. Numbers are not used again.

What a job prints is routed to it (`routing`), and from it to where the prompt is.
"""

from __future__ import annotations

import asyncio
import contextvars
import functools
import inspect
import itertools
import sys
import threading
import time
import traceback
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterator
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from types import CoroutineType
from typing import TYPE_CHECKING, Any

from ipyembed import routing
from ipyembed.job_output import JobOutput

if TYPE_CHECKING:
    from ipyembed.job_shell import ShellJobs

KEPT_JOBS = 1000
"""How many jobs that have ended are remembered."""
THREADS = 256
"""How many callables run at once; further ones wait."""

Outcome = asyncio.Future[Any] | Future[Any]
_set_sink = routing._sink.set
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
    foreground = 0
    """How many wait for it in the foreground: what it prints is not marked."""
    is_awaited = 0
    """How many wait for it: its exception will be raised there."""
    _ended: float | None = None
    _output: JobOutput | None = None
    _waiters: list[Callable[[Job], object]] | None = None
    _outcome: Outcome

    def __init__(self, table: JobTable, name: str | None = None) -> None:
        self._table = table
        self.id = table.next_id()
        """Its number."""
        self._name = name
        self._started = time.time()
        self._outward = _outward()

    # -- what it is --------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What was given to run, for people."""
        if self._name is None:
            coroutine = self.task.get_coro() if isinstance(self.task, asyncio.Task) else None
            self._name = f"{getattr(coroutine, '__qualname__', None) or 'job'}()"
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
        return (self._ended or time.time()) - self._started

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
            if self.loop is asyncio._get_running_loop():
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
            self.is_awaited += 1
            try:
                await _until_done(self)
            finally:
                self.is_awaited -= 1
        return self.result()

    # -- a sink of `routing` -----------------------------------------------------------------

    def write(self, stream_name: str, text: str) -> None:
        """Take what it prints."""
        if self._output is None:
            with self._table.lock:
                if self._output is None:
                    self._output = JobOutput(f"[{self.id}] ", self._outward)
        self._output.write(stream_name, text, self._is_marked)

    @property
    def _is_marked(self) -> bool:
        return self._table.marks and not self.foreground

    def come_to_foreground(self) -> None:
        """From now on what it prints is shown as it comes."""
        self.foreground += 1
        if self._output is not None:
            self._output.show_begun()

    def go_to_background(self) -> None:
        """The opposite."""
        self.foreground -= 1

    # -- its end -----------------------------------------------------------------------------

    def _on_done(self, outcome: Outcome) -> None:
        """Runs where it ends: on its loop, or in its thread."""
        if not outcome.cancelled():
            outcome.exception()  # asyncio shall not say that nobody has asked for it
        with self._table.lock:
            self._ended = time.time()
            waiters, self._waiters = self._waiters, None
        if self._output is not None:
            self._output.end(self._is_marked)
        self._table._ended(self)
        for waiter in waiters or ():
            waiter(self)


def _outward() -> routing.Sink | routing.Relay | None:
    """Where a job's output goes on: a job that another has started prints beside that."""
    route = routing.current_route()
    if route is None:
        return None
    sink = routing.current_sink()
    return sink._outward if isinstance(sink, Job) else sink


def current_job() -> Job | None:
    """The job that runs the code that calls this, if one does."""
    sink = routing.current_sink()
    return sink if isinstance(sink, Job) else None


async def _until_done(job: Job) -> None:
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def end() -> None:
        if not ended.done():
            ended.set_result(None)

    def end_threadsafe(_: Job) -> None:
        try:
            loop.call_soon_threadsafe(end)
        except RuntimeError:  # closed meanwhile
            pass

    job.add_done_callback(end_threadsafe)
    await ended


class JobTable:
    """The jobs of the process. From any thread, where nothing else is said."""

    def __init__(self) -> None:
        # Guards what is here and the end of each job; jobs start and end on any thread.
        self.lock = threading.RLock()
        self.next_id: Callable[[], int] = itertools.count(1).__next__
        # Entered without the lock, so it is read as a whole only: that no other thread interrupts.
        self._running: dict[int, Job] = {}
        self._ended_jobs: deque[Job] = deque(maxlen=KEPT_JOBS)
        self._live = 0
        self._routing: AbstractContextManager[None] | None = None
        self._threads: ThreadPoolExecutor | None = None
        self.shells: list[ShellJobs] = []
        """The open shells, innermost last."""

    # -- which there are ---------------------------------------------------------------------

    @property
    def running(self) -> list[Job]:
        """Those that have not ended, oldest first."""
        with self.lock:
            return list(self._running.values())

    @property
    def jobs(self) -> list[Job]:
        """These, and those that ended last, by number."""
        with self.lock:
            return sorted([*self._ended_jobs, *self._running.values()], key=lambda job: job.id)

    def get(self, number: int) -> Job:
        """The job of that number. Raises KeyError if there is none, or no more."""
        with self.lock:
            job = self._running.get(number)
            if job is not None:
                return job
            for job in self._ended_jobs:
                if job.id == number:
                    return job
        raise KeyError(number)

    def job_of(self, outcome: Outcome) -> Job | None:
        """The running job whose task or future that is."""
        with self.lock:
            running = list(self._running.values())
        return next((job for job in running if job.task is outcome), None)

    def name_tasks(self, loop: asyncio.AbstractEventLoop) -> None:
        """Let the tasks of this loop be called as their jobs are; before it is closed."""
        for job in self.running:
            if isinstance(job.task, asyncio.Task) and job.loop is loop:
                job.task.set_name(str(job))

    def forget_ended(self) -> None:
        """Drop those that have ended, with their results and output."""
        with self.lock:
            self._ended_jobs.clear()

    @property
    def shell(self) -> ShellJobs | None:
        """The innermost open shell."""
        return self.shells[-1] if self.shells else None

    @property
    def marks(self) -> bool:
        """Whether the lines that jobs print are marked: where there is a prompt, by policy."""
        shell = self.shell
        return shell is not None and shell.marks

    # -- starting ----------------------------------------------------------------------------

    def start_coroutine(
        self,
        coroutine: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        name: str | None = None,
    ) -> Job:
        """Run it as a task of `loop`, whose thread may be another."""
        job = Job(self, name)
        job.loop = loop
        context = contextvars.copy_context()
        context.run(_set_sink, job)
        running = asyncio._get_running_loop()
        if running is loop or (running is None and not loop.is_running()):
            self._one_more()
            try:
                job.task = job._outcome = loop.create_task(coroutine, context=context)
            except BaseException:
                self._one_less()
                raise
            self._running[job.id] = job
            job.task.add_done_callback(job._on_done)
            return job
        outcome: Future[Any] = Future()
        with self._starting():
            job._outcome = outcome
        self._add(job)

        def create_task() -> None:
            if outcome.set_running_or_notify_cancel():
                job.task = loop.create_task(coroutine, context=context)
                job.task.add_done_callback(lambda task: _hand_over(task, outcome))
            else:
                coroutine.close()

        loop.call_soon_threadsafe(create_task)
        return job

    def start_callable(self, function: Callable[[], Any], name: str) -> Job:
        """Run it in a thread."""
        job = Job(self, name)
        context = contextvars.copy_context()
        context.run(routing.set_sink, job)

        def call() -> Any:
            job.thread_id = threading.get_ident()
            try:
                return context.run(function)
            finally:
                job.thread_id = None

        with self.lock:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(THREADS, "ipyembed-job")
        with self._starting(), routing.to(None):  # the pool's thread is everybody's
            job.task = job._outcome = self._threads.submit(call)
        return self._add(job)

    def start_process(self, function: Callable[..., Any], args: tuple[Any, ...], name: str) -> Job:
        """Run it in a process of its own, when a processor is free."""
        from ipyembed.job_processes import Process, pool

        job = Job(self, name)
        process = Process(function, args)
        job.kill = process.kill
        context = contextvars.copy_context()
        context.run(routing.set_sink, job)
        with self._starting(), routing.to(None):
            job.task = job._outcome = pool().submit(context.run, process.run)
        return self._add(job)

    def adopt(
        self,
        outcome: Outcome,
        name: str | None = None,
        context: contextvars.Context | None = None,
    ) -> Job:
        """Make a job of what runs already. Call on the thread of its loop, if it is a task.

        `context` is the task's, if nobody else uses it: then what it prints is the job's.
        """
        known = self.job_of(outcome)
        if known is not None:
            return known
        job = Job(self, name)
        with self._starting():
            job.task = job._outcome = outcome
        if isinstance(outcome, asyncio.Future):
            job.loop = outcome.get_loop()
        if context is not None:
            context.run(routing.set_sink, job)
        return self._add(job)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """While a job is started."""
        self._one_more()
        try:
            yield
        except BaseException:
            self._one_less()
            raise

    def _one_more(self) -> None:
        """Before a job is started: output is routed before it can print."""
        with self.lock:
            self._live += 1
            if self._routing is None:
                self.take_streams()

    def _one_less(self) -> None:
        with self.lock:
            self._live -= 1
            if not self._live:
                self.give_streams_back()

    def take_streams(self) -> None:
        """Route output, if there are jobs."""
        with self.lock:
            if self._live and self._routing is None:
                self._routing = routing.routed()
                self._routing.__enter__()

    def give_streams_back(self) -> None:
        """Route output no longer: jobs that live on after the shell print as the host does."""
        with self.lock:
            held, self._routing = self._routing, None
            if held is not None:
                held.__exit__(None, None, None)

    def _add(self, job: Job) -> Job:
        self._running[job.id] = job
        job._outcome.add_done_callback(job._on_done)
        return job

    @contextmanager
    def in_front(self) -> Iterator[None]:
        """While something of the shell's is in place of the streams: jobs' output first."""
        if self._routing is None:
            yield
            return
        with routing.routed():
            yield

    def _ended(self, job: Job) -> None:
        """Runs where the job has ended."""
        with self.lock:
            self._running.pop(job.id, None)
            self._ended_jobs.append(job)
        self._one_less()
        shell = self.shell
        if shell is not None:
            shell.ended(job)
        elif job.state == "failed" and not job.is_awaited:
            error = job.exception()
            with routing.to(None):
                print(f"ipyembed: job {job} failed", file=sys.stderr)
                traceback.print_exception(error)


def _hand_over(task: asyncio.Future[Any], outcome: Future[Any]) -> None:
    if task.cancelled():
        outcome.set_exception(asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        outcome.set_exception(error)
    else:
        outcome.set_result(task.result())


job_table = JobTable()
"""The process's only table."""


def run_in_background(
    target: Awaitable[Any] | Future[Any] | Callable[..., Any],
    *args: Any,
    name: str | None = None,
    process: bool = False,
) -> Job:
    """Run `target` in the background; returns a `Job` at once. From any thread.

    Parameters
    ----------
    target
        A coroutine or another awaitable becomes a task of the loop that is running here, or else of
        the one that the innermost open shell turns; without a shell, of one that
        `run_in_foreground` turns on this thread. A task or future that runs already becomes a job
        as it is. A coroutine function is called, and its coroutine run as said. Any other callable
        runs in a thread.
    args
        What the callable is called with.
    name
        What to call the job; by default the name of what is run.
    process
        Run the callable in a process. What is not inherited from this one must be picklable.

    Raises
    ------
    TypeError
        `target` is none of these.
    RuntimeError
        There is no loop for a coroutine: the shell was opened by a trio task.
    """
    if isinstance(target, CoroutineType) and not args and not process:  # the most frequent, first
        return job_table.start_coroutine(target, loop_for_jobs(), name)
    if isinstance(target, Job):
        _check_no(args, process)
        return target
    if isinstance(target, asyncio.Future | Future):
        _check_no(args, process)
        return job_table.adopt(target, name)
    if inspect.isawaitable(target):
        _check_no(args, process)
        return job_table.start_coroutine(_coroutine(target), loop_for_jobs(), name)
    if not callable(target):
        raise TypeError(
            "run_in_background() takes a coroutine, an awaitable or a callable, not "
            f"{type(target).__name__}"
        )
    name = name or name_of_call(target, args)
    if process:
        return job_table.start_process(target, args, name)
    if inspect.iscoroutinefunction(target):
        return job_table.start_coroutine(target(*args), loop_for_jobs(), name)
    return job_table.start_callable(functools.partial(target, *args), name)


def _check_no(args: tuple[Any, ...], process: bool) -> None:
    if args:
        raise TypeError("run_in_background() takes arguments for a callable, not for an awaitable")
    if process:
        raise TypeError("run_in_background() runs a callable in a process, not an awaitable")


def _coroutine(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    if asyncio.iscoroutine(awaitable):
        return awaitable

    async def awaits() -> Any:
        return await awaitable

    awaits.__qualname__ = type(awaitable).__qualname__
    return awaits()


def loop_for_jobs() -> asyncio.AbstractEventLoop:
    """The loop on which a coroutine runs that is put in the background here."""
    running = asyncio._get_running_loop()
    if running is not None:
        return running
    shell = job_table.shell
    if shell is not None:
        return shell.loop()
    from ipyembed.foreground import loop_of_thread

    return loop_of_thread()


def name_of_call(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """How a call is written, shortly."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{called}({'…' if args else ''})"
