"""pyglet 2, on X11: a turn of its loop whenever a display, its clock or the next frame is due.

pyglet draws its windows 60 times a second, whether something has changed or not, so with a window
open the process is never idle. A window with `vsync` on waits for the screen in each frame, and
the thread with it.

Elsewhere, and for older versions, it is IPython's hook, which polls.
"""

from __future__ import annotations

import importlib
import select
import sys
import threading
import time
from collections.abc import Iterable
from typing import Any

from ipyembed.blocking import is_shown
from ipyembed.gui.hooks.protocol import Context
from ipyembed.gui.hooks.wakeup import SignalWakeup

_FRAME = 1 / 60

_next_frame = 0.0


def hook(context: Context) -> None:
    pyglet: Any = sys.modules.get("pyglet")
    app: Any = sys.modules.get("pyglet.app")
    if not getattr(app, "windows", None):
        return
    if threading.current_thread() is not threading.main_thread():
        return
    devices = getattr(app.platform_event_loop, "select_devices", None)
    if devices is None or not all(hasattr(window, "draw") for window in app.windows):
        from IPython.terminal.pt_inputhooks.pyglet import inputhook

        inputhook(context)
        return
    window_class = pyglet.window.Window
    queues = window_class._enable_event_queue
    window_class._enable_event_queue = False  # As pyglet's own loop does.
    try:
        with SignalWakeup() as signals:
            fds = [fd for fd in (context.fileno(), signals.fileno()) if fd >= 0]
            while app.windows and not _turn(app, devices, fds):
                pass
    finally:
        window_class._enable_event_queue = queues


def _turn(app: Any, devices: Iterable[Any], fds: list[int]) -> bool:
    """Tick, draw, sleep, dispatch; whether one of our descriptors is readable."""
    timeout = _guarded(_tick, app)
    waiting = [device for device in devices if device.poll()]
    poll = select.poll()
    by_fd = {device.fileno(): device for device in devices}
    for fd in (*fds, *by_fd):
        poll.register(fd, select.POLLIN)
    ready = poll.poll(0 if waiting else timeout * 1000)
    for fd, _ in ready:
        if fd in by_fd and by_fd[fd] not in waiting:
            waiting.append(by_fd[fd])
    for device in waiting:
        _guarded(device.select)
    return any(fd in fds for fd, _ in ready)


def _tick(app: Any) -> float:
    """Run what is due; the seconds until there is something due again."""
    global _next_frame
    loop = app.event_loop
    asked = loop.idle()
    now = time.perf_counter()
    if loop.is_running:
        # A callback of pyglet's own loop is under way: its frames are in the clock.
        return _FRAME if asked is None else float(asked)
    if now >= _next_frame:
        elapsed = min(now - _next_frame + _FRAME, 1.0)
        _next_frame = max(_next_frame + _FRAME, now)
        for window in list(app.windows):
            window.switch_to()
            window.dispatch_pending_events()
            window.draw(elapsed)
        now = time.perf_counter()
    frame = max(_next_frame - now, 0.0)
    # What is to run in every turn runs in every frame.
    return min(frame, float(asked)) if asked else frame


def _guarded(function: Any, *arguments: Any) -> Any:
    """Call it; an exception of a callback is shown, as other toolkits do, and the loop goes on."""
    try:
        return function(*arguments)
    except BaseException as error:
        if not is_shown(error, error.__traceback__):
            if not isinstance(error, Exception):
                raise
            sys.excepthook(type(error), error, error.__traceback__)
        return _FRAME


def prepare(_name: str) -> None:
    """Import it. A window is for the user to make."""
    importlib.import_module("pyglet")


def release() -> None:
    """Nothing is kept from one call to the next."""
