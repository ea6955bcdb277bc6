"""Completion, inspection, history, names: asked of the eval thread.

A request begins at once, or at the pace that a busy host allows. A completion or an inspection that
has no answer after `completion_timeout`, counted from its arrival, is answered "not now". History
and names are worth waiting for, and take longer: they are asked one at a time.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from ipyembed.engine.answers import NOT_NOW
from ipyembed.engine.cell_queue import MOST_QUEUED
from ipyembed.engine.eval_thread import EvalThread
from ipyembed.engine.network import Network
from ipyembed.engine.replies import error_content, idle, reply_to, status
from ipyembed.engine.request import Request


@dataclass
class _Call:
    """A request that is not answered yet."""

    request: Request
    deadline: float
    """`time.monotonic()`, or infinity."""
    answer: Future[dict[str, Any]] | None = None
    """None: the eval thread has not been asked yet."""

    @property
    def is_patient(self) -> bool:
        """Whether it waits until the eval thread comes round."""
        return self.deadline == math.inf


class ShortRequests:
    """On the network thread."""

    def __init__(self, engine: EvalThread, network: Network) -> None:
        self._engine = engine
        self._network = network
        self._calls: list[_Call] = []
        self._is_closed = False

    def add(self, request: Request) -> None:
        """A client asks something."""
        self._network.send(status(request, "busy"))
        mine = sum(call.request.client == request.client for call in self._calls)
        if mine >= MOST_QUEUED:
            self._refuse(request, "too many requests of this client wait already")
            return
        is_urgent = request.kind in NOT_NOW
        patience = self._engine.completion_timeout if is_urgent else math.inf
        self._calls.append(_Call(request, time.monotonic() + patience))
        self._ask()

    def turned(self) -> float | None:
        """Do what is due; returns the seconds until something will be."""
        if not self._calls:
            return None
        now = time.monotonic()
        self._calls = [call for call in self._calls if not self._is_over(call, now)]
        pause = self._ask()
        waits = [call.deadline - now for call in self._calls if not call.is_patient]
        return min(waits if pause is None else [pause, *waits], default=None)

    def _is_over(self, call: _Call, now: float) -> bool:
        """Answer what is done, and "not now" to what is late."""
        answer = call.answer
        if answer is not None and answer.cancelled() and not self._is_closed:
            call.answer = None  # its shell has been left; `_ask` finds another
            return False
        if answer is not None and answer.done():
            self._finish(call.request, _content(answer))
        elif call.deadline <= now:
            if answer is not None:
                answer.cancel()
            metadata = {"ipyembed_busy": self._engine.where()}
            self._finish(call.request, {**NOT_NOW[call.request.kind], "metadata": metadata})
        else:
            return False
        return True

    def _ask(self) -> float | None:
        """Ask the eval thread; a busy one one thing at a time. Returns the seconds to pause."""
        pace = self._engine.pace
        for call in [call for call in self._calls if call.answer is None]:
            if call.is_patient and any(c.is_patient and c.answer is not None for c in self._calls):
                continue
            if pace.host_is_busy:
                if any(other.answer is not None for other in self._calls):
                    return None  # to be called again when that is answered
                if pause := pace.wait():
                    return pause
            try:
                call.answer = self._engine.answer(call.request)
            except RuntimeError:
                self._calls.remove(call)
                self._refuse(call.request, "the host's loop has ended")
            else:
                call.answer.add_done_callback(self._look)
        return None

    def _refuse(self, request: Request, why: str) -> None:
        self._finish(request, NOT_NOW.get(request.kind) or error_content("EngineError", why))

    def _look(self, _: object) -> None:
        """There is an answer. Eval thread."""
        self._network.call_soon_threadsafe(_nothing)

    def _finish(self, request: Request, content: dict[str, Any]) -> None:
        self._network.send(reply_to(request, content), idle(request))

    def client_left(self, client: bytes) -> None:
        """Nobody wants its answers."""
        self._calls = [call for call in self._calls if call.request.client != client]

    def close(self) -> None:
        """Nothing more is answered. Any thread."""
        self._is_closed = True
        for call in self._calls:
            if call.answer is not None:
                call.answer.cancel()


def _content(answer: Future[dict[str, Any]]) -> dict[str, Any]:
    if answer.cancelled():
        return error_content("EngineError", "the engine is closed")
    error = answer.exception()
    if error is not None:
        return error_content(type(error).__name__, str(error))
    return answer.result()


def _nothing() -> None:
    pass
