"""How a trio task's waits are interrupted, and in which cancel scopes it is; without a terminal."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import Any

import pytest

trio = pytest.importorskip("trio", reason="trio is not installed")
testing = pytest.importorskip("trio.testing")

from ipyembed.hosts import AsyncioHost, current_host  # noqa: E402
from ipyembed.hosts_trio import TrioHost, _name_of_task, _Scopes  # noqa: E402
from ipyembed.trio_waits import InterruptibleWaits  # noqa: E402


async def interrupted(cell: Any, times: int = 1) -> Any:
    """Await `cell` and interrupt it when everything waits."""
    driven: InterruptibleWaits[Any] = InterruptibleWaits(cell)

    async def interrupt() -> None:
        for _ in range(times):
            await testing.wait_all_tasks_blocked()
            driven.interrupt()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(interrupt)
        return await driven


def test_a_wait_is_ended_by_keyboard_interrupt_and_the_next_one_not() -> None:
    async def cell() -> str:
        try:
            await trio.sleep_forever()
        except KeyboardInterrupt:
            await trio.sleep(0.001)
            return "caught"
        return "missed"

    assert trio.run(interrupted, cell()) == "caught"


def test_several_waits() -> None:
    async def cell() -> int:
        caught = 0
        while caught < 3:
            try:
                await trio.sleep_forever()
            except KeyboardInterrupt:
                caught += 1
        return caught

    assert trio.run(interrupted, cell(), 3) == 3


def test_a_nursery_is_cancelled_with_its_children() -> None:
    ended = []

    async def child() -> None:
        try:
            await trio.sleep_forever()
        finally:
            ended.append("child")

    async def cell() -> list[str]:
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(child)
                nursery.start_soon(child)
        except* KeyboardInterrupt:
            ended.append("cell")
        return ended

    assert trio.run(interrupted, cell()) == ["child", "child", "cell"]


def test_a_wait_that_cannot_be_ended_gives_the_interrupt_when_it_is_over() -> None:
    async def cell() -> int:
        for n in range(1000):
            try:
                await trio.to_thread.run_sync(time.sleep, 0.01)
            except KeyboardInterrupt:
                return n
        return -1

    async def main() -> int:
        driven = InterruptibleWaits(cell())
        async with trio.open_nursery() as nursery:

            async def interrupt() -> None:
                await trio.sleep(0.05)
                driven.interrupt()

            nursery.start_soon(interrupt)
            return await driven

    assert 0 <= trio.run(main) < 50


def test_a_scope_left_open_is_closed_by_the_next_cell() -> None:
    scope = trio.CancelScope()

    async def opens() -> None:
        scope.__enter__()
        try:
            await trio.sleep_forever()
        except KeyboardInterrupt:
            pass

    async def closes() -> None:
        await trio.sleep(0)
        scope.__exit__(None, None, None)
        await trio.sleep(0)

    async def main() -> None:
        first = InterruptibleWaits(opens())
        trio.lowlevel.current_trio_token().run_sync_soon(first.interrupt)
        await first
        await InterruptibleWaits(closes())
        assert trio.current_effective_deadline() > 1e12

    trio.run(main)


def test_the_host_is_chosen_by_what_is_running() -> None:
    import asyncio

    async def kind() -> type:
        return type(current_host())

    assert asyncio.run(kind()) is AsyncioHost
    assert trio.run(kind) is TrioHost
    with pytest.raises(RuntimeError, match="no running event loop"):
        current_host()


def test_scopes_of_cells_and_of_the_host() -> None:
    async def main() -> None:
        scopes = _Scopes(trio.lowlevel.current_task())
        with scopes.of_cells():
            left = trio.CancelScope()
            left.__enter__()
            left.cancel()
        await trio.sleep(0)  # as the prompt's wait: not in the cell's scope
        assert not scopes.hosts_are_cancelled
        with scopes.of_cells():
            with pytest.raises(trio.Cancelled):
                await trio.sleep(0)
            left.__exit__(None, None, None)
        with trio.move_on_after(0):
            assert not scopes.hosts_are_cancelled  # what is opened later is none of the host's
        with scopes.handed_back():
            pass

    trio.run(main)


def test_without_trios_private_parts_the_scopes_are_left_alone() -> None:
    async def main() -> None:
        scopes = _Scopes(SimpleNamespace())  # type: ignore[arg-type]
        with scopes.handed_back(), scopes.of_cells():
            await trio.sleep(0)
        with trio.CancelScope() as scope:
            assert not scopes.hosts_are_cancelled
            scope.cancel()
            assert scopes.hosts_are_cancelled

    trio.run(main)


def test_the_task_of_a_stack_is_found() -> None:
    import sys

    async def asks() -> str | None:
        return _name_of_task(trio.lowlevel.current_root_task(), sys._getframe())

    async def main() -> None:
        names = []

        async def child() -> None:
            names.append(await asks())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(child, name="the child")
        names.append(await asks())
        assert names[0] == "the child"
        assert str(names[1]).endswith("main")
        assert _name_of_task(None, sys._getframe()) is None

    trio.run(main)
