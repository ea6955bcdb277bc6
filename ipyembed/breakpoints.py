"""``breakpoint()`` and `set_trace()`: the ways into the debugger from a program.

Apart from `debugger`, which costs milliseconds to import and is seldom needed.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


def set_trace(frame: FrameType | None = None, *, header: str | None = None) -> None:
    """Stop at the caller's next line, or in `frame`, with a debugger prompt.

    Works with and without an open shell, on any thread; also as ``PYTHONBREAKPOINT``. While a shell
    is open, ``breakpoint()`` comes here, unless ``PYTHONBREAKPOINT`` or the host says otherwise.
    `header` is printed first.
    """
    from ipyembed.debugger import make_debugger

    frame = frame or sys._getframe(1)
    debugger = make_debugger()
    if header is not None:
        debugger.message(header)
    debugger.set_trace(frame)


@contextmanager
def breakpoints_served() -> Iterator[None]:
    """While a shell is open: ``breakpoint()`` leads to `set_trace`."""
    if sys.breakpointhook is not sys.__breakpointhook__:
        yield
        return
    sys.breakpointhook = _breakpointhook
    try:
        yield
    finally:
        if sys.breakpointhook is _breakpointhook:
            sys.breakpointhook = sys.__breakpointhook__


def _breakpointhook(*args: Any, **kwargs: Any) -> Any:
    """In place of `sys.breakpointhook`; the user's ``PYTHONBREAKPOINT`` goes first."""
    if os.environ.get("PYTHONBREAKPOINT"):
        return sys.__breakpointhook__(*args, **kwargs)
    kwargs.setdefault("frame", sys._getframe(1))
    return set_trace(*args, **kwargs)
