"""Qt 5 and 6, by PySide and PyQt.

The loop is a `QEventLoop` of ours, ended by a `QSocketNotifier`; both are kept from call to call.
An application that runs elsewhere (on another thread) is none of ours.
"""

from __future__ import annotations

import contextlib
import os
import sys
import weakref
from typing import Any

from ipyembed.gui.hooks.callbacks import GuardedCallbacks
from ipyembed.gui.hooks.protocol import Context
from ipyembed.gui.hooks.wakeup import SignalWakeup

BINDINGS = ("PySide6", "PyQt6", "PySide2", "PyQt5")

# Qt on GLib dispatches one priority at a time: what is idle (a timer of 0 ms) comes last.
_ROUNDS = 3

#: The waits that are under way, the innermost last: a callback may open a shell of its own.
_active: list[_Wait] = []
#: The last one that ended, for the next call.
_spare: _Wait | None = None


def application() -> tuple[str, Any, Any] | None:
    """The binding's name, its QtCore and the application, if one lives on this thread."""
    for binding in BINDINGS:
        core: Any = sys.modules.get(f"{binding}.QtCore")
        kind = getattr(core, "QCoreApplication", None)  # Another thread may still import it.
        app = kind.instance() if kind is not None else None
        if app is not None and app.thread() == core.QThread.currentThread():
            return binding, core, app
    return None


def hook(context: Context) -> None:
    global _spare
    found = application()
    if found is None:
        return
    _, core, app = found
    wait, _spare = _spare, None
    if wait is None or wait.fileno != context.fileno() or wait.app() is not app:
        if wait is not None:
            wait.close()
        wait = _Wait(core, app, context.fileno())
    outer = _active[-1] if _active else None
    if outer is not None:
        outer.arm(False)  # Qt has one notifier for a descriptor, and it may be the same one.
    _active.append(wait)
    try:
        wait.run()
    finally:
        _active.pop()
        if outer is not None:
            outer.arm(not outer.ended)
        if _spare is not None:
            _spare.close()
        _spare = wait


class _Wait:
    """Runs Qt's loop until the descriptor is readable.

    ===========  ================  ============
    state        notifier          `ended`
    ===========  ================  ============
    between      off               True
    running      on                False
    ended        off               True
    ===========  ================  ============

    In the last one a callback may still be under way, and in it a modal dialog, which cannot be
    left from outside: with the notifier on, its loop would spin.
    """

    def __init__(self, core: Any, app: Any, fileno: int) -> None:
        self.fileno = fileno
        # Weakly: with some bindings the application ends when nobody refers to it.
        self.app = weakref.ref(app)
        self.ended = True
        read = getattr(core.QSocketNotifier, "Type", core.QSocketNotifier).Read
        self._loop = core.QEventLoop()
        self._notifier = core.QSocketNotifier(fileno, read)
        self._notifier.setEnabled(False)
        self._notifier.activated.connect(self._on_readable)
        self._read = read
        self._core = core
        self._exec = getattr(self._loop, "exec", None) or self._loop.exec_
        self._signal: SignalWakeup | None = None
        self._signal_notifier: Any = None

    def run(self) -> None:
        self.ended = False
        with SignalWakeup() as self._signal:
            with GuardedCallbacks(self.end) as guarded:
                try:
                    self._watch_signals(self._signal.fileno())
                    self._process_pending()
                    self._wait()
                except Exception as error:
                    # PySide 6 keeps what an overridden method raised until Python is reached.
                    guarded.report(type(error), error, error.__traceback__)
                finally:
                    self.end()

    def end(self) -> None:
        self.ended = True
        self.arm(False)
        self._loop.exit()

    def arm(self, armed: bool) -> None:
        self._notifier.setEnabled(armed)

    def close(self) -> None:
        """Let Qt look at these descriptors no more: they are about to be closed.

        The notifiers themselves live on until the garbage collector comes: slots make cycles.
        """
        for notifier in (self._notifier, self._signal_notifier):
            if notifier is not None and self.app() is not None:
                with contextlib.suppress(
                    RuntimeError
                ):  # PySide: its application has been shut down
                    notifier.setEnabled(False)

    def _process_pending(self) -> None:
        for _ in range(_ROUNDS):
            if not self._loop.processEvents():
                return

    def _wait(self) -> None:
        self.arm(not self.ended)
        for _ in range(2):
            if self.ended or self.app() is None:
                return
            self._exec()
            if not self.ended:
                self._after_quit()

    def _after_quit(self) -> None:
        """After `quit()` Qt runs no loop at all, no dialog's either, until the application's own
        has run anew. Qt 6 does so for `exit()` only, Qt 5 also when the last window is closed.
        """
        if self._core.QThread.currentThread().loopLevel() > 0:
            # The host's own loop, which will end; until then, events one by one.
            flags = getattr(self._core.QEventLoop, "ProcessEventsFlag", self._core.QEventLoop)
            while not self.ended and self.app() is not None:
                self._loop.processEvents(flags.AllEvents | flags.WaitForMoreEvents)
            return
        app = self.app()
        if app is None:
            return
        was_blocked = app.signalsBlocked()

        def leave() -> None:
            app.blockSignals(True)  # It does not really quit: no `aboutToQuit`.
            app.exit()

        self._core.QTimer.singleShot(0, leave)
        try:
            (getattr(app, "exec", None) or app.exec_)()
        finally:
            app.blockSignals(was_blocked)

    def _watch_signals(self, fileno: int) -> None:
        notifier = self._signal_notifier
        if fileno >= 0 and (notifier is None or int(notifier.socket()) != fileno):
            self._signal_notifier = self._core.QSocketNotifier(fileno, self._read)
            self._signal_notifier.activated.connect(self._on_signal)

    # No arguments: PySide 6 crashes when a slot fails that takes the arguments of `activated`, and
    # a signal's handler may raise in its first line.

    def _on_readable(self) -> None:
        self.end()

    def _on_signal(self) -> None:
        # That Python runs is what matters: the signal's handler has run before this line.
        if self._signal is not None:
            self._signal.drain()
        self.end()


def prepare(name: str) -> None:
    """What ``%gui qt`` does in IPython: import a binding, and make an application if there is none.

    The name may tell the version: qt5, qt6.
    """
    if application() is not None:
        return
    from IPython.terminal.pt_inputhooks import get_inputhook_name_and_func
    from prompt_toolkit.eventloop import InputHookContext

    _, hook_of_ipython = get_inputhook_name_and_func(name)
    # It makes the application on its first call, and keeps it. A call with the input ready does
    # nothing else.
    readable, writable = os.pipe()
    try:
        os.write(writable, b"x")
        hook_of_ipython(InputHookContext(readable, lambda: True))
    finally:
        os.close(readable)
        os.close(writable)


def release() -> None:
    """Drop what is kept from one call to the next."""
    global _spare
    if _spare is not None:
        _spare.close()
    _spare = None
