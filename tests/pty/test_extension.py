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


def test_tasks_of_before_and_after_tick_while_the_prompt_waits(
    spawn: Spawn, tmp_path: Path
) -> None:
    terminal = spawn.ipython()
    before = terminal.tty_modes()
    terminal.run(TICK)
    start_ticking(terminal, "early")
    still = (tmp_path / "early").stat().st_size
    terminal.run("1")
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
    terminal.leave()
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


@pytest.mark.parametrize("arguments", [[], ["--simple-prompt"]])
def test_unload_puts_every_attribute_back(
    spawn: Spawn, tmp_path: Path, arguments: list[str]
) -> None:
    (tmp_path / "snapshots.py").write_text(SNAPSHOT)
    terminal = spawn.ipython(*arguments)
    cells = [
        # What plain cells change is not the extension's doing, nor what IPython makes at first use.
        "import asyncio; from snapshots import changed, snapshot",
        "await asyncio.sleep(0); 1/0",
        "%unload_ext ipyembed",
        "first = snapshot()",
        "second = snapshot()",
        "%load_ext ipyembed",
        "third = snapshot()",
        "await asyncio.sleep(0); 1/0",
        "%reload_ext ipyembed",
        "%unload_ext ipyembed",
        "fourth = snapshot()",
    ]
    for n, cell in enumerate(cells, 1):
        terminal.prompt(n)
        terminal.line(cell)
    for n, line in enumerate(
        [
            "usual = changed(first, second)",
            "print('loaded', len(changed(second, third) - usual) > 4)",
            "print('left', changed(second, fourth) - usual or 'nothing')",
        ],
        len(cells) + 1,
    ):
        terminal.prompt(n)
        terminal.line(line)
    terminal.wait_for("^loaded True")
    assert "nothing" in terminal.wait_for("^left .*")
    terminal.leave()


def test_loaded_by_a_profile_or_the_command_line(
    spawn: Spawn, ipython_dir: Path, tmp_path: Path
) -> None:
    write_config(ipython_dir, "c.InteractiveShellApp.extensions = ['ipyembed']")
    for terminal in (spawn.ipython(), spawn.ipython("--profile=none", "--ext=ipyembed")):
        terminal.run(TICK)
        start_ticking(terminal, "ticks")
        terminal.wait_for(grows(tmp_path / "ticks"))
        assert terminal.run("%unload_ext ipyembed") == ""
        assert terminal.run("6 * 7").endswith("42")
        terminal.leave()


@pytest.mark.parametrize("way", ["exit", "quit()", "get_ipython().ask_exit()", "Ctrl-D"])
def test_ways_out(spawn: Spawn, way: str) -> None:
    terminal = spawn.argv([sys.executable, "-m", "IPython", "--no-banner"])
    before = terminal.tty_modes()
    terminal.run("%load_ext ipyembed")
    terminal.line("raise SystemExit")
    terminal.wait_for("To exit: use 'exit'")
    terminal.prompt(3)
    if way == "Ctrl-D":
        terminal.ctrl("d")
        terminal.wait_for(r"Do you really want to exit \(\[y\]/n\)\?")
        terminal.line("n")
        terminal.prompt(3)
        terminal.ctrl("d")
        terminal.line("y")
    else:
        terminal.line(way)
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(before)


def test_embed_in_a_cell_of_a_shell_that_has_it(spawn: Spawn) -> None:
    terminal = spawn.ipython("--ext=ipyembed")
    terminal.run("import ipyembed\ndef f(local):\n    ipyembed.embed(header='inner'); return local")
    for n in (2, 4):
        terminal.line("f('kept')")
        terminal.wait_for("^inner")
        terminal.prompt(1)
        terminal.run("local = local.upper()")
        terminal.line("exit")
        terminal.prompt(n + 1)
        assert f"\nOut[{n}]: 'KEPT'" in terminal.screen_text()
        terminal.run("%unload_ext ipyembed")
    terminal.leave()


def test_in_a_shell_that_is_threaded_already(spawn: Spawn) -> None:
    terminal = spawn("from ipyembed import embed\nembed(display_banner=False)")
    for command in "load", "reload", "unload":
        said = terminal.run(f"%{command}_ext ipyembed")
        if command != "unload":
            assert said.startswith("ipyembed: nothing to do, ")
            assert said.endswith("already.")
            assert said.count(".") == 1
    assert terminal.run("await __import__('asyncio').sleep(0, 'threaded')") == "Out[4]: 'threaded'"
    terminal.leave()


def test_in_a_shell_without_terminal_says_one_sentence() -> None:
    script = """\
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
before = dict(vars(shell))
for command in "load", "load", "reload", "unload":
    shell.run_cell(f"%{command}_ext ipyembed")
    print("--", command)
print({name for name in before if vars(shell).get(name) is not before[name]} or "unchanged")
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    said = "ipyembed: nothing to do, InteractiveShell has no terminal prompt that could run in a "
    first, _, rest = done.stdout.partition("-- load\n")
    assert first == f"{said}thread.\n"
    assert rest.split("-- load\n")[1] == f"{said}thread.\n-- reload\n-- unload\nunchanged\n"
    assert done.stderr == ""
