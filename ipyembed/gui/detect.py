"""Which GUI toolkit is alive on this thread, by looking at what is imported already.

Nothing is imported here, nor made: a program that has no GUI does not get one by asking.

Some toolkits do not tell which thread they belong to. GTK, wx and pyglet want the main thread, so
off it they count only where their loop is at work.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ipyembed.gui.hooks import qt, tk


@dataclass(frozen=True)
class Found:
    """A toolkit that is alive."""

    name: str
    """As in ``%gui NAME``."""
    how: str
    """What it was recognised by."""


def alive() -> Found | None:
    """The toolkit that is alive on the current thread.

    If there are several: one whose main loop is running, else the first in the order below.
    """
    every = [found for name in _LOOKS if (found := _LOOKS[name]()) is not None]
    for found in every:
        if main_loop_is_running(found.name):
            return found
    return every[0] if every else None


def main_loop_is_running(name: str) -> bool:
    """Whether a loop of the toolkit is running on this thread, so that this code is a callback."""
    base = "qt" if name.startswith("qt") else name
    return base in _RUNNING and _RUNNING[base]()


def _qt() -> Found | None:
    found = qt.application()
    if found is None:
        return None
    binding, _, app = found
    return Found(f"qt{binding[-1]}" if binding[-1] in "56" else "qt", _a(app, binding))


def _qt_runs() -> bool:
    found = qt.application()
    return found is not None and bool(found[1].QThread.currentThread().loopLevel() > 0)


def _wx() -> Found | None:
    wx: Any = sys.modules.get("wx")
    app = wx.GetApp() if hasattr(wx, "GetApp") else None
    # The thread that imported it, not the one that made the application: wx says no more.
    if app is None or not getattr(wx, "IsMainThread", lambda: True)():
        return None
    return Found("wx", _a(app, "wx"))


def _wx_runs() -> bool:
    wx: Any = sys.modules.get("wx")
    return _wx() is not None and bool(wx.GUIEventLoop.GetActive())


def _gtk() -> Found | None:
    gtk: Any = sys.modules.get("gi.repository.Gtk")
    if not hasattr(gtk, "get_major_version") or not _gtk_is_here():
        return None
    major = gtk.get_major_version()
    if (major == 3 and gtk.main_level() > 0) or _glib_runs():
        return Found(f"gtk{major}", f"main loop of GTK {major}")
    if windows := gtk.Window.list_toplevels():
        return Found(f"gtk{major}", _a(windows[0], f"GTK {major}"))
    app = gtk.Application.get_default()
    if app is not None:
        return Found(f"gtk{major}", _a(app, f"GTK {major}"))
    return None


def _gtk_is_here() -> bool:
    """GLib's main context is not turned by another thread, and this is the one that should."""
    glib: Any = sys.modules.get("gi.repository.GLib")
    if glib is None:
        return False
    context = glib.MainContext.default()
    if _glib_runs():
        return bool(context.is_owner())
    if threading.current_thread() is not threading.main_thread() or not context.acquire():
        return False
    context.release()
    return True


def _glib_runs() -> bool:
    glib: Any = sys.modules.get("gi.repository.GLib")
    return glib is not None and bool(glib.main_depth() > 0)


def _tk() -> Found | None:
    root = tk.default_root()
    return Found("tk", f"default root of tkinter ({root})") if root is not None else None


def _pyglet() -> Found | None:
    app = sys.modules.get("pyglet.app")
    windows = list(getattr(app, "windows", ()))
    if not windows or threading.current_thread() is not threading.main_thread():
        return None
    return Found("pyglet", _a(windows[0], "pyglet"))


def _pyglet_runs() -> bool:
    app = sys.modules.get("pyglet.app")
    loop = getattr(app, "event_loop", None)
    return _pyglet() is not None and bool(getattr(loop, "is_running", False))


def _a(thing: object, toolkit: str) -> str:
    return f"{type(thing).__name__} instance of {toolkit}"


_LOOKS: dict[str, Callable[[], Found | None]] = {
    "qt": _qt,
    "wx": _wx,
    "gtk": _gtk,
    "tk": _tk,
    "pyglet": _pyglet,
}

_RUNNING: dict[str, Callable[[], bool]] = {
    "qt": _qt_runs,
    "wx": _wx_runs,
    "gtk": _glib_runs,
    "gtk3": _glib_runs,
    "gtk4": _glib_runs,
    "tk": tk.main_loop_is_running,
    "pyglet": _pyglet_runs,
}
