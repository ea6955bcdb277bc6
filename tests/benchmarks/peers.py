"""The shells that are compared, as their users start them: ours, IPython's, ptpython's.

    with Shells() as shells:
        for name in shells.names(report):            # those that are installed; ours first
            terminal = shells.start(name)            # the command: `ipyembed`, `ipython`, ...
            terminal = shells.embed(name, "x = 1")   # embed() at the end of that program
            clock = shells.wait_prompt(terminal, name, 1)
            shells.leave(terminal)

Every program has an empty profile of its own, and a terminal that is read as bytes.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.benchmarks.harness import Report
from tests.benchmarks.raw_terminal import DEADLINE, RawTerminal
from tests.pty.conftest import _PERSONAL

OURS = "ipyembed"
#: What prompt_toolkit sends when it begins to ask.
_READS_PASTES = b"\x1b[?2004h"
_COMMANDS = {
    OURS: ["-m", "ipyembed", "--no-banner", "--no-confirm-exit"],
    "IPython": ["-m", "IPython", "--no-banner", "--no-confirm-exit"],
    "ptpython": ["-m", "ptpython"],
}
_EMBEDS = {
    OURS: "import ipyembed; ipyembed.embed(banner1='')",
    "IPython": "import IPython; IPython.embed(banner1='', colors='Linux')",
    # Its embed() is given the names, where the others look for them themselves.
    "ptpython": "import ptpython.repl; ptpython.repl.embed(globals(), locals())",
}


class Shells:
    """Starts shells, and ends them when the block is over."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self.path = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self._stack = stack.pop_all()
        self._started = 0
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def names(self, report: Report, wanted: tuple[str, ...] = ()) -> list[str]:
        """The shells that this Python has, ours first; the others are noted as skipped."""
        peers = {"ipyembed": "ipyembed", "IPython": "IPython", "ptpython": "ptpython"}
        names = [name for name in peers if not wanted or name in (OURS, *wanted)]
        here = [name for name in names if importlib.util.find_spec(peers[name]) is not None]
        report.skipped += [f"{name}: not installed" for name in names if name not in here]
        return here

    def start(
        self, name: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> RawTerminal:
        """The shell's command, with the arguments."""
        home = self._home()
        return self._run([*_COMMANDS[name], *arguments], home, env)

    def embed(
        self, name: str, before: str = "", *arguments: str, env: Mapping[str, str] | None = None
    ) -> RawTerminal:
        """A program that runs the text `before`, then opens the shell in itself."""
        home = self._home()
        script = home / "program.py"
        script.write_text(f"{before}\n{_EMBEDS[name]}\n", encoding="utf-8")
        return self._run([str(script), *arguments], home, env)

    def program(
        self, text: str, *arguments: str, env: Mapping[str, str] | None = None
    ) -> RawTerminal:
        """Any program."""
        home = self._home()
        script = home / "program.py"
        script.write_text(text, encoding="utf-8")
        return self._run([str(script), *arguments], home, env)

    def wait_prompt(
        self,
        terminal: RawTerminal,
        name: str,
        number: int = 1,
        since: int = 0,
        timeout: float = DEADLINE,
    ) -> float:
        """The clock when the prompt with that number is there.

        Give `since` after anything was typed: each key draws the prompt anew.
        """
        if name == "ptpython":  # its prompts have no numbers, and it draws >>> again at each key
            terminal.wait_for(_READS_PASTES, since, timeout)
            return terminal.wait_for(b">>>", terminal.output.index(_READS_PASTES, since), timeout)
        return terminal.wait_for(re.compile(rb"In \[%d\]: " % number), since, timeout)

    def leave(self, terminal: RawTerminal) -> None:
        """Leave the shell, at its prompt, by Ctrl-D. Raises AssertionError if that fails."""
        terminal.wait_quiet()
        mark = terminal.mark()
        terminal.send(b"\x04")
        with contextlib.suppress(AssertionError):  # those that do not ask end
            terminal.wait_for(re.compile(rb"really want to exit"), mark)
            terminal.send(b"y\r")
        status = terminal.wait_exit()
        assert status == 0, f"exit status {status}: {bytes(terminal.output[mark:])!r}"

    def _home(self) -> Path:
        self._started += 1
        home = self.path / str(self._started)
        home.mkdir()
        return home

    def _run(self, argv: list[str], home: Path, env: Mapping[str, str] | None) -> RawTerminal:
        kept = {name: value for name, value in os.environ.items() if name not in _PERSONAL}
        terminal = RawTerminal(
            [sys.executable, *argv],
            env={
                **kept,
                "TERM": "xterm-256color",
                "LC_ALL": "C.UTF-8",
                "HOME": str(home),
                "IPYTHONDIR": str(home / "ipython"),
                "XDG_CONFIG_HOME": str(home),
                "XDG_DATA_HOME": str(home),
                # Whatever is set here: bytecode is cached, as that of an installed package is.
                "PYTHONDONTWRITEBYTECODE": "",
                **(env or {}),
            },
            cwd=home,
        )
        self._stack.callback(terminal.close)
        return terminal
