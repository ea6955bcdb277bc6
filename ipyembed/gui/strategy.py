"""How asyncio and the toolkit share a thread: chosen by what the loop can do, or forced.

==========  ==========================================================  ======================
strategy    how                                                         for
==========  ==========================================================  ======================
`select`    the toolkit's loop is asyncio's wait                        asyncio on Linux
`thread`    likewise, but a thread waits in the selector meanwhile      other loops of asyncio
`slice`     the loop gives the toolkit short turns                      uvloop
==========  ==========================================================  ======================
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager

from ipyembed.gui import selector, waiter
from ipyembed.gui.slices import gui_in_slices
from ipyembed.gui.turn import GuiTurn
from ipyembed.standing_in import standing_in

Gui = Callable[[], GuiTurn | None]


def choose(loop: asyncio.AbstractEventLoop, policy: str) -> str:
    """The strategy for `loop`. A policy that the loop cannot follow falls back to the next one."""
    if policy in ("auto", "select") and selector.can_stand_in(loop):
        return "select"
    if policy in ("auto", "select", "thread") and waiter.can_stand_in(loop):
        return "thread"
    return "slice"


def turning(
    loop: asyncio.AbstractEventLoop, strategy: str, gui: Gui
) -> AbstractContextManager[None]:
    """While entered, `loop` turns the toolkit that `gui()` gives at each moment, or none."""
    if strategy == "select":
        return standing_in(loop, selector.GuiSelector(loop, gui))
    if strategy == "thread":
        return standing_in(loop, waiter.WaiterSelector(loop, gui))
    return gui_in_slices(loop, gui)
