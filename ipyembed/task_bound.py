"""What a suspended coroutine has open that acts upon the task which awaits it.

A timeout and a task group remember the task in which they were opened, and cancel it when their
time has come. So a coroutine that is in one cannot be given another task (`detach`).
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType
from typing import Any

_EXITS = ("__aexit__", "__exit__")
_CHAIN = (CoroutineType, GeneratorType, AsyncGeneratorType)


def bound_to(task: asyncio.Task[Any], coroutine: Any) -> object | None:
    """What a suspended coroutine has open that refers to `task`: a Timeout, a TaskGroup, ….

    A ``with`` statement keeps the bound method `__exit__` or `__aexit__` on the stack of its frame,
    where only the garbage collector's view of a coroutine shows it (CPython 3.11 to 3.13).
    """
    seen: set[int] = set()
    manager: object
    to_do = [coroutine]
    while to_do:
        at = to_do.pop()
        if id(at) in seen:
            continue
        seen.add(id(at))
        for manager in _managers(at):
            if _refers(manager, task):
                return manager
            to_do.extend(_inside(manager))
        to_do.extend(thing for thing in gc.get_referents(at) if _is_in_chain(thing))
    return None


def _managers(at: Any) -> Iterator[Any]:
    """The context managers in whose blocks, or in whose exits, a coroutine is."""
    for thing in gc.get_referents(at):
        if isinstance(thing, MethodType) and thing.__name__ in _EXITS:
            yield thing.__self__
    frame = getattr(at, "cr_frame", None)
    if frame is not None and frame.f_code.co_name in _EXITS and "self" in frame.f_locals:
        yield frame.f_locals["self"]


def _inside(manager: Any) -> Iterator[Any]:
    """What a manager of contextlib's manages by."""
    generator = getattr(manager, "gen", None)
    if isinstance(generator, _CHAIN):
        yield generator
    callbacks = getattr(manager, "_exit_callbacks", None)  # of an ExitStack
    if callbacks:
        yield from [_Entered(exit_) for _, exit_ in callbacks]


class _Entered:
    """Looks to the garbage collector as a frame that is in a ``with`` block does."""

    def __init__(self, exit_: Any) -> None:
        self.exit = exit_


def _is_in_chain(thing: Any) -> bool:
    # The others have no name in Python: what `__await__`, `asend` and `athrow` return.
    return isinstance(thing, _CHAIN) or type(thing).__name__ in (
        "coroutine_wrapper",
        "async_generator_asend",
        "async_generator_athrow",
    )


def _refers(manager: Any, task: asyncio.Task[Any]) -> bool:
    """Directly, or by a collection that it has."""
    for thing in gc.get_referents(manager):
        if thing is task:
            return True
        if isinstance(thing, dict | list | tuple | set) and any(
            inner is task for inner in (thing.values() if isinstance(thing, dict) else thing)
        ):
            return True
        if type(thing) is dict and any(
            isinstance(inner, list | tuple | set) and any(each is task for each in inner)
            for inner in thing.values()
        ):
            return True
    return False
