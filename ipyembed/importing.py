"""Importing what opens a shell, without the garbage collector going through it meanwhile.

IPython and what it needs are some hundred thousand objects, and nearly all of them stay. While they
are made, Python's cyclic garbage collector goes through them again and again, which takes as long
as a fifth of the time to the first prompt. So it is paused for the time of the import. Afterwards
the objects are put among the old ones, at which it seldom looks; or it would go through all of them
at the next opportunity.

The host's own young objects are put there too: garbage among them that refers to itself is found at
the next full collection.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

_FROZEN_BY_PYTHON = 2000
"""Python 3.12 freezes some hundred objects by itself; a host's `gc.freeze()`, all of thousands."""


def imported(module: str) -> Any:
    """The module of that name; from any thread."""
    if module in sys.modules:
        return import_module(module)
    with collector_paused():
        return import_module(module)


@contextmanager
def collector_paused() -> Iterator[None]:
    """No garbage collection in the block, and none of what was made there soon afterwards."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        _make_old()
        gc.enable()


def _make_old() -> None:
    # Both calls only link lists. What the host has frozen stays frozen.
    if hasattr(gc, "freeze") and gc.get_freeze_count() < _FROZEN_BY_PYTHON:
        gc.freeze()
        gc.unfreeze()
