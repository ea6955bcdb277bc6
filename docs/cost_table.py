"""What the prompt costs: a table for docs/how-it-works.md, from docs/performance.json.

`make_performance.py` puts it into the page, between two marks.
"""

from __future__ import annotations

import statistics
from typing import Any

MARK = "<!-- Made by docs/make_performance.py: what it costs -->\n"

Result = dict[str, Any]

#: What it is for the reader; the benchmark and its figure; whom that is compared with, and the
#: figure that says it where it is another one; the unit.
_ROWS = (
    ("`import ipyembed`", "import_time", "import ipyembed", "an empty module", "an empty module",
     "ms"),
    ("start to the first prompt", "startup", "ipyembed against IPython", "IPython", None, "ms"),
    ("memory of a shell", "memory", "RSS against IPython", "IPython", None, "MB"),
    ("a key to the screen", "keystroke", "p50, idle, ipyembed against IPython", "IPython", None,
     "ms"),
    ("Enter to the next prompt", "enter", "ipyembed against IPython", "IPython", None, "ms"),
    ("a line that a task prints, to the screen", "print_latency", "p50 against IPython", "IPython",
     None, "ms"),
    ("one turn of a loop over 100 descriptors, with a window", "iteration_cost", "100 fds",
     "asyncio alone", None, "µs"),
    ("how late a 1 ms sleep is, with a window of Qt's", "lateness", "PySide6 p50", "asyncio alone",
     None, "µs"),
    ("CPU time for a request that a server answers at the prompt", "throughput",
     "embed_async, 32 connections, CPU", "no prompt", None, "µs"),
    ("wake-ups of an idle prompt, 1/s", "wakeups", "embed", "IPython", "IPython", ""),
)  # fmt: skip


def table(results: dict[str, Result]) -> str:
    """The table, as Markdown. What has not been measured is left out."""
    lines = ["| median | ipyembed | compared with |", "|---|---|---|"]
    for what, benchmark, name, whom, other, unit in _ROWS:
        figures = {f["what"]: f for f in reversed(results.get(benchmark, {}).get("figures", []))}
        if name not in figures or (other is not None and other not in figures):
            continue
        theirs = figures[other]["ours"] if other is not None else figures[name]["theirs"]
        ours = figures[name]["ours"]
        lines.append(f"| {what} | {_median(ours, unit)} | {whom}: {_median(theirs, unit)} |")
    return "\n".join([*lines, ""])


def put_into(page: str, results: dict[str, Result]) -> str:
    """The page with the table between the marks."""
    before, _, after = page.split(MARK)
    return f"{before}{MARK}\n{table(results)}\n{MARK}{after}"


def _median(values: list[float], unit: str) -> str:
    value = statistics.median(values)
    number = f"{value:,.0f}" if value >= 100 else f"{value:.2g}"
    return f"{number} {unit}".rstrip()
