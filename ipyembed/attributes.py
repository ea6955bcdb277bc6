"""One object has another attribute for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def attribute_replaced(owner: Any, name: str, value: Any) -> Iterator[None]:
    """`owner` itself, whatever its class has. What somebody else puts there meanwhile stays."""
    attributes = vars(owner)
    had, before = name in attributes, attributes.get(name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        if attributes.get(name) is value:
            if had:
                setattr(owner, name, before)
            else:
                delattr(owner, name)
