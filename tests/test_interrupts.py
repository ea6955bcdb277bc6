"""Taking SIGINT and giving it back; nudges; code that blocks its loop. Without a terminal."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell

from ipyembed import sigint
from ipyembed.blocking import Interrupted, find_activity, frames, interrupt
from ipyembed.interrupts import CellInterrupts
from ipyembed.nudge import SIGNAL, Nudge, nudge
from ipyembed.sigint import Sigint
from ipyembed.sigint_in_c import sigint_in_c

needs_nudges = pytest.mark.skipif(SIGNAL is None, reason="the system has no such signal")


@pytest.fixture
def held() -> Iterator[None]:
    assert nudge.hold()
    yield
    nudge.let_go()


@contextmanager
def handlers_kept() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGUSR1)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def nothing(*_: object) -> None:
    pass


def test_what_was_there_is_back_and_hears_of_other_signals_only() -> None:
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    woken = threading.Event()
    seen: list[FrameType | None] = []
    with handlers_kept():
        signal.signal(signal.SIGUSR1, nothing)
        signal.signal(signal.SIGINT, nothing)
        before = signal.set_wakeup_fd(ours)
        sigint = Sigint(seen.append)
        sigint.wake_threadsafe = woken.set
        sigint.take()
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGUSR1)
        assert len(seen) == 1
        assert woken.wait(10)
        assert os.read(theirs, 10) == bytes([signal.SIGUSR1])
        sigint.give_back()
        assert signal.getsignal(signal.SIGINT) is nothing
        signal.raise_signal(signal.SIGINT)
        assert os.read(theirs, 10) == bytes([signal.SIGINT])
        assert len(seen) == 1
        sigint.close()
        assert signal.set_wakeup_fd(before) == ours
    os.close(ours)
    os.close(theirs)
    assert "ipyembed-signals" not in [thread.name for thread in threading.enumerate()]


def test_what_somebody_has_set_meanwhile_stays() -> None:
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    with handlers_kept():
        sigint = Sigint(nothing)
        sigint.take()
        signal.signal(signal.SIGINT, nothing)
        before = signal.set_wakeup_fd(ours)
        sigint.close()
        assert signal.getsignal(signal.SIGINT) is nothing
        assert signal.set_wakeup_fd(-1) == ours
        assert before != ours
    os.close(ours)
    os.close(theirs)


def test_a_wakeup_fd_that_was_reset_meanwhile_is_put_back() -> None:
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    before = signal.set_wakeup_fd(ours)
    sigint = Sigint(nothing)
    sigint.take()
    signal.set_wakeup_fd(-1)  # as asyncio does when its loop is closed
    sigint.close()
    assert signal.set_wakeup_fd(before) == ours
    os.close(ours)
    os.close(theirs)


def test_the_loops_wish_to_restart_system_calls_is_kept() -> None:
    """A read that a signal interrupts would otherwise fail in C code that does not try again."""
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    readable, writable = os.pipe()

    async def main() -> int:
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, nothing)
        sigint = Sigint(nothing)
        sigint.take()
        sigint.close()
        ident = threading.get_ident()
        timers = [
            threading.Timer(0.1, signal.pthread_kill, (ident, signal.SIGINT)),
            threading.Timer(0.3, os.write, (writable, b"x")),
        ]
        for timer in timers:
            timer.start()
        got: int = libc.read(readable, __import__("ctypes").create_string_buffer(1), 1)
        for timer in timers:
            timer.join()
        return got

    assert asyncio.run(main()) == 1
    os.close(readable)
    os.close(writable)


@needs_nudges
def test_a_nudge_raises_into_a_call_that_blocks(held: None) -> None:
    def fail(frame: FrameType | None) -> None:
        assert frame is not None
        raise ZeroDivisionError(frame.f_code.co_name)

    timer = threading.Timer(0.1, nudge.call_threadsafe, (fail,))
    timer.start()
    with pytest.raises(ZeroDivisionError, match="into_a_call"):
        time.sleep(30)
    timer.join()


@needs_nudges
@pytest.mark.parametrize("unnoticed", [1, 3])
def test_a_nudge_that_was_not_noticed_is_repeated(
    held: None, monkeypatch: pytest.MonkeyPatch, unnoticed: int
) -> None:
    """As when it has come between Python's last look for signals and the blocking call."""
    kill, sent = signal.pthread_kill, []

    def kill_later(ident: int, number: int) -> None:
        sent.append(number)
        if len(sent) > unnoticed:
            kill(ident, number)

    def fail(_: FrameType | None) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(signal, "pthread_kill", kill_later)
    timer = threading.Timer(0.1, nudge.call_threadsafe, (fail,))
    timer.start()
    with pytest.raises(ZeroDivisionError):
        time.sleep(30)
    timer.join()
    assert len(sent) == unnoticed + 1


@needs_nudges
def test_a_nudge_leaves_no_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that nobody notices is given up with the signal."""
    before = threading.enumerate()
    called: list[object] = []
    monkeypatch.setattr(signal, "pthread_kill", nothing)
    assert nudge.hold()
    assert nudge.call_threadsafe(called.append)
    nudge.let_go()
    assert threading.enumerate() == before
    monkeypatch.undo()
    assert nudge.hold()
    assert nudge.call_threadsafe(called.append)
    nudge.let_go()
    assert threading.enumerate() == before
    assert len(called) == 1


@needs_nudges
def test_a_nudge_that_raises_nothing_disturbs_nothing(held: None) -> None:
    begun = time.monotonic()
    timer = threading.Timer(0.1, nudge.now_threadsafe)
    timer.start()
    time.sleep(0.3)
    timer.join()
    assert time.monotonic() - begun >= 0.3


@needs_nudges
def test_a_signal_that_the_host_uses_is_left_alone() -> None:
    assert SIGNAL is not None
    before = signal.signal(SIGNAL, nothing)
    try:
        other = Nudge()
        assert not other.hold()
        assert not other.call_threadsafe(nothing)
        assert signal.getsignal(SIGNAL) is nothing
    finally:
        signal.signal(SIGNAL, before)


@pytest.mark.parametrize("is_up", [True, False])
@pytest.mark.parametrize("moment", ["begins", "goes on", "ends", "has ended"])
def test_an_interrupt_of_a_call_for_the_prompt(
    monkeypatch: pytest.MonkeyPatch, moment: str, is_up: bool
) -> None:
    """At whatever moment it comes while the prompt is up, the host hears of it, once."""
    heard: list[object] = []
    later: list[Callable[[], object]] = []
    sets, puts_back = sigint_in_c.set_pythons, sigint.put_back

    def set_pythons(handler: Any) -> None:
        monkeypatch.setattr(sigint_in_c, "set_pythons", sets)
        sets(handler)
        if moment == "begins":
            signal.raise_signal(signal.SIGINT)

    def put_back(handler: Any) -> None:
        if moment == "ends":
            signal.raise_signal(signal.SIGINT)
        puts_back(handler)
        if moment == "has ended":
            signal.raise_signal(signal.SIGINT)

    with handlers_kept():
        signal.signal(signal.SIGINT, lambda *_: heard.append("SIGINT"))
        before = signal.getsignal(signal.SIGINT)
        interrupts = CellInterrupts(InteractiveShell.instance())
        interrupts.prompt_is_up_threadsafe = lambda: is_up
        monkeypatch.setattr(sigint_in_c, "set_pythons", set_pythons)
        monkeypatch.setattr("ipyembed.prompt_interrupts.put_back", put_back)
        try:
            with interrupts.of_a_call(later.append):
                if moment == "goes on":
                    signal.raise_signal(signal.SIGINT)
        except KeyboardInterrupt:
            ended = True
        else:
            ended = False
        monkeypatch.undo()
        assert signal.getsignal(signal.SIGINT) is before
        for call in later:
            call()
    assert ended == (moment in ("begins", "goes on"))
    assert len(heard) == (1 if is_up or moment == "has ended" else 0)


@pytest.mark.parametrize("moment", ["before", "as it ends", "after", "never"])
def test_an_interrupt_while_the_prompt_is_up_and_sigint_still_ours(
    monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    """The prompt thread has it up before the eval thread gives SIGINT back: the host hears it."""
    heard: list[object] = []
    puts_back = sigint.put_back

    def put_back(handler: Any) -> None:
        if moment == "as it ends":
            signal.raise_signal(signal.SIGINT)
        puts_back(handler)

    with handlers_kept():
        signal.signal(signal.SIGINT, lambda *_: heard.append("SIGINT"))
        before = signal.getsignal(signal.SIGINT)
        interrupts = CellInterrupts(InteractiveShell.instance())
        interrupts.open()
        interrupts.to_shell()
        interrupts.prompt_is_up_threadsafe = lambda: True
        with interrupts.at_prompt(lambda: heard.append("asked anew")):
            monkeypatch.setattr(sigint, "put_back", put_back)
            if moment == "before":
                signal.raise_signal(signal.SIGINT)
                assert heard == ["SIGINT"]
            interrupts.to_host()
            monkeypatch.undo()
            assert signal.getsignal(signal.SIGINT) is before
            if moment == "after":
                signal.raise_signal(signal.SIGINT)
        interrupts.close()
        assert signal.getsignal(signal.SIGINT) is before
    assert heard == ([] if moment == "never" else ["SIGINT"])


@pytest.mark.parametrize("asks_anew", [True, False])
def test_an_interrupt_at_a_prompt_of_a_host_without_a_handler(asks_anew: bool) -> None:
    """It is passed on by `to_host()`, or asks anew: it is not raised in the loop that waits."""
    heard: list[object] = []
    with handlers_kept():
        signal.signal(signal.SIGINT, signal.default_int_handler)
        interrupts = CellInterrupts(InteractiveShell.instance())
        interrupts.open()
        interrupts.to_shell()
        interrupts.prompt_is_up_threadsafe = lambda: True
        signal.raise_signal(signal.SIGINT)  # the eval thread has not come to the next line
        if asks_anew:
            with interrupts.at_prompt(lambda: heard.append("asked anew")):
                interrupts.to_host()
                assert heard == ["asked anew"]
                signal.raise_signal(signal.SIGINT)
                assert heard == ["asked anew", "asked anew"]
        else:
            with pytest.raises(KeyboardInterrupt):
                interrupts.to_host()
        interrupts.close()
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


# -- code that blocks its loop -----------------------------------------------------------------


def loops() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    kinds: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {"asyncio": asyncio.new_event_loop}
    try:
        import uvloop
    except ImportError:
        return kinds
    return {**kinds, "uvloop": uvloop.new_event_loop}


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    if request.param not in loops():
        pytest.skip("uvloop is not installed")
    loop = loops()[request.param]()
    yield loop
    loop.close()


def interrupt_once(
    begun: threading.Event, roots: set[FrameType], seen: list[str]
) -> threading.Thread:
    """A moment after `begun`, whatever else the machine has to do until then."""

    def call(frame: FrameType | None) -> None:
        activity = find_activity(frame, roots)
        if activity is not None:
            seen.append(activity.name)
            interrupt(activity, "a place")

    def run() -> None:
        assert begun.wait(60)
        time.sleep(0.1)  # into the blocking call that comes next
        nudge.call_threadsafe(call)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


async def sleeps(log: list[str], begun: threading.Event) -> None:
    try:
        await nested(log, begun)
    finally:
        log.append("finally")


async def nested(log: list[str], begun: threading.Event) -> None:
    begun.set()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        log.append("KeyboardInterrupt")
        raise


async def swallows(log: list[str], begun: threading.Event) -> str:
    begun.set()
    try:
        time.sleep(30)
    except KeyboardInterrupt:
        log.append("swallowed")
    await asyncio.sleep(0.01)
    return "went on"


@needs_nudges
def test_a_task_that_blocks_ends_and_the_loop_goes_on(
    held: None, loop: asyncio.AbstractEventLoop, capsys: pytest.CaptureFixture[str]
) -> None:
    log: list[str] = []
    seen: list[str] = []
    roots = set(frames(sys._getframe()))

    async def main() -> str:
        begun = threading.Event()
        thread = interrupt_once(begun, roots, seen)
        task = asyncio.create_task(sleeps(log, begun), name="the sleeper")
        await asyncio.wait({task})
        thread.join()
        assert isinstance(task.exception(), Interrupted)
        begun = threading.Event()
        thread = interrupt_once(begun, roots, seen)
        other = asyncio.create_task(swallows(log, begun))
        await asyncio.wait({other})
        thread.join()
        return other.result()

    assert loop.run_until_complete(main()) == "went on"
    assert log == ["KeyboardInterrupt", "finally", "swallowed"]
    assert seen[0] == "task the sleeper"
    assert sys.gettrace() is None
    shown = capsys.readouterr().err
    assert "ipyembed: KeyboardInterrupt in task the sleeper, in a place" in shown
    assert shown.rstrip().endswith("KeyboardInterrupt")
    assert "in nested" in shown
    assert "blocking.py" not in shown


@needs_nudges
@pytest.mark.parametrize("callback", ["python", "c"])
def test_a_callback_that_blocks_ends_and_the_loop_goes_on(
    held: None, loop: asyncio.AbstractEventLoop, callback: str
) -> None:
    seen: list[str] = []
    reported: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: reported.append(context))
    roots = set(frames(sys._getframe()))

    def blocks() -> None:
        time.sleep(30)

    async def main() -> None:
        begun = threading.Event()
        thread = interrupt_once(begun, roots, seen)
        running = asyncio.get_running_loop()
        running.call_soon(begun.set)
        running.call_soon(*((blocks,) if callback == "python" else (time.sleep, 1)))
        before = time.monotonic()
        await asyncio.sleep(0.01)
        await asyncio.sleep(0.01)
        assert time.monotonic() - before < 20
        thread.join()

    loop.run_until_complete(main())
    if callback == "c" and "uvloop" in type(loop).__module__:
        assert seen == []  # it has no frame, and uvloop none either: nothing to tell it by
        return
    assert len(seen) == 1
    assert seen[0].startswith("callback ")
    assert reported == []  # it is shown by us
    loop.call_exception_handler({"message": "another"})
    assert [context["message"] for context in reported] == ["another"]


@needs_nudges
def test_a_loop_that_waits_is_not_interrupted(held: None, loop: asyncio.AbstractEventLoop) -> None:
    seen: list[str] = []
    roots = set(frames(sys._getframe()))

    begun = threading.Event()
    thread = interrupt_once(begun, roots, seen)
    over = loop.create_future()

    async def main() -> None:
        loop.call_soon(begun.set)
        await over

    def end() -> None:
        thread.join()
        loop.call_soon_threadsafe(over.set_result, None)

    thread_is_over = threading.Thread(target=end)
    thread_is_over.start()
    loop.run_until_complete(main())
    thread_is_over.join()
    assert seen == []
