"""A half-run coroutine is left by its task and goes on in another."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from typing import Any

import pytest

from ipyembed.detach import Detachable, Detached, InOwnTask, Stays
from ipyembed.detach_task import InCallersTask

KINDS = [InCallersTask, InOwnTask]
LOOPS = ["asyncio", "uvloop"]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def run(main: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    factory = None
    if loop == "uvloop":
        factory = pytest.importorskip("uvloop").new_event_loop
    problems: list[dict[str, Any]] = []

    async def checked() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: problems.append(what))
        await main
        gc.collect(1)  # what is new; all of it would take long
        assert asyncio.all_tasks() == {asyncio.current_task()}

    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(checked())
    assert not problems


def soon(call: Callable[[], object], delay: float = 0) -> None:
    """When the loop has had time to come to rest."""
    loop = asyncio.get_running_loop()
    loop.call_later(0.01 + delay, call)


async def left(detachable: Detachable[Any]) -> Detached:
    with pytest.raises(Detached) as caught:
        await detachable.wait()
    return caught.value


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", KINDS)
def test_left_and_goes_on(kind: type[Detachable[Any]], loop: str) -> None:
    async def main() -> None:
        future: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        steps = []

        async def cell() -> str:
            steps.append(await asyncio.sleep(0, "a"))
            steps.append(await future)
            await asyncio.sleep(0.01)
            return await asyncio.create_task(asyncio.sleep(0, "end"))

        detachable = kind(cell())
        soon(lambda: detachable.detach_threadsafe(pytest.fail))
        detached = await left(detachable)
        assert steps == ["a"]
        assert detached.task is not asyncio.current_task()
        detachable.detach(pytest.fail)  # once more does nothing
        future.set_result("b")
        assert await detached.task == "end"
        assert steps == ["a", "b"]

    run(main(), loop)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("kind", KINDS)
def test_not_left_it_is_a_plain_await(kind: type[Detachable[Any]], loop: str) -> None:
    async def main() -> None:
        async def works() -> str:
            async with asyncio.timeout(10), asyncio.TaskGroup() as group:
                task = group.create_task(asyncio.sleep(0.01, "x"))
            return await asyncio.wait_for(task, 5)

        async def fails() -> None:
            await asyncio.sleep(0)
            raise ValueError("of the cell")

        async def fails_waiting() -> None:
            with pytest.raises(ZeroDivisionError):
                await asyncio.get_running_loop().run_in_executor(None, lambda: 1 / 0)

        assert await kind(works()).wait() == "x"
        with pytest.raises(ValueError, match="of the cell"):
            await kind(fails()).wait()
        await kind(fails_waiting()).wait()

    run(main(), loop)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancellation_is_the_coroutines(kind: type[Detachable[Any]]) -> None:
    async def main() -> None:
        async def stubborn() -> str:
            for _ in range(2):
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.sleep(10)
            return "after two"

        task = asyncio.create_task(kind(stubborn()).wait())
        soon(task.cancel)
        soon(task.cancel, 0.02)
        assert await task == "after two"

        task = asyncio.create_task(kind(asyncio.sleep(10, "")).wait())
        soon(task.cancel)
        with pytest.raises(asyncio.CancelledError):
            await task

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_left_after_it_has_swallowed_a_cancellation(kind: type[Detachable[Any]]) -> None:
    async def main() -> None:
        async def stubborn() -> str:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                await asyncio.sleep(0.05)
            return "cleaned up"

        detachable = kind(stubborn())
        task = asyncio.create_task(left(detachable))
        soon(task.cancel)
        soon(lambda: detachable.detach(pytest.fail), 0.02)
        detached = await task
        assert await detached.task == "cleaned up"

    run(main())


@pytest.mark.parametrize("kind", KINDS)
def test_the_rest_can_be_cancelled(kind: type[Detachable[Any]]) -> None:
    async def main() -> None:
        seen = []

        async def cell() -> None:
            try:
                await asyncio.sleep(10)
            except asyncio.CancelledError:
                seen.append("cancelled")
                raise

        for wait in (False, True):  # before its first step, and after
            detachable = kind(cell())
            soon(partial(detachable.detach, pytest.fail))
            detached = await left(detachable)
            if wait:
                await asyncio.sleep(0)
            detached.task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await detached.task
        assert seen == ["cancelled"] * 2

    run(main())


def test_context_variables_go_along_but_not_back() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def cell() -> str:
            variable.set("of the cell")
            await go.wait()
            before = variable.get()
            variable.set("of the job")
            return before

        detachable = InCallersTask(cell())
        soon(lambda: detachable.detach(pytest.fail))
        detached = await left(detachable)
        assert variable.get() == "of the cell"
        detached.context.run(variable.set, "set from outside")
        variable.set("of the next cell")
        go.set()
        assert await detached.task == "set from outside"
        assert variable.get() == "of the next cell"

    run(main())


def test_asked_while_it_runs_or_is_about_to() -> None:
    async def main() -> None:
        detachable: InCallersTask[str]

        async def asks_itself() -> str:
            detachable.detach(pytest.fail)  # as when the loop is run again from inside of it
            await asyncio.sleep(0.01)
            return "end"

        detachable = InCallersTask(asks_itself())
        assert await (await left(detachable)).task == "end"

        async def busy() -> str:
            while not over:
                await asyncio.sleep(0)
            return "end"

        over = False
        detachable = InCallersTask(busy())
        soon(lambda: detachable.detach(pytest.fail))
        detached = await left(detachable)
        over = True
        assert await detached.task == "end"

        async def asks_and_ends() -> str:
            detachable.detach(pytest.fail)
            return "no more waits"

        detachable = InCallersTask(asks_and_ends())
        assert await detachable.wait() == "no more waits"

    run(main())


def test_the_future_is_done_in_the_same_moment() -> None:
    async def main() -> None:
        for first in ("detach", "done"):
            future: asyncio.Future[str] = asyncio.get_running_loop().create_future()

            async def cell(future: asyncio.Future[str] = future) -> str:
                return await future

            detachable = InCallersTask(cell())

            def both(
                first: str = first,
                future: asyncio.Future[str] = future,
                detachable: InCallersTask[str] = detachable,
            ) -> None:
                if first == "detach":
                    detachable.detach(pytest.fail)
                future.set_result("x")
                detachable.detach(pytest.fail)

            soon(both)
            try:
                result = await detachable.wait()
            except Detached as detached:
                result = await detached.task
            assert result == "x"

    run(main())


@contextlib.asynccontextmanager
async def my_own_timeout() -> AsyncIterator[None]:
    async with asyncio.timeout(60):
        yield


async def with_timeout() -> None:
    async with asyncio.timeout(60):
        await asyncio.sleep(10)


async def with_group() -> None:
    async with asyncio.TaskGroup():
        await asyncio.sleep(10)


async def leaving_a_group() -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(asyncio.sleep(10))


async def deep() -> None:
    await with_timeout()


async def by_contextlib() -> None:
    async with my_own_timeout():
        await asyncio.sleep(10)


async def by_a_stack() -> None:
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(asyncio.timeout(60))
        await asyncio.sleep(10)


async def in_a_generator() -> None:
    async def generator() -> AsyncIterator[int]:
        async with asyncio.timeout(60):
            await asyncio.sleep(10)
            yield 1

    async for _ in generator():
        pass


async def waiting_for() -> None:
    await asyncio.wait_for(asyncio.sleep(10), 60)


OPEN = [
    with_timeout,
    with_group,
    leaving_a_group,
    deep,
    by_contextlib,
    by_a_stack,
    in_a_generator,
    waiting_for,
]


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("cell", OPEN)
def test_left_with_a_timeout_or_a_group_open(
    cell: Callable[[], Coroutine[Any, Any, None]], loop: str
) -> None:
    async def main() -> None:
        me = asyncio.current_task()
        assert me is not None
        detachable = InCallersTask(cell())
        soon(lambda: detachable.detach_threadsafe(pytest.fail))
        detached = await left(detachable)
        detached.task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await detached.task
        assert not me.cancelling()

    run(main(), loop)


async def overdue() -> str:
    try:
        async with asyncio.timeout(0.05), asyncio.timeout(60):
            await asyncio.sleep(10)
    except TimeoutError:
        return "was overdue"
    return "ended"


async def overdue_but_not_the_outer_one() -> str:
    async with asyncio.timeout(60), asyncio.TaskGroup():
        return await overdue()


async def in_time() -> str:
    async with asyncio.timeout(60) as timeout, asyncio.TaskGroup() as group:
        task = group.create_task(asyncio.sleep(0.02, "of a child"))
        await asyncio.sleep(0.04)
        timeout.reschedule(asyncio.get_running_loop().time() + 60)
    return task.result()


async def child_fails() -> str:
    async def fails() -> None:
        await asyncio.sleep(0.04)
        raise LookupError

    try:
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            group.create_task(fails())
            await asyncio.sleep(10)
    except ExceptionGroup:
        await asyncio.sleep(0)  # no cancellation is left over
        task = asyncio.current_task()
        assert task is not None
        return f"child failed, {task.cancelling()} cancellations"
    return "ended"


@pytest.mark.parametrize(
    ("cell", "result"),
    [
        (overdue, "was overdue"),
        (overdue_but_not_the_outer_one, "was overdue"),
        (in_time, "of a child"),
        (child_fails, "child failed, 0 cancellations"),
    ],
)
def test_what_is_open_acts_upon_the_new_task(
    cell: Callable[[], Coroutine[Any, Any, str]], result: str
) -> None:
    async def main() -> None:
        me = asyncio.current_task()
        assert me is not None
        async with asyncio.timeout(60):  # the host's own, which stays its own
            detachable = InCallersTask(cell())
            soon(lambda: detachable.detach(pytest.fail))
            detached = await left(detachable)
            assert await detached.task == result
            assert not me.cancelling()

    run(main())


class Scope:
    """Somebody else's: it knows its task, and nobody knows how."""

    def __enter__(self) -> None:
        self.of = [asyncio.current_task()]

    def __exit__(self, *exc_info: object) -> None:
        pass


async def with_a_scope() -> str:
    with Scope():
        await asyncio.sleep(0.1)
    return "end"


async def ending() -> str:
    """The timeout is over, and the cell takes its time to end."""
    try:
        async with asyncio.timeout(0):
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.sleep(0.1)
    except TimeoutError:
        return "end"
    return "not overdue"


async def ending_a_group() -> str:
    async def fails() -> None:
        raise LookupError

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(fails())
            try:
                await asyncio.sleep(10)
            finally:
                await asyncio.sleep(0.1)
    except ExceptionGroup:
        return "end"
    return "not failed"


REFUSED = [
    (with_a_scope, "it has a Scope open, which is bound to the task that awaits it"),
    (ending, "it has a Timeout open, which is about to end it"),
    (ending_a_group, "it has a TaskGroup open, which is about to end it"),
]


@pytest.mark.parametrize(("cell", "why"), REFUSED)
def test_what_cannot_be_bound_to_another_task_is_not_left(
    cell: Callable[[], Coroutine[Any, Any, str]], why: str
) -> None:
    async def main() -> None:
        refusals: list[str] = []
        detachable = InCallersTask(cell())
        soon(lambda: detachable.detach_threadsafe(refusals.append), 0.02)
        assert await detachable.wait() == "end"
        assert refusals == [why]
        detachable.detach(pytest.fail)  # over: nothing to be refused

    run(main())


def test_the_timeout_comes_after_leaving_was_asked_for() -> None:
    """And before the task has left, in what does not let itself be cancelled at once."""

    async def main() -> None:
        refusals: list[str] = []

        async def takes_its_time() -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(10)
            await asyncio.sleep(0.05)

        async def cell() -> str:
            async with asyncio.timeout(60) as timeout:
                soon(lambda: both(timeout))
                await asyncio.create_task(takes_its_time())
            return "end"

        def both(timeout: asyncio.Timeout) -> None:
            detachable.detach(refusals.append)
            assert not refusals
            timeout._on_timeout()  # type: ignore[attr-defined]  # in the same moment

        detachable = InCallersTask(cell())
        assert await detachable.wait() == "end"
        assert refusals == ["it has a Timeout open, which is about to end it"]
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()

    run(main())


def test_one_that_always_stays() -> None:
    async def main() -> None:
        refusals: list[str] = []
        loop = asyncio.get_running_loop()
        stays = Stays(asyncio.sleep(0.05, "end"), "because", loop.call_soon_threadsafe)
        soon(lambda: stays.detach_threadsafe(refusals.append))
        assert await stays.wait() == "end"
        assert refusals == ["because"]

    run(main())


def test_what_is_no_more_open_or_somebody_elses_is_no_hindrance() -> None:
    async def main() -> None:
        async def cell() -> str:
            mine = asyncio.current_task()
            async with asyncio.timeout(60) as closed:
                await asyncio.sleep(0)
            task = asyncio.create_task(with_timeout())
            await asyncio.sleep(0.05)
            task.cancel()
            assert mine is not asyncio.current_task()
            assert not closed.expired()
            return "end"

        async with asyncio.timeout(60):  # the host's, around it all
            detachable = InCallersTask(cell())
            soon(lambda: detachable.detach(pytest.fail))
            detached = await left(detachable)
            assert await detached.task == "end"

    run(main())


def test_futures_of_another_loop_fail_as_ever() -> None:
    other = asyncio.new_event_loop()
    future = other.create_future()

    async def main() -> None:
        async def cell() -> None:
            await future

        with pytest.raises(RuntimeError, match="attached to a different loop"):
            await InCallersTask(cell()).wait()

    run(main())
    other.close()


def test_where_it_is_can_be_seen() -> None:
    async def main() -> None:
        detachable = InCallersTask(deep())
        task = asyncio.create_task(detachable.wait())
        await asyncio.sleep(0.01)
        assert "Future pending" in repr(task)

        async def inner() -> None:
            await asyncio.sleep(10)

        detachable = InCallersTask(inner())
        soon(lambda: detachable.detach(pytest.fail))
        detached = await left(detachable)
        assert detached.task.get_stack()[0].f_code.co_name == "inner"
        for each in (task, detached.task):
            each.cancel()
        await asyncio.wait({task, detached.task})

    run(main())


def test_a_task_of_another_kind_cannot_be_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        detachable = InCallersTask(asyncio.sleep(0.05, "x"))
        task = asyncio.create_task(detachable.wait())
        with monkeypatch.context() as patch:
            patch.setattr(asyncio, "current_task", object)
            await asyncio.sleep(0)
        refusals: list[str] = []
        detachable.detach(refusals.append)
        assert refusals == ["this loop's tasks cannot leave what they await"]
        assert await task == "x"

    run(main())
