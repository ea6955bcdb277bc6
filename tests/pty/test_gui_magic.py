"""`%gui`, in plain IPython with the extension and in ours: on, off, another one, an unknown one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import PROGRAMS
from tests.pty.gui_windows import gui_name, on_screen, stands_still, ticks, write_window
from tests.pty.terminal import Terminal

WINDOWS = [name for name in PROGRAMS if name != "pyglet"]


def choose(program: str) -> list[str]:
    """The cells that choose the toolkit."""
    first = {
        # of several Qts the one that is imported already
        "qt": [f"import {program}.QtWidgets"],
        # IPython's own hook takes any version of GTK
        "gtk3": ["import gi; gi.require_version('Gtk', '3.0')"],
        "gtk4": ["import gi; gi.require_version('Gtk', '4.0')"],
    }
    return [*first.get(gui_name(program), []), f"%gui {gui_name(program)}"]


def start(spawn: Spawn, display: str, shell: str, cells: list[str]) -> Terminal:
    """A shell with a live prompt, after these cells."""
    env = on_screen(display, spawn)
    if shell == "ipyembed":
        terminal = spawn.module("ipyembed", "--no-banner", "--no-confirm-exit", env=env)
    else:
        terminal = spawn.ipython(env=env)
        load = "%load_ext ipyembed"
        cells = [load, *cells] if shell == "%load_ext first" else [*cells, load]
    for cell in cells:
        assert terminal.run(cell) == ""
    return terminal


@pytest.mark.parametrize("shell", ["%load_ext first", "%gui first", "ipyembed"])
@pytest.mark.parametrize("program", WINDOWS)
def test_on_and_off(
    spawn: Spawn,
    display: str,
    tmp_path: Path,
    installed: Callable[..., None],
    shell: str,
    program: str,
) -> None:
    installed(program)
    terminal = start(spawn, display, shell, choose(program))
    terminal.run(f"import {write_window(tmp_path, program)} as w; w.make()")
    assert ticks(terminal)
    terminal.send("'ty")
    terminal.wait_for("'ty$")
    terminal.line("ped'")
    terminal.wait_for("^Out.*: 'typed'$")
    assert terminal.run("%gui") == ""
    assert stands_still(terminal)
    assert terminal.run("%gui") == "No event loop hook running."
    assert terminal.run(f"%gui {gui_name(program)}") == ""
    assert ticks(terminal)
    assert terminal.run("get_ipython().active_eventloop").endswith(f"'{PROGRAMS[program].toolkit}'")
    terminal.run("w.close()")
    terminal.leave()


@pytest.mark.parametrize("shell", ["%load_ext first", "%gui first", "ipyembed"])
@pytest.mark.parametrize(
    ("first", "second"),
    [("PySide6", "tk"), ("PyQt6", "tk"), ("tk", "PyQt5"), ("gtk3", "tk"), ("tk", "wx")],
)
def test_another_one_without_disabling_first(
    spawn: Spawn,
    display: str,
    tmp_path: Path,
    installed: Callable[..., None],
    shell: str,
    first: str,
    second: str,
) -> None:
    installed(first, second)
    terminal = start(spawn, display, shell, choose(first))
    terminal.run(f"import {write_window(tmp_path, first)} as first; first.make()")
    assert ticks(terminal, "first")
    for cell in choose(second):
        assert terminal.run(cell) == ""
    terminal.run(f"import {write_window(tmp_path, second)} as second; second.make()")
    assert ticks(terminal, "second")
    assert stands_still(terminal, "first")
    assert terminal.run(f"%gui {gui_name(first)}") == ""
    assert ticks(terminal, "first")
    assert stands_still(terminal, "second")
    terminal.leave()


@pytest.mark.parametrize("shell", ["%load_ext first", "ipyembed"])
def test_an_unknown_one_is_refused_as_by_IPython(
    spawn: Spawn, display: str, tmp_path: Path, a_qt: str, shell: str
) -> None:
    terminal = start(spawn, display, shell, choose(a_qt))
    terminal.run(f"import {write_window(tmp_path, a_qt)} as w; w.make()")
    said = " ".join(terminal.run("%gui nonsense").split())
    assert "No event loop integration for 'nonsense'." in said
    assert "Supported event loops are: qt, qt5, qt6, gtk" in said
    assert ticks(terminal)  # the one that there was goes on
    terminal.leave()


@pytest.mark.parametrize("program", WINDOWS)
def test_IPython_s_own_hook_carries_on_after_unload(
    spawn: Spawn, display: str, tmp_path: Path, installed: Callable[..., None], program: str
) -> None:
    installed(program)
    terminal = start(spawn, display, "%load_ext first", choose(program))
    terminal.run(f"import {write_window(tmp_path, program)} as w; w.make()")
    assert ticks(terminal)
    assert terminal.run("%unload_ext ipyembed") == ""
    mark = terminal.mark()
    terminal.line("w.tell_ticks(10)")
    # Printed into the prompt, as plain IPython does.
    terminal.wait_for_new(r"told True\r?\n", mark)
    mark = terminal.mark()
    terminal.line("print('after', get_ipython().active_eventloop)")
    terminal.wait_for_new(rf"after {PROGRAMS[program].toolkit}\r?\n", mark)
    terminal.leave()
