"""Sharing a thread with a toy toolkit: each strategy, on each kind of loop that it is for."""

from __future__ import annotations

import asyncio
import importlib.util
import select
import selectors
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ipyembed import reentry
from ipyembed.gui import selector, strategy
from ipyembed.gui.alarm import Alarm
from ipyembed.gui.turn import FAILURES, GuiTurn, HookContext, is_readable
from ipyembed.loop_thread import close_loop

DEADLINE = 10.0


class Toolkit:
    """A toolkit that has one timer and callbacks that were posted; fails on a wrong thread."""

    def __init__(self, interval: float | None = 0.005) -> None:
        self.interval = interval
        self.ticks: list[float] = []
        self.posted: list[Callable[[], object]] = []
        self.turns = 0
        self._thread = threading.get_ident()

    def hook(self, context: HookContext) -> None:
        assert threading.get_ident() == self._thread
        self.turns += 1
        poll = select.poll()
        poll.register(context.fileno(), select.POLLIN)
        due = time.monotonic()
        while True:
            for callback in self.posted[:]:
                self.posted.remove(callback)
                callback()
            if self.interval is not None and time.monotonic() >= due:
                self.ticks.append(time.monotonic())
                due = time.monotonic() + self.interval
            if context.input_is_ready() and self.turns:
                return
            poll.poll(None if self.interval is None else max(0, due - time.monotonic()) * 1000)


def make_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "uvloop":
        uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
        loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        return loop
    if kind == "select":
        return asyncio.SelectorEventLoop(selectors.SelectSelector())
    return asyncio.SelectorEventLoop()


CASES = [
    ("epoll", "auto", "select"),
    ("epoll", "thread", "thread"),
    ("epoll", "slice", "slice"),
    ("select", "auto", "thread"),
    ("select", "slice", "slice"),
    ("uvloop", "auto", "slice"),
    ("uvloop", "select", "slice"),
]


class Shared:
    """A loop and a toy toolkit that share this thread."""

    def __init__(self, kind: str, policy: str, expected: str) -> None:
        self.toolkit = Toolkit()
        self.turn: GuiTurn | None = GuiTurn(self.toolkit.hook)
        self.loop = make_loop(kind)
        self.strategy = strategy.choose(self.loop, policy)
        assert self.strategy == expected

    def run(self, main: Callable[[], Any]) -> Any:
        async def inside() -> Any:
            selector = getattr(self.loop, "_selector", None)
            with strategy.turning(self.loop, self.strategy, lambda: self.turn):
                result = await asyncio.wait_for(main(), DEADLINE)
            assert getattr(self.loop, "_selector", None) is selector
            return result

        try:
            return self.loop.run_until_complete(inside())
        finally:
            close_loop(self.loop)


@pytest.fixture(params=CASES, ids=["-".join(case[:2]) for case in CASES])
def shared(request: pytest.FixtureRequest) -> Shared:
    if request.param[0] == "uvloop" and not importlib.util.find_spec("uvloop"):
        pytest.skip("uvloop is not installed")
    if request.param[2] == "select" and not Alarm.is_available():
        pytest.skip("this system has no timerfd")
    return Shared(*request.param)


def test_both_tick(shared: Shared) -> None:
    async def main() -> list[float]:
        late = []
        for _ in range(30):
            due = time.monotonic() + 0.005
            await asyncio.sleep(0.005)
            late.append(time.monotonic() - due)
        return late

    late = shared.run(main)
    assert len(shared.toolkit.ticks) > 10
    assert sorted(late)[15] < 0.02


def test_descriptors_and_other_threads_are_noticed(shared: Shared) -> None:
    async def main() -> bytes:
        shared.toolkit.interval = None
        loop = asyncio.get_running_loop()
        a, b = socket.socketpair()
        a.setblocking(False)
        threading.Timer(0.02, b.send, [b"hello"]).start()
        data = await loop.sock_recv(a, 5)
        done = loop.create_future()
        threading.Timer(0.02, loop.call_soon_threadsafe, [done.set_result, None]).start()
        await done
        a.close()
        b.close()
        return data

    assert shared.run(main) == b"hello"


def test_what_a_gui_callback_schedules_is_noticed(shared: Shared) -> None:
    """Nothing else would end the wait: no timer, no descriptor."""

    async def main() -> list[str]:
        shared.toolkit.interval = None
        loop = asyncio.get_running_loop()
        seen: list[str] = []
        done = loop.create_future()

        async def task() -> None:
            seen.append("task")
            await asyncio.sleep(0.05)
            seen.append("slept")
            done.set_result(None)

        tasks = []

        def callback() -> None:
            loop.call_soon(seen.append, "soon")
            loop.call_later(0.02, seen.append, "later")
            tasks.append(loop.create_task(task()))

        shared.toolkit.posted.append(callback)
        await done
        return seen

    assert shared.run(main) == ["soon", "task", "later", "slept"]


def test_stop_from_a_gui_callback() -> None:
    shared = Shared("epoll", "auto", "select" if Alarm.is_available() else "thread")
    shared.toolkit.interval = None
    # looked up when it is called: a bound method taken before is not noticed
    shared.toolkit.posted.append(lambda: shared.loop.stop())  # noqa: PLW0108
    with strategy.turning(shared.loop, shared.strategy, lambda: shared.turn):
        shared.loop.run_forever()
    shared.loop.close()


def test_a_busy_asyncio_leaves_the_toolkit_its_turns(shared: Shared) -> None:
    async def main() -> int:
        end = time.monotonic() + 0.2
        n = 0
        while time.monotonic() < end:
            n += 1
            await asyncio.sleep(0)
        return n

    n = shared.run(main)
    assert len(shared.toolkit.ticks) >= 5
    assert n > 1000


@pytest.mark.skipif(not Alarm.is_available(), reason="this system has no timerfd")
def test_short_waits_are_not_worth_a_turn_of_the_toolkit(monkeypatch: pytest.MonkeyPatch) -> None:
    # So long that a busy machine makes no difference.
    monkeypatch.setattr(selector, "MOMENT", 0.5)
    monkeypatch.setattr(selector, "TURN_EVERY", 2.0)
    shared = Shared("epoll", "select", "select")
    ours, theirs = socket.socketpair()
    answer = "import os, time\nwhile data := os.read(0, 1): time.sleep(0.002); os.write(1, data)"

    async def main() -> tuple[int, float, float]:
        ours.setblocking(False)
        started = time.monotonic()
        before = shared.toolkit.turns
        for _ in range(50):
            await shared.loop.sock_sendall(ours, b"x")
            await shared.loop.sock_recv(ours, 1)
        turns, conversed = shared.toolkit.turns - before, time.monotonic() - started
        before = shared.toolkit.turns
        await asyncio.sleep(1.2)  # longer than a moment: the toolkit's
        assert shared.toolkit.turns > before
        return turns, conversed, time.monotonic() - started - conversed

    with ours, theirs:
        with subprocess.Popen(
            [sys.executable, "-c", answer], stdin=theirs.fileno(), stdout=theirs.fileno()
        ):
            turns, conversed, slept = shared.run(main)
            ours.shutdown(socket.SHUT_WR)
    assert turns <= 3 + conversed  # every wait was one, without the rule
    assert 1.2 <= slept < 5


def test_idle_means_idle() -> None:
    for kind, policy, expected in CASES:
        if expected == "slice" or (expected == "select" and not Alarm.is_available()):
            continue
        shared = Shared(kind, policy, expected)
        shared.toolkit.interval = None

        async def main(shared: Shared = shared) -> int:
            await asyncio.sleep(0.05)
            before = shared.toolkit.turns
            await asyncio.sleep(0.5)
            return shared.toolkit.turns - before

        assert shared.run(main) <= 2, expected


def test_without_a_toolkit_it_is_the_loop_s_own_wait(shared: Shared) -> None:
    shared.turn = None

    async def main() -> str:
        return await asyncio.sleep(0.02, "slept")

    assert shared.run(main) == "slept"
    assert shared.toolkit.turns == 0


@pytest.mark.parametrize("policy", ["select", "thread"])
def test_run_again_from_inside_a_gui_callback(policy: str) -> None:
    """As by `embed()` in a slot: the outer wait must find its timers afterwards."""
    shared = Shared("epoll", policy, policy if Alarm.is_available() else "thread")
    shared.toolkit.interval = None

    async def main() -> list[str]:
        loop = asyncio.get_running_loop()
        seen: list[str] = []

        def callback() -> None:
            inner = loop.create_task(asyncio.sleep(0.02, "inner"))
            seen.append(reentry.run_until_complete(loop, inner))

        loop.call_later(0.01, seen.append, "while inside")
        shared.toolkit.posted.append(callback)
        await asyncio.sleep(0.05)
        seen.append("outer")
        return seen

    assert shared.run(main) == ["while inside", "inner", "outer"]


# -- a hook that does not behave ---------------------------------------------------------------


def pipe() -> tuple[socket.socket, socket.socket]:
    return socket.socketpair()


def test_a_hook_that_returns_early_does_not_spin() -> None:
    calls = []
    read, write = pipe()
    threading.Timer(0.3, write.send, [b"x"]).start()
    GuiTurn(lambda context: calls.append(context.fileno())).run_until_readable(read.fileno())
    assert is_readable(read.fileno(), 0)
    assert 1 < len(calls) < 15
    read.close()
    write.close()


def test_a_hook_that_raises_is_shown_and_at_last_given_up(
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail(context: HookContext) -> None:
        raise ZeroDivisionError("broken hook")

    turn = GuiTurn(fail)
    read, write = pipe()
    threading.Timer(2.0, write.send, [b"x"]).start()
    turn.run_until_readable(read.fileno())
    assert turn.is_given_up
    shown = capsys.readouterr().err
    assert shown.count("ZeroDivisionError: broken hook") == FAILURES
    assert shown.count("ipyembed: the hook of the GUI has failed 10 times in a row") == 1
    read.close()
    write.close()


def test_an_interrupt_in_a_gui_callback_comes_out(shared: Shared) -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt

    async def main() -> None:
        shared.toolkit.posted.append(interrupted)
        await asyncio.sleep(5)

    with pytest.raises(KeyboardInterrupt):
        shared.run(main)


def test_an_alarm() -> None:
    if not Alarm.is_available():
        pytest.skip("this system has no timerfd")
    alarm = Alarm()
    assert not is_readable(alarm.fd, 0)
    alarm.ring_in(0)
    assert is_readable(alarm.fd, 1)
    alarm.ring_in(1000)
    assert not is_readable(alarm.fd, 0)
    alarm.ring_in(0.01)
    assert is_readable(alarm.fd, 1)
    alarm.ring_in(None)
    assert not is_readable(alarm.fd, 0)
    alarm.close()
