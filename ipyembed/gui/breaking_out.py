"""Ctrl-C while a cell runs a toolkit's loop: `dialog.exec()`, `Gtk.main()`, `app.MainLoop()`.

Goal: the loop ends, and `KeyboardInterrupt` is raised where the cell has called it.

What does not work: such a loop sits in C and goes on after a signal, so Python's handler is not
called. Woken, the toolkit calls Python only in some callback; what is raised there is printed by
the binding, and the loop goes on.

What we do: have the toolkit call a function of ours, which every toolkit lets another thread ask
for. In it, the modal dialog is rejected, or the loop is told to quit; and a trace function on the
frame that has called the loop raises as soon as that goes on (`leaving`).
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, ModuleType
from typing import Any

from ipyembed.blocking import frames

Function = Callable[[], object]

_TK_LOOPS = {
    "tkinter": ("mainloop", "wait_window", "wait_variable", "wait_visibility"),
    "tkinter.commondialog": ("show",),  # `tkinter.messagebox` and the like, written in Tcl
}
_NO_SUCH_NUMBER = 2**31 - 1


def call_threadsafe(function: Function) -> None:
    """Have each toolkit that is imported call `function` in its loop, if that is running."""
    for ask in (_ask_qt, _ask_glib, _ask_wx, _ask_tk):
        with suppress(Exception):  # none is to keep the others from being asked
            ask(function)


def is_possible() -> bool:
    """Whether there is a toolkit at all."""
    return any(
        name in sys.modules
        for name in ("tkinter", "wx", "gi", "PySide6", "PyQt6", "PySide2", "PyQt5")
    )


def caller_of_loop(frame: FrameType | None) -> FrameType | None:
    """What has called the loop that has called `frame`, by way of the binding's own code."""
    for at in frames(frame):
        if not (at.f_globals.get("__name__", "").startswith("ipyembed.") or _is_bindings(at)):
            return at
    return None


def is_about_to_call(frame: FrameType | None) -> bool:
    """Whether this is what calls a function that was given to `call_threadsafe`."""
    return frame is not None and (
        frame.f_globals.get("__name__") == __name__ or _is_bindings(frame)
    )


def _is_bindings(frame: FrameType) -> bool:
    if frame.f_globals.get("__name__") == "tkinter":
        return frame.f_code.co_name in ("__call__", "callit")
    return frame.f_globals.get("__name__") == "wx.core" and frame.f_code.co_name == "<lambda>"


def depths() -> tuple[int, ...]:
    """How deep the toolkits' loops are nested that run on this thread."""
    glib: Any = sys.modules.get("gi.repository.GLib")
    return (
        _qt_depth(),
        glib.main_depth() if glib is not None else 0,
        _wx_depth(),
        _tk_depth(),
    )


def cannot_tell(depths: tuple[int, ...]) -> bool:
    """Whether these are loops of which an inner one could not be told from an outer one."""
    return any(depths[:3])


def leave_loop(caller: FrameType | None, is_hosts: bool) -> bool:
    """End the innermost loop, which `caller` has called; whether it could be.

    `is_hosts`: the host runs one, too.
    """
    for leave in (_leave_qt, _leave_glib, _leave_wx, _leave_tk):
        with suppress(Exception):
            if leave(caller, is_hosts):
                return True
    return False


# -- the toolkits ------------------------------------------------------------------------------

#: What posts to Qt; it must not be collected before the event has been delivered.
_callers: list[Any] = []


def _qt() -> tuple[Any, Any] | None:
    for binding in ("PySide6", "PyQt6", "PySide2", "PyQt5"):
        core: Any = sys.modules.get(f"{binding}.QtCore")
        app = core.QCoreApplication.instance() if hasattr(core, "QCoreApplication") else None
        if app is not None:
            return core, app
    return None


def _qt_depth() -> int:
    found = _qt()
    return int(found[0].QThread.currentThread().loopLevel()) if found is not None else 0


def _ask_qt(function: Function) -> None:
    found = _qt()
    if found is None:
        return
    core, app = found

    kind = getattr(core.QEvent, "Type", core.QEvent).User

    class Caller(core.QObject):  # type: ignore[name-defined,misc]
        def event(self, event: Any) -> bool:
            if event.type() == kind:  # on this thread, it hears of its change to the other
                function()
            return True

    caller = Caller()
    caller.moveToThread(app.thread())
    _callers[:] = [*_callers[-9:], caller]
    core.QCoreApplication.postEvent(caller, core.QEvent(kind))


def _leave_qt(caller: FrameType | None, is_hosts: bool) -> bool:
    found = _qt()
    if found is None or _qt_depth() == 0:
        return False
    core, app = found
    modal = app.activeModalWidget() if hasattr(app, "activeModalWidget") else None
    if modal is not None:
        (modal.reject if hasattr(modal, "reject") else modal.close)()
        return True
    for value in list(caller.f_locals.values()) if caller is not None else ():
        if isinstance(value, core.QEventLoop) and value.isRunning():
            value.exit()
            return True
    if not is_hosts:
        core.QCoreApplication.exit()
    return not is_hosts


def _ask_glib(function: Function) -> None:
    glib: Any = sys.modules.get("gi.repository.GLib")
    if glib is not None:
        glib.idle_add(lambda: bool(function()) and False, priority=glib.PRIORITY_HIGH)


def _leave_glib(caller: FrameType | None, _: bool) -> bool:
    glib: Any = sys.modules.get("gi.repository.GLib")
    gtk: Any = sys.modules.get("gi.repository.Gtk")
    if glib is None:
        return False
    # PyGObject runs a loop in a method written in Python, which is the caller then.
    runner: Any = caller.f_locals.get("self") if caller is not None else None
    if hasattr(runner, "response") and hasattr(runner, "run"):
        runner.response(gtk.ResponseType.CANCEL)
    elif hasattr(runner, "quit"):
        runner.quit()
    elif hasattr(gtk, "main_level") and gtk.main_level() > 0:
        gtk.main_quit()
    else:
        return False
    return True


def _ask_wx(function: Function) -> None:
    wx: Any = sys.modules.get("wx")
    if hasattr(wx, "GetApp") and wx.GetApp() is not None:
        wx.CallAfter(function)


def _wx_depth() -> int:
    """Where wx is not built on GTK, of those within one another only the first is known."""
    wx: Any = sys.modules.get("wx")
    if not hasattr(wx, "GetApp") or wx.GetApp() is None:
        return 0
    dialogs = _dialogs_of_gtk(wx)
    depth = dialogs.depth() if dialogs is not None else None
    return int(wx.EventLoopBase.GetActive() is not None) if depth is None else depth


def _leave_wx(_: FrameType | None, is_hosts: bool) -> bool:
    wx: Any = sys.modules.get("wx")
    if not hasattr(wx, "GetApp") or wx.GetApp() is None:
        return False
    dialogs = _dialogs_of_gtk(wx)
    if dialogs is not None and dialogs.cancel():
        return True
    for window in reversed(wx.GetTopLevelWindows()):
        if isinstance(window, wx.Dialog) and window.IsModal():
            window.EndModal(wx.ID_CANCEL)
            return True
    loop = wx.EventLoopBase.GetActive()
    if loop is None or is_hosts:
        return False
    loop.Exit()
    return True


def _dialogs_of_gtk(wx: Any) -> ModuleType | None:
    if "gtk" not in wx.PlatformInfo[1].lower():
        return None
    from ipyembed.gui import native_dialogs  # would take its time at each start

    return native_dialogs


def _tk_depth() -> int:
    """Tk does not tell; but its loops are called by methods written in Python."""
    if "tkinter" not in sys.modules:
        return 0
    return sum(
        at.f_code.co_name in _TK_LOOPS.get(at.f_globals.get("__name__", ""), ())
        for at in frames(sys._getframe())
    )


def _ask_tk(function: Function) -> None:
    tkinter: Any = sys.modules.get("tkinter")
    root = getattr(tkinter, "_default_root", None)
    if root is None:
        return
    # Other threads may call Tk while its `mainloop` runs. Of `wait_window()` and the like it does
    # not know, but they serve such calls, too.
    main = threading.main_thread()
    names = [
        at.f_code.co_name
        for at in frames(sys._current_frames().get(main.ident or 0))
        if at.f_globals.get("__name__", "").partition(".")[0] == "tkinter" and not _is_bindings(at)
    ]
    if threading.current_thread() is main or not names or "mainloop" in names:
        root.after(0, function)
        return

    def call() -> None:
        # With more windows than there are, this ends at once, and takes `willdispatch()` back.
        root.tk.mainloop(_NO_SUCH_NUMBER)
        function()

    root.tk.willdispatch()
    root.after(0, call)


def _leave_tk(caller: FrameType | None, is_hosts: bool) -> bool:
    if caller is None or caller.f_globals.get("__name__", "").partition(".")[0] != "tkinter":
        return False
    names, name = caller.f_locals, caller.f_code.co_name
    if name == "wait_window":
        (names.get("window") or names["self"]).destroy()
    elif name == "wait_variable":
        names["self"].setvar(str(names["name"]), "")
    elif name == "mainloop" and not is_hosts:
        names["self"].quit()
    elif name == "show":  # `tkinter.messagebox` and the like
        root: Any = sys.modules["tkinter"]._default_root
        root.tk.call("destroy", root.tk.call("grab", "current"))
    else:
        return False
    return True
