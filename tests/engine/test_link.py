"""The front end's end of the wire, against an engine that runs no Python."""

from __future__ import annotations

import time
from typing import Any

from ipyembed.engine.directory import Found
from ipyembed.engine.link import EngineGoneError, Link
from tests.engine.mock_engine import MockEngine


class Deaf:
    """Listens to nothing."""

    def output(self, kind: str, content: dict[str, Any], request: str) -> None:
        pass

    def others(self, kind: str, content: dict[str, Any]) -> None:
        pass

    def question(self, prompt: str, password: bool) -> None:
        pass

    def gone(self, error: EngineGoneError) -> None:
        pass


def test_a_reply_that_comes_while_something_is_sent_is_heard() -> None:
    """What zmq takes in on that occasion, its descriptor tells nobody."""
    with MockEngine() as engine:
        info = engine.connection_info
        link = Link(Found(engine.file, "mock", 0, "mock", 0.0, info), Deaf())
        try:
            link.wait_until_heard(30)
            engine.dropped.add("inspect_request")
            # All in one turn of the link's loop: a request, a pause in which its reply comes, and
            # another request on the same socket, which has no reply.
            loop = link._thread.loop
            loop.call_soon_threadsafe(time.sleep, 0.2)
            reply = link.request("complete_request", {"code": "mocked", "cursor_pos": 6})
            loop.call_soon_threadsafe(time.sleep, 0.5)
            link.request("inspect_request", {"code": "mocked", "cursor_pos": 6})
            assert reply.result(10)["matches"] == ["mocked_one", "mocked_two"]
        finally:
            link.close()
