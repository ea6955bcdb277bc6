"""What stacks tell. Of the one that Ctrl-C has interrupted: whose code it is, whether to raise."""

from __future__ import annotations

from collections.abc import Iterator
from types import CodeType, FrameType
from typing import Any

from IPython.core.events import EventManager
from IPython.core.interactiveshell import InteractiveShell

from ipyembed.blocking import frames
from ipyembed.nudge import Nudge
from ipyembed.sigint import Sigint
from ipyembed.whose_code import is_ours

# Methods of IPython (8 and 9) whose frames are on the stack just as long as the cell is executed:
# not while it awaits. The first takes an exception for the cell's; around it, in the second, the
# shell does its own work, as on the history. The third calls functions of the user's, and takes
# care of an interrupt in them.
_RUNS_CODE = InteractiveShell.run_ast_nodes.__code__
_RUNS_CELL = InteractiveShell.run_cell_async.__code__
_RUNS_HOOKS = EventManager.trigger.__code__

own_code: set[CodeType] = set()
"""Of functions of the shell that are called in a cell and are not to be broken off."""

_HANDLERS = (Sigint._handle.__code__, Nudge._handle.__code__)
_CALLBACKS = {
    "_weakrefset": ("_remove",),
    "weakref": ("remove", "_cb", "__call__"),
    "importlib._bootstrap": ("cb", "remove"),
}
"""Functions of Python's (3.11 to 3.13) that are callbacks of weak references, by module."""

_SET_WAKEUP_FD = ("wakeup_on_signal", "register_sigint_fallback")
"""Of PyGObject's `gi._ossighelper` (3.40 to 3.54): context managers around each of its loops."""


def runs_code(shell: InteractiveShell, frame: FrameType | None) -> bool:
    """Whether a cell's code is executed."""
    return _is_run_by(_RUNS_CODE, shell, frame)


def runs_cell(shell: InteractiveShell, frame: FrameType | None) -> bool:
    """Whether a cell is, or what the shell does before and after."""
    return _is_run_by(_RUNS_CELL, shell, frame)


def _is_run_by(code: CodeType, shell: InteractiveShell, frame: FrameType | None) -> bool:
    return any(at.f_code is code and at.f_locals.get("self") is shell for at in frames(frame))


def is_in_own_code(frame: FrameType | None) -> bool:
    """Whether one of `own_code` runs."""
    return any(at.f_code in own_code for at in frames(frame))


def is_in_hook(frame: FrameType | None) -> bool:
    """Whether a function that is not ours runs, and IPython has called it for an event."""
    return any(
        at.f_back is not None
        and at.f_back.f_code is _RUNS_HOOKS
        and not is_ours(at.f_code.co_filename)
        for at in frames(frame)
    )


def no_place_to_raise(frame: FrameType | None) -> FrameType | None:
    """The outermost frame in which an exception would be lost, do harm, or show how it came about.

    Of `__del__`, of callbacks of weak references; where another Ctrl-C is being handled; where
    PyGObject sets the wakeup fd or puts it back, which nobody would do after it.
    """
    place = None
    for at in frames(frame):
        if (
            at.f_code.co_name == "__del__"
            or at.f_code.co_name in _CALLBACKS.get(at.f_globals.get("__name__", ""), ())
            or at.f_code in _HANDLERS
            or _sets_wakeup_fd(at)
        ):
            place = at
    return place


def _sets_wakeup_fd(at: FrameType) -> bool:
    module = at.f_globals.get("__name__", "")
    if module == "contextlib" and at.f_back is not None:  # before `with` knows of it, and after
        return str(at.f_back.f_globals.get("__name__", "")).startswith("gi.")
    return module == "gi._ossighelper" and at.f_code.co_name in _SET_WAKEUP_FD


def is_interacting(frame: FrameType | None) -> bool:
    """Whether the shell's loop over prompts and cells has called this, and not to wait."""
    for at in frames(frame):
        name = at.f_code.co_name
        if name in ("interact", "_interact_async"):
            return True
        if name in ("wait", "wait_until_done", "_run_once"):
            return False
    return False


def awaited_frames(at: Any) -> Iterator[FrameType]:
    """The frames of a coroutine and of what it awaits, as far as that is Python."""
    while at is not None:
        for kind, awaits in (("cr", "cr_await"), ("gi", "gi_yieldfrom"), ("ag", "ag_await")):
            frame = getattr(at, f"{kind}_frame", None)
            if frame is not None:
                yield frame
                at = getattr(at, awaits)
                break
        else:
            return
