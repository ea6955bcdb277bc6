"""What it costs to start a job, and to have many of them.

    python -m tests.benchmarks.jobs [--rounds N] [--only start growth prompt]

`start`, in this process: 10,000 coroutines are started in a running loop, by `asyncio.create_task`
and by `run_in_background`, each with all that it does. The bar is twice the former and the
bookkeeping together; the first line is without that. The bookkeeping that any table of jobs needs
is measured alone: a number, a time, a name, an entry in a dictionary under a lock, a context of its
own that says whose output it is, a callback at the end.

`growth`, in this process: the same for 100 to 100,000 jobs.

`prompt`, in a terminal: how long an empty cell takes, from Enter to the next prompt, alone and
beside 10,000 jobs that wait.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any

from ipyembed import run_in_background
from ipyembed.job_table import job_table
from tests.benchmarks.harness import Curve, Figure, Options, Report, Values, run, take_turns
from tests.benchmarks.measured import Stage

COUNT = 10_000
SIZES = (100, 1_000, 10_000, 100_000)
BAR_OF_CREATE_TASK = 2.0
BAR_OF_PROMPT = 1.5
CELLS = 20


async def nothing() -> None:
    """What is started."""


class Book:
    """The bookkeeping, with no job."""

    def __init__(self) -> None:
        self._number = itertools.count(1).__next__
        self._lock = threading.RLock()
        self._entries: dict[int, Entry] = {}
        self._owner: contextvars.ContextVar[Entry] = contextvars.ContextVar("owner")

    def enter(self, name: str | None) -> contextvars.Context:
        entry = Entry(self._number(), name, time.time())
        context = contextvars.copy_context()
        context.run(self._owner.set, entry)
        with self._lock:
            self._entries[entry.number] = entry
        entry.callbacks.append(entry.ended)
        return context


class Entry:
    """One line of it."""

    def __init__(self, number: int, name: str | None, started: float) -> None:
        self.number = number
        self.name = name
        self.started = started
        self.callbacks: list[Callable[[], None]] = []

    def ended(self) -> None:
        """Called by nobody."""


def tasks(count: int) -> float:
    """Microseconds for each."""
    return timed(count, lambda: asyncio.create_task(nothing()))


def jobs(count: int) -> float:
    """The same."""
    found = timed(count, lambda: run_in_background(nothing()))
    assert not job_table.running
    return found


def books(count: int) -> float:
    """The same."""
    book = Book()
    return timed(count, lambda: book.enter(None))


def timed(count: int, start: Callable[[], Any]) -> float:
    """In a loop; until all have ended, but that is not measured."""

    async def main() -> float:
        kept: list[Any] = []
        gc.collect()
        gc.disable()
        try:
            # The processor's time: nothing here waits, and other programs do not count.
            before = time.thread_time()
            for _ in range(count):
                kept.append(start())  # noqa: PERF401  # as a program would, one by one
            took = time.thread_time() - before
        finally:
            gc.enable()
        while len(asyncio.all_tasks()) > 1 or job_table.running:
            await asyncio.sleep(0)
        return took / count * 1e6

    return asyncio.run(main())


def measure(options: Options) -> Report:
    """See the module."""
    report = Report(
        "What does a job cost?",
        f"{COUNT} coroutines started in a running loop; {options.rounds} rounds, in turns",
    )
    for name in options.wanted(["start", "growth", "prompt"]):
        {"start": _start, "growth": _growth, "prompt": _prompt}[name](report, options)
    return report


def _start(report: Report, options: Options) -> None:
    found = take_turns(
        {
            "jobs": lambda: jobs(COUNT),
            "tasks": lambda: tasks(COUNT),
            "book": lambda: books(COUNT),
        },
        options.rounds,
    )
    limit = [
        BAR_OF_CREATE_TASK * task + book
        for task, book in zip(found["tasks"], found["book"], strict=True)
    ]
    report.figures += [
        Figure("start a job", "us", found["jobs"], found["tasks"], "create_task"),
        Figure("bookkeeping alone", "us", found["book"]),
        Figure("start a job", "us", found["jobs"], limit, "2 create_task + bookkeeping", bar=1.0),
    ]


def _growth(report: Report, options: Options) -> None:
    curve = Curve("to start one of many", "us", "jobs")
    for size in SIZES:
        found = take_turns(
            {"run_in_background": lambda: jobs(size), "create_task": lambda: tasks(size)},  # noqa: B023
            options.rounds,
        )
        for name, values in found.items():
            curve.add(name, size, values)
    report.curves.append(curve)


PROGRAM = """
import asyncio
import ipyembed

async def main():
    jobs = [ipyembed.run_in_background(asyncio.sleep(3600)) for _ in range(COUNT)]
    await ipyembed.embed_async(confirm_exit=False, display_banner=False)

asyncio.run(main())
"""


def _prompt(report: Report, options: Options) -> None:
    def cells(count: int) -> Values:
        with Stage() as stage:
            terminal = stage.start_terminal(PROGRAM.replace("COUNT", str(count)), has_prompt=True)
            number = terminal.prompt()
            took = []
            for _ in range(CELLS):
                before = time.perf_counter()
                terminal.line("1")
                number = terminal.prompt(number + 1)
                took.append((time.perf_counter() - before) * 1e3)
            return sorted(took)

    found = take_turns({"beside": lambda: cells(COUNT), "alone": lambda: cells(0)}, options.rounds)
    medians = {name: [each[CELLS // 2] for each in rounds] for name, rounds in found.items()}
    report.figures.append(
        Figure(
            f"a cell beside {COUNT} jobs",
            "ms",
            medians["beside"],
            medians["alone"],
            "without jobs",
            bar=BAR_OF_PROMPT,
        )
    )


if __name__ == "__main__":
    run(measure)
