"""The terminal's modes, as they were found."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

try:
    import termios
except ImportError:  # Windows: the console's modes are restored by prompt_toolkit alone
    termios = None  # type: ignore[assignment]

_found: list[tuple[int, list[Any]]] = []
"""Descriptors and their modes at the beginning of each `modes_restored()`, outermost first."""


@contextmanager
def modes_restored() -> Iterator[None]:
    """Put the terminal's modes back at the end, should anything have left them changed."""
    if termios is None:
        yield
        return
    try:
        fd = sys.stdin.fileno()
        before = termios.tcgetattr(fd)
    except (AttributeError, OSError, ValueError, termios.error):  # closed, or no terminal
        yield
        return
    found = fd, before
    _found.append(found)
    try:
        yield
    finally:
        _found.remove(found)
        try:
            if termios.tcgetattr(fd) != before:
                termios.tcsetattr(fd, termios.TCSADRAIN, before)
        except termios.error:  # the terminal went away
            pass


def use_found_modes() -> None:
    """Set the modes that were found before anything was asked. Prompt thread.

    prompt_toolkit's `in_terminal` sets modes that are near to those; it does not know them.
    """
    if termios is not None and _found:
        fd, modes = _found[-1]
        with suppress(termios.error):
            termios.tcsetattr(fd, termios.TCSANOW, modes)
