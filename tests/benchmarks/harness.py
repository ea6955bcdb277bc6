"""What the benchmarks share: rounds in which the contenders take turns, figures, the table, JSON.

A benchmark is a module of this package with a function ``measure(options) -> Report``; it ends with
``if __name__ == "__main__": run(measure)``, and ``python -m tests.benchmarks`` finds it by itself.

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
import time
import traceback
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
class Curve:
    """How a cost grows, for each contender: a plot, and a line of the table for each size."""

    what: str
    unit: str
    size: str
    """What grows: "jobs", "names", ..."""
    lines: dict[str, dict[int, Values]] = field(default_factory=dict)
    """By contender, ours first, and by size: a value for each round."""

    def add(self, contender: str, size: int, values: Values) -> None:
        self.lines.setdefault(contender, {})[size] = values


@dataclass
class Report:
    """The answer to one question."""

    question: str
    how: str
    """How the figures were taken."""
    figures: list[Figure] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)

    @property
    def is_met(self) -> bool:
        """Whether no bar is missed."""
        return all(figure.is_met is not False for figure in self.figures)

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


Measure = Callable[[Options], Report]


def run(measure: Measure) -> None:
    """The main program of one benchmark."""
    # Of the module that was started there is only the file's name.
    name = Path(sys.modules["__main__"].__file__ or "").stem
    run_all({name: measure}, sys.modules["__main__"].__doc__ or "")


def run_all(benchmarks: Mapping[str, Measure], description: str) -> None:
    """Measure, print, write JSON if asked; the exit status says whether all bars are met."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if len(benchmarks) > 1:
        names = ", ".join(benchmarks)
        parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {names}")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each window measured")
    parser.add_argument("--only", nargs="+", default=(), help="toolkits or contenders")
    parser.add_argument(
        "--json", type=Path, help="a file to write all values to; what it has of others stays"
    )
    parser.add_argument(
        "--nice", type=int, default=0, help="run at this niceness (below 0: disturbed less)"
    )
    asked = parser.parse_args()
    wanted = getattr(asked, "names", None) or list(benchmarks)
    if unknown := set(wanted) - set(benchmarks):
        parser.error(f"no such benchmark: {', '.join(sorted(unknown))}")
    if asked.nice:
        os.nice(asked.nice)
        own_session = Path("/proc/self/autogroup")  # see raw_terminal.keep_niceness
        if own_session.exists():
            own_session.write_text(str(asked.nice))
    options = Options(asked.rounds, asked.seconds, tuple(asked.only))
    is_met = [_run_one(name, benchmarks[name], options, asked.json) for name in wanted]
    sys.exit(not all(is_met))


def _run_one(name: str, measure: Measure, options: Options, path: Path | None) -> bool:
    before = _load()
    started = time.strftime("%Y-%m-%d %H:%M")
    try:
        report = measure(options)
    except Exception:  # the others are measured all the same
        print(f"\n{name} failed:")
        traceback.print_exc()
        return False
    taken = f"{_machine()}; load before {before}, after {_load()}"
    print_table(report)
    print(taken, flush=True)
    if path is not None:
        everything = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        everything[name] = {"taken": taken, "started": started, **report.as_json()}
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(everything, indent=1) + "\n", encoding="utf-8")
    return report.is_met


def print_table(report: Report) -> None:
    print(f"\n{report.question}\n{report.how}")
    if report.figures:
        head = ("measured", "ours", "against", "ratio", "bar", "")
        _print_rows([head, *(figure.cells() for figure in report.figures)])
    for curve in report.curves:
        sizes = sorted({size for line in curve.lines.values() for size in line})
        rows = [(f"{curve.what}, {curve.unit}", *(f"{size:,} {curve.size}" for size in sizes))]
        for name, line in curve.lines.items():
            rows.append((name, *(_spread(line[size]) if size in line else "-" for size in sizes)))
        _print_rows(rows)
    for skipped in report.skipped:
        print(f"skipped: {skipped}")


def _print_rows(rows: Sequence[tuple[str, ...]]) -> None:
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        print("  ".join(cells).rstrip())


def _spread(values: Values) -> str:
    """Median and quartiles."""
    middle = statistics.median(values)
    if len(values) < 3:
        return _number(middle)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{_number(middle)} ({_number(low)}..{_number(high)})"


def _number(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"


def _machine() -> str:
    return (
        f"Python {platform.python_version()}, {platform.system()} {platform.release()}, "
        f"{os.cpu_count()} cores, niceness {os.nice(0)}; medians over rounds (quartiles)"
    )
