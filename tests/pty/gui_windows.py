"""Windows that cells make, and what a thread that looks at them tells while the prompt waits."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import PROGRAMS, without_a_shell
from tests.pty.pieces import TELLING
from tests.pty.terminal import Terminal

#: What tells is a thread, so whether the toolkit turns does not depend on it.
_TELL = (
    """
    import os, time
"""
    + TELLING
    + """
    def tell_ticks(within):
        before = ticks
        tell(lambda: ticks > before + 2, within)
    def tell_beats(within=10):
        before = beats
        tell(lambda: beats > before + 2, within)
    def when(name, function):  # called by the toolkit as soon as that file is there
        post(lambda: function() if os.path.exists(name) else when(name, function))
"""
)

#: Seconds of processor time, of one second, that an idle process with a 60 Hz window may take.
LITTLE = 0.35


def window_text(program: str, rest: str = "") -> str:
    """A program without a shell: what its toolkit has, and what watches it; then `rest`."""
    return without_a_shell(program, f"{dedent(_TELL)}\n{dedent(rest)}")


def write_window(folder: Path, program: str, rest: str = "") -> str:
    """Write the same as a module into the folder where cells run; the module's name."""
    name = f"{program.lower()}_window"
    (folder / f"{name}.py").write_text(window_text(program, rest), encoding="utf-8")
    return name


def on_screen(display: str, spawn: Spawn) -> dict[str, str]:
    """The environment of a program with windows."""
    # Qt 5 warns if it has to think of a folder itself.
    return {"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)}


def gui_name(program: str) -> str:
    """What to give to `%gui`."""
    toolkit = PROGRAMS[program].toolkit
    return "qt" if toolkit.startswith("qt") else toolkit


def told(terminal: Terminal, cell: str) -> bool:
    """Whether it is as a cell has asked a thread to find out, while the prompt waited."""
    n = terminal.prompt()
    mark = terminal.mark()
    terminal.line(cell)
    answer = terminal.wait_for_new(r"told (True|False)\r?\n", mark)
    terminal.prompt(n + 1)
    return "True" in answer


def ticks(terminal: Terminal, window: str = "w") -> bool:
    """Whether the window in that variable ticks while the prompt waits."""
    return told(terminal, f"{window}.tell_ticks(10)")


def stands_still(terminal: Terminal, window: str = "w") -> bool:
    return not told(terminal, f"{window}.tell_ticks(0.3)")


def cpu_time(terminal: Terminal, cell: str = "tell_cpu_time()") -> float:
    """Seconds of processor time that the program takes in one second at the prompt."""
    n = terminal.prompt()
    mark = terminal.mark()
    terminal.line(cell)
    answer = terminal.wait_for_new(r"used [\d.]+ s\r?\n", mark)
    terminal.prompt(n + 1)
    return float(answer.split()[1])
