"""The network thread by itself."""

from __future__ import annotations

import threading
from pathlib import Path

from ipyembed.engine.network import Network
from ipyembed.engine.request import Request


class Receiver:
    """Has something called whenever it is asked what is due, once it is told to."""

    network: Network

    def __init__(self) -> None:
        self.is_due = threading.Event()
        self.called = threading.Event()

    def received(self, request: Request) -> None:
        raise AssertionError(request)

    def turned(self) -> float | None:
        if self.is_due.is_set() and not self.called.is_set():
            self.network.call_soon_threadsafe(self.called.set)
        return None

    def client_left(self, client: bytes) -> None:
        pass


def test_what_the_thread_asks_of_itself_is_done_at_once(tmp_path: Path) -> None:
    """As when an answer is there before it is known that it was asked for."""
    receiver = Receiver()
    network = receiver.network = Network("ipc", str(tmp_path / "s"), receiver)
    network.start()
    try:
        network.call_soon_threadsafe(receiver.is_due.set)
        assert receiver.called.wait(10)
    finally:
        network.stop()
    assert not network.thread.is_alive()
