"""An asyncio loop and what ends with it; on this thread, or in a daemon thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ipyembed.giving_way import SeenSelector
from ipyembed.loops import hand_over

T = TypeVar("T")

GRACE = 2.0
"""Seconds that cancelled tasks get to end when their loop is closed."""


def close_loop(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Cancel what still runs on `loop` and close it; returns the names of tasks that did not end.

    Call on a thread on which no loop is running.
    """
    if loop.is_closed():
        return []
    stubborn: list[str] = []
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            _, pending = loop.run_until_complete(asyncio.wait(tasks, timeout=GRACE))
            stubborn = sorted(task.get_name() for task in pending)
            for task in pending:
                # Its name is said; asyncio would say it again when the task is collected.
                task._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
    return stubborn


class LoopThread:
    """A daemon thread that turns an asyncio loop.

    Start and close it on one thread, or under a lock.
    """

    def __init__(self, name: str) -> None:
        self.selector: SeenSelector | None = None
        """Tells whether the thread has something to do; None on systems where that is unknown."""
        # Not asyncio.new_event_loop(): the host's policy may make loops of a kind that leaves the
        # terminal non-blocking (uvloop), or that runs on the toolkit's thread only (QtAsyncio).
        if sys.platform == "win32":
            self.loop: asyncio.AbstractEventLoop = asyncio.ProactorEventLoop()
        else:
            self.selector = SeenSelector()
            self.loop = asyncio.SelectorEventLoop(self.selector)
        self.thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._stubborn: list[str] = []
        self.thread.start()

    def _run(self) -> None:
        try:
            self.loop.run_forever()
        finally:
            self._stubborn = close_loop(self.loop)

    def submit(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None
    ) -> tuple[Future[T], Callable[[], object]]:
        """Run `coroutine` there; returns its result to come and what cancels it, called by
        the loop.

        A cancelled coroutine ends the future with `asyncio.CancelledError`, when it has ended.
        """
        loop = self.loop
        result: Future[T] = Future()
        task: asyncio.Task[T] | None = None

        def start() -> None:
            nonlocal task
            task = loop.create_task(coroutine, context=context)
            task.add_done_callback(lambda task: hand_over(task, result))

        def cancel() -> None:
            if task is not None:
                task.cancel()

        loop.call_soon_threadsafe(start)
        return result, cancel

    def close(self) -> list[str]:
        """Stop the thread and close the loop; returns the names of tasks that did not end.

        A task that does not give control back holds the thread: that is then left behind, as a
        daemon, because a hanging host would be worse.
        """
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(2 * GRACE)
        return [f"thread {self.thread.name}"] if self.thread.is_alive() else self._stubborn
