"""Every example does what its header promises, and leaves the terminal as it was."""

from __future__ import annotations

import importlib.util
import os
import re
import socket
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
SCRIPTS = sorted(path for path in EXAMPLES.glob("*.py") if path.name != "__init__.py")
#: And the toolkit that each needs.
WINDOWS = {"qt_window": "PySide6", "tk_window": "tk", "wx_window": "wx", "gtk_window": "gtk4"}
#: The libraries that the others need; `pip install .[examples]` has them.
LIBRARIES = {"on_qasync": "qasync", "on_trio": "trio", "on_uvloop": "uvloop", "web_app": "fastapi"}
TESTED_HERE = {
    "async_server",
    "at_a_breakpoint",
    "at_an_exception",
    "in_a_coroutine",
    "live_plot",
    "logging_service",
    "own_gui_hook",
    "plain_script",
    "profile_config",
    "ticker",
    "worker_thread",
    *LIBRARIES,
    *WINDOWS,
}
TESTED_ELSEWHERE = {"attach_to_qt_app", "attach_to_server"}  # tests/engine/test_attach.py


def need(library: str) -> None:
    """Skip the test where it is not installed; under CI, everything is."""
    if importlib.util.find_spec(library) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{library} is not installed", pytrace=False)
        pytest.skip(f"{library} is not installed")


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        text: str = answer.read().decode()
        return text


def test_each_example_has_a_test() -> None:
    assert {path.stem for path in SCRIPTS} == TESTED_HERE | TESTED_ELSEWHERE


def test_each_example_is_in_the_documents() -> None:
    page = EXAMPLES.parent / "docs" / "examples.md"
    listed = set(re.findall(r"\.\./examples/(\w+)\.py", page.read_text(encoding="utf-8")))
    assert listed == {path.stem for path in SCRIPTS}


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_an_example_is_short_and_says_how_to_run_it(path: Path) -> None:
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) < 80
    assert lines[0].startswith('"""')
    assert lines[3] == '"""'
    assert any(re.search(rf"Run: .*examples/{path.name}", line) for line in lines[:3])


def test_ticker(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "ticker.py", "0.1")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.wait_for(r"^<Job \[1\] ticker\(\) running>\nfive .*:\n0\n1\n2\n3\n")
    # at the prompt it goes on
    terminal.wait_for(r"^\[1\] \d+$")
    terminal.run("%bg await asyncio.sleep(0.1, 'slept')")
    terminal.wait_for(r"^\[2\] done await asyncio.sleep\(0.1, 'slept'\) → 'slept'$")
    mark = terminal.mark()
    terminal.line("%fg 1")
    terminal.wait_for_new(r"^\d+\r*\n\d+", mark)
    terminal.ctrl("z")
    terminal.prompt(3)
    terminal.line("print('awaits'); await asyncio.sleep(0.5)")
    terminal.wait_for("^awaits$")
    terminal.ctrl("z")
    terminal.wait_for(r"^\[3\] done print")
    terminal.run("exit")
    terminal.wait_for("^There is 1 running job, which will go on")
    terminal.run("%cancel 1")
    terminal.wait_for(r"^\[1\] cancelled ticker\(\)$")
    terminal.leave(r"ticked \d+ times", modes)


def test_async_server(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "async_server.py", "0")
    modes = terminal.tty_modes()
    url = terminal.wait_for(r"http://127\.0\.0\.1:\d+")
    terminal.prompt(1)
    assert terminal.run("stats") == "Out[1]: Counter()"

    # From inside: the log line is part of the cell's output, for it is the cell that waits.
    inside = terminal.run('await fetch("/")')
    assert re.search(r"^\d{4}-\d\d-\d\d \S+ server: GET / -> 200$", inside, re.MULTILINE)
    assert inside.endswith(r"Out[2]: 'hello, this is /\n'")

    # From outside, with a line half typed: the log goes above it, and it stays.
    terminal.send("settings.greeting = 'g'")
    terminal.wait_for(r"^In \[3\]: settings\.greeting = 'g'$")
    assert get(f"{url}/first") == "hello, this is /first\n"
    terminal.wait_for(r"^\S+ \S+ server: GET /first -> 200\nIn \[3\]: settings\.greeting = 'g'$")
    terminal.line(" + 'reetings'")
    terminal.prompt(4)
    assert get(f"{url}/second") == "greetings, this is /second\n"
    assert terminal.run("stats['/second']").endswith("Out[4]: 1")

    # Requests that are no such thing do not disturb it.
    with pytest.raises(urllib.error.HTTPError, match="405"):
        urllib.request.urlopen(urllib.request.Request(url, method="DELETE"), timeout=10)
    terminal.wait_for("DELETE / -> 405")

    # A task of the user's goes on while the next cell is typed.
    terminal.run("task = asyncio.create_task(visit(2))")
    terminal.send("half ty")
    terminal.wait_for(r"GET /visit/2 -> 200\nIn \[6\]: half ty$")
    terminal.ctrl("c")
    terminal.wait_for(r"^In \[6\]:$")
    terminal.run("await task")
    terminal.leave("^the server has stopped$", modes)


def test_async_server_stops_with_a_connection_that_says_nothing(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "async_server.py", "0")
    modes = terminal.tty_modes()
    port = int(terminal.wait_for(r"(?<=http://127\.0\.0\.1:)\d+"))
    terminal.prompt(1)
    with socket.create_connection(("127.0.0.1", port), timeout=10):
        terminal.run("await fetch('/')")  # by then the silent one has been accepted
        terminal.leave("^the server has stopped$", modes)
    assert "Traceback" not in terminal.screen_text()


def test_plain_script(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "plain_script.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert terminal.run("total += 1") == ""
    assert terminal.run("await later(0.01, 'done')") == "Out[2]: 'done'"
    terminal.run("task = asyncio.create_task(tick(2))")
    terminal.send("half ty")
    terminal.wait_for(r"^tick 2\nIn \[4\]: half ty$")
    terminal.ctrl("c")
    terminal.leave("^the script goes on; total is 42$", modes)


def test_in_a_coroutine(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "in_a_coroutine.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    before = terminal.run("beats").removeprefix("Out[1]: ")
    assert terminal.run("beats") == f"Out[2]: {before}"
    assert terminal.run("await queue.get()") == "Out[3]: 'beat 1'"
    # As many new beats as are waited for: that they come at all is what is tested.
    assert terminal.run("while queue.qsize() < 20: await asyncio.sleep(0.01)") == ""
    assert terminal.run(f"beats > {before}") == "Out[5]: True"
    terminal.leave(r"^the host goes on: [1-9]\d* beats since you left$", modes)


def test_worker_thread(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "worker_thread.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert terminal.run("threading.current_thread().name") == "Out[1]: 'shell'"
    assert terminal.run("await asyncio.sleep(0.01, 'slept')") == "Out[2]: 'slept'"
    # The cell ends because the main thread goes on.
    terminal.run("seen = rounds")
    terminal.run("while rounds < seen + 3: await asyncio.sleep(0.01)")
    terminal.line("stop.set()")
    terminal.wait_for(r"^main thread: stopped after \d+ rounds$")
    terminal.leave("^main thread: the shell has ended$", modes)


@pytest.mark.parametrize("name", WINDOWS)
def test_a_window(spawn: Spawn, display: str, toolkits: set[str], name: str) -> None:
    if WINDOWS[name] not in toolkits:
        pytest.skip(f"{WINDOWS[name]} is not installed for this Python")
    terminal = spawn(EXAMPLES / f"{name}.py", env={"DISPLAY": display}, cols=140)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    loops = terminal.run("%loops")
    assert re.search(r"^host loop +asyncio\S+, running", loops, re.MULTILINE)
    assert re.search(r"^GUI loop +\w+ \(.*\), strategy select$", loops, re.MULTILINE)
    assert terminal.run("await asyncio.sleep(0.2); clock.done()").endswith("False")
    terminal.run("pace = 0.01; clock.cancel()")
    terminal.leave("exit", modes)


def test_at_an_exception(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "at_an_exception.py")
    modes = terminal.tty_modes()
    assert terminal.run("order") == "Out[1]: {'what': 'cake', 'price': '12,50'}"
    assert "ValueError" in terminal.run("raise error")
    terminal.line("%debug")
    terminal.wait_for("^ipdb>$")
    terminal.line("order")
    terminal.wait_for("^ipdb> order\n{'what': 'cake'")
    terminal.line("q")
    terminal.prompt(4)
    terminal.run("order['price'] = 12.5")
    terminal.leave(r"^the script goes on; total is 19\.70$", modes)


def test_at_a_breakpoint(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "at_a_breakpoint.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.line("mean([1, 2, 6])")
    for command, answer in {"p numbers": r"\[1, 2, 6\]", "n": "> .*", "total = 12": ""}.items():
        terminal.wait_for("^ipdb>$")
        terminal.line(command)
        terminal.wait_for(rf"^ipdb> {re.escape(command)}\n{answer}")
    terminal.wait_for("^ipdb>$")
    terminal.line("c")
    terminal.wait_for(r"^Out\[1\]: 4\.0$")
    terminal.prompt(2)
    terminal.line("exit")
    terminal.wait_for("^no shell is open here; c goes on$")
    terminal.wait_for("^ipdb>$")
    terminal.line("c")
    terminal.wait_for("^the script has ended: no shell is open here$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_logging_service(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "logging_service.py", "50")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.send("half ty")
    terminal.wait_for(r" stock INFO: checked, on stock\n(.*order.*\n)*In \[1\]: half ty$")
    terminal.ctrl("c")
    # Lines of the service may come after it.
    shown = terminal.run("settings.pace = 0.5; log.warning('hello')")
    assert re.search("WARNING: hello$", shown, re.MULTILINE)
    terminal.leave(r"INFO: the service has stopped after \d+ lines$", modes)


def test_profile_config(spawn: Spawn) -> None:
    ipython = [sys.executable, "-m", "IPython"]
    terminal = spawn.argv([*ipython, f"--config={EXAMPLES / 'profile_config.py'}"])
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("task = asyncio.create_task(asyncio.sleep(0, 'slept'))")
    assert terminal.run("await task") == "Out[2]: 'slept'"
    assert terminal.run("%config LoopJuggler.stuck_after") == "Out[3]: 3.0"
    terminal.leave(modes=modes)


def test_own_gui_hook(spawn: Spawn) -> None:
    terminal = spawn(EXAMPLES / "own_gui_hook.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert re.search("^GUI loop +toy ", terminal.run("%loops"), re.MULTILINE)
    # The cell ends because frames are drawn while it awaits.
    terminal.run("before = toy.frames\nwhile toy.frames < before + 3: await asyncio.sleep(0.01)")
    terminal.run("%gui")
    assert terminal.run("toy.frames") == terminal.run("toy.frames").replace("[5]", "[4]")
    terminal.leave(r"^the toy has drawn \d+ frames$", modes)


def test_live_plot(spawn: Spawn, display: str, toolkits: set[str]) -> None:
    need("matplotlib")
    if "PySide6" not in toolkits:
        pytest.skip("PySide6 is not installed for this Python")
    env = {"DISPLAY": display, "MPLBACKEND": "QtAgg"}
    terminal = spawn(EXAMPLES / "live_plot.py", env=env)
    modes = terminal.tty_modes()
    terminal.prompt(1, timeout=60)  # the first start lists all fonts
    terminal.run("while len(ys) < 3: await asyncio.sleep(0.01)")
    # It has been drawn, not only asked for.
    terminal.run("drawn = []; _ = fig.canvas.mpl_connect('draw_event', drawn.append)")
    terminal.run("while not drawn: await asyncio.sleep(0.01)")
    terminal.leave(r"^\d+ points were drawn$", modes)


def test_on_qasync(spawn: Spawn, toolkits: set[str]) -> None:
    need("qasync")
    if "PySide6" not in toolkits:
        pytest.skip("PySide6 is not installed for this Python")
    terminal = spawn(EXAMPLES / "on_qasync.py", env={"QT_QPA_PLATFORM": "offscreen"})
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert terminal.run("await count_down(0.1)") == "Out[1]: 'done'"
    terminal.run("button.click()")
    assert terminal.run("while not 0 < bar.value() < 99: await asyncio.sleep(0.01)") == ""
    terminal.leave("^the window closes$", modes)


def test_on_trio(spawn: Spawn) -> None:
    need("trio")
    terminal = spawn(EXAMPLES / "on_trio.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "first: 1" in terminal.run("{await done.receive(), await done.receive()}")
    assert terminal.run("with trio.move_on_after(0.01): await trio.sleep_forever()") == ""
    terminal.leave(r"^all workers have stopped; \d+ results were left$", modes)


def test_on_uvloop(spawn: Spawn) -> None:
    need("uvloop")
    terminal = spawn(EXAMPLES / "on_uvloop.py")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "uvloop.Loop" in terminal.run("type(asyncio.get_running_loop())")
    answers = terminal.run('await asyncio.gather(*map(ask, "abc"))')
    assert answers == "Out[2]: ['A', 'B', 'C']"
    terminal.leave("^the server has had 3 connections$", modes)


def test_web_app(spawn: Spawn) -> None:
    need("fastapi")
    need("uvicorn")
    terminal = spawn(EXAMPLES / "web_app.py", "0")
    modes = terminal.tty_modes()
    url = terminal.wait_for(r"http://127\.0\.0\.1:[1-9]\d+")
    terminal.prompt(1)
    terminal.run("items['tea'] = 99")
    terminal.send("half ty")
    assert get(f"{url}/items/tea") == '{"tea":99}'
    terminal.wait_for(r'"GET /items/tea HTTP/1\.1" 200 OK\nIn \[2\]: half ty$')
    terminal.ctrl("c")
    terminal.wait_for(r"^In \[2\]:$")
    terminal.leave("^the server has stopped$", modes)
