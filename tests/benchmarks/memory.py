"""Memory of a process at its first prompt.

    python -m tests.benchmarks.memory [--rounds N] [--only IPython ptpython]

Resident memory (RSS) counts what is shared with other processes, too; the private part is what this
one costs (`Private_*` of /proc/PID/smaps_rollup).
"""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path

from tests.benchmarks.harness import Figure, Options, Report, run, take_turns
from tests.benchmarks.peers import OURS, Shells

_PRIVATE = re.compile(r"^Private_\w+: +(\d+) kB$", re.MULTILINE)
_RESIDENT = re.compile(r"^Rss: +(\d+) kB$", re.MULTILINE)
_KINDS = {"RSS": _RESIDENT, "private": _PRIVATE}


def measure(options: Options) -> Report:
    report = Report(
        "Memory at the first prompt of embed()",
        f"/proc/PID/smaps_rollup when the prompt has been drawn, {options.rounds} processes each",
    )
    with Shells() as shells:
        names = shells.names(report, options.only)
        found = take_turns(
            {name: partial(_megabytes, shells, name) for name in names}, options.rounds
        )
    for name in names[1:]:
        for kind in _KINDS:
            ours, theirs = ([each[kind] for each in found[of]] for of in (OURS, name))
            report.figures.append(Figure(f"{kind} against {name}", "MB", ours, theirs, name))
    return report


def _megabytes(shells: Shells, name: str) -> dict[str, float]:
    terminal = shells.embed(name)
    shells.wait_prompt(terminal, name)
    terminal.wait_quiet(0.3)
    text = Path(f"/proc/{terminal.pid}/smaps_rollup").read_text()
    shells.leave(terminal)
    return {kind: sum(map(int, p.findall(text))) / 1024 for kind, p in _KINDS.items()}


if __name__ == "__main__":
    run(measure)
