"""Calls that other threads ask the eval thread to make.

Completion touches the user's objects, so it has to happen on the eval thread, which is busy
waiting for the prompt. Whoever makes it wait (a loop, or a plain queue) lends a waker; calls that
come while nobody waits are made when somebody does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class EvalCalls:
    """A queue of calls for the eval thread."""

    def __init__(self) -> None:
        # The lock keeps the order of "queue, then wake" against "set waker, then run what is
        # queued", so that no call is left lying; it is never held while a call runs.
        self._lock = threading.Lock()
        self._queues: list[deque[tuple[Future[object], Callable[[], object]]]] = [deque()]
        self._wakers: list[Callable[[], object]] = []
        self.is_closed = False
        """Whether no call will be made any more."""

    def call(self, function: Callable[[], T]) -> Future[T]:
        """Have `function` called on the eval thread; from any thread. Cancel to withdraw it.

        The future is a cancelled one if it will not be called.
        """
        future: Future[T] = Future()
        with self._lock:
            if self.is_closed:
                future.cancel()
                return future
            self._queues[-1].append((future, function))  # type: ignore[arg-type]
            if self._wakers:
                self._wakers[-1]()
        return future

    @contextmanager
    def woken_by(self, waker: Callable[[], object]) -> Iterator[None]:
        """While the eval thread waits: `waker()` must make it call `run_pending()` soon.

        `waker` is called on the thread that asks.
        """
        with self._lock:
            self._wakers.append(waker)
            if self._queues[-1]:
                waker()
        try:
            yield
        finally:
            with self._lock:
                self._wakers.remove(waker)

    @contextmanager
    def apart(self) -> Iterator[None]:
        """For the time of the block, only calls are made that come in it.

        For a wait in a callback of a loop that is being turned for another wait: what that has left
        to be made (SIGINT taken for a prompt, or given back) is not for the midst of a callback.
        """
        with self._lock:
            self._queues.append(deque())
        try:
            yield
        finally:
            with self._lock:
                left = self._queues.pop()
                self._queues[-1].extend(left)
                if self._queues[-1] and self._wakers:
                    self._wakers[-1]()

    def run_pending(self) -> None:
        """Make the calls that are due. Runs on the eval thread."""
        while True:
            with self._lock:
                if not self._queues[-1]:
                    return
                future, function = self._queues[-1].popleft()
            if not future.set_running_or_notify_cancel():
                continue
            try:
                result = function()
            except BaseException as error:
                future.set_exception(error)
                if not isinstance(error, Exception):
                    raise
            else:
                future.set_result(result)

    def close(self) -> None:
        """Withdraw what is left, and whatever comes later."""
        with self._lock:
            self.is_closed = True
            calls = [call for queue in self._queues for call in queue]
            for queue in self._queues:
                queue.clear()
        for future, _ in calls:
            future.cancel()
