"""A storm of Ctrl-C at random moments over cells that run a toolkit's own loop, while timers call.

A timer's callback calculates, in Python or in C, sleeps, prints, or drops an object with a
`__del__`: Ctrl-C finds each of them, or the toolkit. One is enough to have the prompt back.

`python -m tests.pty.gui_storm` runs it for as long as one likes; `test_storm` in short.
"""

from __future__ import annotations

import random
from itertools import product
from textwrap import dedent
from typing import NamedTuple

from tests.pty.conftest import Spawn
from tests.pty.long_run import argument_parser, seeds, spawning
from tests.pty.terminal import Terminal
from tests.xvfb import virtual_screen

HOST = """
    import asyncio, hashlib, os, random, sys, time
    import ipyembed

    chance = random.Random(sys.argv[1])

    MAKE

    class Late:
        def __del__(self):
            spin(chance.choice([0, 0.0001, 0.005]))

    def spin(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end: pass

    ticks = 0
    is_due = False

    def tick():
        global ticks, is_due
        ticks += 1
        is_due = False
        what = chance.randrange(6)
        if what == 0: Late()
        elif what == 1: hashlib.pbkdf2_hmac("sha512", b"", b"", chance.choice([1000, 60_000]))
        elif what == 2: time.sleep(chance.choice([0.001, 0.03]))
        elif what == 3: spin(chance.choice([0, 0.01]))
        elif what == 4: print("tick")
        tick_later(chance.choice([0, 1, 5, 40]))

    def tick_later(milliseconds):
        global is_due
        is_due = True
        later(milliseconds, tick)

    def begin():
        if not is_due:  # the callback was left before it could say so
            tick_later(3)
        print("st" + "art")

    async def main():
        await ipyembed.embed_async()

    def inside():
        ipyembed.embed()
        print("left")
        sys.stdout.flush()
        os._exit(0)

    RUN
"""

HOSTS = {
    "plain": "ipyembed.embed(); print('left')",
    "asyncio": "asyncio.run(main()); print('left')",
    "inside": "later(50, inside); run()",
}


class Toolkit(NamedTuple):
    """How a host uses it, and cells that run a loop of it."""

    make: str
    later: str
    run: str
    loops: list[str]
    dialogs: list[str]
    """Those that can be told from a loop of the host's."""

    @property
    def text(self) -> str:
        """Python that makes it, and defines `later(milliseconds, function)` and `run()`."""
        return f"{self.make}\ndef later(*args): {self.later}(*args)\ndef run(): {self.run}\n"


_QT = """from PySide6.QtWidgets import QApplication, QDialog, QMessageBox
from PySide6.QtCore import QEventLoop, QTimer
app = QApplication([]); app.setQuitOnLastWindowClosed(False)"""
_GTK = "import gi; gi.require_version('Gtk', '{}.0'); from gi.repository import Gtk, GLib"

TOOLKITS = {
    "PySide6": Toolkit(
        _QT,
        "QTimer.singleShot",
        "app.exec()",
        ["app.exec()", "loop = QEventLoop(); loop.exec()"],
        ["QDialog().exec()", "QMessageBox.question(None, 'a', 'b')"],
    ),
    "gtk3": Toolkit(
        _GTK.format(3),
        "GLib.timeout_add",
        "Gtk.main()",
        ["Gtk.main()"],
        ["GLib.MainLoop().run()", "dialog = Gtk.Dialog(); dialog.run()"],
    ),
    "gtk4": Toolkit(
        _GTK.format(4),
        "GLib.timeout_add",
        "GLib.MainLoop().run()",
        [],
        ["GLib.MainLoop().run()"],
    ),
    "wx": Toolkit(
        "import wx; app = wx.App(clearSigInt=False); frame = wx.Frame(None)",
        "wx.CallLater",
        "app.MainLoop()",
        ["app.MainLoop()"],
        ["wx.Dialog(frame).ShowModal()", "wx.MessageBox('a')"],
    ),
    "tk": Toolkit(
        "import tkinter; from tkinter import messagebox; root = tkinter.Tk()",
        "root.after",
        "root.mainloop()",
        ["root.mainloop()"],
        [
            "tkinter.Toplevel().wait_window()",
            "root.wait_variable(tkinter.IntVar())",
            "messagebox.askyesno('a', 'b')",
        ],
    ),
}


class GuiStorm:
    """One program, and Ctrl-C at it."""

    def __init__(self, spawn: Spawn, toolkit: str, host: str, seed: int, display: str) -> None:
        self.random = random.Random(f"{toolkit} {host} {seed}")
        kit = TOOLKITS[toolkit]
        self.cells = kit.dialogs if host == "inside" else kit.loops + kit.dialogs
        self.terminal: Terminal = spawn(
            dedent(HOST).replace("MAKE", kit.text).replace("RUN", HOSTS[host]),
            str(seed),
            env={"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)},
            cols=120,
        )
        self.modes = self.terminal.tty_modes()

    def blow(self, count: int) -> None:
        """Interrupt so many cells, and leave."""
        terminal = self.terminal
        for n in range(1, count + 1):
            terminal.prompt(n)
            mark = terminal.mark()
            terminal.line(f"begin(); {self.random.choice(self.cells)}")
            terminal.wait_for_new("start", mark)
            terminal.read_for(self.random.choice([0, 0.001, 0.1 * self.random.random()]))
            terminal.ctrl("c")
            terminal.wait_for_new("KeyboardInterrupt", mark)
            terminal.prompt(n + 1)
            shown = terminal.screen_text()
            assert "ipyembed/" not in shown, shown
        mark = terminal.mark()
        terminal.line("1 + 1")
        terminal.wait_for_new(r"Out\[\d+\]: 2", mark)
        terminal.prompt(count + 2)
        terminal.line("exit")
        terminal.wait_for("^left$")
        terminal.wait_exit()
        terminal.assert_terminal_restored(self.modes)


def main() -> None:
    """For as long as one likes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--count", type=int, default=100, help="Ctrl-C for each host")
    parser.add_argument("--toolkit", choices=TOOLKITS, action="append")
    parser.add_argument("--host", choices=HOSTS, action="append")
    options = parser.parse_args()
    programs = list(product(options.toolkit or TOOLKITS, options.host or HOSTS))
    with virtual_screen() as display:
        for seed in seeds(options):
            for toolkit, host in programs:
                print(f"seed {seed}, {toolkit}, {host}: ", end="", flush=True)
                with spawning() as spawn:
                    GuiStorm(spawn, toolkit, host, seed, display).blow(options.count)
                print(f"{options.count} Ctrl-C, all is well", flush=True)


if __name__ == "__main__":
    main()
