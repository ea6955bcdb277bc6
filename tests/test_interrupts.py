"""Signals that wake code which does not look for them."""

from __future__ import annotations

import os
import signal
import threading

from ipyembed.interrupts import woken_by_signals


def test_a_signal_wakes_and_whoever_had_the_wakeup_fd_is_told() -> None:
    woken = threading.Event()
    theirs, ours = os.pipe()
    os.set_blocking(ours, False)
    before = signal.set_wakeup_fd(ours)
    handler = signal.signal(signal.SIGUSR1, lambda *_: None)
    try:
        with woken_by_signals(woken.set):
            signal.raise_signal(signal.SIGUSR1)
            assert woken.wait(10)
            assert os.read(theirs, 10) == bytes([signal.SIGUSR1])
        assert signal.set_wakeup_fd(ours) == ours
    finally:
        signal.signal(signal.SIGUSR1, handler)
        signal.set_wakeup_fd(before)
        os.close(ours)
        os.close(theirs)
    assert "ipyembed-signals" not in [thread.name for thread in threading.enumerate()]


def test_off_the_main_thread_it_does_nothing() -> None:
    names: list[str] = []

    def run() -> None:
        with woken_by_signals(lambda: None):
            names.extend(thread.name for thread in threading.enumerate())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert "ipyembed-signals" not in names
