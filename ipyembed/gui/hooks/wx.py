"""wxPython 4, on GTK: GLib's main context, with an event loop of wx's marked as active.

IPython's hook asks ten times a second whether it shall end. Where wx is not built on GTK (macOS,
Windows) it is that hook.

`app.ExitMainLoop()` ends what `app.MainLoop()` runs, and so not this; nor does the end of the last
window.
"""

from __future__ import annotations

import importlib
import sys
from typing import Any

from ipyembed.gui.hooks import glib
from ipyembed.gui.hooks.protocol import Context


def hook(context: Context) -> None:
    wx: Any = sys.modules.get("wx")
    app = wx.GetApp() if hasattr(wx, "GetApp") else None
    if app is None or not wx.IsMainThread():
        return
    if "gtk" not in wx.PlatformInfo[1].lower() or not glib.is_available():
        from IPython.terminal.pt_inputhooks.wx import inputhook

        inputhook(context)
        return
    previous = wx.EventLoopBase.GetActive()
    loop = wx.GUIEventLoop()
    wx.EventLoopBase.SetActive(loop)
    try:
        glib.run_until_readable(context.fileno(), lambda: wx.GetApp() is app)
    finally:
        wx.EventLoopBase.SetActive(previous)


def prepare(_name: str) -> None:
    """Import it. An application is for the user to make."""
    importlib.import_module("wx")


def release() -> None:
    """Nothing is kept from one call to the next."""
