"""What has to step aside while a shell is open, because it holds the terminal: pytest's capture.

Imported by the pytest plugin, so it imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager

_aside: list[Callable[[], AbstractContextManager[object]]] = []


@contextmanager
def stepping_aside(step_aside: Callable[[], AbstractContextManager[object]]) -> Iterator[None]:
    """For the time of the block: every shell is open inside of a `step_aside()` of its own.

    That is called on the thread that opens the shell, before the terminal is looked at. A shell
    that a cell of another shell opens is inside of both. What it raises, `embed()` raises.
    """
    _aside.append(step_aside)
    try:
        yield
    finally:
        _aside.remove(step_aside)


@contextmanager
def all_aside() -> Iterator[None]:
    """While a shell is open."""
    with ExitStack() as stack:
        for step_aside in _aside:
            stack.enter_context(step_aside())
        yield
