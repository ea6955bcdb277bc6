"""``ipyembed attach`` in a terminal, against an engine that fakes everything."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.engine.mock_engine import MockEngine
from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal


def attach(spawn: Spawn, engine: MockEngine, *arguments: str) -> Terminal:
    terminal = spawn.module("ipyembed", "attach", str(engine.file), *arguments)
    terminal.prompt()
    return terminal


def test_session(spawn: Spawn) -> None:
    with MockEngine() as engine:
        terminal = spawn.module("ipyembed", "attach", str(engine.file))
        modes = terminal.tty_modes()
        terminal.prompt()
        assert "Attached to mock" in terminal.screen.text
        # The engine's history is the up key's.
        terminal.send("\x1b[A")
        terminal.wait_for(r"In \[1\]: of the history")
        terminal.send("\r")
        terminal.wait_for("faked: of the history")
        terminal.prompt(2)
        assert terminal.run("first") == "faked: first"
        assert terminal.run("if 1:\n    two") == "faked: if 1:\n    two"
        terminal.leave()
        assert engine.seen["execute_request"] == 3
        assert engine.seen["shutdown_request"] == 0
        terminal.assert_terminal_restored(modes)


def test_history_that_comes_late(spawn: Spawn) -> None:
    with MockEngine() as engine:
        engine.held.add("history_request")
        terminal = attach(spawn, engine)
        assert terminal.run("first") == "faked: first"
        terminal.prompt(2)
        terminal.send("\x1b[A\x1b[A")
        terminal.wait_for(r"In \[2\]: first")
        terminal.send("\x15half a li")
        terminal.wait_for(r"In \[2\]: half a li")
        engine.release()
        # When it has come cannot be seen, but by trying.
        terminal.send("\x15")
        deadline = time.monotonic() + 15
        while "In [2]: of the history" not in terminal.screen.text:
            assert time.monotonic() < deadline, terminal.screen.text
            terminal.send("\x1b[B\x1b[B\x1b[A\x1b[A")
            terminal.read_for(0.1)
        terminal.send("\r")
        terminal.wait_for("faked: of the history")


def test_output_lands_above_the_line_that_is_typed(spawn: Spawn) -> None:
    requests: list[Any] = []

    def execute(engine: MockEngine, request: Any) -> None:
        requests.append(request)
        engine.count += 1
        engine.end(request)
        engine.later(0.3, lambda: engine.text("late output\n", request))

    with MockEngine(executes=execute) as engine:
        terminal = attach(spawn, engine)
        terminal.run("start")
        terminal.send("half a li")
        terminal.wait_for("late output")
        terminal.wait_for(r"late output\s+In \[2\]: half a li")
        engine.publish(
            "stream",
            {"name": "stdout", "text": "of somebody else\n"},
            {"header": {**requests[0]["header"], "session": "another", "msg_id": "x"}},
        )
        engine.later(0, lambda: engine.text("the last\n", requests[0]))
        terminal.send("ne")
        terminal.wait_for(r"the last\s+In \[2\]: half a line")
        assert "somebody else" not in terminal.screen.text


def test_completion_that_is_late_missing_or_doubled(spawn: Spawn) -> None:
    with MockEngine() as engine:
        terminal = attach(spawn, engine, "--LoopJuggler.completion_timeout=0.5")
        terminal.send("mocked\t")
        terminal.wait_for("mocked_two")
        terminal.ctrl("c")  # takes the menu away
        terminal.send("\x15")
        # None comes: the line is accepted all the same.
        engine.dropped.add("complete_request")
        terminal.send("mocked\t")
        engine.wait_for("complete_request", 2)
        mark = terminal.mark()
        terminal.send(" + 1\r")
        terminal.wait_for_new(r"faked: mocked \+ 1", mark)
        engine.dropped.clear()
        # They come when the line has been entered, in the wrong order, and twice.
        engine.held.add("complete_request")
        engine.twice |= {"complete_request", "execute_request"}
        terminal.send("mocked\t")
        engine.wait_for("complete_request", 3)
        mark = terminal.mark()
        terminal.send("\x15after\r")
        terminal.wait_for_new("faked: after", mark)
        engine.release()
        engine.held.clear()
        mark = terminal.mark()
        terminal.line("and on")
        terminal.wait_for_new("faked: and on", mark)
        engine.twice.clear()
        terminal.prompt()
        terminal.leave()


def test_replies_before_their_output_and_unknown_ones(spawn: Spawn) -> None:
    def execute(engine: MockEngine, request: Any) -> None:
        engine.count += 1
        stranger = {**request, "header": {**request["header"], "msg_id": "unknown"}}
        engine.reply(stranger, {"status": "ok"})
        engine.reply(request, {"status": "ok", "execution_count": engine.count})
        engine.text("after its reply\n", request)
        engine.publish("status", {"execution_state": "idle"}, request)
        engine.publish("stream", {"no": "name"}, request)
        engine.publish("execute_result", {}, request)

    with MockEngine(executes=execute) as engine:
        terminal = attach(spawn, engine)
        assert terminal.run("x") == "after its reply"
        assert terminal.run("y") == "after its reply"


def test_ctrl_c_asks_and_a_second_one_leaves_the_cell_behind(spawn: Spawn) -> None:
    running: list[Any] = []

    def execute(engine: MockEngine, request: Any) -> None:
        running.append(request)
        engine.count += 1
        engine.text("it runs\n", request)

    with MockEngine(executes=execute) as engine:
        terminal = attach(spawn, engine)
        terminal.line("stubborn")
        terminal.wait_for("it runs")
        terminal.ctrl("c")
        engine.wait_for("interrupt_request")
        # Two at once are one: the second is that of a user who has waited.
        engine.later(0.5, lambda: engine.text("it goes on\n", running[0]))
        terminal.wait_for("it goes on")
        terminal.ctrl("c")
        terminal.wait_for("left to itself")
        terminal.prompt()
        terminal.send("typed")
        engine.later(0, lambda: engine.text("at last\n", running[0]))
        terminal.wait_for(r"at last\s+In \[\d\]: typed")
        engine.later(0, lambda: engine.end(running[0]))
        terminal.ctrl("c")
        terminal.prompt()
        terminal.line("obedient")
        engine.wait_for("execute_request", 2)
        terminal.ctrl("c")
        engine.wait_for("interrupt_request", 2)
        engine.later(0, lambda: engine.end(running[1], status="error"))
        terminal.prompt(3)


def test_questions(spawn: Spawn) -> None:
    def execute(engine: MockEngine, request: Any) -> None:
        engine.count += 1
        if request["content"]["code"] == "later":
            engine.end(request)
            engine.later(0.2, lambda: engine.ask(request, "who is late? "))
        else:
            engine.ask(request, "who? ")
            engine.later(0, lambda: wait_for_answer(engine, request))

    def wait_for_answer(engine: MockEngine, request: Any) -> None:
        if engine.inputs:
            engine.text(f"{engine.inputs.pop()} has answered\n", request)
            engine.end(request)
        else:
            engine.later(0.02, lambda: wait_for_answer(engine, request))

    with MockEngine(executes=execute) as engine:
        terminal = attach(spawn, engine)
        terminal.line("ask")
        terminal.wait_for(r"who\?")
        terminal.line("me")
        terminal.wait_for("me has answered")
        terminal.prompt(2)
        mark = terminal.mark()
        terminal.line("ask")
        terminal.wait_for_new(r"who\?", mark)
        terminal.ctrl("d")
        terminal.wait_for("\x04 has answered".replace("\x04", r"\S*"))
        terminal.prompt(3)
        terminal.line("later")
        terminal.wait_for(r"your next line answers it: who is late\?")
        terminal.line("I am")
        engine.wait_for("input_reply", 3)
        assert engine.inputs == ["I am"]


def test_question_ends_with_its_cell(spawn: Spawn) -> None:
    def execute(engine: MockEngine, request: Any) -> None:
        engine.count += 1
        engine.ask(request, f"who is {engine.count}? ")
        engine.later(0.5, lambda: engine.end(request))

    with MockEngine(executes=execute) as engine:
        terminal = attach(spawn, engine)
        terminal.line("ask")
        terminal.wait_for(r"who is 1\?")
        terminal.send("half an ans")
        terminal.prompt(2)
        terminal.line("ask")
        terminal.wait_for(r"who is 2\?")
        terminal.prompt(3)
        assert engine.inputs == []


def test_engine_that_is_closed_or_dies_takes_the_prompt_down(spawn: Spawn) -> None:
    with MockEngine() as engine:
        terminal = spawn.module("ipyembed", "attach", str(engine.file))
        modes = terminal.tty_modes()
        terminal.prompt()
        terminal.send("half a line")
        engine.later(0, lambda: engine.publish("shutdown_reply", {"restart": False}, {}))
        terminal.wait_for("the engine has been closed")
        assert terminal.wait_exit() == 1
        terminal.assert_terminal_restored(modes)

    with MockEngine(executes=lambda engine, request: None) as engine:
        terminal = attach(spawn, engine)
        terminal.line("while a cell runs")
        engine.wait_for("execute_request")
    terminal.wait_for("the engine's process has ended")
    assert terminal.wait_exit() == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["nothing"], "no engine 'nothing' is open"),
        (["/no/such/file.json"], "there is no connection file"),
        (["one", "two"], "one PID, NAME or FILE at most"),
    ],
)
def test_what_cannot_be_attached_to(
    spawn: Spawn, tmp_path: Any, arguments: list[str], said: str
) -> None:
    spawn.env["IPYEMBED_RUNTIME_DIR"] = str(tmp_path / "runtime")
    terminal = spawn.module("ipyembed", "attach", *arguments)
    terminal.wait_for(said)
    assert terminal.wait_exit() == 2


def test_silent_engine(spawn: Spawn) -> None:
    with MockEngine() as engine:
        engine.dropped.add("kernel_info_request")
        terminal = spawn.module("ipyembed", "attach", str(engine.file))
        terminal.wait_for("the engine mock does not answer", 40)
        assert terminal.wait_exit() == 2
