"""How much of a busy host's time clients get.

Cells and short requests run on the host's thread, between its own callbacks. A client that asks
again as soon as it is answered would so take half of that thread, or more, from a host that needs
all of it.

Goal: a host that is busy keeps its time but for a small share; one that has time to spare is not
felt by clients at all.

What does not work: to let the loop turn once between two cells. A turn of a busy loop is a
millisecond or two, and so is a cell: that is half of the time.

What we do: each piece of work is timed, and so is the processor time that the host's own code takes
in the gap between two pieces; what the thread waits for a processor is no part of the gap. As long
as the host computes in less than `BUSY` of the gaps, everything begins at once. Else a piece that
took a time is followed by a pause in proportion, in which the thread is the host's. The pause is
short (`LONGEST`), for a client that types has waited longer anyway.
"""

from __future__ import annotations

import math
import os
import threading
import time
import types
from collections.abc import Callable, Coroutine, Generator, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from traitlets import Float, TraitError, validate
from traitlets.config import Config, Configurable

T = TypeVar("T")

_SCHEDULED = "/proc/thread-self/schedstat"

BUSY = 0.25
"""Part of the gaps in which the host's thread computes, from which on clients are paced."""
MEMORY = 0.01
"""Seconds of gaps after which what was before them counts for a third."""
LONGEST = 0.25
"""Seconds of the longest pause."""


def thread_times() -> tuple[float, float]:
    """Seconds that this thread has computed, and (on Linux) has waited for a processor to be free.

    Costs 2 µs. Where the second is not told, a host looks idle when the machine has too much to do.
    """
    waited = 0
    try:
        fd = os.open(_SCHEDULED, os.O_RDONLY | os.O_CLOEXEC)
        try:
            waited = int(os.read(fd, 100).split()[1])
        finally:
            os.close(fd)
    except (OSError, AttributeError, LookupError, ValueError):
        pass
    return time.thread_time(), waited / 1e9


class EnginePace(Configurable):
    """Times what clients have the eval thread do, and says when the next may begin."""

    busy_share = Float(
        0.03,
        help="""Part of the eval thread's time that clients of an engine may take while the host
        keeps that thread busy; 1: no limit. A host with time to spare is not protected.""",
    ).tag(config=True)

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        times: Callable[[], tuple[float, float]] = thread_times,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._times = times
        self._is_configured = False
        self._busy = 0.0
        self._free_at = 0.0
        self._depth = 0
        self._begun = 0.0
        # When the last piece of work has ended: thread, time, its times.
        self._ended: tuple[int, float, tuple[float, float]] | None = None

    @validate("busy_share")
    def _part(self, proposal: Any) -> float:
        value = float(proposal["value"])
        if not 0 < value <= 1:
            raise TraitError(f"EnginePace.busy_share is above 0 and at most 1, not {value}")
        return value

    def set_for_good(self, busy_share: float) -> None:
        """The program that opens the engine has said so. Raises ValueError."""
        try:
            self.busy_share = busy_share
        except TraitError as error:
            raise ValueError(str(error)) from None
        self._is_configured = True

    def configure_once(self, config: Config) -> None:
        """Take what the user's profile says, at the first time. Eval thread."""
        if not self._is_configured:
            self._is_configured = True
            self.update_config(config)

    # -- any thread ----------------------------------------------------------------------------

    @property
    def host_is_busy(self) -> bool:
        """Whether clients are paced now."""
        return self._busy >= BUSY and self.busy_share < 1

    def wait(self) -> float:
        """Seconds until the next piece of work may begin; 0: now."""
        if not self.host_is_busy:
            return 0.0
        now = self._clock()
        # The client has its answer a moment before the piece that made it ends.
        free_at = self._free_after(now) if self._depth else self._free_at
        return max(0.0, free_at - now)

    # -- the eval thread -----------------------------------------------------------------------

    @contextmanager
    def timed(self) -> Iterator[None]:
        """The block is a piece of work."""
        self._begin()
        try:
            yield
        finally:
            self._end()

    async def drive(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Await `coroutine`; what it does between two waits is a piece of work."""
        return await self._steps(coroutine)

    @types.coroutine
    def _steps(self, coroutine: Coroutine[Any, Any, T]) -> Generator[Any, Any, T]:
        step: Callable[[Any], Any] = coroutine.send
        argument: Any = None
        while True:
            self._begin()
            try:
                waits_for = step(argument)
            except StopIteration as stop:
                result: T = stop.value
                return result
            finally:
                self._end()
            try:
                step, argument = coroutine.send, (yield waits_for)
            except BaseException as error:
                tb = error.__traceback__
                error.__traceback__ = tb and tb.tb_next  # this function is nobody's business
                step, argument = coroutine.throw, error

    def _begin(self) -> None:
        self._depth += 1
        if self._depth > 1:  # a cell turns the loop itself
            return
        self._begun = now = self._clock()
        ended, self._ended = self._ended, None
        if ended is None or ended[0] != threading.get_ident() or now <= ended[1]:
            return
        computed, waited = (now - then for now, then in zip(self._times(), ended[2], strict=True))
        gap = now - ended[1] - waited
        busy = min(1.0, computed / gap) if gap > 0 else 1.0
        self._busy += (busy - self._busy) * (1 - math.exp(-max(gap, computed) / MEMORY))

    def _end(self) -> None:
        self._depth -= 1
        if self._depth:
            return
        now = self._clock()
        self._ended = threading.get_ident(), now, self._times()
        self._free_at = self._free_after(now)

    def _free_after(self, now: float) -> float:
        """When the next piece may begin, if this one ends now."""
        pause = (now - self._begun) * (1 / self.busy_share - 1)
        return min(max(self._free_at, now) + pause, now + LONGEST)
