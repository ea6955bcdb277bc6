"""From a print in a background thread to the screen, while a line is half typed.

python -m tests.benchmarks.print_latency [--rounds N] [--only IPython ptpython]
"""

from __future__ import annotations

import re
import time
from functools import partial

from tests.benchmarks.harness import Figure, Options, Report, Values, percentile, run, take_turns
from tests.benchmarks.peers import OURS, Shells
from tests.benchmarks.raw_terminal import RawTerminal

_LINES = 20
"""Lines in each round, ten a second."""
_BAR_P50, _BAR_MAX = 5.0, 30.0
_PROGRAM = f"""
import threading, time
go = threading.Event()
def lines():
    done = 0
    while go.wait():
        go.clear()
        time.sleep(1)
        for n in range(done, done + {_LINES}):
            print(f"<{{n}} {{time.perf_counter_ns()}}>")
            time.sleep(0.1)
        done += {_LINES}
threading.Thread(target=lines, daemon=True).start()
"""

_PTPYTHON = """
import ptpython.repl
ptpython.repl.embed(globals(), locals(), patch_stdout=True)
"""
"""By default it does not care: what is printed lands in the line that is typed."""


def measure(options: Options) -> Report:
    report = Report(
        "Background line on the screen after the call of print()",
        f"ten lines a second above a half-typed line, {options.rounds} rounds of {_LINES} lines; "
        "the line's own stamp against the clock when its bytes have arrived in the terminal",
    )
    with Shells() as shells:
        names = shells.names(report, options.only)
        sessions = {name: _Session(shells, name) for name in names}
        found = take_turns(
            {name: partial(session.lines) for name, session in sessions.items()}, options.rounds
        )
    p50, worst = {}, {}
    for name in names:
        p50[name] = [percentile(values, 50) for values in found[name]]
        worst[name] = [max(values) for values in found[name]]
    for what, of, bar in (("p50", p50, _BAR_P50), ("max", worst, _BAR_MAX)):
        report.figures.append(Figure(what, "ms", of[OURS], bar=bar))
        for name in names[1:]:
            report.figures.append(Figure(f"{what} against {name}", "ms", of[OURS], of[name], name))
    return report


class _Session:
    def __init__(self, shells: Shells, name: str) -> None:
        self.terminal: RawTerminal
        if name == "ptpython":
            self.terminal = shells.program(_PROGRAM + _PTPYTHON)
        else:
            self.terminal = shells.embed(name, _PROGRAM)
        shells.wait_prompt(self.terminal, name)
        self.terminal.wait_quiet()
        self._done = 0

    def lines(self) -> Values:
        """Milliseconds of each line of a round."""
        terminal = self.terminal
        terminal.send(b"\x15go.set()\r")
        time.sleep(0.3)
        mark = terminal.mark()
        terminal.send(b"half-typed")
        found = []
        for n in range(self._done, self._done + _LINES):
            arrived = terminal.wait_for(re.compile(rb"<%d \d+>" % n), mark)
            stamp = re.search(rb"<%d (\d+)>" % n, terminal.output[mark:])
            assert stamp is not None
            found.append((arrived - int(stamp[1]) / 1e9) * 1e3)
        self._done += _LINES
        terminal.wait_quiet()
        return found


if __name__ == "__main__":
    run(measure)
