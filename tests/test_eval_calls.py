"""Calls for the eval thread: made there, in order, none lost, whoever waits."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import CancelledError, Future
from functools import partial

import pytest

from ipyembed.eval_calls import EvalCalls

DEADLINE = 10.0


def test_made_on_the_thread_that_runs_them_in_order() -> None:
    calls = EvalCalls()
    made: list[tuple[int, threading.Thread]] = []

    def make(n: int) -> None:
        made.append((n, threading.current_thread()))

    futures = [calls.call(partial(make, n)) for n in range(5)]
    assert made == []
    calls.run_pending()
    assert made == [(n, threading.current_thread()) for n in range(5)]
    assert all(future.done() for future in futures)


def test_results_errors_and_withdrawal() -> None:
    calls = EvalCalls()
    good: Future[int] = calls.call(lambda: 42)
    bad: Future[int] = calls.call(lambda: 1 // 0)
    withdrawn: Future[None] = calls.call(lambda: pytest.fail("was withdrawn"))
    assert withdrawn.cancel()
    calls.run_pending()
    assert good.result(0) == 42
    assert isinstance(bad.exception(0), ZeroDivisionError)


def test_an_interrupt_in_a_call_is_the_eval_thread_s_too() -> None:
    calls = EvalCalls()

    def interrupted() -> None:
        raise KeyboardInterrupt

    future = calls.call(interrupted)
    with pytest.raises(KeyboardInterrupt):
        calls.run_pending()
    assert isinstance(future.exception(0), KeyboardInterrupt)


def test_the_innermost_waiter_is_woken_and_nothing_is_left_lying() -> None:
    calls = EvalCalls()
    woken: list[str] = []
    early = calls.call(lambda: "early")
    with calls.woken_by(lambda: woken.append("outer")):
        assert woken == ["outer"]  # something was queued before
        with calls.woken_by(lambda: woken.append("inner")):
            calls.call(lambda: None)
        calls.call(lambda: None)
    assert woken == ["outer", "inner", "inner", "outer"]
    calls.run_pending()
    assert early.result(0) == "early"


def test_closing_withdraws_what_is_left() -> None:
    calls = EvalCalls()
    future = calls.call(lambda: None)
    calls.close()
    with pytest.raises(CancelledError):
        future.result(0)
    assert calls.call(lambda: None).cancelled()  # and what comes later


def test_many_threads_against_one_waiter() -> None:
    calls = EvalCalls()
    wake: queue.SimpleQueue[None] = queue.SimpleQueue()
    results: list[int] = []
    each, callers = 200, 4

    def ask(caller: int) -> None:
        for n in range(each):
            asked = calls.call(partial(int, caller * each + n))
            results.append(asked.result(DEADLINE))

    threads = [threading.Thread(target=ask, args=(caller,)) for caller in range(callers)]
    with calls.woken_by(lambda: wake.put(None)):
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            try:
                wake.get(timeout=0.05)
            except queue.Empty:
                continue
            calls.run_pending()
    assert sorted(results) == list(range(each * callers))
