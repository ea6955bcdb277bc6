"""A large result displayed: Enter to the next prompt.

python -m tests.benchmarks.growth_result [--rounds N] [--only IPython ptpython]
"""

from __future__ import annotations

from functools import partial

from tests.benchmarks.growth import DEADLINE, grow
from tests.benchmarks.harness import Curve, Options, Report, run
from tests.benchmarks.peers import Shells

_SIZES = (1_000, 100_000, 1_000_000, 10_000_000)


def measure(options: Options) -> Report:
    report = Report(
        "A large result displayed",
        "from Enter to the next prompt, the terminal's bytes read and checked; a new process "
        "each time",
    )
    curve = Curve("Enter to the next prompt", "ms", "characters")
    with Shells() as shells:
        names = shells.names(report, options.only)
        grow(options, report, curve, _SIZES, names, partial(_seconds, shells))
    return report


def _seconds(shells: Shells, name: str, size: int) -> float:
    terminal = shells.embed(name, "size = int(__import__('sys').argv[1])", str(size))
    shells.wait_prompt(terminal, name)
    terminal.wait_quiet()
    mark = terminal.mark()
    sent = terminal.send(b"'q' * size\r")
    # After the last of it, so that a pattern need not be searched for in all of it.
    terminal.wait_for(b"qqqqqqqqqqq'", mark, DEADLINE)
    at = terminal.output.rindex(b"qqq'")
    took = shells.wait_prompt(terminal, name, 2, at, DEADLINE) - sent
    shown = terminal.output.count(b"q", mark, at + 4)
    assert size <= shown <= size + 3, f"{shown} characters of {size} were shown"
    terminal.close()
    return took


if __name__ == "__main__":
    run(measure)
