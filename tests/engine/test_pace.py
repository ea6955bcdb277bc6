"""Clients get little of a busy host's time, and as much as they like of an idle one's."""

from __future__ import annotations

import asyncio
import time

import pytest

from ipyembed.engine import pace
from ipyembed.engine.pace import LONGEST, EnginePace
from tests.engine.host import Engines
from tests.engine.test_cells import HEAD, HOSTS


class Thread:
    """An eval thread whose time is made up."""

    def __init__(self) -> None:
        self.now = self.computed = self.waited = 0.0
        self.pace = EnginePace(lambda: self.now, lambda: (self.computed, self.waited))

    def host(self, seconds: float, computes: float, waits: float = 0.0) -> None:
        """The host has the thread: the parts in which it computes, and waits for a processor."""
        self.now += seconds
        self.computed += seconds * computes
        self.waited += seconds * waits

    def work(self, seconds: float) -> None:
        """A client has."""
        with self.pace.timed():
            self.host(seconds, 1.0)

    def greedy(self, seconds: float, work: float, computes: float, waits: float = 0.0) -> float:
        """A client that asks again at once; returns its part of the time."""
        until, begun, worked = self.now + seconds, self.now, 0.0
        while self.now < until:
            self.host(max(self.pace.wait(), 0.0005), computes, waits)
            self.work(work)
            worked += work
        return worked / (self.now - begun)


@pytest.mark.parametrize("work", [0.0002, 0.002, 0.007])
def test_busy_host_keeps_its_time(work: float) -> None:
    thread = Thread()
    thread.greedy(1.0, work, 1.0)  # until it is known
    assert thread.pace.host_is_busy
    assert thread.greedy(10.0, work, 1.0) == pytest.approx(0.03, abs=0.003)
    thread.pace.busy_share = 0.5
    assert 0.2 < thread.greedy(10.0, work, 1.0) < 0.55
    thread.pace.busy_share = 1.0
    assert thread.greedy(1.0, 0.01, 1.0) > 0.9


def test_idle_host_is_not_protected_and_one_that_becomes_idle_no_longer() -> None:
    thread = Thread()
    assert thread.greedy(1.0, 0.01, 0.1) > 0.9
    thread.greedy(1.0, 0.01, 1.0)
    assert thread.pace.wait() > 0
    thread.host(thread.pace.wait(), 0.0)
    thread.work(0.001)
    assert thread.pace.wait() == 0
    assert thread.greedy(1.0, 0.01, 0.1) > 0.9


def test_machine_that_has_too_much_to_do() -> None:
    """A busy host is busy although it computes little, and an idle one idle although it waits."""
    thread = Thread()
    thread.greedy(1.0, 0.001, 0.15, waits=0.85)
    assert thread.pace.host_is_busy
    thread = Thread()
    thread.greedy(1.0, 0.001, 0.02, waits=0.8)
    assert not thread.pace.host_is_busy


def test_no_pause_is_long() -> None:
    thread = Thread()
    thread.greedy(1.0, 0.001, 1.0)
    thread.host(thread.pace.wait(), 1.0)
    thread.work(60.0)
    assert thread.pace.wait() == pytest.approx(LONGEST)


def test_an_answer_before_the_work_has_ended_is_followed_by_a_pause_too() -> None:
    thread = Thread()
    thread.greedy(1.0, 0.001, 1.0)
    thread.host(thread.pace.wait(), 1.0)
    with thread.pace.timed():
        thread.host(0.001, 1.0)
        asked = thread.pace.wait()
    assert asked == thread.pace.wait() == pytest.approx(0.031, rel=0.1)


def test_what_a_cell_computes_between_its_waits_is_its_own() -> None:
    thread = Thread()

    async def cell() -> str:
        for _ in range(3):
            thread.host(0.01, 1.0)
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.Event().wait()
        return "done"

    async def main() -> None:
        task = asyncio.create_task(thread.pace.drive(cell()))
        for _ in range(5):
            await asyncio.sleep(0)
        thread.host(5.0, 0.0)
        assert task.cancel()
        assert await task == "done"

    asyncio.run(main())
    # The five seconds are the host's: nothing is owed for them.
    thread.host(0.0005, 1.0)
    assert thread.pace._free_at < thread.now
    assert not thread.pace.host_is_busy


@pytest.mark.parametrize("file", ["/proc/thread-self/schedstat", "/no/such/file"])
def test_times_of_a_thread(file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "_SCHEDULED", file)
    begun = pace.thread_times()
    while time.thread_time() < begun[0] + 0.02:
        pass
    computed, waited = pace.thread_times()
    assert computed - begun[0] >= 0.02
    assert waited >= begun[1] >= 0
    if file == "/no/such/file":
        assert waited == 0


@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_share_is_a_part(value: float) -> None:
    with pytest.raises(ValueError, match="busy_share is above 0 and at most 1"):
        EnginePace().set_for_good(value)


def test_paced_cells_and_completions_come_all_the_same(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client, other = engines.client(), engines.client()
    client.run("import time, ipyembed.engine.pace as pace; pace.BUSY = -1.0")  # every host is busy
    begun = time.monotonic()
    requests = [client.start(f"time.sleep(0.02); {n}") for n in range(4)]
    asked = [other.raw.complete("prin") for _ in range(3)]
    assert [client.finish(request).value for request in requests] == ["0", "1", "2", "3"]
    assert time.monotonic() - begun > 3 * LONGEST
    assert other.reply(asked[0])["matches"][:1] == ["print"]
    assert all(other.reply(each)["matches"] for each in asked[1:])


def test_history_on_a_slow_disk_does_not_hold_up_cells(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client = engines.client()
    client.run(
        "import sqlite3, time; history = get_ipython().history_manager\n"
        "disk = sqlite3.connect(history.hist_file, isolation_level=None)\n"
        "disk.execute('begin exclusive')"
    )
    # With IPython's own history, the second cell waits until SQLite has no more patience, which is
    # five seconds, and the line is lost.
    begun = time.monotonic()
    for n in range(5):
        assert client.run(f"'cell {n}'").value == f"'cell {n}'"
    assert time.monotonic() - begun < 4.5
    client.run("disk.execute('rollback'); disk.close()")
    found = client.reply(client.raw.history(hist_access_type="tail", n=9, raw=True, output=False))
    assert {f"'cell {n}'" for n in range(5)} <= {line for _, _, line in found["history"]}
