"""What the watchdog says of a stuck eval thread."""

from __future__ import annotations

import asyncio
import threading
import time

from ipyembed.watchdog import Watch


def callback_that_comes_often() -> None:
    time.sleep(0.0001)


def loop_of_a_dialog(begun: threading.Event, over: threading.Event) -> None:
    while not over.is_set():
        begun.set()
        callback_that_comes_often()


def test_it_names_what_stays_and_not_what_is_called_over_and_over() -> None:
    begun, over = threading.Event(), threading.Event()
    thread = threading.Thread(target=loop_of_a_dialog, args=(begun, over))
    thread.start()
    try:
        assert begun.wait(10)
        assert thread.ident is not None
        watch = Watch(thread.ident, stuck_after=0.01, call_soon_threadsafe=lambda _: None)
        for _ in range(10):
            where = asyncio.run(watch._where_in_prompt_thread())
            assert where.startswith(f"loop_of_a_dialog ({__file__}:"), where
    finally:
        over.set()
        thread.join()
