"""What clients ask for: in which order, and what is answered without the eval thread.

==================================  ================================================================
request                             answered
==================================  ================================================================
``execute``                         on the eval thread, one after the other; clients take turns
``complete``, ``inspect``,          on the eval thread, as soon as that is free, also while a cell
``history``, ``names``              awaits; "not now" after `completion_timeout`
all others                          at once, by the network thread
==================================  ================================================================

State of the queue of cells: `_queue` holds those that wait; `_running` is the one that the eval
thread has been asked to run, from then until its reply is sent.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from IPython.core import release
from IPython.core.inputtransformer2 import TransformerManager

from ipyembed.engine.answers import ANSWERS, NOT_NOW
from ipyembed.engine.following import Following
from ipyembed.engine.network import Network, Request
from ipyembed.engine.outgoing import Message
from ipyembed.engine.questions import Questions

REPEAT = 0.05
"""Seconds between two tries to interrupt: a signal that comes just before a system call is not
noticed by that."""
MOST_QUEUED = 500
"""Requests of one client that may wait; further ones are refused."""


@dataclass
class Running:
    """The cell that the eval thread has been asked to run."""

    request: Request
    since: float
    """`time.monotonic()`"""
    interrupt: Callable[[], object] | None = None
    """Interrupts it; from any thread. None: it has not begun."""
    interrupt_again: Callable[[], bool] | None = None
    """Repeats an interrupt that has not hit yet; whether there is one."""


@dataclass
class _Call:
    """A short request that the eval thread has been asked to answer."""

    request: Request
    answer: Future[dict[str, Any]]
    deadline: float


class EvalThread(Protocol):
    """What the engine does on the eval thread. Called on the network thread, must not block."""

    @property
    def name(self) -> str:
        """What clients call the engine."""

    @property
    def completion_timeout(self) -> float:
        """Seconds."""

    @property
    def execution_count(self) -> int:
        """The number of the next cell."""

    def begin(self, running: Running) -> None:
        """Have the cell run, then `Requests.cell_ended`. Raises RuntimeError without a thread."""

    def answer(self, request: Request) -> Future[dict[str, Any]]:
        """Have a short request answered. Raises RuntimeError without a thread."""

    def where(self) -> str:
        """What the eval thread is in, for people."""

    def ask_to_close(self) -> None:
        """Close the engine soon."""


class Requests:
    """Takes requests from the network thread. A `network.Receiver`."""

    def __init__(self, engine: EvalThread) -> None:
        self._engine = engine
        self.network: Network
        self.questions: Questions
        self.following: Following
        # Guards the queue and what runs: cells end on the eval thread.
        self._lock = threading.Lock()
        self._queue: deque[Request] = deque()
        self._queued: Counter[bytes] = Counter()
        self._turns: dict[bytes, int] = {}
        self.running: Running | None = None
        self._calls: list[_Call] = []
        self._syntax = TransformerManager()

    # -- the network thread's ------------------------------------------------------------------

    def received(self, request: Request) -> None:
        """See `Receiver`."""
        kind = request.kind
        if request.channel == "stdin":
            if kind == "input_reply":
                self.questions.answered(request.client, str(request.content.get("value", "")))
        elif kind == "execute_request" and request.channel == "shell":
            self._queue_cell(request)
        elif kind in ANSWERS:
            self._ask_eval_thread(request)
        elif kind in _AT_ONCE:
            self._status(request, "busy")
            self._reply(request, _AT_ONCE[kind](self, request))
            self._status(request, "idle")
            if kind == "shutdown_request":
                self._engine.ask_to_close()
        elif kind == "comm_open":  # there are no comms here, and that is how to say it
            comm = request.content.get("comm_id")
            self._publish(request, "comm_close", {"comm_id": comm, "data": {}})
        elif kind.endswith("_request"):
            self._reply(request, _error("NotSupported", f"an engine does not know {kind}"))

    def client_left(self, client: bytes) -> None:
        """See `Receiver`: what it has queued will not run; what runs goes on."""
        with self._lock:
            self._queue = deque(r for r in self._queue if r.client != client)
            self._queued.pop(client, None)
        self._calls = [call for call in self._calls if call.request.client != client]
        self.questions.client_left(client)
        self.following.end(client)

    def turned(self) -> float | None:
        """See `Receiver`: answer what is done, and "not now" to what is late."""
        running = self.running
        again = running.interrupt_again if running is not None else None
        is_stubborn = again is not None and again()
        late = self._answer_what_is_due() if self._calls else None
        if not is_stubborn:
            return late
        return REPEAT if late is None else min(REPEAT, late)

    def _answer_what_is_due(self) -> float | None:
        now = time.monotonic()
        waiting = []
        for call in self._calls:
            if call.answer.done():
                self._finish(call.request, _result(call.answer))
            elif call.deadline <= now:
                call.answer.cancel()
                metadata = {"ipyembed_busy": self._engine.where()}
                self._finish(call.request, {**NOT_NOW[call.request.kind], "metadata": metadata})
            else:
                waiting.append(call)
        self._calls = waiting
        return min((call.deadline for call in waiting), default=now) - now if waiting else None

    def close(self) -> None:
        """Nothing more is run; whoever waits is told. Any thread."""
        with self._lock:
            queue, self._queue = self._queue, deque()
            self._queued.clear()
            running = self.running
        if running is not None:
            self._finish(running.request, _error("EngineClosed", "the engine has been closed"))
        for request in queue:
            self._abort(request)
        for call in self._calls:
            call.answer.cancel()
        self.network.send(
            Message("iopub", "shutdown_reply", {"status": "ok", "restart": False}, {})
        )

    # -- cells ---------------------------------------------------------------------------------

    def _queue_cell(self, request: Request) -> None:
        with self._lock:
            if self._queued[request.client] >= MOST_QUEUED:
                refused = True
            else:
                refused = False
                self._queue.append(request)
                self._queued[request.client] += 1
        if refused:
            self.network.dropped["refused"] += 1
            self._abort(request)
        else:
            self._begin_next()

    def _begin_next(self) -> None:
        """Any thread."""
        with self._lock:
            if self.running is not None or not self._queue:
                return
            request = self._take_next()
            running = self.running = Running(request, time.monotonic())
        try:
            self._engine.begin(running)
        except RuntimeError:  # the loop in which cells run has ended
            with self._lock:
                self.running = None
            self._finish(request, _error("EngineError", "the host's loop has ended"))
            self._engine.ask_to_close()

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

    def cell_began(self, running: Running) -> None:
        """Eval thread."""
        self._status(running.request, "busy")

    def cell_ended(self, running: Running, reply: dict[str, Any]) -> None:
        """Send the reply, and go on with the next cell. Any thread."""
        request = running.request
        aborted: list[Request] = []
        with self._lock:
            # Before the reply: what the client sends when it has that is not aborted.
            if reply.get("status") == "error" and request.content.get("stop_on_error", True):
                aborted = [r for r in self._queue if r.client == request.client]
                self._queue = deque(r for r in self._queue if r.client != request.client)
                self._queued.pop(request.client, None)
        self._reply(request, reply)
        self._status(request, "idle")
        for other in aborted:
            self._abort(other)
        with self._lock:
            self.running = None
        self._begin_next()

    def _abort(self, request: Request) -> None:
        self._reply(request, {"status": "aborted"})
        self._status(request, "idle")

    # -- short requests ------------------------------------------------------------------------

    def _ask_eval_thread(self, request: Request) -> None:
        self._status(request, "busy")
        mine = sum(call.request.client == request.client for call in self._calls)
        try:
            if mine >= MOST_QUEUED:
                raise RuntimeError
            answer = self._engine.answer(request)
        except RuntimeError:
            self._finish(request, NOT_NOW[request.kind])
            return
        deadline = time.monotonic() + self._engine.completion_timeout
        self._calls.append(_Call(request, answer, deadline))
        answer.add_done_callback(lambda _: self.network.call_soon_threadsafe(_nothing))

    def _finish(self, request: Request, content: dict[str, Any]) -> None:
        self._reply(request, content)
        self._status(request, "idle")

    # -- answered at once ----------------------------------------------------------------------

    def _kernel_info(self, request: Request) -> dict[str, Any]:
        version = ".".join(map(str, sys.version_info[:3]))
        return {
            "status": "ok",
            "protocol_version": "5.4",
            "implementation": "ipyembed",
            "implementation_version": release.version,
            "language_info": {
                "name": "python",
                "version": version,
                "mimetype": "text/x-python",
                "codemirror_mode": {"name": "ipython", "version": 3},
                "pygments_lexer": "ipython3",
                "nbconvert_exporter": "python",
                "file_extension": ".py",
            },
            "banner": f"Python {version}, IPython {release.version}, engine {self._engine.name}\n",
            "help_links": [],
            "supported_features": [],
        }

    def _is_complete(self, request: Request) -> dict[str, Any]:
        status, indent = self._syntax.check_complete(str(request.content.get("code", "")))
        reply: dict[str, Any] = {"status": status}
        if status == "incomplete":
            reply["indent"] = " " * (indent or 0)
        return reply

    def _interrupt(self, request: Request) -> dict[str, Any]:
        """Stop the client's own cell, or take it out of the queue; with `anyone`, whoever's."""
        client = request.client
        with self._lock:
            running = self.running
            mine = [r for r in self._queue if r.client == client]
            self._queue = deque(r for r in self._queue if r.client != client)
            self._queued.pop(client, None)
        for queued in mine:
            self._abort(queued)
        if running is None:
            return {"status": "ok"}
        if running.request.client != client and not request.content.get("anyone"):
            return (
                _error("NotYours", "the cell that runs is another client's")
                if not mine
                else {"status": "ok"}
            )
        if not self.questions.interrupt(running.request.client) and running.interrupt is not None:
            running.interrupt()
        return {"status": "ok"}

    def _shutdown(self, request: Request) -> dict[str, Any]:
        """The engine ends, the host does not, so there is nothing to be restarted."""
        return {"status": "ok", "restart": False}

    def _comm_info(self, request: Request) -> dict[str, Any]:
        return {"status": "ok", "comms": {}}

    def _state(self, request: Request) -> dict[str, Any]:
        """``state_request``, ours: what the engine is doing."""
        running = self.running
        busy = running and {
            "seconds": time.monotonic() - running.since,
            "where": self._engine.where(),
            "code": str(running.request.content.get("code", ""))[:200],
        }
        return {
            "status": "ok",
            "busy": busy,
            "queued": len(self._queue),
            "execution_count": self._engine.execution_count,
        }

    # -- all -----------------------------------------------------------------------------------

    def _reply(self, request: Request, content: dict[str, Any]) -> None:
        kind = request.kind.removesuffix("_request") + "_reply"
        metadata = {"status": content.get("status", "ok")}
        self.network.send(
            Message(request.channel, kind, content, request.header, request.identities, metadata)
        )

    def _status(self, request: Request, state: str) -> None:
        self._publish(request, "status", {"execution_state": state})

    def _publish(self, request: Request, kind: str, content: dict[str, Any]) -> None:
        self.network.send(Message("iopub", kind, content, request.header))


_AT_ONCE: dict[str, Callable[[Requests, Request], dict[str, Any]]] = {
    "kernel_info_request": Requests._kernel_info,
    "is_complete_request": Requests._is_complete,
    "interrupt_request": Requests._interrupt,
    "shutdown_request": Requests._shutdown,
    "comm_info_request": Requests._comm_info,
    "state_request": Requests._state,
}


def _error(name: str, text: str) -> dict[str, Any]:
    return {"status": "error", "ename": name, "evalue": text, "traceback": []}


def _result(answer: Future[dict[str, Any]]) -> dict[str, Any]:
    if answer.cancelled():
        return _error("EngineError", "the engine is closed")
    error = answer.exception()
    if error is not None:
        return _error(type(error).__name__, str(error))
    return answer.result()


def _nothing() -> None:
    pass
