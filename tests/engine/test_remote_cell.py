"""What a front end makes of Ctrl-C and questions, at the moments that are hard to hit by hand."""

from __future__ import annotations

import builtins
import signal
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

import pytest

from ipyembed.engine.cell_queue import CellQueue
from ipyembed.engine.eval_thread import Running
from ipyembed.engine.remote_cell import RemoteCell
from ipyembed.engine.request import Request

Content = dict[str, Any]


class Wire:
    """Sends nothing; the engine ends the cell when it is asked to interrupt it."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.answers: list[str] = []
        self.reply: Future[Content] = Future()

    def request(self, kind: str, content: Content, channel: str = "shell") -> Future[Content]:
        self.requests.append(kind)
        if kind == "interrupt_request":
            self.reply.set_result({"status": "error"})
        return Future()

    def answer(self, text: str) -> None:
        self.answers.append(text)
        self.reply.set_result({"status": "ok"})


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def cell(wire: Wire) -> RemoteCell:
    return RemoteCell(wire)


def reads(monkeypatch: pytest.MonkeyPatch, read: Callable[[str], str]) -> None:
    monkeypatch.setattr(builtins, "input", read)


def test_question_is_answered(
    cell: RemoteCell, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    reads(monkeypatch, lambda prompt: f"{prompt} me")
    cell.asked_threadsafe("who?", False)
    assert cell.wait(wire.reply)
    assert wire.answers == ["who? me"]
    assert wire.requests == []


def test_ctrl_c_before_the_question_is_put_is_not_lost(
    cell: RemoteCell, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes when the question has been taken from the queue, and the handler is the cell's."""
    change = signal.signal
    changes: list[Any] = []

    def ctrl_c_just_before(number: int, handler: Any) -> Any:
        if not changes:
            changes.append(handler)
            cell.interrupted_threadsafe()
        return change(number, handler)

    monkeypatch.setattr(signal, "signal", ctrl_c_just_before)
    reads(monkeypatch, lambda prompt: pytest.fail("the user is asked all the same"))
    cell.asked_threadsafe("who?", False)
    assert cell.wait(wire.reply)
    assert wire.requests == ["interrupt_request"]
    assert wire.answers == []


def test_ctrl_c_as_the_question_s_handler_is_put_in_place(
    cell: RemoteCell, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = signal.signal
    previous = change(signal.SIGINT, lambda *_: cell.interrupted_threadsafe())
    cells = signal.getsignal(signal.SIGINT)

    def ctrl_c_just_after(number: int, handler: Any) -> Any:
        found = change(number, handler)
        if handler is signal.default_int_handler:
            signal.raise_signal(signal.SIGINT)
        return found

    try:
        monkeypatch.setattr(signal, "signal", ctrl_c_just_after)
        reads(monkeypatch, lambda prompt: pytest.fail("the user is asked all the same"))
        cell.asked_threadsafe("who?", False)
        assert cell.wait(wire.reply)
        assert wire.requests == ["interrupt_request"]
        assert signal.getsignal(signal.SIGINT) is cells  # the cell's own is in place again
    finally:
        change(signal.SIGINT, previous)


def test_ctrl_c_at_the_question(
    cell: RemoteCell, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(prompt: str) -> str:
        signal.raise_signal(signal.SIGINT)
        return "not reached"

    reads(monkeypatch, read)
    cell.asked_threadsafe("who?", False)
    assert cell.wait(wire.reply)
    assert wire.requests == ["interrupt_request"]


def test_end_of_the_cell_takes_the_question_back(
    cell: RemoteCell, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(prompt: str) -> str:
        wire.reply.set_result({"status": "ok"})
        return "not reached"

    reads(monkeypatch, read)
    cell.asked_threadsafe("who?", False)
    assert cell.wait(wire.reply)
    assert wire.answers == wire.requests == []


class Network:
    """Sends nothing."""

    def send(self, *messages: Any) -> None: ...
    def look_soon(self) -> None: ...


@pytest.mark.parametrize("begins_to_wait_at", [1, 2, 3])
def test_engine_interrupts_a_cell_once_that_begins_to_wait_for_an_answer(
    begins_to_wait_at: int,
) -> None:
    """1: it waits already. 2: when it has been looked up whether it does. 3: it never does."""
    queue = CellQueue(None, Network())  # type: ignore[arg-type]
    request = Request("control", "interrupt_request", {}, {}, [b"me"])
    done: list[str] = []
    queue.running = Running(
        request,
        0.0,
        interrupt=lambda: done.append("interrupt"),
        withdraw=lambda: done.append("withdraw"),
    )
    looks = 0

    def is_answered(client: bytes) -> bool:
        nonlocal looks
        looks += 1
        if looks == begins_to_wait_at:
            done.append("question")
        return looks == begins_to_wait_at

    assert queue.interrupt(request, is_answered) == {"status": "ok"}
    assert (
        done
        == [["question"], ["interrupt", "question", "withdraw"], ["interrupt"]][
            begins_to_wait_at - 1
        ]
    )
