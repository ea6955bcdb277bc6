"""A pytest plugin: IPython's terminal shells are ours, in this process and in those it starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any


def swap() -> None:
    """Put our classes and functions in the place of IPython's, before anybody imports those."""
    import IPython
    from IPython.terminal import embed, interactiveshell, ipapp

    import ipyembed

    theirs: list[Any] = [IPython, embed, interactiveshell, ipapp]
    ours = {
        "TerminalInteractiveShell": ipyembed.ThreadedInteractiveShell,
        "InteractiveShellEmbed": ipyembed.ThreadedInteractiveShellEmbed,
        "embed": ipyembed.embed,
    }
    for module in theirs:
        for name, value in ours.items():
            if callable(getattr(module, name, None)):  # IPython.terminal.embed is a module
                setattr(module, name, value)
    ipapp.TerminalIPythonApp.interactive_shell_class.default_value = (
        ipyembed.ThreadedInteractiveShell
    )


def pytest_configure() -> None:
    """Swap here; the module `sitecustomize` beside this one does it in child processes."""
    swap()
    path = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(Path(__file__).parent), path]))
