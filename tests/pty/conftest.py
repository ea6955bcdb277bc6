"""Fixtures for tests that run a program in a pseudo-terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import dedent

import pytest

from tests.gui.required import is_required, why_not
from tests.pty.gui_programs import PROGRAMS
from tests.pty.terminal import Terminal

#: Settings of the person who runs the tests that would change what a program shows.
_PERSONAL = {"BASH_ENV", "COLUMNS", "EDITOR", "LESS", "LINES", "MANPAGER", "NO_COLOR", "PAGER"} | {
    "PYTHONBREAKPOINT",
    "PYTHONSTARTUP",
    "VIRTUAL_ENV",  # IPython warns if it is not the one that it runs in.
    "VISUAL",
}


class Spawn:
    """Starts programs in terminals, and ends them when the test is over."""

    def __init__(self, tmp_path: Path, ipython_dir: Path) -> None:
        self.path = tmp_path
        self._terminals: list[Terminal] = []
        self.env = {
            **{name: value for name, value in os.environ.items() if name not in _PERSONAL},
            "TERM": "xterm-256color",
            "LC_ALL": "C.UTF-8",
            "IPYTHONDIR": str(ipython_dir),
        }

    def __call__(
        self,
        script: str | Path,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        rows: int = 30,
        cols: int = 100,
    ) -> Terminal:
        """Run a Python script: a path, or its text (a `str`), which may be indented."""
        if isinstance(script, str):
            path = self.path / f"script{len(self._terminals)}.py"
            path.write_text(dedent(script), encoding="utf-8")
            script = path
        argv = [sys.executable, str(script), *args]
        return self.argv(argv, env=env, cwd=cwd, rows=rows, cols=cols)

    def ipython(self, *args: str, env: Mapping[str, str | None] | None = None) -> Terminal:
        """Run plain IPython, without banner and without a question on leaving."""
        return self.argv(
            [sys.executable, "-m", "IPython", "--no-banner", "--no-confirm-exit", *args], env=env
        )

    def module(
        self, name: str, *args: str, env: Mapping[str, str | None] | None = None
    ) -> Terminal:
        """Run a module, as by `python -m`."""
        return self.argv([sys.executable, "-m", name, *args], env=env)

    def argv(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        rows: int = 30,
        cols: int = 100,
    ) -> Terminal:
        """Run any program.  In `env`, None takes a variable away."""
        merged: dict[str, str | None] = {**self.env, **(env or {})}
        terminal = Terminal(
            argv,
            env={name: value for name, value in merged.items() if value is not None},
            cwd=cwd or self.path,
            rows=rows,
            cols=cols,
        )
        self._terminals.append(terminal)
        return terminal

    def close(self) -> None:
        for terminal in self._terminals:
            terminal.close()


@pytest.fixture
def spawn(tmp_path: Path, ipython_dir: Path) -> Iterator[Spawn]:
    factory = Spawn(tmp_path, ipython_dir)
    yield factory
    factory.close()


@pytest.fixture(scope="session")
def toolkits() -> set[str]:
    """The programs whose toolkit this Python has. In CI, what must not be missing is an error."""
    there = {name for name in PROGRAMS if not why_not(name)}
    if missing := [name for name in PROGRAMS if name not in there and is_required(name)]:
        pytest.fail(f"not there for this Python: {', '.join(missing)}", pytrace=False)
    return there


@pytest.fixture
def installed(toolkits: set[str]) -> Callable[..., None]:
    """Skips the test unless this Python has all of these programs' toolkits."""

    def skip_unless(*programs: str) -> None:
        if missing := set(programs) - toolkits:
            pytest.skip(f"{', '.join(sorted(missing))} is not installed for this Python")

    return skip_unless


@pytest.fixture(params=PROGRAMS)
def program(request: pytest.FixtureRequest, installed: Callable[..., None]) -> str:
    """Each toolkit's program."""
    name: str = request.param
    installed(name)
    return name


@pytest.fixture
def a_program(toolkits: set[str]) -> str:
    """The first program whose toolkit is there."""
    for name in PROGRAMS:
        if name in toolkits:
            return name
    pytest.skip("no toolkit is installed for this Python")


@pytest.fixture
def a_qt(a_program: str) -> str:
    """The first Qt that is there."""
    if not a_program.startswith("Py"):
        pytest.skip("no Qt is installed for this Python")
    return a_program
