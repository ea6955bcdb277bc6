"""A coroutine that a trio task awaits is left: its waits, its scopes, its nurseries."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError
from typing import Any

import pytest

trio = pytest.importorskip("trio", reason="trio is not installed")

from ipyembed import detach_trio, trio_given_over  # noqa: E402
from ipyembed.detach import Detached  # noqa: E402
from ipyembed.detach_trio import InTriosTask  # noqa: E402
from ipyembed.trio_waits import InterruptibleWaits  # noqa: E402

Async = Callable[[], Awaitable[Any]]


class Cell:
    """A coroutine, awaited as a cell is."""

    def __init__(self, function: Async) -> None:
        async def coroutine() -> Any:
            return await function()

        call_soon = trio.lowlevel.current_trio_token().run_sync_soon
        self._waits: InterruptibleWaits[Any] | None = None
        self._of = InTriosTask(coroutine(), self.interrupt, call_soon)
        self.refused: list[str] = []
        self.left: Detached | None = None

    def interrupt(self) -> None:
        if self._waits is not None:
            self._waits.interrupt()

    def ctrl_z(self) -> None:
        self._of.detach_threadsafe(self.refused.append)

    def second_ctrl_c(self) -> None:
        assert self._of.leave_threadsafe(self.refused.append)

    async def wait(self) -> Any:
        self._waits = InterruptibleWaits(self._of.wait())
        try:
            return await self._waits
        except Detached as left:
            self.left = left
            return "left"
        finally:
            self._waits = None

    async def rest(self) -> Any:
        """What the coroutine comes to in its new task."""
        assert self.left is not None
        with trio.fail_after(10):
            while not self.left.task.done():
                await trio.sleep(0.001)
        return self.left.task.result()


async def soon(function: Callable[[], object]) -> None:
    await trio.sleep(0.02)
    function()


async def left(function: Async, how: Callable[[Cell], Callable[[], object]]) -> Cell:
    """The coroutine has been left; the task that awaited it goes on, in the scopes of before."""
    cell = Cell(function)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(soon, how(cell))
        with trio.fail_after(10):
            assert await cell.wait() == "left"
            await trio.sleep(0)
    return cell


CTRL_Z: Callable[[Cell], Callable[[], object]] = lambda cell: cell.ctrl_z  # noqa: E731
CTRL_C: Callable[[Cell], Callable[[], object]] = lambda cell: cell.second_ctrl_c  # noqa: E731
BOTH = pytest.mark.parametrize("how", [CTRL_Z, CTRL_C], ids=["Ctrl-Z", "second Ctrl-C"])


async def sleeps() -> str:
    await trio.sleep(0.1)
    return "slept"


async def sleeps_in_scope() -> str:
    with trio.move_on_after(0.1) as scope:
        await trio.sleep_forever()
    return f"cut short {scope.cancelled_caught}"


async def has_children() -> str:
    done = []

    async def child() -> None:
        with trio.CancelScope(shield=True):
            await trio.sleep(0.1)
        done.append("child")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(child)
        nursery.start_soon(child)
    return f"{done}"


async def has_failing_child() -> str:
    async def child() -> None:
        await trio.sleep(0.1)
        raise ValueError("the child's")

    try:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(child)
    except BaseException as error:
        return "ValueError" if "the child's" in repr(error) else repr(error)
    return "no error"


def blocks() -> str:
    time.sleep(0.1)
    return "of a thread"


async def waits_for_thread() -> str:
    result: str = await trio.to_thread.run_sync(blocks)
    return result


async def waits_in_nursery() -> str:
    beats = []

    async def beat() -> None:
        while True:
            await trio.sleep(0.01)
            beats.append(1)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(beat)
        await trio.sleep(0.1)
        nursery.start_soon(trio.sleep, 0.05)
        await trio.sleep(0.1)
        nursery.cancel_scope.cancel()
    return "has beaten" if len(beats) > 5 else f"{beats}"


GIVEN_OVER = [
    (sleeps, "slept"),
    (sleeps_in_scope, "cut short True"),
    (has_children, "['child', 'child']"),
    (has_failing_child, "ValueError"),
    (waits_for_thread, "of a thread"),
    (waits_in_nursery, "has beaten"),
]


@BOTH
@pytest.mark.parametrize(("function", "result"), GIVEN_OVER)
def test_a_wait_that_is_given_over(
    function: Async, result: str, how: Callable[[Cell], Callable[[], object]]
) -> None:
    """Nothing is raised in it; and what is around the shell does not reach it any more."""

    async def main() -> None:
        with trio.CancelScope() as around:
            cell = await left(function, how)
            around.cancel()
            await trio.sleep_forever()
        assert around.cancelled_caught
        assert await cell.rest() == result
        assert cell.refused == []

    trio.run(main)


def test_another_wait_is_ended() -> None:
    """By a KeyboardInterrupt, at the second Ctrl-C; at Ctrl-Z it stays."""
    event: Any = None
    log: list[str] = []

    async def waits() -> str:
        with trio.CancelScope():
            while not event.is_set():
                try:
                    await event.wait()
                except KeyboardInterrupt:
                    log.append("swallowed")
        return "event"

    async def main() -> None:
        nonlocal event
        event = trio.Event()
        cell = await left(waits, CTRL_C)
        await trio.sleep(0.02)
        assert log == ["swallowed"]
        event.set()
        assert await cell.rest() == "event"

        event = trio.Event()
        cell = Cell(waits)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(soon, cell.ctrl_z)
            nursery.start_soon(soon, lambda: nursery.start_soon(soon, event.set))
            assert await cell.wait() == "event"
        assert cell.refused == ["under trio, what it waits for belongs to the program's own task"]
        assert log == ["swallowed"]

    trio.run(main)


def test_what_does_not_swallow_ends() -> None:
    async def main() -> None:
        cell = await left(trio.Event().wait, CTRL_C)
        with pytest.raises(CancelledError):
            await cell.rest()

    trio.run(main)


def test_the_rest_is_asked_to_end() -> None:
    async def main() -> None:
        cell = await left(trio.sleep_forever, CTRL_Z)
        assert cell.left is not None
        assert cell.left.cancel_threadsafe is not None
        asking = threading.Thread(target=cell.left.cancel_threadsafe)
        asking.start()
        asking.join()
        with pytest.raises(CancelledError):
            await cell.rest()

    trio.run(main)


def test_an_error_of_the_rest() -> None:
    async def fails() -> None:
        await trio.sleep(0.05)
        raise ValueError("mine")

    async def main() -> None:
        cell = await left(fails, CTRL_Z)
        with pytest.raises(ValueError, match="mine"):
            await cell.rest()

    trio.run(main)


def test_what_an_earlier_cell_has_opened_is_not_given_over() -> None:
    async def main() -> None:
        scope = trio.CancelScope()
        scope.__enter__()

        async def closes() -> str:
            scope.__exit__(None, None, None)
            await trio.sleep(0.05)
            return "closed"

        cell = Cell(closes)
        trio.lowlevel.spawn_system_task(soon, cell.ctrl_z)
        assert await cell.wait() == "closed"
        assert "an earlier cell has opened" in cell.refused[0]

    trio.run(main)


def test_where_trio_is_unknown_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trio_given_over, "_OF_A_TASK", ("_not_there",))

    async def main() -> None:
        cell = Cell(sleeps)
        assert not cell._of.leave_threadsafe(cell.refused.append)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(soon, cell.ctrl_z)
            assert await cell.wait() == "slept"
        assert len(cell.refused) == 1

    trio.run(main)


def test_one_that_swallows_everything_does_not_keep_trio_from_ending() -> None:
    swallowed, is_over = 0, False

    async def swallows() -> None:
        nonlocal swallowed
        while not is_over:
            try:
                await trio.sleep(10)
            except BaseException:
                swallowed += 1

    async def main() -> Cell:
        return await left(swallows, CTRL_C)

    cell = trio.run(main)
    is_over = True
    assert swallowed == detach_trio.MOST_SWALLOWED
    assert cell.left.task.done()


@pytest.mark.parametrize("seed", range(20))
def test_left_at_any_moment(seed: int) -> None:
    """Whatever it is doing just then, it comes to its result, and trio to its end."""
    chance = random.Random(seed)
    main_task: object = None
    cells: list[Cell] = []

    async def works() -> list[int]:
        done, cell = [], cells[-1]
        for n in range(30):
            # Whoever awaited it has heard of it before it goes on.
            assert trio.lowlevel.current_task() is main_task or cell.left is not None
            match chance.randrange(5):
                case 0:
                    await trio.sleep(0)
                case 1:
                    await trio.sleep(0.0005)
                case 2:
                    await trio.to_thread.run_sync(time.sleep, 0.0002)
                case 3:
                    with trio.move_on_after(0.0003):
                        await trio.Event().wait()
                case 4:
                    async with trio.open_nursery() as nursery:
                        nursery.start_soon(trio.sleep, 0)
                        nursery.start_soon(trio.sleep, 0.0003)
            done.append(n)
        return done

    async def main() -> None:
        nonlocal main_task
        main_task = trio.lowlevel.current_task()
        for _ in range(20):
            cell = Cell(works)
            cells.append(cell)
            async with trio.open_nursery() as nursery:

                async def ask(cell: Cell = cell) -> None:
                    while cell.left is None:
                        await trio.sleep(chance.random() * 0.01)
                        cell.ctrl_z()

                nursery.start_soon(ask)
                result = await cell.wait()
                nursery.cancel_scope.cancel()
            if cell.left is None:
                assert result == list(range(30))
        for cell in cells:
            if cell.left is not None:
                assert await cell.rest() == list(range(30))
        assert sum(cell.left is not None for cell in cells) > 10

    trio.run(main)
