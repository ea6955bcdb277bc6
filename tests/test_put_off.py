"""Where an exception would be lost, Ctrl-C waits: how long, and for what."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from ipyembed import put_off
from ipyembed.put_off import LONG, PutOff


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


class Later:
    """In place of SIGINT's keeper: what is to be called again."""

    def __init__(self) -> None:
        self.calls: list[Callable[[FrameType | None], object]] = []

    def in_a_moment(self, function: Callable[[FrameType | None], object]) -> bool:
        self.calls.append(function)
        return True


class Dropped:
    def __init__(self, run: Callable[[], object]) -> None:
        self.run = run

    def __del__(self) -> None:
        self.run()


def handle(frame: FrameType | None) -> None:
    raise AssertionError("only passed on")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(put_off, "time", clock)
    return clock


def test_one_place_is_interrupted_when_it_takes_long(clock: Clock) -> None:
    later = Later()
    put = PutOff(later)
    answers: list[bool] = []

    def ask() -> None:
        for _ in range(3):
            answers.append(put.is_put_off(sys._getframe(), handle))
            clock.now += 0.6 * LONG

    Dropped(ask)
    assert answers == [True, True, False]
    assert later.calls == [handle] * 3  # its caller is interrupted afterwards


def test_a_loop_that_drops_many_is_not_interrupted_in_one_of_them(clock: Clock) -> None:
    put = PutOff(Later())
    answers: list[bool] = []

    def ask() -> None:
        answers.append(put.is_put_off(sys._getframe(), handle))
        clock.now += 0.6 * LONG

    for _ in range(5):
        Dropped(ask)
    answers.append(put.is_put_off(sys._getframe(), handle))
    assert answers == [True] * 5 + [False]


def test_what_was_raised_is_printed_first(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever prints it is put off, and so is the frame below, if the printing is done in C."""
    put = PutOff(Later())
    answers: list[bool] = []
    here = sys._getframe()

    def ask() -> None:
        while put.is_put_off(sys._getframe(), handle):
            clock.now += 0.6 * LONG
        raise KeyboardInterrupt

    def printing(_: Any) -> None:
        answers.append(put.is_put_off(sys._getframe(), handle))
        answers.append(put.is_put_off(here, handle))

    monkeypatch.setattr(sys, "unraisablehook", printing)
    Dropped(ask)
    answers.append(put.is_put_off(here, handle))
    assert answers == [True, True, False]
