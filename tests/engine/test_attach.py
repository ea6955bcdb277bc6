"""``ipyembed attach`` and ``ipyembed engines`` with real engines; the examples."""

from __future__ import annotations

import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.host import Engines, engines_in
from tests.gui.required import require
from tests.pty.conftest import Spawn

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def shared(spawn: Spawn, tmp_path: Path) -> Iterator[Engines]:
    with engines_in(tmp_path, {}) as engines:
        spawn.env.update(engines.env)
        yield engines


def test_server(spawn: Spawn, shared: Engines) -> None:
    host = shared.host((EXAMPLES / "attach_to_server.py").read_text(encoding="utf-8"), "0")
    url = re.search(r"http://127\.0\.0\.1:\d+", host.wait_for("attach with"))
    assert url is not None
    terminal = spawn.module("ipyembed", "attach")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("settings['greeting'] = 'hi'; print('of the client')")
    assert "of the client" in terminal.screen.text
    with urllib.request.urlopen(url[0]) as answer:
        assert answer.read() == b"hi, this is /\n"
    assert terminal.run("requests").endswith("1")
    assert terminal.run("await asyncio.sleep(0.01, 'awaited')").endswith("'awaited'")
    assert "ZeroDivisionError" in terminal.run("1/0")
    assert "Signature" in terminal.run("answer?")
    # completion of the engine's names
    terminal.send("settin\t")
    terminal.wait_for(r"In \[\d+\]: settings")
    terminal.send("\x15")
    # output of a task comes above the line that is typed
    terminal.run("later = asyncio.create_task(asyncio.sleep(0.3))")
    terminal.run("later.add_done_callback(lambda _: print('the task has ended')); None")
    terminal.send("half a li")
    terminal.wait_for(r"the task has ended\s+In \[\d+\]: half a li")
    terminal.send("\x15")
    # a question, Ctrl-C in a cell that blocks and in one that awaits
    terminal.line("name = input('who' + '? ')")
    terminal.wait_for(r"who\?")
    terminal.line("me")
    assert terminal.run("name").endswith("'me'")
    for cell, shown in (
        ("import time; time.sleep(60)", "it runs"),
        ("await asyncio.sleep(60)", "it runs"),
        ("input('well' + '?')", r"well\?"),
    ):
        mark = terminal.mark()
        terminal.line(f"print('it', 'runs'); {cell}")
        terminal.wait_for_new(shown, mark)
        terminal.ctrl("c")
        terminal.wait_for_new("KeyboardInterrupt", mark)
        terminal.prompt()
    # the list, from another terminal, while a cell runs
    mark = terminal.mark()
    terminal.line("print('it', 'runs'); await asyncio.sleep(60)")
    terminal.wait_for_new("it runs", mark)
    listing = spawn.module("ipyembed", "engines")
    listing.wait_for(rf"{host.process.pid} +server +\d+ (s|min) +\d+ s in ")
    assert listing.wait_exit() == 0
    terminal.ctrl("c")
    terminal.prompt()
    terminal.leave(modes=modes)
    assert host.process.poll() is None
    assert "of the client" not in host.output


def test_qt_program(spawn: Spawn, shared: Engines, display: str) -> None:
    require("PySide6")
    text = (EXAMPLES / "attach_to_qt_app.py").read_text(encoding="utf-8")
    host = shared.host(text, env={"DISPLAY": display})
    host.wait_for("attach with")
    terminal = spawn.module("ipyembed", "attach", "window")
    terminal.prompt(1)
    terminal.run("clock.stop(); label.setText('set from outside')")
    assert terminal.run("label.text()").endswith("'set from outside'")
    terminal.line("application.quit()")
    assert host.wait() == 0
    terminal.wait_for("the engine has been closed")
    assert terminal.wait_exit() == 1


def test_no_engine(spawn: Spawn, shared: Engines) -> None:
    terminal = spawn.module("ipyembed", "engines")
    terminal.wait_for("no engine is open; a program opens one by")
    assert terminal.wait_exit() == 0


def test_help_is_short(spawn: Spawn) -> None:
    for command, said in (("attach", "--ssh=USER@HOST"), ("engines", "--json")):
        terminal = spawn.module("ipyembed", command, "--help")
        assert terminal.wait_exit() == 0
        assert said in terminal.screen_text()
        assert "Equivalent to" not in terminal.screen_text()
