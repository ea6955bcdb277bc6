"""GLib's main context, which GTK 3, GTK 4 and wx (on GTK) are turned by.

Goal: wait for what GLib waits for, and for descriptors of ours, without giving those to GLib: then
neither the loop of a modal dialog nor anybody else's ever sees them.

What does not work: a watch (`GLib.io_add_watch`) runs a callback, in which an interrupt is lost,
and is seen by every loop on the context; `Gtk.main()` stores the clipboard whenever it is left,
which can take seconds; wx has no watches, and its `Dispatch()` no descriptors.

What we do: an iteration of the context step by step, as GLib documents it for foreign loops
(prepare, query, poll, check, dispatch), with our descriptors in the poll. PyGObject offers some of
the steps only, and wx none, so it is the C library, by ctypes. It is the one that is loaded
already: the dynamic linker knows it by its name.

A signal ends the poll, and its handler runs in this module's own code: nothing is lost.
"""

from __future__ import annotations

import ctypes
import functools
import select
from collections.abc import Callable
from typing import Any

from ipyembed.gui.hooks.callbacks import GuardedCallbacks
from ipyembed.gui.hooks.wakeup import SignalWakeup

# An idle callback may ask for another one for ever.
_ROUNDS = 10

_LIBRARIES = ("libglib-2.0.so.0", "libglib-2.0.0.dylib")


class _PollFD(ctypes.Structure):
    _fields_ = [
        ("fd", ctypes.c_int),
        ("events", ctypes.c_ushort),
        ("revents", ctypes.c_ushort),
    ]


_PollFunction = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_PollFD), ctypes.c_uint, ctypes.c_int)


def is_available() -> bool:
    """Whether the library can be reached."""
    return library() is not None


def run_until_readable(fileno: int, is_alive: Callable[[], bool]) -> None:
    """Turn the default context until the descriptor is readable or `is_alive()` is false.

    Returns at once if the context belongs to another thread.
    """
    glib = library()
    context = glib.g_main_context_default()
    if not glib.g_main_context_acquire(context):
        return
    try:
        with SignalWakeup() as signals:
            stopped: list[bool] = []
            with GuardedCallbacks(lambda: stopped.append(True)):
                for _ in range(_ROUNDS):
                    if stopped or not is_alive() or not glib.g_main_context_iteration(context, 0):
                        break
                wait = _Iteration(glib, context, fileno, signals.fileno())
                while not stopped and is_alive() and not wait.once():
                    pass
    finally:
        glib.g_main_context_release(context)


class _Iteration:
    """One iteration of the context after the other, with two descriptors of ours in its poll."""

    def __init__(self, glib: Any, context: int, *ours: int) -> None:
        self._glib = glib
        self._context = context
        self._ours = [fd for fd in ours if fd >= 0]
        self._poll = _PollFunction(glib.g_main_context_get_poll_func(context))
        self._allocate(16)

    def _allocate(self, size: int) -> None:
        self._size = size
        self._fds = (_PollFD * (size + len(self._ours)))()

    def once(self) -> bool:
        """Sleep, dispatch what is due; whether one of our descriptors is readable.

        If one is, what has come in the sleep is dispatched at the beginning of the next wait, which
        is when asyncio has done what is due for it. GLib sleeps for whole milliseconds, so without
        this nearly every timer of the toolkit's, and the painting that it brings on, would come
        before one of asyncio's that was due at the same time.
        """
        glib, context = self._glib, self._context
        priority, timeout = ctypes.c_int(), ctypes.c_int()
        is_due = glib.g_main_context_prepare(context, ctypes.byref(priority))
        while True:
            count = glib.g_main_context_query(
                context, priority, ctypes.byref(timeout), self._fds, self._size
            )
            if count <= self._size:
                break
            self._allocate(count)
        total = count + len(self._ours)
        for fd, entry in zip(self._ours, self._fds[count:total], strict=True):
            entry.fd, entry.events, entry.revents = fd, select.POLLIN, 0
        if self._poll(self._fds, total, timeout) < 0:
            # A signal: there is no event, and what stands in the array is of no meaning.
            for entry in self._fds[:total]:
                entry.revents = 0
        is_readable = any(entry.revents for entry in self._fds[count:total])
        if is_readable and not is_due:
            return True
        # Also without an event: sources whose time has come are found by the check.
        if glib.g_main_context_check(context, priority, self._fds, count):
            glib.g_main_context_dispatch(context)
        return is_readable


@functools.cache
def library() -> Any:
    """The C library, with its functions declared; None if there is none."""
    for name in _LIBRARIES:
        try:
            loaded = ctypes.CDLL(name)
        except OSError:
            continue
        for function, result, *arguments in _FUNCTIONS:
            declared = getattr(loaded, function)
            declared.restype, declared.argtypes = result, arguments
        return loaded
    return None


_POINTER, _INT, _TEXT = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
_INT_OUT, _FDS = ctypes.POINTER(ctypes.c_int), ctypes.POINTER(_PollFD)

_FUNCTIONS: tuple[tuple[Any, ...], ...] = (
    ("g_main_context_default", _POINTER),
    ("g_main_depth", _INT),
    ("g_main_context_acquire", _INT, _POINTER),
    ("g_main_context_release", None, _POINTER),
    ("g_main_context_iteration", _INT, _POINTER, _INT),
    ("g_main_context_prepare", _INT, _POINTER, _INT_OUT),
    ("g_main_context_query", _INT, _POINTER, _INT, _INT_OUT, _FDS, _INT),
    ("g_main_context_check", _INT, _POINTER, _INT, _FDS, _INT),
    ("g_main_context_dispatch", None, _POINTER),
    ("g_main_context_get_poll_func", _POINTER, _POINTER),
    ("g_log_set_handler", ctypes.c_uint, _TEXT, _INT, _POINTER, _POINTER),
    ("g_log_remove_handler", None, _TEXT, ctypes.c_uint),
    ("g_log_default_handler", None, _TEXT, _INT, _TEXT, _POINTER),
)
