"""`%load_ext ipyembed` in a running `ipython`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.profile import write_config
from tests.pty.terminal import Terminal

#: A task that lets its file grow.
TICK = """\
import asyncio
async def tick(name):
    while True:
        with open(name, 'a') as file:
            file.write('.')
        await asyncio.sleep(0.01)
"""


def start_ticking(terminal: Terminal, name: str) -> None:
    terminal.run(f"task_{name} = asyncio.create_task(tick('{name}')); await asyncio.sleep(0)")


def grows(path: Path) -> Callable[[Terminal], bool]:
    """Whether the file has grown by a few ticks since now."""
    before = path.stat().st_size
    return lambda _: path.stat().st_size >= before + 3


def leave(terminal: Terminal) -> None:
    terminal.line("exit")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


def test_tasks_of_before_and_after_tick_while_the_prompt_waits(
    spawn: Spawn, tmp_path: Path
) -> None:
    terminal = spawn.ipython()
    before = terminal.tty_modes()
    terminal.run(TICK)
    start_ticking(terminal, "early")
    still = (tmp_path / "early").stat().st_size
    terminal.run("loop = asyncio.get_event_loop_policy" if False else "1")
    assert (tmp_path / "early").stat().st_size == still  # plain IPython's prompt turns nothing

    assert terminal.run("%load_ext ipyembed") == ""
    terminal.wait_for(grows(tmp_path / "early"))
    start_ticking(terminal, "late")
    terminal.wait_for(grows(tmp_path / "late"))
    terminal.send("half a line")
    terminal.wait_for("half a line$")
    terminal.wait_for(grows(tmp_path / "early"))
    terminal.ctrl("c")
    assert "already loaded" in terminal.run("%load_ext ipyembed")
    assert "late" in terminal.run("await asyncio.sleep(0); print([t for t in (task_late,)])")

    assert terminal.run("%reload_ext ipyembed") == ""
    terminal.wait_for(grows(tmp_path / "early"))
    terminal.wait_for(grows(tmp_path / "late"))

    assert terminal.run("%unload_ext ipyembed") == ""
    terminal.run("1")
    still = (tmp_path / "late").stat().st_size
    terminal.run("2")
    assert (tmp_path / "late").stat().st_size == still
    terminal.run("await asyncio.sleep(0.1)")  # ended by none of this
    assert (tmp_path / "late").stat().st_size > still
    assert terminal.run("task_early.done(), task_late.done()").endswith("(False, False)")
    leave(terminal)
    terminal.assert_terminal_restored(before)


#: Defines `snapshot()`: everything that the shell refers to, the extension's doing or not.
SNAPSHOT = """\
import builtins, contextlib, io, signal, sys, threading
def snapshot():
    ip = get_ipython()
    parts = {
        'shell': vars(ip), 'traits': ip.trait_values(), 'class': vars(type(ip)),
        'app': vars(ip.pt_app) if ip.pt_app else {}, 'builtins': vars(builtins),
        'completer': vars(ip.Completer), 'history': vars(ip.history_manager),
        'sys': {name: getattr(sys, name, None) for name in ('stdin', 'stdout', 'stderr', 'ps1',
                'excepthook', 'displayhook', 'unraisablehook')},
        'threading': {'excepthook': threading.excepthook},
        'signals': {str(n): signal.getsignal(n) for n in signal.valid_signals()},
        'configurables': dict(enumerate(map(id, ip.configurables))),
        'magics': {k: id(v) for ms in ip.magics_manager.magics.values() for k, v in ms.items()},
        'events': {k: list(v) for k, v in ip.events.callbacks.items()},
        'runners': dict(ip.loop_runner_map),
        'bound': {name: getattr(ip, name) for name in ('run_cell', 'prompt_for_code',
                  'ask_yes_no', 'showtraceback', 'loop_runner', 'interact', 'mainloop')},
        'threads': {t.name: 1 for t in threading.enumerate()},
    }
    return {f'{part}.{name}': value for part, values in parts.items()
            for name, value in values.items()}
def changed(before, after):
    missing = object()
    names = {*before, *after}
    return {name for name in names
            if before.get(name, missing) is not after.get(name, missing)
            and before.get(name, missing) != after.get(name, missing)}
"""


@pytest.mark.parametrize("arguments", [[], ["--simple-prompt"], ["--autoawait"], ["--gui=none"]])
def test_unload_puts_every_attribute_back(spawn: Spawn, arguments: list[str]) -> None:
    terminal = spawn.ipython(*arguments)
    if "--simple-prompt" in arguments:
        (terminal.prompt(1), terminal.line("from snapshots import *"), terminal.prompt(2))
    else:
        terminal.run(SNAPSHOT)
    terminal.line("first = snapshot()")
    terminal.prompt(3)
    for n, line in enumerate(
        [
            "second = snapshot()",
            "%load_ext ipyembed",
            "third = snapshot()",
            "await __import__('asyncio').sleep(0)",
            "%reload_ext ipyembed",
            "1/0",
            "%unload_ext ipyembed",
            "fourth = snapshot()",
        ],
        3,
    ):
        terminal.line(line)
        terminal.prompt(n + 1)
    # What plain cells change is not the extension's doing.
    terminal.line("usual = changed(first, second)")
    terminal.prompt(12)
    terminal.line("print('loaded', len(changed(second, third) - usual) > 4)")
    terminal.wait_for("^loaded True")
    terminal.line("print('left', changed(second, fourth) - usual)")
    terminal.wait_for(r"^left set\(\)")
    terminal.prompt(14)
    leave(terminal)
