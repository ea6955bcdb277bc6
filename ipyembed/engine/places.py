"""The eval thread of an engine: where its cells run, and how to get there from another thread.

==============  ==================================  ===============================================
place           chosen where `serve()` is called    cells run
==============  ==================================  ===============================================
`LoopPlace`     in a running asyncio loop           in a task of that loop
`TrioPlace`     in a trio task                      in a system task of that trio run
`GuiPlace`      on the thread of a toolkit that is  in a task of an asyncio loop of the engine's,
                alive, where no loop is running     which the toolkit's main loop turns
`ThreadPlace`   anywhere else                       in a task of a loop on a thread of the engine's
==============  ==================================  ===============================================

Where a terminal shell is open on that thread, cells run in that shell instead (`ShellPlace`).
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from contextlib import ExitStack, suppress
from typing import Any

from ipyembed.giving_way import SeenSelector, giving_way_when_woken
from ipyembed.hosts import trio_is_current
from ipyembed.loop_thread import LoopThread, close_loop
from ipyembed.loops import running_loop

_IMPORTED_BY_TOOLKITS = {
    "PyQt5.QtCore",
    "PyQt6.QtCore",
    "PySide2.QtCore",
    "PySide6.QtCore",
    "gi.repository.GLib",
    "tkinter",
    "wx",
}

Work = Callable[[], Coroutine[Any, Any, None]]


class Place(ABC):
    """Where cells run. Made on the eval thread, but for `ThreadPlace`."""

    kind: str
    """What it is, for people."""
    thread: threading.Thread

    def __init__(self) -> None:
        self._given_way = ExitStack()

    @abstractmethod
    def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
        """Have `function`, which must not raise, called on the eval thread when that is free.

        Raises RuntimeError when there is no such thread any more.
        """

    def start_threadsafe(self, work: Work) -> None:
        """Have the coroutine that `work()` makes, which must not raise, awaited there.

        Raises RuntimeError as `call_soon_threadsafe`.
        """
        self.call_soon_threadsafe(lambda: self._start(work))

    @abstractmethod
    def _start(self, work: Work) -> None:
        """The same on the eval thread."""

    @abstractmethod
    def give_way_to(self, other: SeenSelector) -> None:
        """Until `close()`, have a busy eval thread give the network thread its turn."""

    def close(self) -> None:
        """End what the place has started. Any thread."""
        if threading.current_thread() is self.thread:
            self._given_way.close()
        else:
            with suppress(RuntimeError):  # the thread has ended, and all that was there
                self.call_soon_threadsafe(self._given_way.close)


class LoopPlace(Place):
    """A running asyncio loop, of any kind."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        super().__init__()
        self.loop = loop
        self.thread = thread
        self.kind = f"{type(loop).__module__}.{type(loop).__qualname__}"
        # One for all cells: what a cell sets in a context variable, the next one sees.
        self._context = contextvars.copy_context()
        self._tasks: set[asyncio.Task[None]] = set()

    def give_way_to(self, other: SeenSelector) -> None:
        """See `Place`."""
        giving = giving_way_when_woken(self.loop, other)
        self.loop.call_soon_threadsafe(self._given_way.enter_context, giving)

    def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
        """See `Place`."""
        self.loop.call_soon_threadsafe(function, context=self._context)

    def _start(self, work: Work) -> None:
        """See `Place`."""
        task = self.loop.create_task(work(), name="ipyembed engine", context=self._context)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class ThreadPlace(LoopPlace):
    """A thread of the engine's own, with a loop."""

    def __init__(self) -> None:
        self._own = LoopThread("ipyembed-cells")
        super().__init__(self._own.loop, self._own.thread)
        self.kind = "a thread of its own"

    def close(self) -> None:
        """See `Place`: the tasks of its loop are cancelled."""
        super().close()
        if threading.current_thread() is not self.thread:
            self._own.close()


class TrioPlace(Place):
    """A trio run."""

    kind = "trio"

    def __init__(self) -> None:
        import trio

        super().__init__()
        self.thread = threading.current_thread()
        self._trio = trio
        self._token = trio.lowlevel.current_trio_token()
        self._context = contextvars.copy_context()

    def give_way_to(self, other: SeenSelector) -> None:
        """See `Place`."""
        from ipyembed.giving_way_trio import trio_giving_way

        self._given_way.enter_context(trio_giving_way(other))

    def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
        """See `Place`."""
        try:
            self._token.run_sync_soon(function)
        except self._trio.RunFinishedError:
            raise RuntimeError("the trio run has ended") from None

    def _start(self, work: Work) -> None:
        """See `Place`."""

        # Trio keeps KeyboardInterrupt out of its system tasks; in a cell it is welcome.
        @self._trio.lowlevel.disable_ki_protection
        async def unprotected() -> None:
            await work()

        async def run() -> None:
            await unprotected()

        self._trio.lowlevel.spawn_system_task(run, name="ipyembed engine", context=self._context)


class GuiPlace(LoopPlace):
    """A toolkit's main loop, with asyncio as its guest."""

    def __init__(self, toolkit: str, watcher: Any) -> None:
        from ipyembed.engine.guest_loop import GuestLoop

        self._guest = GuestLoop(watcher)
        super().__init__(self._guest, threading.current_thread())
        self.kind = f"the main loop of {toolkit}"

    def close(self) -> None:
        """See `Place`: the tasks of its loop are cancelled, on its thread."""
        super().close()
        here = threading.current_thread() is self.thread
        if here and running_loop() is None:
            close_loop(self.loop)
        else:
            self._guest.close_soon_threadsafe()


def start_here(work: Work) -> None:
    """Have the coroutine that `work()` makes awaited by whatever loop is running here."""
    if trio_is_current():
        TrioPlace()._start(work)
    else:
        loop = asyncio.get_running_loop()
        task = loop.create_task(work(), name="ipyembed engine")
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)


_tasks: set[asyncio.Task[None]] = set()
"""A loop keeps its tasks weakly."""


def choose(policy: str) -> Place:
    """The place for an engine that is opened by the code which is running.

    `policy`: ``auto``, or ``loop``, ``gui`` or ``thread`` to have that and nothing else. Raises
    RuntimeError where that is not there.
    """
    if policy in ("auto", "loop"):
        if trio_is_current():
            return TrioPlace()
        try:
            return LoopPlace(asyncio.get_running_loop(), threading.current_thread())
        except RuntimeError:
            if policy == "loop":
                raise RuntimeError(
                    "an engine with cells='loop' is opened by code that a running loop executes"
                ) from None
    if policy in ("auto", "gui") and not _IMPORTED_BY_TOOLKITS.isdisjoint(sys.modules):
        from ipyembed.engine.gui_watchers import find_watcher

        found = find_watcher()
        if found is not None:
            return GuiPlace(*found)
    if policy == "gui":
        raise RuntimeError(
            "an engine with cells='gui' is opened on the thread of a toolkit's application, "
            "after that has been made"
        )
    return ThreadPlace()
