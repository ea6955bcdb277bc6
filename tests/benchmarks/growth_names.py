"""Completion in a namespace of many names: Tab to the completed name on the screen.

python -m tests.benchmarks.growth_names [--rounds N] [--only IPython ptpython]
"""

from __future__ import annotations

import re
from functools import partial

from tests.benchmarks.growth import DEADLINE, grow
from tests.benchmarks.harness import Curve, Options, Report, run
from tests.benchmarks.peers import Shells

_SIZES = (1, 100, 10_000, 100_000)
_NAMES = "globals().update((f'name_{{n}}', n) for n in range({}))\nthe_only_needle = 42"


def measure(options: Options) -> Report:
    report = Report(
        "Completion of a name among many",
        "from Tab, after a unique beginning, to the completed name in the terminal; a new process "
        "each time, whose first completion it is",
    )
    curve = Curve("Tab to the completed name", "ms", "names")
    with Shells() as shells:
        names = shells.names(report, options.only)
        grow(options, report, curve, _SIZES, names, partial(_seconds, shells))
    return report


def _seconds(shells: Shells, name: str, size: int) -> float:
    terminal = shells.embed(name, _NAMES.format(size))
    shells.wait_prompt(terminal, name)
    terminal.wait_quiet()
    mark = terminal.mark()
    terminal.send(b"the_only_n")
    terminal.wait_for(re.compile(rb"the_only_n|n$"), mark)
    terminal.wait_quiet(0.3)
    mark = terminal.mark()
    sent = terminal.send(b"\t")
    took = terminal.wait_for(re.compile(rb"eedle"), mark, DEADLINE) - sent
    if name != "ptpython":  # it shows a menu, and completes at the next Tab
        mark = terminal.mark()
        terminal.send(b"\r")
        terminal.wait_for(re.compile(rb"\b42\r*\n"), mark, DEADLINE)
    terminal.close()
    return took


if __name__ == "__main__":
    run(measure)
