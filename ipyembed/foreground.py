"""`run_in_foreground()`: turn the loop in this thread until something is done.

Which loop that is, is the juggler's business where a shell is open on this thread. Where none is,
as in a plain script, it is the loop that runs here, run again from inside, or else one that this
thread gets for its jobs; a shell that is opened there later turns that one too.

Ctrl-C, and a timeout, end the waiting and not what is waited for. That is why nothing is raised
where the loop happens to be: it could be in a job.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import signal
import threading
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ipyembed import reentry, routing
from ipyembed.job import Job, name_of_coroutine
from ipyembed.job_suspend import suspend_key
from ipyembed.job_table import job_table
from ipyembed.jobs import as_coroutine, name_of_call
from ipyembed.loops import running_loop
from ipyembed.thread_loop import loop_of_thread, loop_of_thread_if_made

if TYPE_CHECKING:
    from ipyembed.juggler import LoopJuggler


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
    __tracebackhide__ = True
    return Foreground(timeout).run(target)


class Foreground:
    """One call."""

    def __init__(self, timeout: float | None) -> None:
        shell = job_table.shell
        is_here = shell is not None and shell.juggler.eval_thread is threading.current_thread()
        self._juggler: LoopJuggler | None = shell.juggler if shell and is_here else None
        self._timeout = timeout
        self._running = running_loop()
        self._is_interrupted = False
        self._name: str | None = None
        # What is started here prints as the cell does, until it has become a job.
        self._relay = routing.Relay(routing.current_route())
        self._context = contextvars.copy_context()
        self._context.run(routing.set_sink, self._relay)

    def run(self, target: Any) -> Any:
        """See `run_in_foreground`."""
        __tracebackhide__ = True
        what = self._started(target)
        if not what.done():
            with self._in_front(what):
                self._turn_until_done(what)
        return self._outcome(what)

    def _started(self, target: Any) -> Any:
        """What is to be waited for: a job or a future."""
        if isinstance(target, Job):
            return target
        if isinstance(target, asyncio.Future | Future):
            return job_table.job_of(target) or target
        if inspect.iscoroutinefunction(target):
            target = target()
        if inspect.isawaitable(target):
            return self._start_awaitable(target)
        if not callable(target):
            raise TypeError(
                "run_in_foreground() takes a job, an awaitable or a callable, not "
                f"{type(target).__name__}"
            )
        return self._start_callable(target)

    def _start_awaitable(self, target: Awaitable[Any]) -> Any:
        coroutine = as_coroutine(target)
        self._name = name_of_coroutine(coroutine)
        try:
            loop = self._loop_to_turn()
        except RuntimeError:
            coroutine.close()
            raise
        if loop is not None:
            return loop.create_task(coroutine, context=self._context)
        assert self._juggler is not None
        return self._juggler.run_elsewhere(coroutine, self._context)

    def _start_callable(self, target: Callable[[], Any]) -> Future[Any]:
        future: Future[Any] = Future()

        def call() -> None:
            future.set_running_or_notify_cancel()
            try:
                future.set_result(self._context.run(target))
            except BaseException as error:
                future.set_exception(error)

        self._name = name_of_call(target, ())
        name = f"ipyembed-foreground {self._name}"
        threading.Thread(target=call, name=name, daemon=True).start()
        return future

    @contextmanager
    def _in_front(self, what: Any) -> Iterator[None]:
        """While it is waited for. What has not ended by then is a job."""
        with ExitStack() as stack:
            if isinstance(what, Job):
                stack.enter_context(what.awaited())
                stack.enter_context(what.in_foreground())
            try:
                yield
            finally:
                if not (what.done() or isinstance(what, Job)):
                    self._relay.target = job_table.adopt(what, self._name)

    def _outcome(self, what: Any) -> Any:
        """Its result or exception; or raises why it has not ended."""
        __tracebackhide__ = True
        del self._context, self._relay  # a traceback keeps this, and it must keep no sink in use
        if what.done():
            return what.result()
        if self._is_interrupted:
            raise KeyboardInterrupt
        job = what if isinstance(what, Job) else job_table.job_of(what)
        raise TimeoutError(f"job {job} has not ended in {self._timeout:g} s and goes on")

    # -- waiting -----------------------------------------------------------------------------

    def _turn_until_done(self, what: Any) -> None:
        belongs_to = what.loop if isinstance(what, Job) else None
        if isinstance(what, asyncio.Future):
            belongs_to = what.get_loop()
        if self._running is not None and not self._can_reenter(self._running):
            if belongs_to is self._running:
                raise RuntimeError(
                    f"{what!r} belongs to the loop that is running here, which cannot be turned "
                    f"from inside; {self._instead()}"
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

    def _instead(self) -> str:
        shell = job_table.shell
        if self._juggler is None or shell is None:
            return "await it"
        if shell.is_awaited:
            return "await it, or call run_in_foreground() in the cell itself, not in a function"
        return "open the shell by `await ipyembed.embed_async()` for that"

    def _wait_blocking(self, what: Any) -> None:
        done = threading.Event()
        if isinstance(what, asyncio.Future):
            what.get_loop().call_soon_threadsafe(what.add_done_callback, lambda _: done.set())
        else:
            what.add_done_callback(lambda _: done.set())

        def leave() -> bool:
            self._is_interrupted = True
            # On another thread: in a signal handler, this one may hold the lock that it takes.
            threading.Thread(target=done.set).start()
            return True

        with suspend_key.awaiting(leave):
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
