"""Taking the place of an asyncio loop's selector for a time.

Touched of asyncio (CPython 3.11 to 3.13): `loop._selector`, the object in whose `select(timeout)`
the loop waits. Whoever stands in asks whether the loop has one first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class StandIn:
    """What takes a selector's place. All but `select` is the real selector's."""

    def __init__(self, loop: Any) -> None:
        self.real: Any = loop._selector
        """The loop's own selector, or another one that stands in for it."""
        self.has_left = False
        """Whether its time is over; it may still be asked, on behalf of another one."""
        # The methods that asyncio calls often are here at once, not by way of __getattr__.
        self.register, self.unregister = self.real.register, self.real.unregister
        self.modify, self.get_map = self.real.modify, self.real.get_map

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)

    def close_stand_in(self) -> None:
        """Release what this object has made; `real` stays."""


@contextmanager
def standing_in(loop: Any, stand_in: StandIn) -> Iterator[None]:
    """While the block lasts, `loop` waits in `stand_in` instead of its selector.

    Enter and leave on the loop's thread. Nests; they may be left in any order.
    """
    loop._selector = stand_in
    try:
        yield
    finally:
        stand_in.has_left = True
        while getattr(loop._selector, "has_left", False):
            loop._selector = loop._selector.real
        stand_in.close_stand_in()
