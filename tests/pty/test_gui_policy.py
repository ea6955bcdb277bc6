"""The policy `gui`: by every way to set it; `auto`; hooks that users have registered."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import PROGRAMS
from tests.pty.gui_windows import (
    on_screen,
    stands_still,
    ticks,
    told,
    write_window,
)
from tests.pty.profile import write_config
from tests.pty.terminal import Terminal

WAYS = ["call", "config", "command line", "profile", "profile of embed"]
QUIET = ["--no-banner", "--no-confirm-exit"]


def opened(
    spawn: Spawn, display: str, ipython_dir: Path, program: str, gui: str, way: str
) -> Terminal:
    """A shell with that policy, set in that way, and a window `w`."""
    env = on_screen(display, spawn)
    window = write_window(spawn.path, program)
    if way.startswith("profile"):
        write_config(ipython_dir, f"c.LoopJuggler.gui = {gui!r}")
    if way in ("command line", "profile"):
        option = [f"--LoopJuggler.gui={gui}"] if way == "command line" else []
        terminal = spawn.module("ipyembed", *QUIET, *option, env=env)
        terminal.run(f"import {window} as w; w.make()")
        return terminal
    arguments = {
        "call": f"gui={gui!r}",
        "config": f"config=Config({{'LoopJuggler': {{'gui': {gui!r}}}}})",
        "profile of embed": "",
    }
    return spawn(
        f"""
        import sys
        sys.path.insert(0, {str(spawn.path)!r})
        import {window} as w
        from ipyembed import embed
        from traitlets.config import Config
        w.make()
        embed({arguments[way]})
        """,
        env=env,
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("chosen", ["off", "the toolkit", "auto"])
def test_every_way_to_set_it(
    spawn: Spawn, display: str, ipython_dir: Path, a_program: str, chosen: str, way: str
) -> None:
    gui = PROGRAMS[a_program].toolkit if chosen == "the toolkit" else chosen
    terminal = opened(spawn, display, ipython_dir, a_program, gui, way)
    if chosen == "off":
        assert stands_still(terminal)
    else:
        assert ticks(terminal)
    # and live, with effect from the next prompt
    assert terminal.run("%config LoopJuggler.gui").endswith(f"'{gui}'")
    other = "off" if chosen != "off" else "auto"
    assert terminal.run(f"%config LoopJuggler.gui = {other!r}") == ""
    assert stands_still(terminal) if other == "off" else ticks(terminal)
    terminal.run("w.close()")
    terminal.leave()


def test_a_value_that_does_not_exist_is_refused_live(
    spawn: Spawn, display: str, ipython_dir: Path, a_program: str
) -> None:
    terminal = opened(spawn, display, ipython_dir, a_program, "auto", "call")
    said = " ".join(terminal.run("%config LoopJuggler.gui = 'nonsense'").split())
    assert "LoopJuggler.gui is 'auto', 'off' or one of asyncio, glut, gtk" in said
    assert said.endswith("not 'nonsense'")
    assert terminal.run("%config LoopJuggler.gui").endswith("'auto'")
    assert ticks(terminal)
    terminal.leave()


@pytest.mark.parametrize("way", WAYS)
def test_a_value_that_does_not_exist_is_refused_at_the_start(
    spawn: Spawn, ipython_dir: Path, way: str
) -> None:
    refused = "LoopJuggler.gui is 'auto', 'off' or one of asyncio, glut, .*; not 'nonsense'"
    if way.startswith("profile"):
        write_config(ipython_dir, "c.LoopJuggler.gui = 'nonsense'")
    if way in ("command line", "profile"):
        option = ["--LoopJuggler.gui=nonsense"] if way == "command line" else []
        terminal = spawn.argv([sys.executable, "-m", "ipyembed", *QUIET, *option], cols=240)
        terminal.wait_for(refused)
        assert terminal.wait_exit() == 1
        terminal.assert_terminal_restored()
        return
    arguments = {
        "call": "gui='nonsense'",
        "config": "config=Config({'LoopJuggler': {'gui': 'nonsense'}})",
        "profile of embed": "",
    }
    terminal = spawn(
        f"""
        from ipyembed import embed
        from traitlets import TraitError
        from traitlets.config import Config
        try:
            embed({arguments[way]})
        except TraitError as error:
            print("refused:", error)
        """,
        cols=240,
    )
    terminal.wait_for(f"^refused: {refused}$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


TOOLKITS = "{'PySide6', 'PySide2', 'PyQt6', 'PyQt5', 'tkinter', 'wx', 'gi', 'pyglet', 'matplotlib'}"


def test_auto_finds_what_a_cell_brings_up_and_imports_nothing_itself(
    spawn: Spawn, display: str, program: str
) -> None:
    window = write_window(spawn.path, program)
    terminal = spawn.module("ipyembed", *QUIET, env=on_screen(display, spawn))
    terminal.run("import sys")
    assert terminal.run(f"{TOOLKITS} & set(sys.modules)").endswith("set()")
    terminal.run("await __import__('asyncio').sleep(0)")
    assert terminal.run(f"{TOOLKITS} & set(sys.modules)").endswith("set()")
    module = PROGRAMS[program].module.split(".")[0]
    terminal.run(f"import {window} as w")
    assert terminal.run(f"{TOOLKITS} & set(sys.modules)").endswith(f"{{'{module}'}}")
    terminal.run("w.make()")
    assert ticks(terminal)
    terminal.run("w.close()")
    assert terminal.run("'alive'").endswith("'alive'")
    terminal.leave()


@pytest.mark.parametrize("policy", ["off", "auto"])
def test_a_program_without_a_toolkit_does_not_get_one(spawn: Spawn, policy: str) -> None:
    terminal = spawn(f"import sys\nfrom ipyembed import embed\nembed(gui={policy!r})")
    assert terminal.run(f"{TOOLKITS} & set(sys.modules)").endswith("set()")
    terminal.leave()


#: Hooks as users write them: one asks again and again, the other watches the descriptor.
HOOKS = """
    import asyncio, select, threading, time
    from IPython.terminal import pt_inputhooks
    from ipyembed import embed, embed_async
    turns = beats = 0
    def polling(context):
        global turns
        while not context.input_is_ready():
            turns += 1
            time.sleep(0.005)
    def watching(context):
        global turns
        watched = select.poll()
        watched.register(context.fileno(), select.POLLIN)
        turns += 1
        while not watched.poll(5):
            turns += 1
    def tell_turns(within):
        before, end = (turns, beats), time.monotonic() + within
        def grown():
            return turns > before[0] + 2 and beats > before[1] + 2
        def watch():
            while not grown() and time.monotonic() < end:
                time.sleep(0.01)
            print("told", grown())
        threading.Thread(target=watch).start()
    async def beat():
        global beats
        while True:
            await asyncio.sleep(0.02)
            beats += 1
"""


@pytest.mark.parametrize("hook", ["polling", "watching"])
@pytest.mark.parametrize("way", ["call", "%config", "%gui"])
@pytest.mark.parametrize("strategy", ["select", "thread", "slice"])
def test_a_registered_hook_is_turned_and_asyncio_with_it(
    spawn: Spawn, hook: str, way: str, strategy: str
) -> None:
    arguments = f"gui_strategy={strategy!r}" + (", gui='mine'" if way == "call" else "")
    rest = f"""
    pt_inputhooks.register("mine", {hook})
    async def main():
        task = asyncio.create_task(beat())
        await embed_async({arguments})
        task.cancel()
    asyncio.run(main())
    """
    terminal = spawn(dedent(HOOKS) + dedent(rest))
    if way != "call":
        assert not told(terminal, "tell_turns(0.2)")
        cell = "%gui mine" if way == "%gui" else "%config LoopJuggler.gui = 'mine'"
        assert terminal.run(cell) == ""
    assert told(terminal, "tell_turns(10)")
    assert terminal.run("%config LoopJuggler.gui").endswith("'mine'")
    assert terminal.run("%gui") == ""
    assert not told(terminal, "tell_turns(0.2)")
    terminal.leave()
