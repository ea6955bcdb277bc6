"""Enter on `1+1`, to the next prompt.

python -m tests.benchmarks.enter [--rounds N] [--only IPython ptpython]
"""

from __future__ import annotations

from functools import partial
from itertools import count

from tests.benchmarks.harness import Figure, Options, Report, checked, percentile, run, take_turns
from tests.benchmarks.peers import OURS, Shells
from tests.benchmarks.raw_terminal import RawTerminal

_BARS = {"IPython": 1.1, "ptpython": None}
_CELLS = 20
"""Cells in a row, in each round."""


def measure(options: Options) -> Report:
    report = Report(
        "Enter on `1+1` to the next prompt, embed()",
        f"from the key to the next prompt's text in the terminal, {options.rounds} rounds of "
        f"{_CELLS} cells each, in turns, the median of each round",
    )
    with Shells() as shells:
        names = shells.names(report, options.only)
        sessions = {name: _Session(shells, name) for name in names}
        for session in sessions.values():
            session.cells(_CELLS)  # what happens once happens now
        # In turns cell by cell: a machine is fast or slow for seconds, and so long is a round.
        found = take_turns(
            {name: partial(session.cells, 1) for name, session in sessions.items()},
            options.rounds * _CELLS,
        )
        for name in names:
            shells.leave(sessions[name].terminal)
    for name in names[1:]:
        ours, theirs = (_medians(found[of]) for of in (OURS, name))
        what = f"ipyembed against {name}"
        report.figures.append(Figure(what, "ms", ours, theirs, name, _BARS[name]))
    return report


def _medians(cells: list[list[float]]) -> list[float]:
    """Milliseconds, of each round."""
    took = [seconds * 1e3 for cell in cells for seconds in cell]
    rounds = [took[n : n + _CELLS] for n in range(0, len(took), _CELLS)]
    return [percentile(each, 50) for each in rounds]


class _Session:
    def __init__(self, shells: Shells, name: str) -> None:
        self._shells, self._name = shells, name
        self.terminal: RawTerminal = shells.embed(name)
        self._numbers = count(2)
        shells.wait_prompt(self.terminal, name)
        self.terminal.wait_quiet()

    def cells(self, cells: int) -> list[float]:
        """Seconds from Enter to the prompt, for each cell."""
        return [self._cell(next(self._numbers)) for _ in range(cells)]

    def _cell(self, number: int) -> float:
        terminal = self.terminal
        terminal.send(b"1+1")
        terminal.wait_quiet(0.05)
        mark = terminal.mark()
        pressed = terminal.send(b"\r")
        with checked(self._name):
            took = self._shells.wait_prompt(terminal, self._name, number, mark) - pressed
        terminal.wait_quiet(0.05)
        return took


if __name__ == "__main__":
    run(measure)
