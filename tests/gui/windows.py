"""The same small program for each toolkit: a window that can be asked for the same things.

Runs in a process of its own, see `scenarios`. Nothing is imported before `make()`.
"""

from __future__ import annotations

import importlib
from abc import abstractmethod
from collections.abc import Callable
from typing import Any

from tests.gui.window import Window


class Qt(Window):
    def __init__(self, binding: str) -> None:
        self.name = f"qt{binding[-1]}"
        self._binding = binding

    def make(self) -> None:
        self.core: Any = importlib.import_module(f"{self._binding}.QtCore")
        widgets: Any = importlib.import_module(f"{self._binding}.QtWidgets")
        self.widgets = widgets
        self.app = widgets.QApplication([])
        outer = self

        class Painted(widgets.QWidget):  # type: ignore[misc]
            def paintEvent(self, event: object) -> None:
                outer.paints += 1

        self.window = Painted()
        self.window.show()

    def post(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.core.QTimer.singleShot(milliseconds, lambda: function() and None)

    def every(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.timer = self.core.QTimer()
        self.timer.setTimerType(getattr(self.core.Qt, "TimerType", self.core.Qt).PreciseTimer)
        self.timer.timeout.connect(lambda: function() and None)
        self.timer.start(milliseconds)

    def repaint(self) -> None:
        self.window.update()

    def close(self) -> None:
        self.window.close()

    def quit(self) -> None:
        self.app.exit()

    def main_loop(self) -> None:
        self.app.exec()

    def open_dialog(self) -> None:
        self.dialog = self.widgets.QDialog(self.window)
        self.dialog.exec()

    def close_dialog(self) -> None:
        self.dialog.accept()


class Tk(Window):
    name = "tk"

    def make(self) -> None:
        self.tkinter: Any = importlib.import_module("tkinter")
        self.root = self.tkinter.Tk()
        self.canvas = self.tkinter.Canvas(self.root, width=100, height=50)
        self.canvas.bind("<Expose>", self._painted)
        self.canvas.pack()

    def _painted(self, _event: object = None) -> None:
        self.paints += 1

    def post(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.root.after(milliseconds, function)

    def repaint(self) -> None:
        # Tk draws in C, when it is idle.
        self.canvas.create_line(0, 0, 100, 50)
        self.root.after_idle(self._painted)

    def close(self) -> None:
        self.root.destroy()

    def quit(self) -> None:
        self.root.quit()

    def main_loop(self) -> None:
        self.root.mainloop()

    def open_dialog(self) -> None:
        self.dialog = self.tkinter.Toplevel(self.root)
        self.root.wait_window(self.dialog)

    def close_dialog(self) -> None:
        self.dialog.destroy()


class Wx(Window):
    name = "wx"

    def make(self) -> None:
        self.wx: Any = importlib.import_module("wx")
        self.app = self.wx.App(clearSigInt=False)
        self.frame = self.wx.Frame(None, title="window")
        self.frame.Bind(self.wx.EVT_PAINT, self._painted)
        self.frame.Show()

    def _painted(self, _event: object) -> None:
        self.wx.PaintDC(self.frame)
        self.paints += 1

    def post(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.wx.CallLater(max(milliseconds, 1), function)

    def repaint(self) -> None:
        self.frame.Refresh()

    def close(self) -> None:
        self.frame.Close()

    def quit(self) -> None:
        self.app.ExitMainLoop()

    def main_loop(self) -> None:
        self.app.MainLoop()

    def open_dialog(self) -> None:
        self.dialog = self.wx.Dialog(self.frame, title="dialog")
        self.dialog.ShowModal()
        self.dialog.Destroy()

    def close_dialog(self) -> None:
        self.dialog.EndModal(0)


class Gtk(Window):
    window: Any
    area: Any

    def __init__(self, version: int) -> None:
        self.name = f"gtk{version}"
        self._version = version

    def make(self) -> None:
        importlib.import_module("gi").require_version("Gtk", f"{self._version}.0")
        self.gtk: Any = importlib.import_module("gi.repository.Gtk")
        self.glib: Any = importlib.import_module("gi.repository.GLib")
        self._make_window()

    @abstractmethod
    def _make_window(self) -> None: ...

    def post(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.glib.timeout_add(milliseconds, lambda: function() and False)

    def every(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.glib.timeout_add(milliseconds, lambda: function() or True)

    def repaint(self) -> None:
        self.area.queue_draw()

    def close(self) -> None:
        self.window.destroy()

    def _painted(self, *_arguments: object) -> None:
        self.paints += 1


class Gtk3(Gtk):
    def __init__(self) -> None:
        super().__init__(3)

    def _make_window(self) -> None:
        self.window = self.gtk.Window(title="window")
        # What most programs do.
        self.window.connect("destroy", self.gtk.main_quit)
        self.area = self.gtk.DrawingArea()
        self.area.connect("draw", self._painted)
        self.window.add(self.area)
        self.window.show_all()

    def quit(self) -> None:
        self.gtk.main_quit()

    def main_loop(self) -> None:
        self.gtk.main()

    def open_dialog(self) -> None:
        self.dialog = self.gtk.Dialog(transient_for=self.window)
        self.dialog.run()
        self.dialog.destroy()

    def close_dialog(self) -> None:
        self.dialog.response(0)


class Gtk4(Gtk):
    """GTK 4 has neither a main loop of its own nor dialogs that block: here they are GLib's."""

    def __init__(self) -> None:
        super().__init__(4)

    def _make_window(self) -> None:
        self.loop = self.glib.MainLoop()
        self.window = self.gtk.Window(title="window", default_width=100, default_height=50)
        self.area = self.gtk.DrawingArea()
        self.area.set_draw_func(self._painted)
        self.window.set_child(self.area)
        self.window.present()

    def quit(self) -> None:
        self.loop.quit()

    def main_loop(self) -> None:
        self.loop.run()

    def open_dialog(self) -> None:
        self.dialog_loop = self.glib.MainLoop()
        self.dialog_loop.run()

    def close_dialog(self) -> None:
        self.dialog_loop.quit()


class Pyglet(Window):
    name = "pyglet"

    def make(self) -> None:
        self.pyglet: Any = importlib.import_module("pyglet")
        self.window = self.pyglet.window.Window(100, 50)
        self.window.push_handlers(on_draw=self._painted)

    def _painted(self) -> None:
        self.paints += 1
        self.window.clear()

    def post(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.pyglet.clock.schedule_once(lambda _elapsed: function(), milliseconds / 1000)

    def every(self, milliseconds: int, function: Callable[[], object]) -> None:
        self.pyglet.clock.schedule_interval(lambda _elapsed: function(), milliseconds / 1000)

    def repaint(self) -> None:
        """It does so anyway."""

    def close(self) -> None:
        self.window.close()

    def quit(self) -> None:
        self.pyglet.app.exit()

    def main_loop(self) -> None:
        self.pyglet.app.run()


WINDOWS: dict[str, Callable[[], Window]] = {
    "PySide6": lambda: Qt("PySide6"),
    "PyQt6": lambda: Qt("PyQt6"),
    "PyQt5": lambda: Qt("PyQt5"),
    "tk": Tk,
    "wx": Wx,
    "gtk3": Gtk3,
    "gtk4": Gtk4,
    "pyglet": Pyglet,
}
