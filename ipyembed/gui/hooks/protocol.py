"""What a hook is given, and gives."""

from __future__ import annotations

import select
from collections.abc import Callable
from typing import Protocol


class Context(Protocol):
    """IPython's and prompt_toolkit's `InputHookContext`, or anything like it."""

    def fileno(self) -> int:
        """The descriptor that ends the wait when it becomes readable."""

    def input_is_ready(self) -> bool:
        """Whether it is readable. May say no at first, to have a polling hook make a turn."""


Hook = Callable[[Context], None]


def is_readable(fileno: int) -> bool:
    """Whether the descriptor is readable now."""
    poll = select.poll()
    poll.register(fileno, select.POLLIN)
    return bool(poll.poll(0))
