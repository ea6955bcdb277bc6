"""What a shell must leave as it found it, apart from what its parts put back themselves.

IPython's own set-up changes hooks of the process and does not put them back; this does. Values
are compared with `is`, and what a cell of the user's changed on purpose (`sys.path`, the
environment, modules) is not touched.
"""

from __future__ import annotations

import builtins
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ipyembed import routing
from ipyembed.wakeup_fd import put_back_fd

_SYS = ("excepthook", "displayhook", "stdin", "stdout", "stderr", "ps1", "ps2", "ps3")
_BUILTINS = ("__IPYTHON__", "display", "get_ipython", "exit", "quit")
_MISSING: Any = object()


@contextmanager
def hooks_preserved() -> Iterator[None]:
    """Put back the hooks, streams and prompts in `sys`, and IPython's names in `builtins`."""
    kept = [
        (module, name, vars(module).get(name, _MISSING))
        for module, names in ((sys, _SYS), (builtins, _BUILTINS))
        for name in names
    ]
    try:
        yield
    finally:
        for module, name, value in kept:
            if vars(module).get(name, _MISSING) is value:
                continue
            if value is _MISSING:
                delattr(module, name)
            else:
                setattr(module, name, value)
        routing.tidy()  # what was there may have been ours, for jobs that have ended since


@contextmanager
def stream_attributes_preserved() -> Iterator[None]:
    """Put back the attributes of the streams that IPython sets, and leaves, as it runs a cell."""
    kept = [
        (attributes, name, attributes.get(name, _MISSING))
        for attributes in (getattr(stream, "__dict__", {}) for stream in (sys.stdout, sys.stderr))
        for name in ("write", "softspace")
    ]
    try:
        yield
    finally:
        for attributes, name, value in kept:
            if value is not _MISSING:
                attributes[name] = value
            else:
                attributes.pop(name, None)


@contextmanager
def signals_preserved() -> Iterator[None]:
    """Put back the handlers of all signals and the wakeup fd; off the main thread, nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    wakeup = _wakeup_fd()
    try:
        yield
    finally:
        for number, handler in handlers.items():
            # None: installed from C, and so nothing that a shell could have replaced.
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        if _wakeup_fd() != wakeup:
            put_back_fd(wakeup)


def _wakeup_fd() -> int:
    """The wakeup fd. It can be asked for only by setting it."""
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        put_back_fd(fd, warn_on_full_buffer=False)
    return fd
