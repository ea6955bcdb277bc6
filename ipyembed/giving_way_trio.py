"""A run of trio's that never waits gives another thread its turn: see `giving_way`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress

import trio

from ipyembed.giving_way import GivesWay, SeenSelector


class _Instrument(trio.abc.Instrument):
    """Trio calls it around each of its waits."""

    def __init__(self, gives_way: GivesWay) -> None:
        self._gives_way = gives_way

    def before_io_wait(self, timeout: float) -> None:
        self._gives_way.before_wait()

    def after_io_wait(self, timeout: float) -> None:
        self._gives_way.after_wait()


@contextmanager
def trio_giving_way(other: SeenSelector | None) -> Iterator[None]:
    """For the time of the block, trio gives way to the thread whose selector is `other`.

    Enter and leave on trio's thread.
    """
    if other is None or not other.can_be_seen:
        yield
        return
    with other.looking() as (_, wants_to_run):
        instrument = _Instrument(GivesWay(wants_to_run))
        trio.lowlevel.add_instrument(instrument)
        try:
            yield
        finally:
            with suppress(RuntimeError, KeyError):  # the run is over
                trio.lowlevel.remove_instrument(instrument)
