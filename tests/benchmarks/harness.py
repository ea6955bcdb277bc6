"""What the benchmarks share: rounds in which the contenders take turns, figures, the table, JSON.

A machine is never quiet, and whatever else it does falls on all contenders alike only if they are
measured close together. So the contenders take turns, in rounds; each round gives a value for each
contender and one ratio for each pair, and a figure is the median over the rounds, with the
quartiles as its spread. A bar is met if the median of the ratios meets it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Values = list[float]
Rounds = dict[str, list[Any]]
"""What each contender gave, round by round."""


@dataclass(frozen=True)
class Options:
    """What the command line says."""

    rounds: int
    seconds: float
    only: tuple[str, ...] = ()

    def wanted(self, names: Sequence[str]) -> list[str]:
        return [name for name in names if not self.only or name in self.only]


@dataclass(frozen=True)
class Figure:
    """A line of the table: ours, and the same of another, round by round."""

    what: str
    unit: str
    ours: Values
    theirs: Values | None = None
    """None: the bar is about our value itself."""
    against: str = ""
    bar: float | None = None
    """Of the ratio ours / theirs, or of our value; None: shown for the record."""
    at_least: bool = False
    """Whether more is better."""

    @property
    def judged(self) -> Values:
        """What the bar is about."""
        if self.theirs is None:
            return self.ours
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=True)]

    @property
    def is_met(self) -> bool | None:
        if self.bar is None:
            return None
        found = statistics.median(self.judged)
        return found >= self.bar if self.at_least else found <= self.bar

    def cells(self) -> tuple[str, ...]:
        against = f"{_spread(self.theirs)} {self.against}" if self.theirs else self.against or "-"
        sign = ">=" if self.at_least else "<="
        return (
            f"{self.what}, {self.unit}" if self.unit else self.what,
            _spread(self.ours),
            against,
            _spread(self.judged) if self.theirs else "-",
            f"{sign} {self.bar:g}" if self.bar is not None else "-",
            {True: "met", False: "MISSED", None: "-"}[self.is_met],
        )


@dataclass
class Report:
    """The answer to one question."""

    question: str
    how: str
    """How the figures were taken."""
    figures: list[Figure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        figures = [
            {**asdict(figure), "judged": figure.judged, "is_met": figure.is_met}
            for figure in self.figures
        ]
        return {**asdict(self), "figures": figures}


def take_turns(contenders: Mapping[str, Callable[[], Any]], rounds: int) -> Rounds:
    """Ask each contender once in every round; every second round in the opposite order."""
    found: Rounds = {name: [] for name in contenders}
    for n in range(rounds):
        names = list(contenders)
        for name in names[:: 1 if n % 2 == 0 else -1]:
            found[name].append(contenders[name]())
            print(".", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return found


def percentile(values: Sequence[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


@contextlib.contextmanager
def checked(what: str) -> Iterator[None]:
    """Name the contender whose work was not done."""
    try:
        yield
    except AssertionError as error:
        error.add_note(f"while measuring {what}")
        raise


def run(*questions: Callable[[Options], Report]) -> None:
    """Measure, print, perhaps write JSON; the exit status says whether all bars are met."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each window measured")
    parser.add_argument("--only", nargs="+", default=(), help="toolkits or contenders")
    parser.add_argument("--json", type=Path, help="a file to write all values to")
    parser.add_argument(
        "--nice", type=int, default=0, help="run at this niceness (below 0: disturbed less)"
    )
    asked = parser.parse_args()
    if asked.nice:
        os.nice(asked.nice)
    options = Options(asked.rounds, asked.seconds, tuple(asked.only))
    print(_machine())
    reports = []
    for question in questions:
        report = question(options)
        reports.append(report)
        print_table(report)
    if asked.json:
        everything = {"machine": _machine(), "reports": [report.as_json() for report in reports]}
        asked.json.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    sys.exit(any(figure.is_met is False for report in reports for figure in report.figures))


def print_table(report: Report) -> None:
    head = ("measured", "ours", "against", "ratio", "bar", "")
    rows = [head, *(figure.cells() for figure in report.figures)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
    print(f"\n{report.question}\n{report.how}")
    for row in rows:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    for skipped in report.skipped:
        print(f"skipped: {skipped}")
    sys.stdout.flush()


def _spread(values: Values) -> str:
    """Median and quartiles."""
    middle = statistics.median(values)
    if len(values) < 3:
        return _number(middle)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{_number(middle)} ({_number(low)}..{_number(high)})"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _machine() -> str:
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, "
        f"{os.cpu_count()} cores{load}, niceness {os.nice(0)}; medians over rounds (quartiles)"
    )
