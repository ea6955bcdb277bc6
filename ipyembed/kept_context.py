"""A coroutine keeps its context variables, whatever task awaits it.

A task of asyncio's runs every step in one context. QtAsyncio's (PySide6 6.8 to 6.12) goes on after
an ``await`` in the context of whoever has ended that, or in none that is its own: what a cell has
set is lost, and stays behind elsewhere. So there the steps are run in a context by hand.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def keeps_context(task: object) -> bool:
    """Whether tasks of that kind run all their steps in one context."""
    return isinstance(task, asyncio.Task)


class InContext(Generic[T]):
    """To await a coroutine in a context, which nobody else has entered."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context) -> None:
        self._coroutine = coroutine
        self._context = context

    def __await__(self) -> Generator[Any, Any, T]:
        value: Any = None
        resume: Callable[[Any], Any] = self._coroutine.send
        while True:
            try:
                waits_for = self._context.run(resume, value)
            except StopIteration as stop:
                result: T = stop.value
                return result
            try:
                value = yield waits_for
                resume = self._coroutine.send
            except BaseException as error:
                tb = error.__traceback__  # without this frame
                value = error.with_traceback(tb.tb_next if tb else None)
                resume = self._coroutine.throw


def carry_over(before: dict[contextvars.ContextVar[Any], Any], after: contextvars.Context) -> None:
    """Give the current context the values that have changed in `after`."""
    for variable, value in after.items():
        if before.get(variable, carry_over) is not value:
            variable.set(value)
