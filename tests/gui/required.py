"""Which toolkits a test may skip: none that CI can have.

Debian packages some for its own Python only, and that is the 3.11 that CI tests with; the others
come from PyPI, for every Python.
"""

from __future__ import annotations

import functools
import os
import subprocess
import sys

import pytest

ONLY_DEBIAN = {"wx", "gtk3", "gtk4"}

_IMPORTS = {
    "PySide6": "import PySide6.QtWidgets",
    "PyQt6": "import PyQt6.QtWidgets",
    "PyQt5": "import PyQt5.QtWidgets",
    "tk": "import tkinter",
    "wx": "import wx",
    "gtk3": "import gi; gi.require_version('Gtk', '3.0'); import gi.repository.Gtk",
    "gtk4": "import gi; gi.require_version('Gtk', '4.0'); import gi.repository.Gtk",
    "pyglet": "import pyglet",
}


def is_required(name: str) -> bool:
    if not os.environ.get("CI"):
        return False
    return sys.version_info[:2] == (3, 11) or name not in ONLY_DEBIAN


@functools.cache
def why_not(name: str) -> str:
    """Why the toolkit cannot be imported; nothing if it can. Asked in a process of its own."""
    result = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", _IMPORTS[name]],
        capture_output=True,
        stdin=subprocess.DEVNULL,
        text=True,
        check=False,
        timeout=60,
    )
    return (result.stderr.strip().splitlines() or ["?"])[-1] if result.returncode else ""


def require(name: str) -> None:
    """Skip the test without the toolkit, or fail it where it has to be there."""
    if reason := why_not(name):
        text = f"{name} is not there for this Python: {reason}"
        if is_required(name):
            pytest.fail(text, pytrace=False)
        pytest.skip(text)
