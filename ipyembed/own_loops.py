"""The loops that a shell makes for itself: its own one, and one in a helper thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from ipyembed.loop_thread import LoopThread, close_loop


class OwnLoops:
    """Each is made when it is first needed, and closed with the shell. Used on the eval thread."""

    def __init__(self, borrow: Callable[[], asyncio.AbstractEventLoop] | None) -> None:
        """`borrow`: see `LoopJuggler`."""
        self._borrow = borrow
        self._loop: asyncio.AbstractEventLoop | None = None
        self._helper: LoopThread | None = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """What the eval thread turns where the host runs no loop; made now if need be."""
        if self._borrow is not None:
            self._loop = self._borrow()
        elif self._loop is None:
            self._loop = asyncio.new_event_loop()
        return self._loop

    @property
    def loop_if_made(self) -> asyncio.AbstractEventLoop | None:
        """The same, or None if it has not been needed yet."""
        return self._loop

    @property
    def loop_if_closed_with_shell(self) -> asyncio.AbstractEventLoop | None:
        """The same; None as well if it was there before the shell, and goes on after it."""
        return self._loop if self._borrow is None else None

    @property
    def helper(self) -> LoopThread:
        """For `await` where the host's loop cannot be turned from inside; made now if need be."""
        if self._helper is None:
            self._helper = LoopThread("ipyembed-await")
        return self._helper

    def close(self) -> list[str]:
        """Cancel what runs there and close both; returns the names of tasks that did not end."""
        stubborn: list[str] = []
        if self._helper is not None:
            stubborn += self._helper.close()
            self._helper = None
        if self._loop is not None and self._borrow is None:
            stubborn += close_loop(self._loop)
            self._loop = None
        return stubborn
