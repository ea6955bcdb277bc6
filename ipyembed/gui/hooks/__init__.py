"""The hooks: each runs one toolkit's event loop until a descriptor is readable.

IPython's protocol, and stricter than IPython's own hooks. A hook is called with a `context`, on
the toolkit's thread, and

- processes what is pending (events, due timers, paints, idle callbacks), even if
  `context.fileno()` is readable already;
- then lets the toolkit sleep until that descriptor is readable, a signal arrives, or the toolkit
  cannot go on, and returns at once: no polling;
- looks no more at the descriptor once it is readable, so that the loop of a modal dialog, which
  cannot be left from outside, does not spin;
- makes nothing: without an application, a root or a window it returns at once;
- may be called from a callback that another call of it is running;
- raises `KeyboardInterrupt` if a signal's handler or a callback does. What else a callback raises
  goes to `sys.excepthook`.

File by file: ``qt``, ``tk``, ``wx``, ``gtk3``, ``gtk4``, ``pyglet`` are the toolkits; ``glib`` is
the loop below three of them; ``callbacks`` and ``wakeup`` are about exceptions and signals,
``protocol`` is the form of all this.

Importing a module of this folder imports no toolkit.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from ipyembed.gui.hooks import wakeup
from ipyembed.gui.hooks.protocol import Hook


def _nothing() -> None:
    pass


@dataclass(frozen=True)
class Toolkit:
    """How to turn one toolkit's loop."""

    name: str
    hook: Hook
    prepare: Callable[[], None] = _nothing
    """What is to happen once when the user asks for it by name: import it; Qt: an application."""
    release: Callable[[], None] = _nothing
    """Drop what the hook keeps from one call to the next (descriptors); it may be called again."""
    is_ours: bool = False
    """Whether it keeps the stricter protocol."""


#: Names that `find` knows, and the module. IPython's "gtk" is version 2, which Python 3 never had.
_MODULES = {
    "qt": "qt",
    "qt5": "qt",
    "qt6": "qt",
    "tk": "tk",
    "wx": "wx",
    "gtk": "gtk3",
    "gtk3": "gtk3",
    "gtk4": "gtk4",
    "pyglet": "pyglet",
}


def find(name: str) -> Toolkit:
    """The toolkit of that name: one that the user has registered, one of ours, or IPython's.

    Raises `IPython.terminal.pt_inputhooks.UnknownBackend` if there is none, and `ImportError` if
    IPython has one that does not work here.
    """
    from IPython.terminal import pt_inputhooks

    if name in pt_inputhooks.registered or name not in _MODULES:
        name, hook = pt_inputhooks.get_inputhook_name_and_func(name)
        return Toolkit(name, hook)
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")

    def release() -> None:
        module.release()
        wakeup.release()

    return Toolkit(name, module.hook, partial(module.prepare, name), release, is_ours=True)
