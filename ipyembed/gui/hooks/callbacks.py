"""Exceptions that leave a GUI callback while a hook runs the toolkit's loop.

An exception cannot travel through the toolkit's C code, so the bindings hand it to
`sys.excepthook` and go on. Two things are wrong with that for us:

- PyQt aborts the process if the hook is the one that Python came with;
- Ctrl-C raises `KeyboardInterrupt` in whatever callback happens to run, where it would only be
  printed.

So while a hook runs, a hook of ours stands in for `sys.excepthook`: it passes everything on to the
one that was there, except for the interrupt, which ends the wait and is raised from the hook.

What cannot be helped: `SystemExit` never gets that far. `PyErr_Print`, by which bindings report an
exception, ends the process for it (Qt, GTK, wx); only Tk passes it on.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import TracebackType
from typing import Self

from ipyembed.blocking import is_shown


class GuardedCallbacks:
    """While entered, no exception of a callback ends the process, and no interrupt is lost.

    `stop` ends the wait; it is called when a callback was interrupted.
    """

    __slots__ = ("_ours", "_previous", "_stop", "interrupt")

    def __init__(self, stop: Callable[[], object]) -> None:
        self._stop = stop
        self.interrupt: KeyboardInterrupt | None = None

    def __enter__(self) -> Self:
        self._previous = sys.excepthook
        # The same object for the comparison below: each access makes a new bound method.
        self._ours = self.report
        sys.excepthook = self._ours
        return self

    def report(
        self, kind: type[BaseException], value: BaseException, traceback: TracebackType | None
    ) -> None:
        if is_shown(value, traceback):  # Ctrl-C at the prompt has ended this callback alone
            return
        if isinstance(value, KeyboardInterrupt):
            self.interrupt = value
            self._stop()
        else:
            self._previous(kind, value, traceback)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        # A callback may have set another one, which is to stay.
        if sys.excepthook is self._ours:
            sys.excepthook = self._previous
        if kind is None and self.interrupt is not None:
            raise self.interrupt
