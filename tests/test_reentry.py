"""Running a running loop again: the loop must not notice, whatever it was in the middle of."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest

from ipyembed import reentry

Main = Callable[[], Coroutine[Any, Any, None]]


@pytest.fixture(params=[False, True], ids=["plain", "debug"])
def run(request: pytest.FixtureRequest) -> Callable[[Main], None]:
    def run(main: Main) -> None:
        asyncio.run(main(), debug=request.param)

    return run


def nested(coroutine: Coroutine[Any, Any, Any]) -> Any:
    loop = asyncio.get_running_loop()
    assert reentry.can_reenter(loop)
    return reentry.run_until_complete(loop, loop.create_task(coroutine))


def test_awaits_what_belongs_to_the_loop(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        lock = asyncio.Lock()
        await lock.acquire()
        loop.call_later(0.01, lock.release)
        task = asyncio.create_task(asyncio.sleep(0.01, "task"))
        assert nested(lock.acquire()) is True
        assert nested(asyncio.wait_for(task, 5)) == "task"

    run(main)


@pytest.mark.parametrize("pending", [0, 1, 5, 100])
def test_callbacks_that_were_due_are_run_once_and_in_order(
    run: Callable[[Main], None], pending: int
) -> None:
    called: list[int] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def callback() -> None:
            for n in range(pending):
                loop.call_soon(called.append, n)
            nested(asyncio.sleep(0.01))
            called.append(-1)

        for n in range(pending):
            loop.call_soon(called.append, -2 - n)
        loop.call_soon(callback)
        for n in range(pending):
            loop.call_soon(called.append, 1000 + n)
        await asyncio.sleep(0.05)

    run(main)
    before = [-2 - n for n in range(pending)]
    inside = [1000 + n for n in range(pending)] + list(range(pending))
    assert called == [*before, *inside, -1]


def test_the_task_is_current_again_and_others_run_meanwhile(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        me = asyncio.current_task()
        ticks: list[asyncio.Task[Any] | None] = []

        async def tick() -> None:
            for _ in range(3):
                await asyncio.sleep(0)
                ticks.append(asyncio.current_task())

        other = asyncio.create_task(tick())
        inner = nested(_current_task())
        assert inner is not None
        assert inner is not me
        nested(asyncio.sleep(0.01))
        assert ticks == [other] * 3
        assert asyncio.current_task() is me
        await asyncio.sleep(0)
        assert asyncio.current_task() is me

    run(main)


async def _current_task() -> asyncio.Task[Any] | None:
    return asyncio.current_task()


def test_nested_three_deep(run: Callable[[Main], None]) -> None:
    async def deeper(depth: int) -> int:
        await asyncio.sleep(0)
        return 1 + nested(deeper(depth - 1)) if depth else 0

    async def main() -> None:
        assert nested(deeper(3)) == 3
        await asyncio.sleep(0.01)

    run(main)


def test_state_is_put_back(run: Callable[[Main], None]) -> None:
    async def main() -> None:
        loop: Any = asyncio.get_running_loop()
        hooks = sys.get_asyncgen_hooks()
        origin = sys.get_coroutine_origin_tracking_depth()
        nested(asyncio.sleep(0.01))
        assert loop._thread_id == threading.get_ident()
        assert loop.is_running()
        assert asyncio.get_running_loop() is loop
        assert sys.get_asyncgen_hooks() == hooks
        assert sys.get_coroutine_origin_tracking_depth() == origin

    before = sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()
    run(main)
    assert (sys.get_asyncgen_hooks(), sys.get_coroutine_origin_tracking_depth()) == before


def test_an_exception_and_an_interrupt_come_out_and_the_loop_lives(
    run: Callable[[Main], None],
) -> None:
    async def fail(error: BaseException) -> None:
        await asyncio.sleep(0)
        raise error

    async def main() -> None:
        for error in (ValueError("x"), KeyboardInterrupt(), SystemExit(3)):
            with pytest.raises(type(error)):
                nested(fail(error))
        assert nested(asyncio.sleep(0.01, "alive")) == "alive"
        await asyncio.sleep(0.01)

    run(main)
    gc.collect()


def test_a_stop_that_was_asked_for_before_still_counts() -> None:
    loop = asyncio.new_event_loop()
    called: list[str] = []

    def callback() -> None:
        loop.stop()
        called.append(nested(asyncio.sleep(0.01, "inner")))

    loop.call_soon(callback)
    loop.call_later(0.02, called.append, "too late")
    loop.run_forever()
    loop.close()
    assert called == ["inner"]


def test_cancelling_the_outer_task_from_inside_reaches_it_afterwards(
    run: Callable[[Main], None],
) -> None:
    async def main() -> None:
        me = asyncio.current_task()
        assert me is not None
        asyncio.get_running_loop().call_soon(me.cancel)
        nested(asyncio.sleep(0.01))
        with pytest.raises(asyncio.CancelledError):
            await asyncio.sleep(1)
        me.uncancel()

    run(main)


def test_context_variables_and_async_generators(run: Callable[[Main], None]) -> None:
    var: contextvars.ContextVar[int] = contextvars.ContextVar("var", default=0)
    closed: list[str] = []

    async def generate() -> AsyncIterator[int]:
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def first() -> int:
        async for n in generate():
            return n + var.get()
        raise AssertionError

    async def main() -> None:
        var.set(41)
        assert nested(first()) == 42
        gc.collect()
        await asyncio.sleep(0.01)

    run(main)
    assert closed == ["closed"]


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with Python 3.12")
def test_from_the_first_step_of_an_eager_task() -> None:
    async def eager() -> str:
        result: str = nested(asyncio.sleep(0.01, "inner"))
        await asyncio.sleep(0)
        return result

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_task_factory(asyncio.eager_task_factory)  # type: ignore[attr-defined,unused-ignore]
        me = asyncio.current_task()
        task = asyncio.create_task(eager())
        assert asyncio.current_task() is me
        assert await task == "inner"

    asyncio.run(main())


def test_no_word_from_asyncio_about_it(
    run: Callable[[Main], None], caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        for _ in range(20):
            nested(asyncio.sleep(0))
        await asyncio.sleep(0.01)

    run(main)
    gc.collect()
    assert [r for r in caplog.records if r.levelno >= logging.WARNING] == []


def test_uvloop_cannot_be_reentered() -> None:
    uvloop = pytest.importorskip("uvloop", reason="uvloop is not installed")
    loop = uvloop.new_event_loop()
    try:
        assert not reentry.can_reenter(loop)
    finally:
        loop.close()


def test_the_host_s_main_task_may_end_meanwhile(run: Callable[[Main], None]) -> None:
    """Its end stops the loop: the inner run goes on all the same, and the outer one does stop."""
    seen: list[str] = []

    async def main() -> None:
        def callback() -> None:
            seen.append(nested(asyncio.sleep(0.05, "inner is complete")))

        asyncio.get_running_loop().call_soon(callback)
        await asyncio.sleep(0.01)
        seen.append("main ends")

    run(main)
    assert seen == ["main ends", "inner is complete"]


@pytest.mark.parametrize("taken_before", [False, True])
def test_a_stop_meanwhile_is_for_the_outer_run(taken_before: bool) -> None:
    loop = asyncio.new_event_loop()
    seen: list[str] = []
    stop = loop.stop

    def callback() -> None:
        loop.call_later(0.01, stop if taken_before else lambda: loop.stop())  # noqa: PLW0108
        seen.append(nested(asyncio.sleep(0.05, "inner is complete")))

    loop.call_soon(callback)
    loop.call_later(5, seen.append, "too late")
    loop.run_forever()
    assert seen == ["inner is complete"]
    assert "stop" not in vars(loop)
    loop.close()
