"""What only one toolkit can do: ``python -m tests.gui.special_scenarios WINDOW NAME``."""

from __future__ import annotations

import contextlib
import io
import os
import resource
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from ipyembed.gui import hooks
from ipyembed.gui.hooks import Toolkit, glib
from tests.gui.measure import Pipe
from tests.gui.scenarios import PROMPT
from tests.gui.windows import WINDOWS, Qt


def other_threads_call_tk(window: Any, toolkit: Toolkit, pipe: Pipe) -> None:
    """As during `mainloop`; and not when nobody dispatches: that would wait for ever."""
    results: list[object] = []

    def call() -> None:
        try:
            results.append(window.root.winfo_exists())
        except RuntimeError as error:
            results.append(str(error))

    window.make()
    thread = threading.Thread(target=call)
    thread.start()
    pipe.run_until(toolkit.hook, lambda: results)
    thread.join()
    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert results == [1, "main thread is not in main loop"], results


def sys_exit_in_a_command(window: Any, toolkit: Toolkit, pipe: Pipe) -> None:
    window.make()
    window.post(20, sys.exit)
    try:
        pipe.run(toolkit.hook, 1.0)
    except SystemExit:
        assert not pipe.input_is_ready(), "not at once"
    else:
        raise AssertionError("still there")


def many_descriptors(window: Any, toolkit: Toolkit, pipe: Pipe) -> None:
    """Tcl waits by select(), which knows 1024. It opens its own ones in its first wait."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    window.make()
    pipe.run(toolkit.hook, 0.1)
    read, write = os.pipe()
    others = [os.dup(read) for _ in range(1100)]
    late = Pipe()
    assert late.fileno() > 1024
    called: list[bool] = []
    window.post(20, lambda: called.append(True))
    cost = late.run(toolkit.hook, 0.2)
    assert called
    assert 0 <= cost.after_ready < PROMPT, cost
    assert cost.cpu < 0.2, cost
    for fd in (*others, read, write):
        os.close(fd)


def quit_emits_what_qt_emits(window: Qt, toolkit: Toolkit, pipe: Pipe) -> None:
    """The host goes on: what it has tied to the end of the application is for Qt to tell."""
    window.make()
    emitted: list[bool] = []
    window.app.aboutToQuit.connect(lambda: emitted.append(True))
    for _ in range(2):
        window.post(20, window.quit)
        pipe.run(toolkit.hook, 0.1)
        pipe.drain()
    # Qt 6 tells of the first `exit()`, Qt 5 only where the application's own loop ends.
    assert len(emitted) <= (0 if window.name == "qt5" else 1), emitted
    assert not window.app.signalsBlocked()
    emitted.clear()
    window.post(20, window.quit)
    window.main_loop()
    assert emitted


def an_exception_in_an_overridden_method(window: Qt, toolkit: Toolkit, pipe: Pipe) -> None:
    window.make()

    class Failing(window.core.QObject):  # type: ignore[misc, name-defined]
        def timerEvent(self, event: Any) -> None:
            self.killTimer(event.timerId())
            raise ZeroDivisionError

    failing = Failing()
    failing.startTimer(20)
    with contextlib.redirect_stderr(io.StringIO()) as stderr:
        cost = pipe.run(toolkit.hook, 0.2)
        pipe.drain()
    assert 0 <= cost.after_ready < PROMPT, cost
    assert "ZeroDivisionError" in stderr.getvalue(), stderr.getvalue()
    called: list[bool] = []
    window.post(20, lambda: called.append(True))
    pipe.run_until(toolkit.hook, lambda: called)


def quit_within_the_main_loop(window: Qt, toolkit: Toolkit, pipe: Pipe) -> None:
    """The main loop will end, but not before the shell, and until then the window lives."""
    called = 0

    def callback() -> None:
        nonlocal called
        window.quit()
        for _ in range(2):
            window.post(20, count)
            cost = pipe.run(toolkit.hook, 0.2)
            pipe.drain()
            assert 0 <= cost.after_ready < PROMPT, cost
            assert cost.cpu < 0.1, cost

    def count() -> None:
        nonlocal called
        called += 1

    window.make()
    window.post(20, callback)
    window.main_loop()
    assert called == 2


def another_application(window: Qt, toolkit: Toolkit, pipe: Pipe) -> None:
    """The first one is gone, and what belonged to it."""
    for _ in range(2):
        window.make()
        called: list[bool] = []
        window.post(20, lambda called=called: called.append(True))  # type: ignore[misc]
        pipe.run_until(toolkit.hook, lambda called=called: called)  # type: ignore[misc]
        window.close()
        shutdown = getattr(window.app, "shutdown", None)
        del window.window, window.app
        if shutdown is not None:
            shutdown()
        pipe.run(toolkit.hook, 0.05)
        pipe.drain()


def idle_callbacks_from_a_thread(window: Any, toolkit: Toolkit, pipe: Pipe) -> None:
    """While the descriptor is always readable; wx makes such calls when it is idle."""
    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    called: list[bool] = []
    pipe.write()
    threading.Thread(target=lambda: window.wx.CallAfter(called.append, True)).start()
    for _ in range(10_000):
        pipe.run(toolkit.hook)
        if called:
            return
    raise AssertionError("not called")


def asyncio_comes_first(window: Any, toolkit: Toolkit, pipe: Pipe) -> None:
    """What comes in the same sleep as the end of the wait is called at the beginning of the next.

    Else asyncio's timers would be late by the toolkit's callbacks and painting.
    """
    window.make()
    pipe.run_until(toolkit.hook, lambda: window.paints)
    called: list[bool] = []

    class Iteration(glib._Iteration):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            self._real_poll: Any = self._poll
            self._poll: Any = self.poll

        def poll(self, fds: Any, count: int, timeout: Any) -> Any:
            if timeout.value and not called:  # GLib has nothing to do: it sleeps, and both come
                window.post(1, lambda: called.append(True))
                due = time.monotonic() + 0.01
                while time.monotonic() < due:
                    pass
                pipe.write()
            return self._real_poll(fds, count, timeout)

    glib._Iteration = Iteration  # type: ignore[assignment,misc]
    pipe.run(toolkit.hook)
    assert not called
    pipe.run(toolkit.hook)
    assert called


_TK = [other_threads_call_tk, sys_exit_in_a_command, many_descriptors]
_QT = [
    quit_emits_what_qt_emits,
    an_exception_in_an_overridden_method,
    quit_within_the_main_loop,
    another_application,
]

SPECIAL: dict[tuple[str, str], Callable[[Any, Toolkit, Pipe], None]] = {
    **{("tk", each.__name__): each for each in _TK},
    **{(binding, each.__name__): each for binding in ("PySide6", "PyQt6", "PyQt5") for each in _QT},
    ("wx", "idle_callbacks_from_a_thread"): idle_callbacks_from_a_thread,
    **{(name, "asyncio_comes_first"): asyncio_comes_first for name in ("gtk3", "gtk4", "wx")},
}


if __name__ == "__main__":
    made = WINDOWS[sys.argv[1]]()
    SPECIAL[sys.argv[1], sys.argv[2]](made, hooks.find(made.name), Pipe())
    print("passed")
