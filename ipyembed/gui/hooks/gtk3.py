"""GTK 3, by PyGObject.

`Gtk.main_quit()` is what most programs connect to the end of their window. There is no `Gtk.main()`
to quit while we wait, of which GTK complains on stderr. So that complaint, and no other one, is
held back while our wait is the outermost loop; the wait ends.
"""

from __future__ import annotations

import ctypes
import importlib
import sys
from typing import Any

from ipyembed.gui.hooks import glib
from ipyembed.gui.hooks.protocol import Context

_DOMAIN = b"Gtk"
_CRITICAL = 1 << 3
_HELD_BACK = b"gtk_main_quit: assertion 'main_loops != NULL' failed"

_LogFunction = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p
)

_quits = 0


def hook(context: Context) -> None:
    gtk: Any = sys.modules.get("gi.repository.Gtk")
    if gtk is None:
        return
    if not glib.is_available():
        from IPython.terminal.pt_inputhooks.gtk3 import inputhook

        inputhook(context)
        return
    quits = _quits
    with _MainQuit():
        glib.run_until_readable(context.fileno(), lambda: _quits == quits)


class _MainQuit:
    """While entered, `Gtk.main_quit()` counts in `_quits` instead of complaining."""

    def __enter__(self) -> None:
        self._handler = glib.library().g_log_set_handler(_DOMAIN, _CRITICAL, _on_message_c, None)

    def __exit__(self, *exc_info: object) -> None:
        glib.library().g_log_remove_handler(_DOMAIN, self._handler)


def _on_message(domain: bytes, level: int, message: bytes, data: int) -> None:
    global _quits
    if message == _HELD_BACK:
        _quits += 1
    else:
        glib.library().g_log_default_handler(domain, level, message, data)


# Here, because it has to live as long as GLib may call it.
_on_message_c = _LogFunction(_on_message)


def prepare(_name: str) -> None:
    """Import it, if another version is not there already."""
    if "gi.repository.Gtk" not in sys.modules:
        importlib.import_module("gi").require_version("Gtk", "3.0")
        importlib.import_module("gi.repository.Gtk")


def release() -> None:
    """Nothing is kept from one call to the next."""
