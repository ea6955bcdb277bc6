"""An asyncio loop that a toolkit's main loop turns: asyncio as a guest of the GUI.

Where Qt, Tk, wx or GTK runs its main loop, asyncio has no loop to be in. So the engine brings one:
the toolkit watches the descriptor of the loop's selector, and a timer of the toolkit stands for
asyncio's next timer. Whenever one of them says so, asyncio is run until it would wait.

===========================================  ====================================================
what asyncio is waiting for                  who notices
===========================================  ====================================================
a descriptor, `call_soon_threadsafe`         the toolkit: the selector's descriptor is readable
its next timer                               a timer of the toolkit
what a GUI callback schedules                `call_soon` and `call_at` of this loop
===========================================  ====================================================

A cell that awaits is a task of this loop, so the window goes on painting meanwhile. A cell that
does not await holds the window, as any GUI callback does. asyncio in turn gets `SLICE` seconds at a
time when it is busy.
"""

from __future__ import annotations

import asyncio
import selectors
import time
import traceback
from typing import Any, Protocol

from ipyembed.loop_thread import GRACE
from ipyembed.loops import running_loop

SLICE = 0.005
"""Seconds after which a busy asyncio lets the toolkit have a turn."""
SHORT = 0.001
"""Seconds for which it is not worth while to return to the toolkit."""
LATER = 0.02
"""Seconds until the next try, where another asyncio loop is running on the thread."""


class Watcher(Protocol):
    """A toolkit's main loop. On its thread."""

    def watch(self, fd: int, callback: Any) -> None:
        """Call `callback()` whenever `fd` is readable."""

    def call_later(self, seconds: float, callback: Any) -> None:
        """Call `callback()` once; a call that is still to come is withdrawn."""

    def close(self) -> None:
        """Call nothing any more."""


class _Selector(selectors.DefaultSelector):
    """Does not wait, but has the loop stop where it would."""

    loop: GuestLoop

    def select(self, timeout: float | None = None) -> Any:
        if not self.loop.is_pumping:  # being closed
            return super().select(timeout)
        events = super().select(0)
        if events or (timeout is not None and timeout <= 0):
            self.loop.stop_if_its_slice_is_over()
            return events
        if timeout is not None and timeout < SHORT:
            return super().select(timeout)
        self.loop.stop_to_wait(timeout)
        return events


class GuestLoop(asyncio.SelectorEventLoop):
    """The loop. Everything on the toolkit's thread, but for what asyncio says is threadsafe."""

    def __init__(self, watcher: Watcher) -> None:
        self.is_pumping = False
        """Whether the toolkit has it run now."""
        self._is_closing = False
        self._watcher = watcher
        self._wait: float | None = None
        self._slice_ends = 0.0
        selector = _Selector()
        selector.loop = self
        super().__init__(selector)
        watcher.watch(selector.fileno(), self.pump)

    def pump(self) -> None:
        """Run until there is nothing to do, or the slice is over. Called by the toolkit."""
        if self.is_pumping or self.is_closed():  # a modal dialog of a cell's turns the toolkit
            return
        if running_loop() is not None:
            self._watcher.call_later(LATER, self.pump)
            return
        self.is_pumping = True
        self._wait = 0.0
        self._slice_ends = time.monotonic() + SLICE
        try:
            self.run_forever()
        except BaseException:
            # KeyboardInterrupt and SystemExit of a task leave the loop. They are the task's, not
            # the host's, and a toolkit's C code is no place to send them through.
            traceback.print_exc()
        finally:
            self.is_pumping = False
        if self._is_closing:
            self.close()
        elif self._wait is not None and not self.is_closed():
            self._watcher.call_later(self._wait, self.pump)

    def stop_to_wait(self, timeout: float | None) -> None:
        """There is nothing to do for `timeout` seconds."""
        self._wait = timeout
        self.stop()

    def stop_if_its_slice_is_over(self) -> None:
        """There is more to do."""
        if time.monotonic() > self._slice_ends:
            self._wait = 0.0
            self.stop()

    def call_soon(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """See `AbstractEventLoop`."""
        handle = super().call_soon(*args, **kwargs)
        self._pump_soon()
        return handle

    def call_at(self, *args: Any, **kwargs: Any) -> Any:  # type: ignore[override]
        """See `AbstractEventLoop`."""
        handle = super().call_at(*args, **kwargs)
        self._pump_soon()
        return handle

    def _pump_soon(self) -> None:
        """A GUI callback has scheduled something."""
        if not self.is_pumping:
            self._watcher.call_later(0, self.pump)

    def close_soon_threadsafe(self) -> None:
        """Cancel the tasks, let them end, and close; from any thread."""
        try:
            self.call_soon_threadsafe(self._begin_to_close)
        except RuntimeError:  # closed already
            pass

    def _begin_to_close(self) -> None:
        tasks = asyncio.all_tasks(self)
        for task in tasks:
            task.cancel()
        self._closing = self.create_task(self._close_after(tasks))

    async def _close_after(self, tasks: set[asyncio.Task[Any]]) -> None:
        if tasks:
            await asyncio.wait(tasks, timeout=GRACE)
        self._is_closing = True
        self.stop()

    def close(self) -> None:
        """See `AbstractEventLoop`."""
        self._watcher.close()
        super().close()
