"""What one iteration of an asyncio loop costs when its selector also turns a toolkit.

    python -m tests.benchmarks.iteration_cost [--rounds N] [--seconds S] [--only fds timers]

In this process, without a prompt: two loops that hold as many descriptors (or timers) as each other
take turns, one with its bare selector, one with `gui.strategy.turning` and a toolkit that only
polls. Each iteration finds a descriptor readable and runs one callback. What an iteration costs in
which the loop really sleeps is the toolkit's: see `lateness` and `throughput`.
"""

from __future__ import annotations

import asyncio
import os
import resource
import select
import statistics
import time
from contextlib import ExitStack
from functools import partial

from ipyembed.gui import strategy
from ipyembed.gui.turn import GuiTurn, HookContext
from tests.benchmarks.harness import Figure, Options, Report, Values, run, take_turns

_SIZES = {"fds": (10, 100, 1_000), "timers": (10, 1_000, 100_000)}
_BAR = 1.5
_BATCH = 500


class Toolkit:
    """Waits for a descriptor, as every hook does, and counts its turns."""

    def __init__(self) -> None:
        self.turns = 0

    def hook(self, context: HookContext) -> None:
        self.turns += 1
        poll = select.poll()
        poll.register(context.fileno(), select.POLLIN)
        poll.poll()


class Looped:
    """A loop that holds descriptors and timers, and whether it is turning a toolkit."""

    def __init__(self, stack: ExitStack, fds: int, timers: int, is_hooked: bool) -> None:
        self._loop = asyncio.SelectorEventLoop()
        stack.callback(self._loop.close)
        self.toolkit = Toolkit() if is_hooked else None
        for _ in range(fds):
            read, write = os.pipe()
            stack.callback(os.close, read)
            stack.callback(os.close, write)
            self._loop.add_reader(read, lambda: None)
        for n in range(timers):
            self._loop.call_later(1e6 + n, lambda: None)
        self._ready, self._write = os.pipe()
        stack.callback(os.close, self._ready)
        stack.callback(os.close, self._write)

    def iteration(self, seconds: float) -> float:
        """Seconds of one, measured for that long."""
        with ExitStack() as stack:
            if self.toolkit is not None:
                turn = GuiTurn(self.toolkit.hook)
                stack.enter_context(strategy.turning(self._loop, "select", lambda: turn))
            return self._loop.run_until_complete(self._measure(seconds))

    async def _measure(self, seconds: float) -> float:
        left = _BATCH
        batches: Values = []
        started = 0.0
        over = self._loop.create_future()

        def found() -> None:
            nonlocal left, started
            left -= 1
            if left <= 0:
                now = time.perf_counter()
                batches.append((now - started) / _BATCH)
                left, started = _BATCH, now
                if now > end:
                    self._loop.remove_reader(self._ready)
                    over.set_result(None)

        os.write(self._write, b"x")  # and nobody reads it
        started = time.perf_counter()
        end = started + seconds
        self._loop.add_reader(self._ready, found)
        await over
        os.read(self._ready, 1)
        return statistics.median(batches)


def measure(options: Options) -> Report:
    seconds = options.seconds / 4
    report = Report(
        "One iteration of a loop with the hooked selector, one descriptor ready",
        f"median of batches of {_BATCH} iterations, {options.rounds} windows of {seconds:g} s; "
        "bare: the same loop with its own selector; smallest: ours with the fewest",
    )
    _allow_descriptors(3 * max(_SIZES["fds"]) * 2)
    for what in options.wanted(list(_SIZES)):
        smallest: Values = []
        for size in _SIZES[what]:
            fds, timers = (size, 10) if what == "fds" else (10, size)
            with ExitStack() as stack:
                hooked = Looped(stack, fds, timers, is_hooked=True)
                bare = Looped(stack, fds, timers, is_hooked=False)
                found = take_turns(
                    {
                        "hooked": partial(hooked.iteration, seconds),
                        "bare": partial(bare.iteration, seconds),
                    },
                    options.rounds,
                )
            ours = [value * 1e6 for value in found["hooked"]]
            theirs = [value * 1e6 for value in found["bare"]]
            assert hooked.toolkit is not None
            assert hooked.toolkit.turns > 50 * seconds * options.rounds, "the toolkit starved"
            smallest = smallest or ours
            label = f"{size} {what}"
            report.figures.append(Figure(label, "us", ours, theirs, "bare", _BAR))
            if smallest is not ours:
                report.figures.append(Figure(label, "us", ours, smallest, "smallest", _BAR))
    return report


def _allow_descriptors(number: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < number:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(number, hard), hard))


if __name__ == "__main__":
    run(measure)
