"""Ctrl-C in a cell that runs a toolkit's own loop, which sits in C."""

from __future__ import annotations

import time
from collections.abc import Callable
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_storm import TOOLKITS
from tests.pty.terminal import Terminal

QT = "from {0} import QtWidgets; app = QtWidgets.QApplication([])"
GTK = "import gi; gi.require_version('Gtk', '{0}'); from gi.repository import Gtk, GLib"

#: What makes the toolkit, and cells that run its loop.
CELLS = {
    "PySide6": (
        QT.format("PySide6"),
        ["dialog = QtWidgets.QDialog(); dialog.exec(); print('went', 'on')", "app.exec()"],
    ),
    "PyQt6": (QT.format("PyQt6"), ["dialog = QtWidgets.QDialog(); dialog.exec()", "app.exec()"]),
    "PyQt5": (QT.format("PyQt5"), ["dialog = QtWidgets.QDialog(); dialog.exec_()", "app.exec_()"]),
    "gtk3": (
        GTK.format("3.0"),
        [
            "dialog = Gtk.MessageDialog(text='x'); dialog.run()",
            "Gtk.main()",
            "GLib.MainLoop().run()",
        ],
    ),
    "gtk4": (GTK.format("4.0"), ["GLib.MainLoop().run()"]),
    "wx": (
        "import wx; app = wx.App(clearSigInt=False)",
        [
            "wx.Dialog(None).ShowModal()",
            "wx.MessageBox('a')",
            "frame = wx.Frame(None); frame.Show(); app.MainLoop()",
        ],
    ),
    "tk": (
        "import tkinter, tkinter.messagebox; root = tkinter.Tk()",
        [
            "root.mainloop()",
            "tkinter.Toplevel(root).wait_window()",
            "root.wait_variable(tkinter.IntVar(root)); print('went', 'on')",
            "tkinter.messagebox.showinfo('a', 'b')",
        ],
    ),
}


@pytest.mark.parametrize("name", CELLS)
def test_the_loop_ends_and_the_cell_is_interrupted(
    spawn: Spawn, display: str, installed: Callable[..., None], name: str
) -> None:
    installed(name)
    make, cells = CELLS[name]
    terminal = spawn(
        "import ipyembed, time\nipyembed.embed()",
        env={"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)},
        cols=120,
    )
    modes = terminal.tty_modes()
    terminal.run(make)
    for cell in cells:
        n = terminal.prompt()
        terminal.run(
            "def says(): __import__('threading').Timer(0.3, print, ['it', 'runs']).start()"
        )
        mark = terminal.mark()
        terminal.paste(
            f"says()\ntry:\n    {cell}\n"
            "except KeyboardInterrupt:\n    print('after', time.monotonic())\n    raise"
        )
        terminal.send("\x1b\r")
        terminal.wait_for_new("it runs", mark)
        pressed = time.monotonic()
        terminal.ctrl("c")
        raised = float(terminal.wait_for_new(r"after [\d.]+\r?\n", mark).split()[1])
        print(f"{name}, {cell}: {1000 * (raised - pressed):.0f} ms")
        assert raised - pressed < 5  # here; 100 ms where nothing else is at work
        terminal.wait_for_new("KeyboardInterrupt", mark)
        terminal.prompt(n + 2)
        assert "went on" not in terminal.printed_since(mark)
    assert "ipyembed/" not in terminal.screen_text()
    assert terminal.run("1 + 1").endswith(": 2")
    terminal.line("exit")
    terminal.wait_exit()
    terminal.assert_terminal_restored(modes)


#: What makes the toolkit, and a cell in which its loop calls a function that takes its time.
BUSY = {
    "PySide6": (
        QT.format("PySide6") + "; from PySide6.QtCore import QTimer",
        "QTimer.singleShot(0, calls); app.exec()",
    ),
    "gtk3": (GTK.format("3.0"), "GLib.idle_add(calls); Gtk.main()"),
    "gtk4": (GTK.format("4.0"), "GLib.idle_add(calls); GLib.MainLoop().run()"),
    "wx": (
        "import wx; app = wx.App(clearSigInt=False); frame = wx.Frame(None)",
        "wx.CallAfter(calls); app.MainLoop()",
    ),
    "tk": ("import tkinter; root = tkinter.Tk()", "root.after(1, calls); root.mainloop()"),
    "tk, a window": (
        "import tkinter; root = tkinter.Tk()",
        "root.after(1, calls); tkinter.Toplevel().wait_window()",
    ),
    "tk, a message": (
        "import tkinter, tkinter.messagebox; root = tkinter.Tk()",
        "root.after(1, calls); tkinter.messagebox.showinfo('a', 'b')",
    ),
    "wx, a message": (
        "import wx; app = wx.App(clearSigInt=False); frame = wx.Frame(None)",
        "wx.CallAfter(calls); wx.MessageBox('a')",
    ),
}

#: In C, without the interpreter's lock; signals do not end it. A million is half a second.
CALCULATE = "hashlib.pbkdf2_hmac('sha512', b'', b'', {})"


def _calls_in_a_loop(
    spawn: Spawn, display: str, name: str, define: str, press: bool = True
) -> tuple[Terminal, int]:
    """A cell runs the loop, which calls `calls`; Ctrl-C when that has said so. The loop ends."""
    make, cell = BUSY[name]
    env = {"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)}
    terminal = spawn(
        "import ipyembed, hashlib, os, signal, time\nipyembed.embed()", env=env, cols=120
    )
    terminal.run(make)
    terminal.run(define)
    mark = terminal.mark()
    terminal.line(cell)
    terminal.wait_for_new("it runs", mark)
    if press:
        terminal.ctrl("c")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    terminal.prompt(4)
    assert "ipyembed/" not in terminal.screen_text()
    assert terminal.run("1 + 1").endswith(": 2")
    return terminal, mark


@pytest.mark.parametrize("name", BUSY)
def test_the_loop_ends_when_a_callback_of_it_is_interrupted(
    spawn: Spawn, display: str, installed: Callable[..., None], name: str
) -> None:
    """A toolkit prints what is raised in a callback, and goes on: so the loop is ended instead."""
    installed(name.partition(",")[0])
    define = (
        "def calls():\n    print('it', 'runs'); end = time.monotonic() + 1\n"
        "    while time.monotonic() < end: pass\n"
    )
    _calls_in_a_loop(spawn, display, name, define)[0].leave()


@pytest.mark.parametrize("name", BUSY)
def test_the_loop_ends_when_ctrl_c_came_where_it_would_be_lost(
    spawn: Spawn, display: str, installed: Callable[..., None], name: str
) -> None:
    """In `__del__` it is put off for a moment; then the toolkit waits in C, and runs no Python."""
    installed(name.partition(",")[0])
    define = (
        "class Late:\n    def __del__(self):\n"
        "        print('it', 'runs'); os.kill(os.getpid(), signal.SIGINT)\n"
        "def calls(): Late()\n"
    )
    _calls_in_a_loop(spawn, display, name, define, press=False)[0].leave()


@pytest.mark.parametrize("name", BUSY)
def test_the_loop_ends_when_a_callback_of_it_calculates_in_c(
    spawn: Spawn, display: str, installed: Callable[..., None], name: str
) -> None:
    """The handler runs when the toolkit has been asked to end already: no second Ctrl-C, this."""
    installed(name.partition(",")[0])
    define = (
        f"def calls():\n    print('it', 'runs'); {CALCULATE.format(300_000)}\n"
        "    for _ in range(1000): pass\n    print('to the', 'end')\n"
    )
    terminal, mark = _calls_in_a_loop(spawn, display, name, define)
    terminal.wait_for_new("to the end", mark)
    terminal.leave()


@pytest.mark.parametrize("name", ["PySide6", "gtk3", "gtk4", "wx", "tk"])
def test_a_cell_that_calculates_in_c_beside_a_toolkit(
    spawn: Spawn, display: str, installed: Callable[..., None], name: str
) -> None:
    """The toolkit has been asked to end a loop, but the cell runs none: Ctrl-C is the cell's."""
    installed(name)
    env = {"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)}
    terminal = spawn("import ipyembed, hashlib\nipyembed.embed()", env=env, cols=120)
    modes = terminal.tty_modes()
    terminal.run(BUSY[name][0])
    mark = terminal.mark()
    terminal.line(f"print('it', 'runs'); {CALCULATE.format(2_000_000)}; print('went', 'on')")
    terminal.wait_for_new("it runs", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    terminal.prompt(3)
    assert "went on" not in terminal.screen_text()
    terminal.leave(modes=modes)


DIALOGS = [(name, dialog) for name, kit in TOOLKITS.items() for dialog in kit.dialogs]


@pytest.mark.parametrize(("toolkit", "dialog"), DIALOGS)
def test_a_dialog_within_the_hosts_own_loop(
    spawn: Spawn, display: str, installed: Callable[..., None], toolkit: str, dialog: str
) -> None:
    """It ends, also when one of its callbacks is interrupted, and the host's loop does not."""
    installed(toolkit)
    host = TOOLKITS[toolkit].text + dedent("""
        import ipyembed, os, time
        def calls():
            print("it", "runs"); end = time.monotonic() + 1
            while time.monotonic() < end: pass
        def says():
            print("it", "waits")
        def end():
            print("left")
            os._exit(0)
        def shell():
            ipyembed.embed()
            later(50, end)
        later(50, shell)
        run()
    """)
    env = {"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)}
    terminal = spawn(host, env=env, cols=120)
    for n, before in enumerate(("", "later(50, calls); "), start=1):
        terminal.prompt(n)
        mark = terminal.mark()
        terminal.line(f"{before}later(100, says); {dialog}")
        terminal.wait_for_new("it runs" if before else "it waits", mark)
        terminal.ctrl("c")
        terminal.wait_for_new("KeyboardInterrupt", mark)
    assert terminal.run("1 + 1").endswith(": 2")
    terminal.line("exit")
    terminal.wait_for("^left$")
    terminal.wait_exit()


def test_an_application_of_wx_that_would_take_sigint_away(
    spawn: Spawn, display: str, installed: Callable[..., None]
) -> None:
    """Without a shell, `wx.App()` has Ctrl-C end the process; so has SIGINT at the next prompt."""
    installed("wx")
    terminal = spawn(
        "import ipyembed, signal, time\nipyembed.embed()", env={"DISPLAY": display}, cols=120
    )
    modes = terminal.tty_modes()
    terminal.run("import wx")
    mark = terminal.mark()
    runs = "wx.CallLater(300, print, 'it', 'runs'); app.MainLoop()"
    terminal.line(f"app = wx.App(); frame = wx.Frame(None); {runs}")
    terminal.wait_for_new("it runs", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    terminal.prompt(3)
    terminal.interrupt("time.sleep(1000)")
    terminal.prompt(4)
    mark = terminal.mark()
    is_default = "signal.getsignal(signal.SIGINT) == signal.SIG_DFL"
    terminal.line(f"import threading; show = lambda: print('is', 'so:', {is_default})")
    terminal.line("threading.Timer(0.3, show).start()")
    terminal.wait_for_new("is so: True", mark)
    terminal.line("exit")
    terminal.wait_exit()
    terminal.assert_terminal_restored(modes)


def test_where_pygobject_sets_the_wakeup_fd(
    spawn: Spawn, display: str, installed: Callable[..., None]
) -> None:
    """The loop is entered and left: an exception there would leave a closed descriptor behind."""
    installed("gtk3")
    terminal = spawn(
        f"""
        import os, signal, types
        import gi._ossighelper as helper
        {GTK.format("3.0")}
        import ipyembed

        def set_wakeup_fd(fd):
            previous = signal.set_wakeup_fd(fd)
            helper.signal = signal
            os.kill(os.getpid(), signal.SIGINT)
            return previous

        helper.signal = types.SimpleNamespace(**{{**vars(signal), "set_wakeup_fd": set_wakeup_fd}})
        ipyembed.embed()
        print("left", signal.set_wakeup_fd(-1), helper._wakeup_fd_is_active)
        """,
        env={"DISPLAY": display, "XDG_RUNTIME_DIR": str(spawn.path)},
    )
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.line("Gtk.main()")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    terminal.prompt(2)
    assert "os.kill" not in terminal.screen_text()
    terminal.leave("^left -1 False$")


def test_a_wakeup_fd_that_somebody_has_left_behind(
    spawn: Spawn, display: str, installed: Callable[..., None]
) -> None:
    """It is closed, or another file's by now: the toolkit's loop turns all the same."""
    installed("tk")
    terminal = spawn(
        """
        import os, signal, socket, tkinter
        import ipyembed
        a, b = socket.socketpair()
        a.setblocking(False)
        signal.set_wakeup_fd(a.fileno())
        root = tkinter.Tk()
        def reuse(): os.dup2(other, a.fileno())
        other, _ = os.pipe()
        root.after(300, reuse)
        root.after(600, print, "it", "ticks")
        ipyembed.embed()
        print("left", signal.set_wakeup_fd(-1))
        """,
        env={"DISPLAY": display},
    )
    terminal.prompt(1)
    terminal.wait_for("it ticks")
    terminal.interrupt("import time; time.sleep(1000)")
    assert terminal.run("1 + 1").endswith(": 2")
    assert "ValueError" not in terminal.screen_text()
    terminal.leave("^left")
