"""The user's IPython profile, read without touching the host's logging.

IPython's `load_default_config` makes an application for it, and that configures `logging` anew: in
the course of it, every handler of the host's is closed. A `FileHandler` that was opened with mode
``w`` never writes another line.
"""

from __future__ import annotations

import logging
import os

from IPython.paths import get_ipython_dir
from IPython.terminal.ipapp import TerminalIPythonApp
from traitlets import default
from traitlets.config import Config


class _Reader(TerminalIPythonApp):
    """Reads configuration files and does nothing else. Errors go to the logger ``ipyembed``."""

    name = "ipython"  # the files are those of IPython's own application

    @default("log")
    def _log_default(self) -> logging.Logger:
        return logging.getLogger("ipyembed")

    def _configure_logging(self) -> None:
        """See `Application` (traitlets 5.2 and later, private)."""


def load_config() -> Config:
    """What `IPython.terminal.ipapp.load_default_config` returns."""
    reader = _Reader()
    reader.config_file_paths.append(os.path.join(get_ipython_dir(), "profile_default"))
    reader.load_config_file()
    config: Config = reader.config
    return config
