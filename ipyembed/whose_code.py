"""Whose code a file has (the user's, a library's, ours), and what the file is called for people."""

from __future__ import annotations

import functools
import os
import re

import IPython

_OURS = os.path.dirname(__file__) + os.sep
_DEMO = _OURS + "demo.py"
_IPYTHONS = os.path.dirname(IPython.__file__) + os.sep
_TRIOS = re.compile(r"[/\\](site|dist)-packages[/\\]trio[/\\]")
_CELL = re.compile(r"<ipython-input-(\d+)-")


def is_ours(filename: str) -> bool:
    """Whether code of that file is ours. The demo's is not: it is a program like any other."""
    return filename.startswith(_OURS) and filename != _DEMO


def is_shells(filename: str) -> bool:
    """Whether it is ours or IPython's."""
    return is_ours(filename) or filename.startswith(_IPYTHONS)


def is_library(filename: str) -> bool:
    """Whether it is ours, IPython's, the standard library's, or trio's (in place of asyncio)."""
    if is_shells(filename) or filename.startswith("<frozen") or _TRIOS.search(filename):
        return True
    return filename.startswith(_library()) and "site-packages" not in filename


def name_of_file(filename: str) -> str:
    """The file's name; for a cell, its prompt: ``In [3]``."""
    cell = _CELL.match(filename)
    return f"In [{cell[1]}]" if cell else filename


@functools.cache
def _library() -> tuple[str, ...]:
    import sysconfig  # would take its time at each start

    return tuple(sysconfig.get_path(name) + os.sep for name in ("stdlib", "platstdlib"))
