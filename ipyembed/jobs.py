"""Jobs: work in the background, as a shell user knows it.

A job is a coroutine that the loop turns, or a callable in a thread or a process.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import Future
from types import CoroutineType
from typing import Any

from ipyembed.job import Job
from ipyembed.job_table import job_table
from ipyembed.loops import running_loop


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
        There is no loop for a coroutine: the shell was opened by a trio task, or one is running.
    """
    if isinstance(target, CoroutineType) and not args and not process:  # the most frequent, first
        running = running_loop()
        if running is not None:
            return job_table.start_here(target, running, name)
        return job_table.start_coroutine(target, loop_for_jobs(), name)
    if isinstance(target, Job):
        _check_no(args, process)
        return target
    if isinstance(target, asyncio.Future | Future):
        _check_no(args, process)
        return job_table.adopt(target, name)
    if inspect.isawaitable(target):
        _check_no(args, process)
        return job_table.start_coroutine(as_coroutine(target), loop_for_jobs(), name)
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


def as_coroutine(awaitable: Awaitable[Any]) -> Coroutine[Any, Any, Any]:
    """Itself, or one that awaits it."""
    if asyncio.iscoroutine(awaitable):
        return awaitable

    async def awaits() -> Any:
        return await awaitable

    awaits.__qualname__ = type(awaitable).__qualname__
    return awaits()


def loop_for_jobs() -> asyncio.AbstractEventLoop:
    """The loop on which a coroutine runs that is put in the background here."""
    running = running_loop()
    if running is not None:
        return running
    shell = job_table.shell
    if shell is not None:
        return shell.loop()
    if _runs_trio():
        raise RuntimeError(
            "a trio task is running here, so no loop is there that could run a coroutine in the "
            "background; start it in a nursery"
        )
    from ipyembed.thread_loop import loop_of_thread

    return loop_of_thread()


def _runs_trio() -> bool:
    if "trio" not in sys.modules:
        return False
    from ipyembed.hosts import trio_is_current

    return trio_is_current()


def name_of_call(function: Callable[..., Any], args: tuple[Any, ...]) -> str:
    """How a call is written, shortly."""
    while isinstance(function, functools.partial):
        function = function.func
    called = getattr(function, "__qualname__", None) or type(function).__qualname__
    return f"{called}({'…' if args else ''})"
