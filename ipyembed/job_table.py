"""The jobs of the process, and how each kind of them is started.

Jobs are numbered in one table for the process, `job_table`, whoever has started them: so a number
means the same at each prompt, and jobs need no shell at all. Numbers are not used again.
"""

from __future__ import annotations

import asyncio
import contextvars
import itertools
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

from ipyembed import routing, sinks
from ipyembed.job import Job, Outcome
from ipyembed.loops import hand_over, running_loop

if TYPE_CHECKING:
    from ipyembed.job_shell import ShellJobs

KEPT_JOBS = 1000
"""How many jobs that have ended are remembered."""
THREADS = 256
"""How many callables run at once; further ones wait."""

_set_sink = sinks._sink.set


class JobTable:
    """The jobs of the process. From any thread, where nothing else is said."""

    def __init__(self) -> None:
        # Guards what is here and the end of each job; jobs start and end on any thread.
        self.lock = threading.RLock()
        self.next_id: Callable[[], int] = itertools.count(1).__next__
        # Entered without the lock, so it is read as a whole only: that no other thread interrupts.
        self._running: dict[int, Job] = {}
        self._ended_jobs: deque[Job] = deque(maxlen=KEPT_JOBS)
        self._starts = 0
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

    def start_here(
        self,
        coroutine: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        name: str | None = None,
    ) -> Job:
        """Run it as a task of `loop`, whose thread this is. No lock: thousands may be started."""
        job = Job(self, name)
        job.loop = loop
        context = contextvars.copy_context()
        context.run(_set_sink, job)
        if self._routing is None:
            self._route()
        try:
            task = job.task = job._outcome = loop.create_task(coroutine, context=context)
        except BaseException:
            self._give_back_if_idle()
            raise
        self._running[job.id] = job
        if self._routing is None:  # the last other one has ended in between, on its thread
            self._route()
        task.add_done_callback(job._on_done)
        return job

    def start_coroutine(
        self,
        coroutine: Coroutine[Any, Any, Any],
        loop: asyncio.AbstractEventLoop,
        name: str | None = None,
    ) -> Job:
        """Run it as a task of `loop`, whose thread may be another."""
        running = running_loop()
        if running is loop or (running is None and not loop.is_running()):
            return self.start_here(coroutine, loop, name)
        job = Job(self, name)
        job.loop = loop
        context = contextvars.copy_context()
        context.run(_set_sink, job)
        outcome: Future[Any] = Future()
        with self._starting():
            job._outcome = outcome
            self._add(job)

        def create_task() -> None:
            if outcome.set_running_or_notify_cancel():
                job.task = loop.create_task(coroutine, context=context)
                job.task.add_done_callback(lambda task: hand_over(task, outcome))
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
        if isinstance(outcome, asyncio.Future):
            job.loop = outcome.get_loop()
        if context is not None:
            context.run(routing.set_sink, job)
        with self._starting():
            job.task = job._outcome = outcome
            return self._add(job)

    @contextmanager
    def _starting(self) -> Iterator[None]:
        """While a job is started: output is routed before it can print."""
        with self.lock:
            self._starts += 1
            self._route()
        try:
            yield
        finally:
            with self.lock:
                self._starts -= 1
            self._give_back_if_idle()

    def _route(self) -> None:
        with self.lock:
            if self._routing is None:
                self._routing = routing.routed()
                self._routing.__enter__()

    def _give_back_if_idle(self) -> None:
        with self.lock:
            if not (self._running or self._starts):
                self.give_streams_back()
                if self._running:  # entered since, without the lock
                    self._route()

    def take_streams(self) -> None:
        """Route output, if there are jobs."""
        if self._running:
            self._route()

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
        self._give_back_if_idle()
        if job.is_to_be_told():
            self.tell(job)
        # Started by a client of an engine: see `engine.client_output`.
        let_go = getattr(job.outward, "let_go", None)
        if let_go is not None:
            let_go(job)

    def tell(self, job: Job) -> None:
        """Say that it has ended: at the prompt; or where there is none, if it has failed."""
        shell = self.shell
        tell = getattr(job.outward, "tell_of", None)
        if tell is not None:  # to the client that has started it
            tell(job)
        elif shell is not None:
            shell.ended(job)
        elif job.state == "failed":
            error = job.exception()
            with routing.to(None):
                print(f"ipyembed: job {job} failed", file=sys.stderr)
                traceback.print_exception(error)


job_table = JobTable()
"""The process's only table."""
