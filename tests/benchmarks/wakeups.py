"""How often the idle process at the prompt wakes up.

    python -m tests.benchmarks.wakeups [--rounds N] [--seconds S] [--only embed PySide6 tk ...]

All programs are idle at once, which disturbs none of them: a voluntary context switch is a thread
that went to sleep, however long it had to wait for a core before.
"""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.harness import Figure, Options, Report, checked, run
from tests.benchmarks.measured import TOOLKITS, Stage, still, text, toolkits_here
from tests.pty.gui_programs import PROGRAMS
from tests.pty.terminal import Terminal

_STOP_TIMER = {
    "PySide6": "timer.stop()",
    "tk": "root.after(16, lambda: None)",  # its tick sets no new one
    "gtk3": "",  # its tick has returned False
    "gtk4": "",
    "wx": "window.timer.Stop()",
}
_ENTRIES = {
    "embed": "ipyembed.embed()",
    "embed_async": "asyncio.run(ipyembed.embed_async())",
}
#: Seconds after the first prompt in which the watchdog gets used to an eval thread that is well.
_REST = 15.0
_SHORTEST = 12.0
_BAR = 1.0


def measure(options: Options) -> Report:
    seconds = max(options.seconds, _SHORTEST)
    report = Report(
        "Wake-ups per second of the idle process at the prompt, asyncio and GUI alive",
        "voluntary context switches of all threads, from /proc/PID/task/*/status, "
        f"{options.rounds} windows of {seconds:g} s; a window is open, no timer is running; "
        "IPython: the same at its own prompt, without asyncio",
    )
    names = toolkits_here(report, options.wanted(TOOLKITS))
    with Stage() as stage:
        ours = {
            entry: stage.start_terminal(text(None, code), has_prompt=True)
            for entry, code in _ENTRIES.items()
        }
        for name in names:
            for entry, code in _ENTRIES.items():
                program = text(name, _quiet(name) + code)
                ours[f"{name} {entry}"] = stage.start_terminal(program, has_prompt=True)
        theirs = {f"IPython {name or ''}": _ipython(stage, name) for name in (None, *names)}
        time.sleep(_REST)
        found = _wakeups({**ours, **theirs}, seconds, options.rounds)
        for name, terminal in ours.items():
            with checked(name):
                _assert_alive(terminal, has_window="embed" not in name.split()[0])
    for name in ours:
        report.figures.append(Figure(name, "1/s", found[name], bar=_BAR))
    for name in theirs:
        report.figures.append(Figure(name.strip(), "1/s", found[name]))
    return report


def _quiet(toolkit: str) -> str:
    """A window that does nothing: its timer fires no more, nothing is painted again."""
    # Whether the toolkit has a function or a method of that name: one that ends its timer.
    return f"tick = lambda *_: False\n{still(toolkit)}{_STOP_TIMER[toolkit]}\n"


def _ipython(stage: Stage, toolkit: str | None) -> Terminal:
    if toolkit is None:
        argv = []
    else:
        script = stage.spawn.path / f"{toolkit}.py"
        script.write_text(text(toolkit, _quiet(toolkit)), encoding="utf-8")
        argv = [f"--gui={PROGRAMS[toolkit].toolkit}", "-i", str(script), stage.path]
    terminal = stage.spawn.ipython(*argv, env={"DISPLAY": stage.display})
    terminal.prompt(1)
    return terminal


def _wakeups(terminals: dict[str, Terminal], seconds: float, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in terminals}
    for _ in range(rounds):
        before = {name: _switches(terminal.pid) for name, terminal in terminals.items()}
        start = time.monotonic()
        time.sleep(seconds)
        elapsed = time.monotonic() - start
        for name, terminal in terminals.items():
            found[name].append((_switches(terminal.pid) - before[name]) / elapsed)
    return found


def _switches(pid: int) -> int:
    total = 0
    for status in Path(f"/proc/{pid}/task").glob("*/status"):
        for line in status.read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches:"):
                total += int(line.split()[1])
    return total


def _assert_alive(terminal: Terminal, has_window: bool) -> None:
    """asyncio and the window are no deader than the prompt."""
    assert terminal.run("await asyncio.sleep(0.01, 6 * 7)").endswith("42")
    if has_window:
        mark = terminal.mark()
        terminal.run("post(lambda: print('posted', 6 * 7))")
        terminal.wait_for_new("posted 42", mark)


if __name__ == "__main__":
    run(measure)
