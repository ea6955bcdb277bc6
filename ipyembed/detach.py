"""A half-run coroutine is left by whoever awaits it, and goes on in a task of its own.

Goal: Ctrl-Z gives the prompt back while a cell awaits; the cell becomes a job.

Where the cell has a task of its own from the start (`InOwnTask`: in the shell's own loop, or a loop
run again from inside) that is simple: nobody waits for it any more.

In an awaitable shell the cell is awaited in the caller's task, which has to go back to the prompt:
`detach_task.InCallersTask`. Where that cannot be, the coroutine `Stays`, and says why.
"""

from __future__ import annotations

import asyncio
import contextvars
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

T = TypeVar("T")

Refused = Callable[[str], object]
"""Called, on the loop's thread, with the reason for which a coroutine stays."""


class Detached(Exception):  # noqa: N818  # no error: how an await ends
    """Raised where a `Detachable` is awaited: it goes on without."""

    def __init__(
        self,
        task: Any,
        context: contextvars.Context,
        cancel_threadsafe: Callable[[], object] | None = None,
    ) -> None:
        super().__init__("goes on in the background")
        self.task = task
        """What has taken over, not yet continued: an `asyncio.Task`; of another loop, a Future."""
        self.context = context
        """Its context variables, which are nobody else's from now on."""
        self.cancel_threadsafe = cancel_threadsafe
        """Asks it to end, if `task.cancel()` does not."""


class Detachable(ABC, Generic[T]):
    """A coroutine that is awaited once, and may be left. On one loop, in its thread."""

    def __init__(self, coroutine: Coroutine[Any, Any, T]) -> None:
        self._coroutine = coroutine
        self._loop: asyncio.AbstractEventLoop | None = None

    @abstractmethod
    async def wait(self) -> T:
        """The coroutine's result or exception; or raises `Detached`. A cancellation is its."""

    @abstractmethod
    def detach(self, refused: Refused) -> None:
        """Leave it, at once or at its next wait; or it stays, and `refused(why)` is called."""

    def detach_threadsafe(self, refused: Refused) -> None:
        """The same from any thread or signal handler."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.detach, refused)

    def leave_threadsafe(self, refused: Refused) -> bool:
        """The same when it was interrupted, in vain; False if it never can be left."""
        self.detach_threadsafe(refused)
        return True


class Stays(Detachable[T]):
    """The coroutine is awaited and nothing else; it cannot be left."""

    def __init__(
        self,
        coroutine: Coroutine[Any, Any, T],
        why: str,
        call_soon_threadsafe: Callable[[Callable[[], object]], object],
    ) -> None:
        """`call_soon_threadsafe` has the loop call something, from any thread."""
        super().__init__(coroutine)
        self._why = why
        self._call_soon_threadsafe = call_soon_threadsafe

    async def wait(self) -> T:
        """See `Detachable`."""
        return await self._coroutine

    def detach(self, refused: Refused) -> None:
        """See `Detachable`; always refuses."""
        refused(self._why)

    def detach_threadsafe(self, refused: Refused) -> None:
        """See `Detachable`."""
        self._call_soon_threadsafe(lambda: self.detach(refused))

    def leave_threadsafe(self, refused: Refused) -> bool:
        """See `Detachable`."""
        return False


class InOwnTask(Detachable[T]):
    """The coroutine has a task of its own from the start."""

    def __init__(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None
    ) -> None:
        """`context` is that of the task, a copy of the current one by default."""
        super().__init__(coroutine)
        self._context = context
        self._left: asyncio.Future[None] | None = None

    async def wait(self) -> T:
        """See `Detachable`."""
        context = self._context or contextvars.copy_context()
        loop = self._loop = asyncio.get_running_loop()
        left = self._left = loop.create_future()
        task = loop.create_task(self._coroutine, context=context)
        while not (task.done() or left.done()):
            try:
                await asyncio.wait({task, left}, return_when=asyncio.FIRST_COMPLETED)
            except asyncio.CancelledError:
                task.cancel()
        if not task.done():
            raise Detached(task, context)
        return task.result()

    def detach(self, refused: Refused) -> None:
        """See `Detachable`; never refuses."""
        if self._left is not None and not self._left.done():
            self._left.set_result(None)
