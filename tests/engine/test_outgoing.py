"""What waits to be sent to clients: joined, bounded, and nothing is lost in silence."""

from __future__ import annotations

from typing import Any

import pytest

from ipyembed.engine import outgoing
from ipyembed.engine.outgoing import Message, Outgoing

PARENT: dict[str, Any] = {"msg_id": "1"}


def taken(queue: Outgoing) -> list[str]:
    """What the reader gets: text, and the kinds of other messages."""
    texts = []
    while (message := queue.first()) is not None:
        texts.append(message.content.get("text", message.kind))
        queue.sent()
    return texts


def test_a_client_that_has_not_fetched_all_is_told_how_much_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(outgoing, "MOST_WAITING", 10)
    monkeypatch.setattr(outgoing, "LONGEST_PIECE", 10)
    monkeypatch.setattr(outgoing, "PATIENCE", 0.01)
    queue = Outgoing(lambda: None, lambda: False)
    queue.put_text("stdout", "0123456789", PARENT)
    queue.put_text("stdout", "lost" * 10, PARENT)
    queue.put_text("stdout", "lost, too\n", PARENT)
    assert taken(queue) == ["0123456789"]
    queue.put_text("stdout", "and on\n", PARENT)
    missing = "\n[ipyembed: 50 characters are missing here, for they were not fetched]\n"
    assert taken(queue) == [missing, "and on\n"]
    queue.put_text("stdout", "0123456789", PARENT)
    queue.put_text("stdout", "!", PARENT)
    queue.put(Message("iopub", "status", {}, PARENT))
    assert taken(queue) == ["0123456789", missing.replace("50", "1"), "status"]


def test_pieces_of_one_stream_are_joined() -> None:
    queue = Outgoing(lambda: None, lambda: False)
    for name, text in (("stdout", "a"), ("stdout", "b\n"), ("stderr", "c"), ("stdout", "d")):
        queue.put_text(name, text, PARENT)
    assert taken(queue) == ["ab\n", "c", "d"]
