"""A shell in a test has the terminal, and pytest has its output back afterwards."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

ROOT = Path(__file__).parent.parent.parent

TESTS = """
import asyncio, os, sys, threading, time
import ipyembed
ipyembed.embed  # imports IPython, which would count to the time of the first test

def test_print():
    print("before")
    secret = 6
    ipyembed.embed()
    print("after", secret, type(sys.stdin).__name__, flush=True)
    os.write(1, b"by descriptor\\n")

def test_capsys(capsys):
    print("before")
    ipyembed.embed()
    print("after")
    assert capsys.readouterr().out == "before\\nafter\\n"

def test_capfd(capfd):
    os.write(1, b"before\\n")
    asyncio.run(ipyembed.embed_async())
    os.write(1, b"after\\n")
    assert capfd.readouterr().out == "before\\nafter\\n"

def test_raises():
    print("before")
    ipyembed.embed()

def test_thread():
    def work():
        ipyembed.embed()
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()

def test_breakpoint():
    at_a_breakpoint = 7
    breakpoint()
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """A directory that makes the package look installed, with the entry points that it declares."""
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    info = tmp_path / "installed" / "ipyembed-0.0.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ipyembed\nVersion: 0.0.0\n")
    lines = [
        f"{name} = {value}"
        for name, value in declared["project"]["entry-points"]["pytest11"].items()
    ]
    (info / "entry_points.txt").write_text("\n".join(["[pytest11]", *lines, ""]))
    return info.parent


class Runs:
    """Starts pytest in a terminal."""

    def __init__(self, spawn: Spawn, installed: Path) -> None:
        self._spawn = spawn
        self._path = f"{installed}:{ROOT}"

    def __call__(self, tests: str, *args: str) -> Terminal:
        (self._spawn.path / "test_it.py").write_text(TESTS)
        # Its own configuration: that of this project has its own options.
        (self._spawn.path / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n")
        return self._spawn.argv(
            [sys.executable, "-m", "pytest", *args, "-k", tests, "test_it.py"],
            env={"PYTHONPATH": self._path, "PYTHONBREAKPOINT": "ipyembed.embed"},
        )


@pytest.fixture
def runs(spawn: Spawn, installed: Path) -> Runs:
    return Runs(spawn, installed)


def leave(terminal: Terminal) -> None:
    """Leave a shell and see that pytest is told."""
    mark = terminal.mark()
    terminal.line("exit")
    terminal.wait_for_new("^>+ ipyembed: the shell is closed >+", mark)


@pytest.mark.parametrize("capture", ["fd", "sys", "no"])
def test_the_terminal_is_the_shells_until_it_is_left(runs: Runs, capture: str) -> None:
    terminal = runs("test_print", f"--capture={capture}", "-rP")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.wait_for("^>+ ipyembed: a shell is open, capturing is suspended >+$")
    assert terminal.run("secret * 7") == "Out[1]: 42"
    assert terminal.run("import os; n = os.write(1, b'by a cell\\n')") == "by a cell"
    # another shell inside of it leaves the terminal to this one
    terminal.line("secret += 1; ipyembed.embed()")
    terminal.prompt(1)
    terminal.line("exit")
    terminal.prompt(4)
    assert terminal.run("sys.stdin.isatty(), sys.stdout.isatty()") == "Out[4]: (True, True)"
    leave(terminal)
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
    shown = terminal.screen_text().partition("the shell is closed")[2]
    if capture == "no":
        assert "after 7 TextIOWrapper" in shown
    else:
        captured = shown.partition("Captured stdout call")[2]
        expected = ["before", "after 7 DontReadFromInput"]
        if capture == "fd":
            expected.append("by descriptor")
        assert [line for line in captured.split("\n")[1:] if line][: len(expected)] == expected


def test_fixtures_that_capture_and_timeouts(runs: Runs) -> None:
    terminal = runs("capsys or capfd", "--timeout=2", "-o", "faulthandler_timeout=2")
    terminal.prompt(1)
    # The time of the person at the prompt is not the test's.
    assert terminal.run("time.sleep(2.1); 6 * 7", timeout=30) == "Out[1]: 42"
    leave(terminal)
    terminal.wait_for(lambda t: t.screen_text().count("a shell is open") == 2)
    terminal.prompt(1)
    leave(terminal)
    assert terminal.wait_exit() == 0
    assert "2 passed" in terminal.screen_text()
    assert "Timeout" not in terminal.screen_text()


def test_wherever_it_is_opened_and_however_it_is_left(runs: Runs) -> None:
    terminal = runs("thread or raises or breakpoint")
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.line("%exit_raise")
    terminal.wait_for_new("^>+ ipyembed: the shell is closed >+", mark)
    terminal.wait_for(lambda t: t.screen_text().count("a shell is open") == 2)
    terminal.prompt(1)
    assert terminal.run("threading.current_thread().name").endswith("(work)'")
    leave(terminal)
    terminal.wait_for(lambda t: t.screen_text().count("a shell is open") == 3)
    terminal.prompt(1)
    assert terminal.run("at_a_breakpoint * 6") == "Out[1]: 42"
    leave(terminal)
    assert terminal.wait_exit() == 1
    shown = terminal.screen_text().split("the shell is closed")[-1]
    assert "1 failed, 2 passed" in shown
    assert "KillEmbedded" in shown
    assert "before" in shown.partition("Captured stdout call")[2]


def test_in_a_worker_of_xdist_there_is_no_terminal(runs: Runs) -> None:
    terminal = runs("test_print", "-n1")
    assert terminal.wait_exit(60) == 1  # two more interpreters have to start
    assert "RuntimeError: embed() in a test that pytest-xdist runs" in terminal.screen_text()
