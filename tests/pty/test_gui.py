"""Windows of real toolkits go on painting, and their timers firing, while the prompt waits."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import ENTRIES, script
from tests.pty.terminal import Terminal


def watch_window(terminal: Terminal) -> None:
    """Wait until the window has ticked while nothing is typed, without a cell that runs."""
    n = terminal.prompt()
    terminal.run("seen = ticks, paints")
    # A callback of the toolkit tells, from the midst of its loop.
    mark = terminal.mark()
    terminal.run("post(lambda: print('ticked', ticks > seen[0]))")
    terminal.wait_for_new(r"ticked True\r?\n", mark)
    terminal.prompt(n + 2)


@pytest.mark.parametrize("entry", [entry for entry in ENTRIES if "worker" not in entry])
def test_the_window_lives(spawn: Spawn, display: str, program: str, entry: str) -> None:
    terminal = spawn(script(program, entry), env={"DISPLAY": display})
    modes = terminal.tty_modes()
    terminal.prompt(1)
    watch_window(terminal)
    # and while a cell awaits
    terminal.run("before = ticks")
    assert terminal.run("await asyncio.sleep(0.3); ticks > before + 3").endswith("True")
    if entry == "embed_async":
        assert terminal.run("beats > 20").endswith("True")
    # an exception in a callback is shown, and everything goes on
    mark = terminal.mark()
    terminal.run("post(lambda: 1/0)")
    terminal.wait_for_new("ZeroDivisionError", mark)
    watch_window(terminal)
    # the window is closed: the prompt is not
    terminal.run("close()")
    assert terminal.run("await asyncio.sleep(0.05, 'alive')").endswith("'alive'")
    assert terminal.run("1 + 1").endswith("2")
    terminal.line("exit")
    terminal.wait_for("^left ticks True paints True$")
    terminal.wait_exit()
    terminal.assert_terminal_restored(modes)


def test_beside_the_toolkit_s_own_main_loop(spawn: Spawn, display: str, program: str) -> None:
    entry = "main loop on this thread, embed on a worker"
    terminal = spawn(script(program, entry), env={"DISPLAY": display})
    terminal.prompt(1)
    terminal.run("before = ticks")
    assert terminal.run("await asyncio.sleep(0.3); ticks > before + 3").endswith("True")
    terminal.leave("^left ticks True paints True$")


@pytest.mark.parametrize("strategy", ["select", "thread", "slice"])
def test_each_strategy(spawn: Spawn, display: str, program: str, strategy: str) -> None:
    text = script(program, "embed_async").replace(
        "embed_async()", f"embed_async(gui_strategy={strategy!r})"
    )
    terminal = spawn(text, env={"DISPLAY": display})
    terminal.prompt(1)
    watch_window(terminal)
    terminal.run("before = ticks, beats")
    terminal.run("await asyncio.sleep(0.3)")
    assert terminal.run("ticks > before[0] + 3, beats > before[1] + 10").endswith("(True, True)")
    # what a GUI callback schedules on the loop is noticed at once
    terminal.run(
        "loop = asyncio.get_running_loop()\n"
        "post(lambda: loop.call_soon(print, 'scheduled by a callback'))"
    )
    terminal.wait_for("^scheduled by a callback$")
    terminal.leave()
