"""Many tasks of the host, many jobs: the prompt and the lists of them.

python -m tests.benchmarks.growth_tasks [--rounds N]
"""

from __future__ import annotations

import re
from functools import partial

from tests.benchmarks.growth import DEADLINE, grow
from tests.benchmarks.harness import Curve, Options, Report, run
from tests.benchmarks.peers import OURS, Shells
from tests.benchmarks.raw_terminal import RawTerminal

_TASKS = (1, 100, 10_000, 100_000)
_JOBS = (1, 100, 10_000)
_AWAITED = {
    OURS: "import ipyembed\nshell = lambda: ipyembed.embed_async(banner1='')",
    "ptpython": "import ptpython.repl\nshell = lambda: "
    "ptpython.repl.embed(globals(), return_asyncio_coroutine=True)",
}
_HOST = """
import asyncio, sys
async def main():
    tasks = [asyncio.create_task(asyncio.sleep(1e6)) for _ in range({tasks})]
    await asyncio.sleep(0)
    await shell()
asyncio.run(main())
"""
_MAKE_JOBS = "jobs = [ipyembed.run_in_background(asyncio.sleep(1e6)) for _ in range({})]; len(jobs)"


def measure(options: Options) -> Report:
    report = Report(
        "Many tasks of the host and many jobs",
        "from Enter to the next prompt (1 + 41; what %jobs prints is read to its end), median of "
        "several in a process; IPython has no prompt that leaves the host's tasks running",
    )
    enter = Curve("Enter on 1 + 41 to the next prompt", "ms", "tasks")
    listed = Curve("%jobs --all", "ms", "tasks")
    jobs = Curve("Enter on 1 + 41 to the next prompt", "ms", "jobs")
    jobs_listed = Curve("%jobs", "ms", "jobs")
    with Shells() as shells:
        names = [name for name in shells.names(report, options.only) if name in _AWAITED]
        grow(options, report, enter, _TASKS, names, partial(_tasks, shells, b"1 + 41"))
        grow(options, report, listed, _TASKS, [OURS], partial(_tasks, shells, b"%jobs --all"))
        grow(options, report, jobs, _JOBS, [OURS], partial(_jobs, shells, b"1 + 41"))
        grow(options, report, jobs_listed, _JOBS, [OURS], partial(_jobs, shells, b"%jobs"))
    return report


def _host(shells: Shells, name: str, tasks: int) -> RawTerminal:
    text = _AWAITED[name] + _HOST.format(tasks=tasks)
    terminal = shells.program(text, env={"PAGER": "cat"})
    shells.wait_prompt(terminal, name, timeout=DEADLINE)
    terminal.wait_quiet()
    return terminal


def _tasks(shells: Shells, cell: bytes, name: str, size: int) -> float:
    terminal = _host(shells, name, size)
    took = _enter(shells, terminal, name, cell, 1, _expected(cell, size))
    terminal.close()
    return took


def _jobs(shells: Shells, cell: bytes, name: str, size: int) -> float:
    terminal = _host(shells, name, 1)
    _enter(shells, terminal, name, _MAKE_JOBS.format(size).encode(), 1, b"%d\r" % size)
    terminal.wait_quiet()
    took = _enter(shells, terminal, name, cell, 2, _expected(cell, size))
    terminal.close()
    return took


def _expected(cell: bytes, size: int) -> bytes:
    return b"42" if cell == b"1 + 41" else b"sleep" * min(size, 1)


def _enter(
    shells: Shells, terminal: RawTerminal, name: str, cell: bytes, number: int, expected: bytes
) -> float:
    terminal.send(cell)
    terminal.wait_quiet(0.3)
    mark = terminal.mark()
    sent = terminal.send(b"\r")
    prompt = rb"In \[%d\]: " % (number + 1)
    if name == "ptpython":
        took = shells.wait_prompt(terminal, name, number + 1, mark, DEADLINE) - sent
    else:  # the bytes between are many, and colours are between these
        terminal.wait_for(b"%d\x1b" % (number + 1), mark, DEADLINE)
        took = terminal.wait_for(re.compile(prompt), max(mark, len(terminal.output) - 4096)) - sent
    assert expected in terminal.output[mark:], bytes(terminal.output[mark:][-2000:])
    return took


if __name__ == "__main__":
    run(measure)
