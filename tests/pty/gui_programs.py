"""Small real programs, one for each toolkit: a window that counts its timer's ticks.

Each defines `make()`, which shows the window, `close()`, which ends it, `main_loop()`, which runs
the toolkit's own loop, and `post(function)`, which has it called by the toolkit. `ticks` counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from textwrap import dedent

_QT = """
    from {binding} import QtCore, QtGui, QtWidgets
    app = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])
    class Window(QtWidgets.QLabel):
        def paintEvent(self, event):
            global paints
            paints += 1
            super().paintEvent(event)
    def tick():
        global ticks
        ticks += 1
        window.setText(str(ticks))
    def make():
        global window, timer
        window = Window("ticks")
        window.resize(120, 60)
        window.show()
        timer = QtCore.QTimer()
        timer.timeout.connect(tick)
        timer.start(16)
    def close(): window.close()
    def main_loop(): getattr(app, "exec", getattr(app, "exec_", None))()
    def leave(): app.quit()
    def post(function): QtCore.QTimer.singleShot(50, function)
"""

_TK = """
    import tkinter
    root = tkinter.Tk()
    def tick():
        global ticks, paints
        ticks += 1
        label["text"] = str(ticks)
        root.after(16, tick)
    def painted(event):
        global paints
        paints += 1
    def make():
        global label
        label = tkinter.Label(root, text="ticks")
        label.bind("<Configure>", painted)
        label.pack()
        root.after(16, tick)
    def close(): root.destroy()
    def main_loop(): root.mainloop()
    def leave(): root.quit()
    def post(function): root.after(50, function)
"""

_WX = """
    import wx
    app = wx.App()
    class Window(wx.Frame):
        def __init__(self):
            super().__init__(None, title="ticks", size=(120, 60))
            self.Bind(wx.EVT_PAINT, self.painted)
            self.timer = wx.Timer(self)
            self.Bind(wx.EVT_TIMER, self.tick)
            self.timer.Start(16)
        def painted(self, event):
            global paints
            paints += 1
            wx.PaintDC(self).DrawText(str(ticks), 5, 5)
        def tick(self, event):
            global ticks
            ticks += 1
            self.Refresh()
    def make():
        global window
        window = Window()
        window.Show()
    def close():
        window.timer.Stop()  # wx does not: it would crash at the next tick
        window.Destroy()
    def main_loop(): app.MainLoop()
    def leave(): app.ExitMainLoop()
    def post(function): wx.CallLater(50, function)
"""

_GTK3 = """
    import gi
    gi.require_version("Gtk", "3.0")
    from gi.repository import GLib, Gtk
    def tick():
        global ticks
        ticks += 1
        label.set_text(str(ticks))
        return True
    def painted(widget, clock):  # once for each frame that is drawn
        global paints
        paints += 1
        return True
    def make():
        global window, label
        window = Gtk.Window(title="ticks")
        label = Gtk.Label(label="ticks")
        label.add_tick_callback(painted)
        window.add(label)
        window.show_all()
        GLib.timeout_add(16, tick)
    def close(): window.destroy()
    def main_loop(): Gtk.main()
    def leave(): Gtk.main_quit()
    def post(function): GLib.timeout_add(50, lambda: function() and False)
"""

_GTK4 = """
    import gi
    gi.require_version("Gtk", "4.0")
    from gi.repository import GLib, Gtk
    Gtk.init()
    loop = GLib.MainLoop()
    def tick():
        global ticks
        ticks += 1
        label.set_text(str(ticks))
        return True
    def painted(widget, clock):  # once for each frame that is drawn
        global paints
        paints += 1
        return True
    def make():
        global window, label
        window = Gtk.Window(title="ticks", default_width=120, default_height=60)
        label = Gtk.Label(label="ticks")
        label.add_tick_callback(painted)
        window.set_child(label)
        window.present()
        GLib.timeout_add(16, tick)
    def close(): window.destroy()
    def main_loop(): loop.run()
    def leave(): loop.quit()
    def post(function): GLib.timeout_add(50, lambda: function() and False)
"""

_PYGLET = """
    import pyglet
    def make():
        global window
        window = pyglet.window.Window(120, 60, caption="ticks")
        @window.event
        def on_draw():
            global paints
            paints += 1
            window.clear()
        def tick(dt):
            global ticks
            ticks += 1
        pyglet.clock.schedule_interval(tick, 0.016)
    def close(): window.close()
    def main_loop(): pyglet.app.run()
    def leave(): pyglet.app.exit()
    def post(function): pyglet.clock.schedule_once(lambda dt: function(), 0.05)
"""


@dataclass(frozen=True)
class Program:
    """A toolkit's program."""

    toolkit: str
    """The name by which `%gui` knows it."""
    module: str
    """What must be importable for it, in this process's Python."""
    text: str


PROGRAMS = {
    "PySide6": Program("qt6", "PySide6.QtWidgets", _QT.replace("{binding}", "PySide6")),
    "PyQt6": Program("qt6", "PyQt6.QtWidgets", _QT.replace("{binding}", "PyQt6")),
    "PyQt5": Program("qt5", "PyQt5.QtWidgets", _QT.replace("{binding}", "PyQt5")),
    "tk": Program("tk", "tkinter", _TK),
    "wx": Program("wx", "wx", _WX),
    "gtk3": Program("gtk3", "gi.repository.Gtk", _GTK3),
    "gtk4": Program("gtk4", "gi.repository.Gtk", _GTK4),
    "pyglet": Program("pyglet", "pyglet", _PYGLET),
}

_START = """
    import asyncio, sys, threading
    import ipyembed
    ticks = paints = beats = 0
"""

_REST = """
    async def beat():
        global beats
        while True:
            await asyncio.sleep(0.005)
            beats += 1
    def report(what):
        print(what, "ticks", ticks > 5, "paints", paints > 0)
"""

ENTRIES = {
    "embed": "make(); ipyembed.embed(); report('left')",
    "embed_async": """
    async def main():
        task = asyncio.create_task(beat())
        make()
        await ipyembed.embed_async()
        task.cancel()
        report('left')
    asyncio.run(main())""",
    "embed in a running loop": """
    async def main():
        task = asyncio.create_task(beat())
        make()
        ipyembed.embed()
        task.cancel()
        report('left')
    asyncio.run(main())""",
    "embed in a callback": """
    def callback():
        ipyembed.embed()
        report('left')
        leave()
    make()
    post(callback)
    main_loop()""",
    "main loop on this thread, embed on a worker": """
    def work():
        ipyembed.embed()
        report('left')
        stop.set()
    stop = threading.Event()
    def watch():
        leave() if stop.is_set() else post(watch)
    make()
    post(watch)
    threading.Thread(target=work).start()
    main_loop()""",
}


def script(program: str, entry: str) -> str:
    """The text of a program that opens a shell that way."""
    parts = (_START, PROGRAMS[program].text, _REST, ENTRIES[entry])
    return "\n".join(dedent(part).strip("\n") for part in parts) + "\n"


def without_a_shell(program: str, rest: str) -> str:
    """The text of a program that goes on with `rest`."""
    parts = (_START, PROGRAMS[program].text, _REST, rest)
    return "\n".join(dedent(part).strip("\n") for part in parts) + "\n"
