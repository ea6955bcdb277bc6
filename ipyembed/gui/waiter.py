"""The GUI loop as asyncio's wait, where the wait cannot be watched by a descriptor.

Some loops wait in a selector that has no descriptor of its own (`select()`, Windows' proactor), or
the system has no timerfd. There, one long-lived thread waits in the real selector, and a byte in a
pipe tells the toolkit's loop that it is done.
"""

from __future__ import annotations

import asyncio
import queue
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from ipyembed.gui.selector import TURN_EVERY
from ipyembed.gui.turn import GuiTurn
from ipyembed.gui.waking import Waking
from ipyembed.standing_in import StandIn


def can_stand_in(loop: Any) -> bool:
    """Whether `loop` is one of asyncio's that waits by a `select()` method of an object."""
    return isinstance(loop, asyncio.BaseEventLoop) and callable(
        getattr(getattr(loop, "_selector", None), "select", None)
    )


class WaiterSelector(StandIn):
    """Turns the toolkit's loop in the waits of one asyncio loop; see `selector.GuiSelector`."""

    def __init__(self, loop: Any, gui: Callable[[], GuiTurn | None]) -> None:
        super().__init__(loop)
        self._loop = loop
        self._gui = gui
        # A pair of sockets: on Windows, pipes cannot be watched by toolkits.
        self._done_read, self._done_write = socket.socketpair()
        self._waking = Waking(loop, self._wake)
        self._turn_ended = 0.0
        # One slot each way: the loop's thread waits for each answer before it asks again.
        self._asked: queue.SimpleQueue[tuple[float | None] | None] = queue.SimpleQueue()
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._is_waiting = False
        self._thread = threading.Thread(target=self._wait, name="ipyembed-gui-wait", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        while (asked := self._asked.get()) is not None:
            try:
                self._answers.put(self.real.select(asked[0]))
            except BaseException as error:
                self._answers.put(error)
            self._done_write.send(b"\0")

    def _wake(self) -> None:
        # Ends the real wait, whose end then ends the toolkit's turn.
        self._loop._write_to_self()

    def select(self, timeout: float | None = None) -> Any:
        """See `selectors.BaseSelector`. Runs on the loop's thread."""
        gui = None if self.has_left else self._gui()
        if gui is None or self._is_waiting:  # or: run again from a GUI callback
            return self.real.select(timeout)
        is_busy = timeout is not None and timeout <= 0
        if is_busy and time.monotonic() - self._turn_ended < TURN_EVERY:
            return self.real.select(timeout)
        self._is_waiting = True
        self._asked.put((timeout,))
        try:
            with self._waking:
                gui.run_until_readable(self._done_read.fileno())
        except BaseException:
            self._wake()
            raise
        finally:
            answer = self._answers.get()
            self._done_read.recv(1)
            self._is_waiting = False
            self._turn_ended = time.monotonic()
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def close_stand_in(self) -> None:
        """End the thread, and see `StandIn`."""
        self._asked.put(None)
        self._thread.join()
        self._done_read.close()
        self._done_write.close()
