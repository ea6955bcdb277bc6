"""`run_in_foreground()`: turn the loop in this thread until something is done.

Which loop that is, is the juggler's business where a shell is open on this thread. Where none is,
as in a plain script, it is the loop that runs here, run again from inside, or else one that this
thread gets for its jobs; a shell that is opened there later turns that one too.

Ctrl-C, and a timeout, end the waiting and not what is waited for. That is why nothing is raised
where the loop happens to be: it could be in a job.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import signal
import sys
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ipyembed import reentry
from ipyembed.job import Job
from ipyembed.job_suspend import suspend_key
from ipyembed.job_table import job_table
from ipyembed.jobs import _coroutine, name_of_call
from ipyembed.loop_thread import GRACE, close_loop
from ipyembed.loops import running_loop

if TYPE_CHECKING:
    from ipyembed.juggler import LoopJuggler


class _ThreadLoop:
    """The loop of one thread, closed with it."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()

    def __del__(self) -> None:
        if not self.loop.is_running():
            self.loop.close()


_of_thread = threading.local()


def loop_of_thread() -> asyncio.AbstractEventLoop:
    """The loop that turns this thread's jobs where nobody else has one; made at first use."""
    loop = loop_of_thread_if_made()
    if loop is None:
        _of_thread.holder = _ThreadLoop()
        loop = _of_thread.holder.loop
        if threading.current_thread() is threading.main_thread():
            atexit.register(_close_at_exit, loop)
    return loop


def loop_of_thread_if_made() -> asyncio.AbstractEventLoop | None:
    """The same, or None if it has not been needed."""
    holder: _ThreadLoop | None = getattr(_of_thread, "holder", None)
    return None if holder is None or holder.loop.is_closed() else holder.loop


def _close_at_exit(loop: asyncio.AbstractEventLoop) -> None:
    job_table.name_tasks(loop)
    stubborn = close_loop(loop)
    if stubborn:
        print(
            "ipyembed: cancelled at exit, but did not end within "
            f"{GRACE:.0f} s: " + ", ".join(stubborn),
            file=sys.stderr,
        )


def run_in_foreground(
    target: Job | Awaitable[Any] | Future[Any] | Callable[[], Any], timeout: float | None = None
) -> Any:
    """Turn the loop in this thread until `target` is done; its result, or raises its exception.

    Everything else on the loop goes on meanwhile: ``run_in_foreground(asyncio.sleep(5))`` lets it
    run for five seconds, ``run_in_foreground(asyncio.sleep(0))`` for a single step.

    Parameters
    ----------
    target
        A job, task, future, coroutine or other awaitable; a callable runs in a thread.
    timeout
        Seconds to wait at most; None: for ever.

    Raises
    ------
    TimeoutError, KeyboardInterrupt
        The time is over; Ctrl-C. What was waited for goes on as a job in the background.
    TypeError
        `target` is none of these.
    RuntimeError
        The loop that runs here cannot be run from inside, and `target` belongs to it; or policy
        forbids it.
    """
    return _Foreground(timeout).run(target)


class _Foreground:
    """One call."""

    def __init__(self, timeout: float | None) -> None:
        shell = job_table.shell
        is_here = shell is not None and shell.juggler.eval_thread is threading.current_thread()
        self._juggler: LoopJuggler | None = shell.juggler if shell and is_here else None
        self._timeout = timeout
        self._running = running_loop()
        self._is_interrupted = False

    def run(self, target: Any) -> Any:
        if isinstance(target, Job):
            return self._wait_for(target)
        if isinstance(target, asyncio.Future | Future):
            known = job_table.job_of(target)
            return self._wait_for(known or target)
        if inspect.iscoroutinefunction(target):
            target = target()
        if inspect.isawaitable(target):
            return self._run_awaitable(target)
        if not callable(target):
            raise TypeError(
                "run_in_foreground() takes a job, an awaitable or a callable, not "
                f"{type(target).__name__}"
            )
        return self._run_callable(target)

    def _run_awaitable(self, target: Awaitable[Any]) -> Any:
        coroutine = _coroutine(target)
        try:
            loop = self._loop_to_turn()
        except RuntimeError:
            coroutine.close()
            raise
        if loop is not None:
            return self._wait_for(loop.create_task(coroutine))
        assert self._juggler is not None
        return self._wait_for(self._juggler.run_elsewhere(coroutine))

    def _run_callable(self, target: Callable[[], Any]) -> Any:
        future: Future[Any] = Future()

        def call() -> None:
            future.set_running_or_notify_cancel()
            try:
                future.set_result(target())
            except BaseException as error:
                future.set_exception(error)

        name = name_of_call(target, ())
        threading.Thread(target=call, name=f"ipyembed-foreground {name}", daemon=True).start()
        return self._wait_for(future, name)

    # -- waiting -----------------------------------------------------------------------------

    def _wait_for(self, what: Any, name: str | None = None) -> Any:
        if not what.done():
            job = what if isinstance(what, Job) else None
            with ExitStack() as stack:
                if job:
                    stack.enter_context(job.awaited())
                    stack.enter_context(job.in_foreground())
                self._turn_until_done(what)
            if not what.done():
                left = job or job_table.adopt(what, name)
                self._say_where(left)
        return what.result()

    def _say_where(self, job: Job) -> None:
        if self._is_interrupted:
            raise KeyboardInterrupt
        raise TimeoutError(f"job {job} has not ended in {self._timeout:g} s and goes on")

    def _turn_until_done(self, what: Any) -> None:
        belongs_to = what.loop if isinstance(what, Job) else None
        if isinstance(what, asyncio.Future):
            belongs_to = what.get_loop()
        if self._running is not None and not self._can_reenter(self._running):
            if belongs_to is self._running:
                raise RuntimeError(
                    f"{what!r} belongs to the loop that is running here, which cannot be turned "
                    "from inside; await it"
                )
            self._wait_blocking(what)
            return
        if self._running is None and self._juggler is None and loop_of_thread_if_made() is None:
            self._wait_blocking(what)  # nothing here is to be turned
            return
        loop = self._running or self._own_loop()
        ended: asyncio.Future[None] = loop.create_future()

        def end() -> None:
            if not ended.done():
                ended.set_result(None)

        def end_threadsafe(_: Any) -> None:
            try:
                loop.call_soon_threadsafe(end)
            except RuntimeError:  # closed meanwhile
                pass

        def interrupt() -> None:
            self._is_interrupted = True
            end()

        with ExitStack() as stack:
            if isinstance(what, asyncio.Future) and what.get_loop() is not loop:
                what.get_loop().call_soon_threadsafe(what.add_done_callback, end_threadsafe)
            elif isinstance(what, asyncio.Future):
                what.add_done_callback(callback := lambda _: end())
                stack.callback(what.remove_done_callback, callback)
            else:
                what.add_done_callback(end_threadsafe)
            if self._timeout is not None:
                stack.callback(loop.call_later(self._timeout, end).cancel)
            if self._juggler is not None:
                stack.enter_context(suspend_key.awaiting(partial(_soon, loop, interrupt)))
                self._juggler.turn_until_done(loop, ended, interrupt)
            else:
                stack.enter_context(_interrupted(loop, interrupt))
                reentry.run_or_reenter(loop, ended)

    def _wait_blocking(self, what: Any) -> None:
        done = threading.Event()
        if isinstance(what, asyncio.Future):
            what.get_loop().call_soon_threadsafe(what.add_done_callback, lambda _: done.set())
        else:
            what.add_done_callback(lambda _: done.set())
        try:
            done.wait(self._timeout)
        except KeyboardInterrupt:
            self._is_interrupted = True

    # -- which loop --------------------------------------------------------------------------

    def _loop_to_turn(self) -> asyncio.AbstractEventLoop | None:
        """None: a helper's, on a thread of its own. Raises RuntimeError if there is no way."""
        if self._running is None:
            return self._own_loop()
        if self._can_reenter(self._running):
            return self._running
        if self._juggler is None:
            raise RuntimeError(
                "run_in_foreground() was called inside a running loop that cannot be turned from "
                "inside; await it"
            )
        return None

    def _can_reenter(self, running: asyncio.AbstractEventLoop) -> bool:
        if self._juggler is not None:
            return self._juggler.may_turn(running)
        return reentry.can_reenter(running)

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        return self._juggler.own_loop if self._juggler is not None else loop_of_thread()


def _soon(loop: asyncio.AbstractEventLoop, function: Callable[[], object]) -> bool:
    loop.call_soon_threadsafe(function)
    return True


@contextmanager
def _interrupted(
    loop: asyncio.AbstractEventLoop, interrupt: Callable[[], object]
) -> Iterator[None]:
    """While no shell is there: Ctrl-C calls `interrupt()` in the loop, the second one raises."""
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return

    def handle(signum: int, frame: Any) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        loop.call_soon_threadsafe(interrupt)

    signal.signal(signal.SIGINT, handle)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
