"""`python -m ipyembed.demo`: what its header says to type does what it says."""

from __future__ import annotations

import re

import pytest

from tests.pty.conftest import Spawn


@pytest.mark.parametrize("has_display", [True, False], ids=["a display", "no display"])
def test_the_tour(
    spawn: Spawn, request: pytest.FixtureRequest, toolkits: set[str], has_display: bool
) -> None:
    display = request.getfixturevalue("display") if has_display and "tk" in toolkits else None
    terminal = spawn.module("ipyembed.demo", env={"DISPLAY": display})
    modes = terminal.tty_modes()
    terminal.prompt(1)
    text = terminal.screen_text()
    assert ("the window's clock never stopped" in text) == (display is not None)
    terminal.wait_for("^demo: hello, visitor 1\nIn")
    terminal.run("settings.greeting = 'hi'")
    assert terminal.run("await answer(0.01)").endswith("42")
    terminal.interrupt("time.sleep(60)")
    terminal.prompt(4)
    terminal.wait_for(r"^demo: hi, visitor \d")
    mark = terminal.mark()
    terminal.line("print('be' + 'gun'); await asyncio.sleep(60)")
    terminal.wait_for_new("begun", mark)
    terminal.ctrl("z")
    terminal.prompt(5)
    jobs = terminal.run("%jobs")
    assert re.search(r"^\[1\] +counter +running", jobs, re.MULTILINE)
    assert "demo.py:" in jobs.replace("\n", "")  # a program like any other
    assert re.search(r"^\[2\] +print.* running", jobs, re.MULTILINE)
    if display is not None:
        terminal.run("tells = label['text']")
        terminal.run("while label['text'] == tells: await asyncio.sleep(0.1)")
        terminal.run("window.destroy()")
        terminal.wait_for("^demo: the window has been closed$")
    terminal.run("%cancel --all")
    terminal.wait_for(r"^\[1\] cancelled counter$")
    terminal.leave(modes=modes)
