"""Cuts this package's own frames off what a user is shown of an interrupt.

IPython leaves its own frames out wherever they are; so those that we have called are cut off, too.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType

from ipyembed.whose_code import is_ours, is_shells


def without_ours(tb: TracebackType | None) -> TracebackType | None:
    """Cut our own frames off a traceback's end: the user's code was interrupted, not ours."""
    last = _last_not(is_shells, tb) or _last_not(is_ours, tb)
    if last is not None:
        last.tb_next = None
    return tb


def cut_ours(error: BaseException) -> None:
    """The same for `error` and the exceptions in whose handling it came up.

    One that is all ours is dropped: a name of the caller's was being looked up, say.
    """
    without_ours(error.__traceback__)
    while (before := error.__context__) is not None:
        if _last_not(is_ours, before.__traceback__) is None:
            error.__context__ = before.__context__
        else:
            without_ours(before.__traceback__)
            error = before


def _last_not(whose: Callable[[str], bool], tb: TracebackType | None) -> TracebackType | None:
    last: TracebackType | None = None
    while tb is not None:
        if not whose(tb.tb_frame.f_code.co_filename):
            last = tb
        tb = tb.tb_next
    return last
