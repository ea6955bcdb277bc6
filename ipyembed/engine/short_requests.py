"""Completion, inspection, history, names: asked of the eval thread, and not waited for too long.

A request begins at once, or at the pace that a busy host allows. One that has no answer after
`completion_timeout`, counted from its arrival, is answered "not now".
"""

from __future__ import annotations

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
    answer: Future[dict[str, Any]] | None = None
    """None: the eval thread has not been asked yet."""


class ShortRequests:
    """On the network thread."""

    def __init__(self, engine: EvalThread, network: Network) -> None:
        self._engine = engine
        self._network = network
        self._calls: list[_Call] = []

    def add(self, request: Request) -> None:
        """A client asks something."""
        self._network.send(status(request, "busy"))
        mine = sum(call.request.client == request.client for call in self._calls)
        if mine >= MOST_QUEUED:
            self._finish(request, NOT_NOW[request.kind])
            return
        self._calls.append(_Call(request, time.monotonic() + self._engine.completion_timeout))
        self._ask()

    def turned(self) -> float | None:
        """Do what is due; returns the seconds until something will be."""
        if not self._calls:
            return None
        now = time.monotonic()
        self._calls = [call for call in self._calls if not self._is_over(call, now)]
        pause = self._ask()
        waits = [call.deadline - now for call in self._calls]
        return min(waits if pause is None else [pause, *waits], default=None)

    def _is_over(self, call: _Call, now: float) -> bool:
        """Answer what is done, and "not now" to what is late."""
        answer = call.answer
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
            if pace.host_is_busy:
                if any(other.answer is not None for other in self._calls):
                    return None  # to be called again when that is answered
                if pause := pace.wait():
                    return pause
            try:
                call.answer = self._engine.answer(call.request)
            except RuntimeError:
                self._calls.remove(call)
                self._finish(call.request, NOT_NOW[call.request.kind])
            else:
                call.answer.add_done_callback(self._look)
        return None

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
