"""The shell's own asyncio loop, where the host has none.

Also the same thing in a thread: where ``await`` must work but the host's loop cannot be re-entered.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

T = TypeVar("T")

GRACE = 2.0
"""Seconds that cancelled tasks get to end when the loop is closed."""


def close(loop: asyncio.AbstractEventLoop) -> list[str]:
    """Cancel what still runs on `loop` and close it; returns the names of tasks that did not end.

    Call on the loop's thread while the loop does not run.
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
    """An asyncio loop in a daemon thread, started at the first coroutine."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def submit(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None
    ) -> tuple[Future[T], Callable[[], object]]:
        """Run `coroutine` there; returns its result to come and what cancels it, from any thread.

        A cancelled coroutine ends the future with `asyncio.CancelledError`, when it has ended.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name=self._name, daemon=True
            )
            self._thread.start()
        loop = self._loop
        result: Future[T] = Future()
        task: asyncio.Task[T] | None = None

        def start() -> None:
            nonlocal task
            task = loop.create_task(coroutine, context=context)
            task.add_done_callback(lambda task: _hand_over(task, result))

        def cancel() -> None:
            if task is not None:
                task.cancel()

        loop.call_soon_threadsafe(start)
        return result, lambda: loop.call_soon_threadsafe(cancel)

    def close(self) -> list[str]:
        """Stop the thread; returns the names of tasks that did not end."""
        if self._loop is None or self._thread is None:
            return []
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(GRACE)
        if self._thread.is_alive():
            return [self._name]
        stubborn = close(self._loop)
        self._loop = self._thread = None
        return stubborn


def _hand_over(task: asyncio.Task[T], result: Future[T]) -> None:
    if task.cancelled():
        result.set_exception(asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        result.set_exception(error)
    else:
        result.set_result(task.result())
