"""From the start of the process to the first prompt.

    python -m tests.benchmarks.startup [--rounds N] [--only IPython ptpython]

A round is one process of each, of a program that does nothing but open the shell, with the profile
of the process before it. Bytecode is cached.
"""

from __future__ import annotations

from functools import partial

from tests.benchmarks.harness import Figure, Options, Report, checked, run, take_turns
from tests.benchmarks.peers import OURS, Shells

_BARS = {"IPython": 1.05, "ptpython": None}
_STARTS = 4
"""Starts a round: a single one is at the mercy of whatever else the machine does."""


def measure(options: Options) -> Report:
    rounds = options.rounds * _STARTS
    report = Report(
        "Start of the process to the first prompt, embed()",
        f"from the fork to the prompt's text in the terminal, {rounds} processes each",
    )
    with Shells() as shells:
        names = shells.names(report, options.only)
        for name in names:
            _seconds(shells, name)
        found = take_turns({name: partial(_seconds, shells, name) for name in names}, rounds)
    for name in names[1:]:
        ours, theirs = ([each * 1e3 for each in found[of]] for of in (OURS, name))
        what = f"ipyembed against {name}"
        report.figures.append(Figure(what, "ms", ours, theirs, name, _BARS[name]))
    return report


def _seconds(shells: Shells, name: str) -> float:
    profile = str(shells.path / f"profile of {name}")
    env = {
        "IPYTHONDIR": profile,
        "XDG_CONFIG_HOME": profile,
        "XDG_DATA_HOME": profile,
        # Whatever the machine's settings are, bytecode is cached, for all alike.
        "PYTHONDONTWRITEBYTECODE": "",
        "PYTHONPYCACHEPREFIX": str(shells.path / "bytecode"),
    }
    with checked(name):
        terminal = shells.embed(name, env=env)
        took = shells.wait_prompt(terminal, name) - terminal.started
        shells.leave(terminal)
    return took


if __name__ == "__main__":
    run(measure)
