"""What the benchmarks of growth share: the same work on more and more, until it takes too long."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from functools import partial

from tests.benchmarks.harness import Curve, Options, Report, take_turns
from tests.benchmarks.peers import OURS

LONG = 20.0
"""Seconds: a contender that takes longer than that is not asked for more."""
DEADLINE = 60.0
_ROUNDS = 3

Work = Callable[[str, int], float]
"""Seconds of the work of one contender on one size; AssertionError when it was not done."""


def grow(
    options: Options,
    report: Report,
    curve: Curve,
    sizes: Sequence[int],
    names: list[str],
    work: Work,
) -> None:
    """Measure all sizes, smallest first; a contender that is too slow, or fails, is left out."""
    left = list(names)
    report.curves.append(curve)
    for size in sizes:

        def once(name: str, size: int = size) -> float | None:
            try:
                return work(name, size)
            except AssertionError as error:
                if name == OURS:
                    raise
                print(f"\n{name} at {size}: {error}", file=sys.stderr)
                return None

        rounds = min(options.rounds, _ROUNDS)
        found = take_turns({name: partial(once, name) for name in left}, rounds)
        for name, values in found.items():
            times = [1e3 * value for value in values if value is not None]
            if len(times) == rounds:
                curve.add(name, size, times)
            if len(times) < rounds or statistics.median(times) > 1e3 * LONG:
                left.remove(name)
                if size != sizes[-1] or len(times) < rounds:
                    why = "was too slow for more" if len(times) == rounds else "failed"
                    report.skipped.append(f"{curve.what}: {name} {why} at {size:,} {curve.size}")
