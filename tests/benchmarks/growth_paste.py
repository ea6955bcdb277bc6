"""A large paste: to the end of the text on the screen.

python -m tests.benchmarks.growth_paste [--rounds N] [--only IPython ptpython]
"""

from __future__ import annotations

import re
from functools import partial

from tests.benchmarks.growth import DEADLINE, grow
from tests.benchmarks.harness import Curve, Options, Report, run
from tests.benchmarks.peers import Shells

_SIZES = (1_000, 10_000, 100_000, 1_000_000)


def measure(options: Options) -> Report:
    report = Report(
        "A large paste",
        "bracketed paste of lines of code, from its first byte to its last line in the terminal; "
        "a new process each time",
    )
    curve = Curve("Paste to its last line on the screen", "ms", "characters")
    with Shells() as shells:
        names = shells.names(report, options.only)
        grow(options, report, curve, _SIZES, names, partial(_seconds, shells))
    return report


def _seconds(shells: Shells, name: str, size: int) -> float:
    terminal = shells.embed(name)
    shells.wait_prompt(terminal, name)
    terminal.wait_quiet(0.3)
    line = b"value = [1, 2, 3]\r"
    text = line * (size // len(line)) + b"the_last = 42"
    mark = terminal.mark()
    started = terminal.send(b"")
    terminal.send(b"\x1b[200~" + text + b"\x1b[201~")
    took = terminal.wait_for(re.compile(rb"the_last = 42"), mark, DEADLINE) - started
    terminal.close()
    return took


if __name__ == "__main__":
    run(measure)
