"""A flood of lines while the prompt is up: print, logging, os.write and a child, 100,000 in all.

python -m tests.benchmarks.flood [--rounds N] [--only IPython ptpython]

Ours must have lost, torn and swapped no line of them, and held no more than a bounded part of them.
"""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

from tests.benchmarks.harness import Figure, Options, Report, checked, run, take_turns
from tests.benchmarks.peers import OURS, Shells
from tests.benchmarks.raw_terminal import RawTerminal, plain

_EACH = 25_000
_WRITERS = ("print", "logging", "write", "child")
_BARS = {"IPython": 1.0, "ptpython": None}
_BAR_MEMORY = 8.0
_QUIET = 2.0
"""Seconds without a byte, after which all has been printed."""
_PROGRAM = f"""
import logging, os, subprocess, sys, threading, time
logging.basicConfig(format="%(message)s", level=logging.INFO)
go = threading.Event()
def writer(write):
    def run():
        for n in range({_EACH}):
            write(n)
    return threading.Thread(target=run)
def child():
    subprocess.run(["seq", "-f", "<child %.0f>", "0", "{_EACH - 1}"])
def flood():
    while go.wait():
        go.clear()
        time.sleep(1)
        threads = [
            writer(lambda n: print(f"<print {{n}}>")),
            writer(lambda n: logging.info(f"<logging {{n}}>")),
            writer(lambda n: os.write(1, b"<write %d>\\n" % n)),
            threading.Thread(target=child),
        ]
        start = time.perf_counter_ns()
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(f"<started {{start}}>")
threading.Thread(target=flood, daemon=True).start()
"""


@dataclass
class _Found:
    seconds: float
    megabytes: float
    """By which the process has grown at most."""
    wrong: list[str]


def measure(options: Options) -> Report:
    report = Report(
        f"Flood of {_EACH * len(_WRITERS)} lines from four writers while the prompt is up",
        f"from its beginning to its last byte in the terminal, {options.rounds} rounds; "
        "memory: the growth of the process's peak",
    )
    with Shells() as shells:
        names = shells.names(report, options.only)

        def flood(name: str) -> _Found:
            # Unbuffered, a print() writes its newline by itself, and others come between.
            terminal = shells.embed(name, _PROGRAM, env={"PYTHONUNBUFFERED": ""})
            try:
                shells.wait_prompt(terminal, name)
                with checked(name):
                    found = _flood(terminal)
                    assert name != OURS or not found.wrong, found.wrong[:20]
            finally:
                terminal.close()
            return found

        rounds = take_turns({name: partial(flood, name) for name in names}, options.rounds)
    seconds = {name: [found.seconds for found in rounds[name]] for name in names}
    for name in names[1:]:
        what = f"wall time against {name}"
        report.figures.append(Figure(what, "s", seconds[OURS], seconds[name], name, _BARS[name]))
    for name in names:
        megabytes = [found.megabytes for found in rounds[name]]
        bar = _BAR_MEMORY if name == OURS else None
        report.figures.append(Figure(f"memory, {name}", "MB", megabytes, bar=bar))
        wrong = [float(len(found.wrong)) for found in rounds[name]]
        report.figures.append(Figure(f"lines lost, torn or swapped, {name}", "", wrong))
    return report


def _flood(terminal: RawTerminal) -> _Found:
    terminal.wait_quiet()
    before = _peak(terminal.pid)
    terminal.send(b"go.set()\r")
    time.sleep(0.3)
    mark = terminal.mark()
    terminal.send(b"half-typed")
    terminal.wait_for(re.compile(rb"half-typed"), mark)
    mark = terminal.mark()
    terminal.wait_for(b"<started ", mark)
    last = time.perf_counter()
    while terminal._read(_QUIET):
        last = time.perf_counter()
    megabytes = (_peak(terminal.pid) - before) / 1024
    printed = plain(bytes(terminal.output[mark:])).decode(errors="replace")
    started = re.search(r"<started (\d+)>", printed)
    assert started is not None, printed[-1000:]
    return _Found(last - int(started[1]) / 1e9, megabytes, _wrong(printed))


def _wrong(printed: str) -> list[str]:
    """Lines that are not there, or not where they belong."""
    found = []
    for name in _WRITERS:
        numbers = [int(n) for n in re.findall(rf"<{name} (\d+)>\r*\n", printed)]
        missing = set(range(_EACH)) - set(numbers)
        swapped = [b for a, b in pairwise(numbers) if b <= a]
        found += [f"{name} {n}" for n in (*sorted(missing), *swapped)]
    return found


def _peak(pid: int) -> int:
    """The most memory that the process has had, in kilobytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+)", status)
    assert found is not None
    return int(found[1])


if __name__ == "__main__":
    run(measure)
