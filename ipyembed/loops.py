"""Small things about asyncio's loops that several modules need."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future
from functools import partial
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that is executing the caller, if any."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def kind_of(loop: object) -> str:
    """The loop's class, for people."""
    return f"{type(loop).__module__}.{type(loop).__qualname__}"


def _finish_threadsafe(
    loop: asyncio.AbstractEventLoop, done: asyncio.Future[None], _: object
) -> None:
    def finish() -> None:
        if not done.done():
            done.set_result(None)

    # RuntimeError: the loop was closed while the question was being taken back.
    try:
        loop.call_soon_threadsafe(finish)
    except RuntimeError:
        pass


class Ends(Protocol):
    """A `concurrent.futures.Future`, a `Job`: what tells of its end, on any thread."""

    def add_done_callback(self, fn: Any, /) -> object:
        """Have `fn` called with it when it has ended."""


def when_done(loop: asyncio.AbstractEventLoop, what: Ends) -> asyncio.Future[None]:
    """A future of `loop` that is done when `what` has ended, in whatever way. Loop's thread."""
    done = loop.create_future()
    what.add_done_callback(partial(_finish_threadsafe, loop, done))
    return done


async def until_done(what: Ends) -> None:
    """Wait until it has ended, in whatever way; being cancelled leaves it alone."""
    await when_done(asyncio.get_running_loop(), what)


def hand_over(task: asyncio.Future[T], result: Future[Any]) -> None:
    """End `result` as `task` has ended; a cancelled one with `asyncio.CancelledError`."""
    if task.cancelled():
        result.set_exception(asyncio.CancelledError())
    elif (error := task.exception()) is not None:
        result.set_exception(error)
    else:
        result.set_result(task.result())
