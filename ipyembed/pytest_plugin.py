"""pytest: `embed()` in a test has the terminal, without ``-s``.

Active where ipyembed is installed (entry point ``pytest11``). While a shell is open, capturing is
suspended, also that of `capsys` and `capfd`, and the debugger's hooks of pytest are called, so that
timeouts (pytest-timeout, `faulthandler_timeout`) leave the person at the prompt alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest

from ipyembed.surroundings import stepping_aside


def pytest_configure(config: pytest.Config) -> None:
    """Let capturing step aside from now on."""
    stack = ExitStack()
    stack.enter_context(stepping_aside(_Capture(config).suspended))
    config.add_cleanup(stack.close)


class _Capture:
    """pytest's capturing, for one run of pytest."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._shells = 0

    @contextmanager
    def suspended(self) -> Iterator[None]:
        """While a shell is open. Raises RuntimeError where there is no terminal."""
        if hasattr(self._config, "workerinput"):
            raise RuntimeError(
                "embed() in a test that pytest-xdist runs in a worker: that has no terminal; "
                "run this test with `pytest -n0`"
            )
        plugins = self._config.pluginmanager
        capture: Any = plugins.getplugin("capturemanager")  # None with `-p no:capture`
        self._shells += 1
        is_outermost = self._shells == 1
        if is_outermost and capture is not None:
            capture.suspend(in_=True)
        try:
            if is_outermost:
                self._say("a shell is open, capturing is suspended")
                self._config.hook.pytest_enter_pdb(config=self._config, pdb=None)
            yield
        finally:
            self._shells -= 1
            if is_outermost:
                self._config.hook.pytest_leave_pdb(config=self._config, pdb=None)
                self._say("the shell is closed")
                if capture is not None:
                    capture.resume()

    def _say(self, what: str) -> None:
        reporter: Any = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_sep(">", f"ipyembed: {what}")
