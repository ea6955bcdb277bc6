"""What a suspended coroutine has open that acts upon the task which awaits it.

A timeout and a task group remember the task in which they were opened, and cancel it when their
time has come. So a coroutine that is in one may be given another task (`detach_task`) only if they
can be, too: those of asyncio's own can. Others keep more than we know of: anyio's scopes in a table
of their own, aiohttp's timers in a list.
"""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType
from typing import Any

_EXITS = ("__aexit__", "__exit__")
_CHAIN = (CoroutineType, GeneratorType, AsyncGeneratorType)


# Where they keep the task (CPython 3.11 to 3.13, private). What lacks it is somebody else's to us.
_KEPT_IN = {asyncio.Timeout: "_task", asyncio.TaskGroup: "_parent_task"}


def why_bound(manager: object, task: asyncio.Task[Any]) -> str:
    """Why it cannot be bound to another task than `task`; nothing if it can be."""
    name = type(manager).__name__
    kept_in = _KEPT_IN.get(type(manager))
    if kept_in is None or getattr(manager, kept_in, None) is not task:
        return f"it has a {name} open, which is bound to the task that awaits it"
    # These have asked the task to cancel and will take that back from it at their end.
    if isinstance(manager, asyncio.Timeout):
        is_ending = manager.expired()
    else:
        is_ending = bool(getattr(manager, "_parent_cancel_requested", True))
    return f"it has a {name} open, which is about to end it" if is_ending else ""


def rebind(manager: object, task: asyncio.Task[Any]) -> None:
    """Bind it to `task`, which is new and nobody has cancelled yet. See `why_bound` first."""
    bound: Any = manager
    setattr(bound, _KEPT_IN[type(bound)], task)
    if hasattr(bound, "_cancelling"):  # a Timeout's, late versions of 3.11 to 3.13
        bound._cancelling = task.cancelling()  # how often that was asked for before it


def bound_to(task: asyncio.Task[Any], coroutine: Any) -> Iterator[object]:
    """What a suspended coroutine has open that refers to `task`: a Timeout, a TaskGroup, ….

    A ``with`` statement keeps the bound method `__exit__` or `__aexit__` on the stack of its frame,
    where only the garbage collector's view of a coroutine shows it (CPython 3.11 to 3.13).
    """
    seen: dict[int, object] = {}  # kept alive, so that no other gets the same id
    manager: object
    to_do = [coroutine]
    while to_do:
        at = to_do.pop()
        if id(at) in seen:
            continue
        seen[id(at)] = at
        for manager in _managers(at):
            if id(manager) not in seen and _refers(manager, task):
                seen[id(manager)] = manager
                yield manager
            to_do.extend(_inside(manager))
        to_do.extend(thing for thing in gc.get_referents(at) if _is_in_chain(thing))


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
