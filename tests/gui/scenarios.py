"""What a hook must do, played with a real toolkit: ``python -m tests.gui.scenarios WINDOW NAME``.

Toolkits do not share a process, so each scenario has its own. It prints "passed" at the end, or
fails by an assertion. Times are generous: the machine may be busy with other tests.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable

from ipyembed.gui import detect, hooks
from ipyembed.gui.hooks import Toolkit
from tests.gui.measure import Pipe
from tests.gui.window import Window
from tests.gui.windows import WINDOWS

PROMPT = 0.3
"""Seconds that count as at once."""

SCENARIOS: dict[str, Callable[[Window, Toolkit, Pipe], None]] = {}


def scenario(function: Callable[[Window, Toolkit, Pipe], None]) -> object:
    SCENARIOS[function.__name__] = function
    return function


@scenario
def without_an_application(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    modules = set(sys.modules)
    assert detect.alive() is None
    assert pipe.run(toolkit.hook).seconds < PROMPT
    assert set(sys.modules) == modules
    toolkit.release()


@scenario
def it_waits(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    ticks = 0

    def tick() -> None:
        nonlocal ticks
        ticks += 1
        window.repaint()

    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    window.every(16, tick)
    paints = window.paints
    for _ in range(2):
        cost = pipe.run(toolkit.hook, 0.3)
        pipe.drain()
        assert 0 <= cost.after_ready < PROMPT, cost
    assert ticks > 15, ticks
    assert window.paints > paints + 10, window.paints


@scenario
def it_sleeps(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    pipe.run(toolkit.hook, 0.3)
    pipe.drain()
    cost = pipe.run(toolkit.hook, 1.0)
    assert 0 <= cost.after_ready < PROMPT, cost
    # pyglet draws 60 times a second, whatever happens.
    assert cost.switches < (1500 if window.name == "pyglet" else 15), cost
    assert cost.cpu < 0.4, cost


@scenario
def readable_already(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    """What is pending is processed, a bit in every call."""
    called = 0

    def call() -> None:
        nonlocal called
        called += 1
        window.repaint()
        window.post(1, call)

    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    window.post(1, call)
    paints, start = window.paints, time.perf_counter()
    pipe.write()
    calls = 0
    while (called < 20 or window.paints < paints + 3) and calls < 100_000:
        pipe.run(toolkit.hook)
        calls += 1
    assert called >= 20, called
    assert window.paints >= paints + 3, window.paints
    assert (time.perf_counter() - start) / calls < 0.05, calls


@scenario
def an_exception_in_a_callback(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    hook_before = sys.excepthook
    assert hook_before is sys.__excepthook__, "this is the one with which PyQt would abort"
    window.make()
    window.post(20, lambda: 1 / 0)
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        for _ in range(20):  # turns; the first is enough if the machine is not busy
            cost = pipe.run(toolkit.hook, 0.2)
            assert 0 <= cost.after_ready < PROMPT, cost
            pipe.drain()
            if stderr.getvalue():
                break
    assert "ZeroDivisionError" in stderr.getvalue(), stderr.getvalue()
    assert sys.excepthook is hook_before


def _turns_on(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    pipe.drain()
    called: list[bool] = []
    window.post(20, lambda: called.append(True))
    pipe.run_until(toolkit.hook, lambda: called)


@scenario
def quit_inside(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    window.make()
    for _ in range(2):
        window.post(20, window.quit)
        cost = pipe.run(toolkit.hook, 0.2)
        assert cost.after_ready < PROMPT, cost
        assert cost.cpu < 0.2, cost
        _turns_on(window, toolkit, pipe)


@scenario
def closed_inside(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    window.post(20, window.close)
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        cost = pipe.run(toolkit.hook, 0.2)
        assert cost.after_ready < PROMPT, cost
        for _ in range(3):
            pipe.drain()
            cost = pipe.run(toolkit.hook, 0.2)
            assert cost.after_ready < PROMPT, cost
    assert not stderr.getvalue()
    if window.name not in ("tk", "pyglet"):  # There the window was all there was.
        _turns_on(window, toolkit, pipe)


@scenario
def a_modal_dialog(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    """It cannot be left, but it does not spin although the descriptor is readable."""
    closed_at = 0.0

    def close() -> None:
        nonlocal closed_at
        closed_at = time.perf_counter()
        window.close_dialog()

    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    # Also after the main loop was told to end, which Qt remembers.
    for prepare in (lambda: None, window.quit):
        window.post(5, prepare)
        _turns_on(window, toolkit, pipe)
        window.post(20, window.open_dialog)
        window.post(600, close)
        cost = pipe.run(toolkit.hook, 0.1)
        assert time.perf_counter() - closed_at < PROMPT, cost
        assert cost.seconds > 0.4, cost
        assert cost.cpu < 0.3, cost
        pipe.drain()


@scenario
def interrupted(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    """By a signal: asleep, in a callback; and whoever had the wake-up descriptor still gets it."""
    wakeup_read, wakeup_write = os.pipe()
    os.set_blocking(wakeup_write, False)
    signal.set_wakeup_fd(wakeup_write)

    def busy() -> None:
        end = time.perf_counter() + 3
        while time.perf_counter() < end:
            pass

    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    for callback in (lambda: None, busy):
        window.post(20, callback)
        kill = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
        kill.start()
        start = time.perf_counter()
        try:
            toolkit.hook(pipe)
        except KeyboardInterrupt:
            assert 0.15 < time.perf_counter() - start < 0.2 + PROMPT
        else:
            raise AssertionError("not interrupted")
        kill.join()
        assert os.read(wakeup_read, 10) == bytes([signal.SIGINT])
        _turns_on(window, toolkit, pipe)
    assert signal.set_wakeup_fd(-1) == wakeup_write
    assert sys.excepthook is sys.__excepthook__


@scenario
def a_call_within_a_call(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    """A callback waits for the same descriptor; both waits end, the outer one by its own event."""
    order: list[str] = []

    def callback() -> None:
        order.append("callback")
        pipe.run(toolkit.hook, 0.1)
        pipe.drain()
        order.append("inner")
        threading.Timer(0.1, pipe.write).start()

    window.make()
    window.post(20, callback)
    for _ in range(10):
        cost = pipe.run(toolkit.hook)
        if pipe.input_is_ready():
            break
    order.append("outer")
    assert order == ["callback", "inner", "outer"]
    assert cost.after_ready < PROMPT, cost


@scenario
def within_the_main_loop(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    seen: list[object] = []

    def callback() -> None:
        found = detect.alive()
        seen.extend([found and found.name, detect.main_loop_is_running(window.name)])
        called: list[bool] = []
        window.post(20, lambda: called.append(True))
        pipe.run_until(toolkit.hook, lambda: called)
        cost = pipe.run(toolkit.hook, 0.1)
        pipe.drain()
        seen.append(0 <= cost.after_ready < PROMPT)
        window.post(20, window.quit)

    window.make()
    assert not detect.main_loop_is_running(window.name)
    window.post(50, callback)
    window.main_loop()
    assert seen == [window.name, True, True], seen
    assert not detect.main_loop_is_running(window.name)


@scenario
def detected(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    elsewhere: list[object] = []
    before = set(sys.modules)
    assert detect.alive() is None
    assert set(sys.modules) == before
    window.make()
    imported = set(sys.modules)
    found = detect.alive()
    assert found is not None
    assert found.name == window.name
    assert sys.argv[1].lower() in found.how.lower().replace(" ", ""), found
    assert set(sys.modules) == imported
    thread = threading.Thread(target=lambda: elsewhere.append(detect.alive()))
    thread.start()
    thread.join()
    assert elsewhere == [None]


@scenario
def nothing_is_left(window: Window, toolkit: Toolkit, pipe: Pipe) -> None:
    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    toolkit.release()
    before = len(os.listdir("/proc/self/fd"))
    threads = threading.active_count()
    for _ in range(3):
        other = Pipe()
        other.run(toolkit.hook, 0.05)
        other.close()
    toolkit.release()
    assert len(os.listdir("/proc/self/fd")) == before
    assert threading.active_count() == threads
    assert signal.set_wakeup_fd(-1) == -1


def main() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    window = WINDOWS[sys.argv[1]]()
    toolkit = hooks.find(window.name)
    assert toolkit.is_ours
    SCENARIOS[sys.argv[2]](window, toolkit, Pipe())
    print("passed")


if __name__ == "__main__":
    main()
