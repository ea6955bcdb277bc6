"""GTK 4, by PyGObject: nothing but GLib's main context."""

from __future__ import annotations

import importlib
import sys

from ipyembed.gui.hooks import glib
from ipyembed.gui.hooks.protocol import Context


def hook(context: Context) -> None:
    if "gi.repository.Gtk" not in sys.modules:
        return
    if not glib.is_available():
        from IPython.terminal.pt_inputhooks.gtk4 import inputhook

        inputhook(context)
        return
    glib.run_until_readable(context.fileno(), lambda: True)


def prepare(_name: str) -> None:
    """Import it, if another version is not there already."""
    if "gi.repository.Gtk" not in sys.modules:
        importlib.import_module("gi").require_version("Gtk", "4.0")
        importlib.import_module("gi.repository.Gtk")


def release() -> None:
    """Nothing is kept from one call to the next."""
