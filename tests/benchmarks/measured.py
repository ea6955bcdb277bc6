"""The programs that are measured: real ones, in real pseudo-terminals, with real windows.

A program measures itself and hands the values over on a socket: nothing is read off the screen, and
nobody reads the terminal meanwhile. A thread of the program waits for the question, sleeps while
the values come in, and answers. While one program is measured the others are stopped (SIGSTOP):
windows of a second can take turns, though starting a program takes longer than that.
"""

from __future__ import annotations

import json
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from textwrap import dedent
from typing import Any, Self

from tests.benchmarks.harness import Report
from tests.benchmarks.raw_terminal import keep_niceness
from tests.pty.conftest import Spawn
from tests.pty.gui_programs import PROGRAMS
from tests.pty.terminal import Terminal
from tests.xvfb import virtual_screen

TOOLKITS = ["PySide6", "tk", "gtk3", "gtk4", "wx"]

PAINTED = "make()\n"
"""A window that is painted at each tick of its timer."""

_STILL = {
    "PySide6": "window.setText = str",
    "tk": "label = {}",
    "gtk3": "label.set_text = str",
    "gtk4": "label.set_text = str",
    "wx": "window.Refresh = str",
}
DEADLINE = 30.0
SETTLE = 0.2
"""Seconds after a program was stopped that are not measured."""

_START = f"""
import asyncio, json, socket, sys, threading, time
import ipyembed
ticks = paints = 0
samples = []
cpu = time.pthread_getcpuclockid(threading.main_thread().ident)
def answer():
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(sys.argv[1])
        while asked := line.recv(100):
            time.sleep({SETTLE})
            before, first, spent = ticks, len(samples), time.clock_gettime(cpu)
            time.sleep(float(asked))
            spent = time.clock_gettime(cpu) - spent
            found = dict(samples=samples[first:], ticks=ticks - before, cpu=spent)
            line.sendall(json.dumps(found).encode() + b"\\n")
threading.Thread(target=answer, daemon=True).start()
"""


def text(toolkit: str | None, rest: str) -> str:
    """The text of a program with that toolkit, which goes on with `rest`."""
    window = PROGRAMS[toolkit].text if toolkit is not None else ""
    return "\n".join(dedent(part).strip("\n") for part in (_START, window, rest)) + "\n"


def still(toolkit: str) -> str:
    """What makes a window of that toolkit whose timer ticks, but which is painted only once."""
    return f"painted = lambda *_: False\nmake()\n{_STILL[toolkit]}\n"


class Measured:
    """A program that was started and is stopped, except while it is asked."""

    def __init__(self, terminal: Terminal, line: socket.socket, has_prompt: bool) -> None:
        self.terminal = terminal
        self._line = line.makefile("rw", encoding="utf-8")
        self._has_prompt = has_prompt
        self._stop()

    def ask(self, seconds: float) -> dict[str, Any]:
        """What the program finds in a window of that length: its `samples` and its `ticks`."""
        with self.awake():
            self._line.write(f"{seconds}")
            self._line.flush()
            found: dict[str, Any] = json.loads(self._line.readline())
        return found

    @contextmanager
    def awake(self) -> Iterator[None]:
        self.terminal.signal(signal.SIGCONT)
        try:
            yield
        finally:
            self._stop()

    def assert_prompt_lives(self) -> None:
        """The program has a prompt, which answers, exactly if it should have one."""
        with self.awake():
            if self._has_prompt:
                assert self.terminal.run("6 * 7").endswith("42")
            assert ("In [1]:" in self.terminal.screen_text()) == self._has_prompt

    def _stop(self) -> None:
        self.terminal.signal(signal.SIGSTOP)


class Stage:
    """Where programs are started: a screen, a directory, an empty profile."""

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.display = stack.enter_context(virtual_screen())
            self.spawn = Spawn(directory, directory / "ipython")
            stack.callback(self.spawn.close)
            self._socket = stack.enter_context(socket.socket(socket.AF_UNIX))
            self.path = str(directory / "socket")
            self._socket.bind(self.path)
            self._socket.listen()
            self._socket.settimeout(DEADLINE)
            self._stack = stack.pop_all()
        self.callback = self._stack.callback
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stack.close()

    def start(self, program: str, *, has_prompt: bool) -> Measured:
        terminal = self.start_terminal(program, has_prompt=has_prompt)
        line, _ = self._socket.accept()
        line.settimeout(DEADLINE)
        self._stack.callback(line.close)
        return Measured(terminal, line, has_prompt)

    def start_terminal(self, program: str, *, has_prompt: bool) -> Terminal:
        terminal = self.spawn(program, self.path, env={"DISPLAY": self.display})
        keep_niceness(terminal.pid)
        if has_prompt:
            terminal.prompt(1)
        return terminal


def toolkits_here(report: Report, wanted: list[str]) -> list[str]:
    """Those of the toolkits that this Python has; the others are noted as skipped."""
    here = [name for name in wanted if name in PROGRAMS and _can_import(name)]
    report.skipped += [f"{name}: not installed" for name in wanted if name not in here]
    return here


def _can_import(name: str) -> bool:
    version = {"gtk3": "3.0", "gtk4": "4.0"}.get(name)
    require = f"import gi; gi.require_version('Gtk', '{version}'); " if version else ""
    command = [sys.executable, "-W", "ignore", "-c", f"{require}import {PROGRAMS[name].module}"]
    return subprocess.run(command, capture_output=True, check=False, timeout=60).returncode == 0


def assert_ticked(answers: list[dict[str, Any]], seconds: float) -> None:
    """The timer of 16 ms has fired all the time."""
    ticks = [answer["ticks"] for answer in answers]
    assert statistics.median(ticks) > 30 * seconds, f"{ticks} ticks in {seconds:g} s"


def asker(program: Measured, seconds: float) -> Callable[[], dict[str, Any]]:
    """As a contender of `harness.take_turns`."""
    return lambda: program.ask(seconds)
