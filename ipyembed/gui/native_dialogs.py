"""The modal dialogs of GTK 3's that wx shows as its own: `wx.MessageBox()`, `wx.MessageDialog`.

wx does not list them among its windows, and `EndModal()` does not end them; nor does wx's event
loop run below them, but GLib's, so they count for `g_main_depth()` only. GTK itself is asked, by
ctypes, for wx offers none of this. Where wx is not built on GTK 3 there is nothing to ask.
"""

from __future__ import annotations

import ctypes
import functools
from typing import Any

from ipyembed.gui.hooks import glib

_CANCEL = -6  # GTK_RESPONSE_CANCEL


def depth() -> int | None:
    """How deep GLib's loops are nested on this thread; None if it cannot be asked."""
    library = glib.library()
    return int(library.g_main_depth()) if library is not None else None


def cancel() -> bool:
    """Answer the dialog that has the input; whether there is one. On GTK's thread."""
    gtk = _gtk()
    grab = gtk.gtk_grab_get_current() if gtk is not None else None
    window = gtk.gtk_widget_get_toplevel(grab) if grab else None
    if not window or not gtk.g_type_check_instance_is_a(window, gtk.gtk_dialog_get_type()):
        return False
    gtk.gtk_dialog_response(window, _CANCEL)
    return True


@functools.cache
def _gtk() -> Any:
    try:
        gtk = ctypes.CDLL("libgtk-3.so.0")  # the one that is loaded: its name says the version
    except OSError:
        return None
    pointer, size = ctypes.c_void_p, ctypes.c_size_t
    gtk.gtk_grab_get_current.restype = pointer
    gtk.gtk_widget_get_toplevel.restype = pointer
    gtk.gtk_widget_get_toplevel.argtypes = [pointer]
    gtk.gtk_dialog_get_type.restype = size
    gtk.g_type_check_instance_is_a.argtypes = [pointer, size]  # of a library that GTK is linked to
    gtk.gtk_dialog_response.argtypes = [pointer, ctypes.c_int]
    return gtk
