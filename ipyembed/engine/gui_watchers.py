"""How a toolkit's main loop is made to watch a descriptor and to call back later.

One class for each toolkit that has a main loop of its own, made and used on its thread. They are
looked up among what the program has imported; nothing is imported here.
"""

from __future__ import annotations

import math
import select
import selectors
import sys
import threading
from collections.abc import Callable
from typing import Any

from ipyembed.doorbell import Doorbell
from ipyembed.gui.detect import alive
from ipyembed.gui.hooks import qt, tk

Callback = Callable[[], object]


class QtWatcher:
    """Qt 5 and 6, by PySide and PyQt."""

    def __init__(self) -> None:
        found = qt.application()
        assert found is not None
        self._core = found[1]
        self._timer = self._core.QTimer()
        self._timer.setSingleShot(True)
        kinds = getattr(self._core.Qt, "TimerType", self._core.Qt)
        self._timer.setTimerType(kinds.PreciseTimer)
        self._callback: Callback | None = None
        self._timer.timeout.connect(self._due)

    def watch(self, fd: int, callback: Callback) -> None:
        """See `Watcher`."""
        kinds = getattr(self._core.QSocketNotifier, "Type", self._core.QSocketNotifier)
        self._notifier = self._core.QSocketNotifier(fd, kinds.Read)
        self._notify = lambda *_: callback()
        self._notifier.activated.connect(self._notify)

    def call_later(self, seconds: float, callback: Callback) -> None:
        """See `Watcher`."""
        self._callback = callback
        self._timer.start(min(math.ceil(seconds * 1000), 2**31 - 1))

    def _due(self) -> None:
        if self._callback is not None:
            self._callback()

    def close(self) -> None:
        """See `Watcher`."""
        self._timer.stop()
        self._notifier.setEnabled(False)


class TkWatcher:
    """Tk, by tkinter: the default root."""

    def __init__(self) -> None:
        root: Any = tk.default_root()
        self._root = root
        self._after: Any = None
        self._fd = -1

    def watch(self, fd: int, callback: Callback) -> None:
        """See `Watcher`."""
        self._fd = fd
        readable = sys.modules["tkinter"].READABLE
        self._root.tk.createfilehandler(fd, readable, lambda *_: callback())

    def call_later(self, seconds: float, callback: Callback) -> None:
        """See `Watcher`."""
        self._withdraw()
        self._after = self._root.after(min(math.ceil(seconds * 1000), 2**31 - 1), callback)

    def _withdraw(self) -> None:
        if self._after is not None:
            self._root.after_cancel(self._after)
            self._after = None

    def close(self) -> None:
        """See `Watcher`."""
        try:
            self._withdraw()
            self._root.tk.deletefilehandler(self._fd)
        except Exception:  # TclError: the root has been destroyed
            pass


class GlibWatcher:
    """GTK 3 and 4: the default main context of GLib."""

    def __init__(self) -> None:
        self._glib: Any = sys.modules["gi.repository.GLib"]
        self._source: int | None = None
        self._timer: int | None = None

    def watch(self, fd: int, callback: Callback) -> None:
        """See `Watcher`."""

        def readable(*_: object) -> bool:
            callback()
            return True

        glib = self._glib
        self._source = glib.io_add_watch(fd, glib.PRIORITY_DEFAULT, glib.IO_IN, readable)

    def call_later(self, seconds: float, callback: Callback) -> None:
        """See `Watcher`."""
        self._withdraw()

        def due() -> bool:
            self._timer = None
            callback()
            return False

        self._timer = self._glib.timeout_add(min(math.ceil(seconds * 1000), 2**32 - 1), due)

    def _withdraw(self) -> None:
        if self._timer is not None:
            self._glib.source_remove(self._timer)
            self._timer = None

    def close(self) -> None:
        """See `Watcher`."""
        self._withdraw()
        if self._source is not None:
            self._glib.source_remove(self._source)
            self._source = None


class WxWatcher:
    """wx cannot watch a descriptor, so a thread does, and has wx call."""

    def __init__(self) -> None:
        self._wx: Any = sys.modules["wx"]
        self._later: Any = None
        self._looked = threading.Event()
        self._is_closed = False
        self._bell = Doorbell()

    def watch(self, fd: int, callback: Callback) -> None:
        """See `Watcher`."""

        def called() -> None:
            callback()
            self._looked.set()

        def wait() -> None:
            poll = select.poll()
            poll.register(fd, select.POLLIN)
            poll.register(self._bell.fileno(), select.POLLIN)
            while poll.poll():
                if self._is_closed:
                    return
                self._looked.clear()
                try:
                    self._wx.CallAfter(called)
                except Exception:  # the application has ended
                    return
                self._looked.wait(1)

        self._bell.__enter__()
        self._thread = threading.Thread(target=wait, name="ipyembed-wx", daemon=True)
        self._thread.start()

    def call_later(self, seconds: float, callback: Callback) -> None:
        """See `Watcher`."""
        if self._later is not None:
            self._later.Stop()
        self._later = self._wx.CallLater(max(1, math.ceil(seconds * 1000)), callback)

    def close(self) -> None:
        """See `Watcher`."""
        self._is_closed = True
        self._looked.set()
        self._bell.ring_threadsafe()
        self._thread.join(2)
        self._bell.__exit__()
        if self._later is not None:
            self._later.Stop()


_WATCHERS: dict[str, Callable[[], Any]] = {
    "qt": QtWatcher,
    "tk": TkWatcher,
    "gtk": GlibWatcher,
    "wx": WxWatcher,
}


def find_watcher() -> tuple[str, Any] | None:
    """The toolkit that is alive on this thread and what watches for it, if there is one."""
    found = alive()
    if found is None or not hasattr(selectors.DefaultSelector, "fileno"):  # as on Windows
        return None
    make = _WATCHERS.get(found.name.rstrip("3456"))
    return None if make is None else (found.name, make())
