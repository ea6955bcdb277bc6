"""A history of many lines: the start, and a search in it with Ctrl-R.

python -m tests.benchmarks.growth_history [--rounds N] [--only IPython ptpython]
"""

from __future__ import annotations

import re
import sqlite3
from functools import partial
from pathlib import Path

from tests.benchmarks.growth import DEADLINE, grow
from tests.benchmarks.harness import Curve, Options, Report, run
from tests.benchmarks.peers import Shells

_SIZES = (1, 100, 10_000, 100_000)
#: What is searched for is in the last thousand lines: of more, IPython's prompts know nothing.
_NEEDLE_FROM_THE_END = 900


def measure(options: Options) -> Report:
    report = Report(
        "A history of many lines",
        "the start: from the fork to the first prompt; the search: from the last letter typed "
        "after Ctrl-R to the line found in the terminal; a new process each time",
    )
    start = Curve("Start to the first prompt", "ms", "lines of history")
    search = Curve("Ctrl-R to the line found", "ms", "lines of history")
    with Shells() as shells:
        names = shells.names(report, options.only)
        homes = {
            (name, size): _home(shells.path / f"{name}-{size}", name, size)
            for name in names
            for size in _SIZES
        }
        grow(options, report, start, _SIZES, names, partial(_start, shells, homes))
        grow(options, report, search, _SIZES, names, partial(_search, shells, homes))
    return report


Homes = dict[tuple[str, int], dict[str, str]]


def _home(path: Path, name: str, size: int) -> dict[str, str]:
    """The environment of a user with that history."""
    lines = [f"value_{n} = compute({n})" for n in range(size)]
    lines[-min(size, _NEEDLE_FROM_THE_END)] = "the_needle = 42"
    if name == "ptpython":
        folder = path / "ptpython"
        folder.mkdir(parents=True)
        text = "".join(f"\n# 2026-01-01 00:00:00.000000\n+{line}\n" for line in lines)
        (folder / "history").write_text(text)
    else:
        folder = path / "profile_default"
        folder.mkdir(parents=True)
        with sqlite3.connect(folder / "history.sqlite") as database:
            # As IPython 9 makes them.
            database.execute(
                "CREATE TABLE sessions (session integer primary key autoincrement,"
                " start timestamp, end timestamp, num_cmds integer, remark text)"
            )
            database.execute(
                "CREATE TABLE history (session integer, line integer, source text,"
                " source_raw text, PRIMARY KEY (session, line))"
            )
            database.execute("INSERT INTO sessions VALUES (1, '2026-01-01', '2026-01-01', 1, '')")
            database.executemany(
                "INSERT INTO history VALUES (1, ?, ?, ?)",
                ((n, line, line) for n, line in enumerate(lines, 1)),
            )
        database.close()
    return {"IPYTHONDIR": str(path), "XDG_DATA_HOME": str(path), "XDG_CONFIG_HOME": str(path)}


def _start(shells: Shells, homes: Homes, name: str, size: int) -> float:
    terminal = shells.start(name, env=homes[name, size])
    took = shells.wait_prompt(terminal, name, timeout=DEADLINE) - terminal.started
    terminal.close()
    return took


def _search(shells: Shells, homes: Homes, name: str, size: int) -> float:
    terminal = shells.start(name, env=homes[name, size])
    shells.wait_prompt(terminal, name, timeout=DEADLINE)
    terminal.wait_quiet(0.5)
    mark = terminal.mark()
    terminal.send(b"\x12")
    terminal.wait_for(re.compile(rb"search"), mark, DEADLINE)
    mark = terminal.mark()
    sent = terminal.send(b"the_n")
    took = terminal.wait_for(re.compile(rb"= ?42|needle"), mark, DEADLINE) - sent
    terminal.close()
    return took


if __name__ == "__main__":
    run(measure)
