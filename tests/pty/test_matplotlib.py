"""matplotlib's windows, by Qt and Tk: responsive while asyncio updates what they show."""

from __future__ import annotations

import functools
import subprocess
import sys
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_windows import LITTLE, cpu_time, on_screen, told
from tests.pty.pieces import TELLING
from tests.pty.terminal import Terminal

BACKENDS = {"qt": "QtAgg", "tk": "TkAgg"}


@pytest.fixture(params=BACKENDS)
def gui(request: pytest.FixtureRequest, toolkits: set[str]) -> str:
    name: str = request.param
    if not toolkits & ({"tk"} if name == "tk" else {"PySide6", "PyQt6", "PyQt5"}):
        pytest.skip(f"{name} is not installed for this Python")
    if error := import_error(BACKENDS[name].lower()):
        pytest.skip(f"matplotlib's {BACKENDS[name]} does not work with this Python: {error}")
    return name


@functools.cache
def import_error(backend: str) -> str:
    """Why it cannot be imported; asked before the tests, as a first import lists all fonts."""
    modules = f"matplotlib.font_manager, matplotlib.backends.backend_{backend}"
    done = subprocess.run(
        [sys.executable, "-c", f"import {modules}"],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    return done.stderr.strip().rpartition("\n")[2] if done.returncode else ""


#: A figure whose line a task moves every 20 ms; a thread tells whether it is drawn.
FIGURE = (
    """
    import asyncio, threading, time
    import matplotlib.pyplot as plt
    draws = updates = 0
    def drawn(event):
        global draws
        draws += 1
    def closed(event):
        print("window", "closed")
    def make():
        global figure, line, timer
        figure, axes = plt.subplots(figsize=(2, 2))
        line, = axes.plot([0, 1], [0, 1])
        figure.canvas.mpl_connect("draw_event", drawn)
        figure.canvas.mpl_connect("close_event", closed)
    async def update():
        global updates
        while plt.fignum_exists(figure.number):
            await asyncio.sleep(0.02)
            updates += 1
            line.set_ydata([0, updates % 10])
            figure.canvas.draw_idle()
"""
    + TELLING
    + """
    def tell_draws(within=10):
        before = draws, updates
        tell(lambda: draws > before[0] + 3 and updates > before[1] + 3, within)
    def tell_updates(within=10):
        before = updates
        tell(lambda: updates > before + 3, within)
"""
)

EMBED_ASYNC = """
    import ipyembed
    async def main():
        make()
        plt.show(block=False)
        task = asyncio.create_task(update())
        await ipyembed.embed_async()
        task.cancel()
    asyncio.run(main())
"""
EMBED = """
    import ipyembed
    make()
    plt.show(block=False)
    ipyembed.embed()
"""
START_UPDATES = "task = asyncio.ensure_future(update()); await asyncio.sleep(0)"


def program(rest: str) -> str:
    return dedent(FIGURE) + dedent(rest)


@pytest.mark.parametrize("entry", ["embed", "embed_async"])
def test_a_window_is_responsive_while_asyncio_updates_it(
    spawn: Spawn, display: str, gui: str, entry: str
) -> None:
    text = program(EMBED if entry == "embed" else EMBED_ASYNC)
    terminal = spawn(text, env={**on_screen(display, spawn), "MPLBACKEND": BACKENDS[gui]})
    terminal.prompt(1)
    if entry == "embed":
        terminal.run(START_UPDATES)
    assert told(terminal, "tell_draws()")
    # pause() turns the toolkit's loop itself, in a cell
    terminal.run("before = draws; line.set_ydata([1, 0]); plt.pause(0.05)")
    assert terminal.run("draws > before").endswith("True")
    assert told(terminal, "tell_draws()")
    mark = terminal.mark()
    terminal.send("'half")
    terminal.wait_for("'half$")
    terminal.line(" a line'")
    terminal.wait_for_new("'half a line'\r?\n", mark)
    # the window is closed as its user would: by the window manager's message
    close = "figure.canvas.manager.window"
    terminal.run(f"{close}.close()" if gui == "qt" else f"{close}.after(1, plt.close, figure)")
    terminal.wait_for("^window closed$")
    assert terminal.run("await asyncio.sleep(0.05, 'alive')").endswith("'alive'")
    assert terminal.run("plt.get_fignums()").endswith("[]")
    assert cpu_time(terminal) < LITTLE
    terminal.leave()


def magic_shell(spawn: Spawn, display: str, shell: str) -> Terminal:
    env = on_screen(display, spawn)
    if shell == "ipyembed":
        return spawn.module("ipyembed", "--no-banner", "--no-confirm-exit", env=env)
    terminal = spawn.ipython(env=env)
    assert terminal.run("%load_ext ipyembed") == ""
    return terminal


@pytest.mark.parametrize("shell", ["%load_ext", "ipyembed"])
def test_the_magic_matplotlib(spawn: Spawn, display: str, gui: str, shell: str) -> None:
    (spawn.path / "afigure.py").write_text(program(""), encoding="utf-8")
    terminal = magic_shell(spawn, display, shell)
    assert terminal.run(f"%matplotlib {gui}") == ""
    terminal.run("%run -i afigure.py")
    assert terminal.run("plt.get_backend().lower()").endswith(f"'{BACKENDS[gui].lower()}'")
    terminal.run("make()")  # shown at once, because the magic makes pyplot interactive
    terminal.run(START_UPDATES)
    assert told(terminal, "tell_draws()")
    terminal.run("plt.pause(0.05)")
    assert told(terminal, "tell_draws()")
    assert terminal.run("%gui") == ""
    assert not told(terminal, "tell_draws(0.3)")
    assert told(terminal, "tell_updates()")
    assert terminal.run(f"%matplotlib {gui}") == ""
    assert told(terminal, "tell_draws()")
    terminal.run("plt.close(figure)")
    assert terminal.run("await asyncio.sleep(0.05, 'alive')").endswith("'alive'")
    terminal.leave()


def test_the_magic_pylab_says_what_IPython_says(spawn: Spawn, display: str, gui: str) -> None:
    said = []
    for shell in ("ipython", "ipyembed"):
        arguments = ["--no-banner", "--no-confirm-exit"]
        terminal = spawn.argv(
            [sys.executable, "-m", {"ipython": "IPython"}.get(shell, shell), *arguments],
            env=on_screen(display, spawn),
            cols=200,
        )
        said.append(terminal.run(f"%pylab {gui}", timeout=30))
        if shell == "ipyembed":
            terminal.run("drawn = []; show(block=False)")
            terminal.run("gcf().canvas.mpl_connect('draw_event', lambda e: print('was', 'drawn'))")
            mark = terminal.mark()
            terminal.run("plot([0, 1])")
            terminal.wait_for_new(r"was drawn\r?\n", mark)
        terminal.close()
    assert said[0] == said[1]
    assert "matplotlib" in said[0]
