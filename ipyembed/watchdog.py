"""Says above the prompt when the eval thread is stuck, and in what.

A beat is a callback that the prompt thread asks the eval thread's loop to run. When it has not
run within `stuck_after` seconds, the eval thread is in some code that does not give control back.

Idle means idle: the longer all goes well, the longer the rests between two beats, up to
`LONGEST_REST` seconds. A key that is pressed ends a rest, for then somebody is there to be told.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from ipyembed.blocking import frames
from ipyembed.output import say
from ipyembed.whose_code import is_library, name_of_file

LONGEST_REST = 7.0
"""Seconds between two beats of an eval thread that has been well for a while."""
SWITCH_INTERVAL = 0.0005
"""Seconds that the prompt waits for the interpreter while the eval thread is stuck."""
AFTER_KEY = 0.05
"""Seconds from a key that ends a rest to the next beat."""
A_MOMENT = 0.02
"""Seconds between the two looks at what the eval thread is stuck in."""

# Python 3.11 to 3.13: what calls every callback of an asyncio loop that is written in Python.
_CALLS_BACK = asyncio.Handle._run.__code__


@contextmanager
def switched_often() -> Iterator[None]:
    """While the eval thread computes without end: the prompt need not wait long for its turns.

    A key takes the interpreter several times (to read, to draw, to write), and for each the thread
    that computes may keep it waiting for as long as `sys.getswitchinterval()`.
    """
    before = sys.getswitchinterval()
    sys.setswitchinterval(min(before, SWITCH_INTERVAL))
    ours = sys.getswitchinterval()
    try:
        yield
    finally:
        if sys.getswitchinterval() == ours:  # nobody else has set it meanwhile
            sys.setswitchinterval(before)


@dataclass
class Watch:
    """Watches one eval thread while a prompt is up. `run()` runs on the prompt thread."""

    thread_id: int
    """The eval thread's identifier."""
    stuck_after: float
    """Seconds after which a beat that has not come back means stuck."""
    call_soon_threadsafe: Callable[[Callable[[], object]], object]
    """Has the eval thread's loop run a callback."""
    loop: asyncio.AbstractEventLoop | None = None
    """The loop that the eval thread turns, to name the task that it is in."""
    is_excused: Callable[[], bool] = lambda: False
    """Whether the eval thread is at work for the prompt itself (a completion)."""
    interrupt_threadsafe: Callable[[], object] = lambda: None
    """Ends what the eval thread is stuck in."""

    def __post_init__(self) -> None:
        self._key_pressed = asyncio.Event()
        self.is_stuck = False
        """Whether it is known that the eval thread is stuck. Of the prompt thread."""
        self._is_to_be_freed = False

    def key_pressed(self, _: object = None) -> None:
        """Look now. Runs on the prompt thread."""
        self._key_pressed.set()

    def ctrl_c(self) -> None:
        """End what the eval thread is stuck in, now or when it is found stuck by the next beat.

        Runs on the prompt thread.
        """
        if self.is_stuck:
            self.interrupt_threadsafe()
        else:
            self._is_to_be_freed = True
            self._key_pressed.set()

    async def run(self) -> None:
        """Watch until cancelled."""
        rest = 0.0
        while True:
            self._key_pressed.clear()
            beat = _Beat()
            sent = time.monotonic()
            try:
                self.call_soon_threadsafe(beat.come_back)
            except RuntimeError:  # the loop is closed: nothing left to watch
                return
            await asyncio.sleep(self.stuck_after)
            if beat.is_back or self.is_excused():
                if not self._key_pressed.is_set():
                    self._is_to_be_freed = False
                rest = min(2 * rest + self.stuck_after, LONGEST_REST)
                await self._rest(rest)
                if self._key_pressed.is_set():
                    rest = 0.0
                    # The key is drawn first: a second thread awake would keep it waiting.
                    await asyncio.sleep(AFTER_KEY)
                continue
            rest = 0.0
            self.is_stuck = True
            if self._is_to_be_freed:
                self._is_to_be_freed = False
                self.interrupt_threadsafe()
            where = await self._where_in_prompt_thread()
            await say(
                f"the eval thread has been stuck for {time.monotonic() - sent:.1f} s in "
                f"{where}; the prompt stays alive, cells wait for it"
            )
            with switched_often():
                await beat.wait_back_in_prompt_thread()
            self.is_stuck = False
            await say(f"the eval thread is free again after {beat.came_back - sent:.1f} s")

    async def _rest(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._key_pressed.wait(), seconds)
        except TimeoutError:
            pass

    async def _where_in_prompt_thread(self) -> str:
        """The innermost function outside the standard library that the eval thread stays in.

        Not one that it calls over and over: a dialog's loop, say, and not a timer's callback.
        """
        before = set(frames(sys._current_frames().get(self.thread_id)))
        task_name = self._task_name()
        await asyncio.sleep(A_MOMENT)
        now = list(frames(sys._current_frames().get(self.thread_id)))
        stays = next((frame for frame in now if frame in before), now[0] if now else None)
        return f"{describe_frame(stays)}{task_name}"

    def _task_name(self) -> str:
        try:
            task = asyncio.current_task(self.loop) if self.loop else None
        except RuntimeError:
            return ""
        return f", task {task.get_name()}" if task else ""


class _Beat:
    """A callback under way to the eval thread and back."""

    def __init__(self) -> None:
        self._prompt_loop = asyncio.get_running_loop()
        self._back = asyncio.Event()
        self.came_back = 0.0
        self._wanted = False

    def come_back(self) -> None:
        """Runs on the eval thread."""
        self.came_back = time.monotonic()
        if not self._wanted:
            return
        try:
            self._prompt_loop.call_soon_threadsafe(self._back.set)
        except RuntimeError:  # the prompt thread has ended meanwhile
            pass

    @property
    def is_back(self) -> bool:
        return bool(self.came_back)

    async def wait_back_in_prompt_thread(self) -> None:
        # Each side sets its own mark before it looks at the other's, so one of them sees.
        self._wanted = True
        if not self.is_back:
            await self._back.wait()


def describe_frame(frame: FrameType | None) -> str:
    """``function (file:line)`` of the innermost frame that is the user's.

    Where the loop has called something that has no frame (a C function), that is named.
    """
    for at in frames(frame):
        code = at.f_code
        if code is _CALLS_BACK:
            callback = at.f_locals["self"]._callback
            return str(getattr(callback, "__qualname__", None) or repr(callback))
        if not is_library(code.co_filename):
            return f"{code.co_qualname} ({name_of_file(code.co_filename)}:{at.f_lineno})"
    return "code that has no Python frame"
