"""The cells that clients want to have run: one after the other, and clients take turns.

``_queue`` holds those that wait; `running` is the one that the eval thread has been asked to run,
from then until its reply is sent. The next one is begun by the network thread, at the pace that the
host allows (`pace`).
"""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from typing import Any

from ipyembed.engine.eval_thread import EvalThread, Running
from ipyembed.engine.network import Network
from ipyembed.engine.outgoing import Message
from ipyembed.engine.replies import error_content, idle, reply_to, status
from ipyembed.engine.request import Request

REPEAT = 0.05
"""Seconds between two tries to interrupt: a signal that comes just before a system call is not
noticed by that."""
MOST_QUEUED = 500
"""Requests of one client that may wait; further ones are refused."""


class CellQueue:
    """On the network thread, but for what the eval thread tells of a cell's beginning and end."""

    def __init__(self, engine: EvalThread, network: Network) -> None:
        self._engine = engine
        self._network = network
        # Guards the queue and what runs: cells end on the eval thread.
        self._lock = threading.Lock()
        self._queue: deque[Request] = deque()
        self._queued: Counter[bytes] = Counter()
        self._turns: dict[bytes, int] = {}
        self.running: Running | None = None

    def __len__(self) -> int:
        """How many wait."""
        return len(self._queue)

    def add(self, request: Request) -> None:
        """A client wants a cell to be run."""
        with self._lock:
            is_refused = self._queued[request.client] >= MOST_QUEUED
            if not is_refused:
                self._queue.append(request)
                self._queued[request.client] += 1
        if is_refused:
            self._network.dropped["refused"] += 1
            self._network.send(*_aborted([request]))
        else:
            self._begin_next()

    def turned(self) -> float | None:
        """Do what is due; returns the seconds until something will be."""
        running = self.running
        if running is None:
            return self._begin_next()
        again = running.interrupt_again
        return REPEAT if again is not None and again() else None

    def _begin_next(self) -> float | None:
        """Returns the seconds until that may be done, if it is not yet time."""
        with self._lock:
            if self.running is not None or not self._queue:
                return None
            wait = self._engine.pace.wait()
            if wait:
                return wait
            request = self._take_next()
            running = self.running = Running(request, time.monotonic())
        self._network.look_soon()
        try:
            self._engine.begin(running)
        except RuntimeError:  # the loop in which cells run has ended
            with self._lock:
                self.running = None
            content = error_content("EngineError", "the host's loop has ended")
            self._network.send(reply_to(request, content), idle(request))
            self._engine.ask_to_close()
        return None

    def _take_next(self) -> Request:
        """The first of the client that has waited longest for its turn: no flood stops others."""
        turns = {r.client: self._turns.get(r.client, 0) for r in self._queue}
        client = min(turns, key=lambda client: turns[client])
        request = next(r for r in self._queue if r.client == client)
        self._queue.remove(request)
        self._turns = {**turns, client: max(self._turns.values(), default=0) + 1}
        self._queued[client] -= 1
        if not self._queued[client]:
            del self._queued[client]
        return request

    def began(self, running: Running) -> None:
        """It runs. Eval thread."""
        self._network.outgoing.put(status(running.request, "busy"), is_urgent=False)

    def ended(self, running: Running, reply: dict[str, Any]) -> None:
        """Send the reply; the network thread, woken by it, goes on with the next. Any thread."""
        request = running.request
        aborted: list[Request] = []
        with self._lock:
            # Before the reply: what the client sends when it has that is not aborted.
            if reply.get("status") == "error" and request.content.get("stop_on_error", True):
                aborted = self._take_out(request.client)
            self.running = None
        self._network.send(reply_to(request, reply), idle(request), *_aborted(aborted))

    def _take_out(self, client: bytes) -> list[Request]:
        """What a client has waiting; it will not be run. Under the lock."""
        taken = [r for r in self._queue if r.client == client]
        if taken:
            self._queue = deque(r for r in self._queue if r.client != client)
        self._queued.pop(client, None)
        return taken

    def client_left(self, client: bytes) -> None:
        """What it has queued will not run; what runs goes on."""
        with self._lock:
            self._take_out(client)

    def interrupt(self, request: Request, is_answered: Callable[[bytes], object]) -> dict[str, Any]:
        """Stop the client's own cell, or take it out of the queue; with `anyone`, whoever's.

        `is_answered(client)` is true if a question was that cell's, and has been interrupted.
        """
        client = request.client
        with self._lock:
            running = self.running
            mine = self._take_out(client)
        self._network.send(*_aborted(mine))
        if running is None:
            return {"status": "ok"}
        if running.request.client != client and not request.content.get("anyone"):
            if mine:
                return {"status": "ok"}
            return error_content("NotYours", "the cell that runs is another client's")
        asked_by = running.request.client
        if not is_answered(asked_by) and running.interrupt is not None:
            running.interrupt()
            # The cell may have begun to wait for an answer in between. On a thread other than the
            # main one, an exception does not reach it there.
            if is_answered(asked_by) and running.withdraw is not None:
                running.withdraw()
        return {"status": "ok"}

    def close(self) -> None:
        """What runs is interrupted, nothing more is run; whoever waits is told. Any thread."""
        with self._lock:
            queue, self._queue = self._queue, deque()
            self._queued.clear()
            running = self.running
        if running is not None:
            if running.interrupt is not None:
                running.interrupt()
            content = error_content("EngineClosed", "the engine has been closed")
            self._network.send(reply_to(running.request, content), idle(running.request))
        self._network.send(*_aborted(queue))


def _aborted(requests: Any) -> list[Message]:
    return [
        message
        for request in requests
        for message in (reply_to(request, {"status": "aborted"}), idle(request))
    ]
