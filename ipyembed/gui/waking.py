"""Noticing what GUI callbacks schedule on a loop that is waiting.

A GUI callback runs inside the loop's wait, on the loop's thread. What it schedules there by
`call_soon`, `call_later` or `create_task` is not waited for by anybody: asyncio expects such calls
only from its own callbacks, after which it looks anyway. So for the time of the wait, these methods
of the loop are replaced by ones that also end the wait.

Not noticed: such a method that was taken from the loop before, as in `clicked.connect(loop.stop)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_METHODS = ("call_soon", "call_at", "stop")  # call_later and create_task use them


class Waking:
    """While entered, whatever is scheduled on `loop` calls `wake()`. On the loop's thread."""

    def __init__(self, loop: Any, wake: Callable[[], object]) -> None:
        self._attributes = vars(loop)
        self._replacements = {name: _waking(getattr(loop, name), wake) for name in _METHODS}
        self._kept: list[dict[str, Any]] = []

    def __enter__(self) -> None:
        attributes = self._attributes
        self._kept.append({name: attributes[name] for name in _METHODS if name in attributes})
        attributes.update(self._replacements)

    def __exit__(self, *exc_info: object) -> None:
        for name in _METHODS:
            self._attributes.pop(name, None)
        self._attributes.update(self._kept.pop())


def _waking(method: Callable[..., Any], wake: Callable[[], object]) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        result = method(*args, **kwargs)
        wake()
        return result

    return call
