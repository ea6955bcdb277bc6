"""A busy loop gives way to a thread that has something to do, and to none that has not."""

from __future__ import annotations

import asyncio
import os
import select
import selectors
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from ipyembed.giving_way import BUSY, GivesWay, SeenSelector, giving_way


class Clock:
    """Time that is made up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, self.slept = 100.0, 0
        monkeypatch.setattr(time, "monotonic", lambda: self.now)
        monkeypatch.setattr(time, "sleep", self.sleep)

    def sleep(self, seconds: float) -> None:
        self.slept += 1
        self.now += seconds

    def turns(self, gives_way: GivesWay, seconds: float, busy: float, waits: float) -> int:
        """A loop turns so long; returns how often it has given way."""
        before, until = self.slept, self.now + seconds
        while self.now < until:
            self.now += busy
            gives_way.before_wait()
            self.now += waits
            gives_way.after_wait()
        return self.slept - before


def test_only_a_loop_that_does_not_wait_gives_way(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = Clock(monkeypatch), 0
    wants = True

    def wants_to_run() -> bool:
        nonlocal asked
        asked += 1
        return wants

    gives_way = GivesWay(wants_to_run)
    assert clock.turns(gives_way, 1.0, busy=0.0005, waits=0.0005) == 0
    assert asked == 0
    assert clock.turns(gives_way, 1.0, busy=0.0005, waits=0.000002) > 1000
    wants = False
    asked = 0
    assert clock.turns(gives_way, 1.0, busy=0.00002, waits=0.000002) == 0
    assert 1000 < asked < 2100  # at most every half millisecond
    wants = True
    assert clock.turns(gives_way, BUSY, busy=0.00002, waits=0.000002) > 5


def test_what_a_selector_lets_others_see() -> None:
    selector = SeenSelector()
    read, write = os.pipe()
    selector.register(read, selectors.EVENT_READ)
    with selector.looking() as (_, look):
        assert look()  # its thread does not wait
        waits = threading.Thread(target=selector.select)
        waits.start()
        deadline = time.monotonic() + 10
        while look():
            assert time.monotonic() < deadline
        os.write(write, b"x")
        waits.join(10)
        assert look()
        os.read(read, 1)
        assert look()
        begun = time.monotonic()
        assert selector.select(0.01) == []
        assert time.monotonic() - begun >= 0.009
    selector.close()
    os.close(read)
    os.close(write)


def test_stand_ins_are_left_in_any_order() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        real = loop._selector  # type: ignore[attr-defined]
        other = SeenSelector()
        first, second, third = ExitStack(), ExitStack(), ExitStack()
        for stack in (first, second, third):
            stack.enter_context(giving_way(loop, other))
        for stack in (second, first, third):
            assert loop._selector is not real  # type: ignore[attr-defined]
            await asyncio.sleep(0.001)
            stack.close()
        assert loop._selector is real  # type: ignore[attr-defined]
        await asyncio.sleep(0.001)
        other.close()

    asyncio.run(main())


class WithoutReaders(asyncio.SelectorEventLoop):
    """A loop of another kind, as QtAsyncio's."""

    def run_forever(self) -> None:
        super().run_forever()

    def add_reader(self, *args: object) -> None:
        raise NotImplementedError


class Readers(asyncio.SelectorEventLoop):
    """A loop of another kind, as uvloop's."""

    def run_forever(self) -> None:
        super().run_forever()


@pytest.mark.parametrize("loop_class", [asyncio.SelectorEventLoop, Readers])
def test_another_thread_has_its_turn(loop_class: Callable[[], asyncio.AbstractEventLoop]) -> None:
    """Also if the loop's turns are shorter than it takes to wake up."""
    loop = loop_class()
    other = SeenSelector()
    turns = 0

    def beat(file: int) -> None:
        for _ in range(50):
            other.select(0.001)
            os.write(file, b"x")

    async def main() -> None:
        nonlocal turns
        read, write = os.pipe()
        os.set_blocking(read, False)
        beating = threading.Thread(target=beat, args=[write])
        with giving_way(loop, other):
            beating.start()
            begun = time.monotonic()
            while beating.is_alive() and time.monotonic() < begun + 30:
                end = time.perf_counter() + 0.00005
                while time.perf_counter() < end:
                    pass
                turns += 1
                await asyncio.sleep(0)
            took = time.monotonic() - begun
            assert took < 10
        beating.join()
        assert len(os.read(read, 100)) == 50
        os.close(read)
        os.close(write)

    loop.run_until_complete(main())
    assert turns > 50
    loop.close()
    other.close()


def test_where_nothing_can_be_seen_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    other = SeenSelector()
    loop: asyncio.SelectorEventLoop = WithoutReaders()
    with giving_way(loop, other):
        loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    loop = asyncio.SelectorEventLoop()
    real = loop._selector  # type: ignore[attr-defined]
    with giving_way(loop, None):
        assert loop._selector is real  # type: ignore[attr-defined]
    monkeypatch.delattr(select, "poll")
    with giving_way(loop, other):
        assert loop._selector is real  # type: ignore[attr-defined]
    loop.close()
    other.close()
