"""An engine that runs no Python: it fakes replies, late, twice, in another order, or not at all.

It speaks over real sockets, so a front end cannot tell. What it does with each kind of request can
be changed at any time from the test's thread.
"""

from __future__ import annotations

import heapq
import json
import os
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Self

import zmq
from jupyter_client.session import Session

Content = dict[str, Any]


class MockEngine:
    """Started by `with`.

    `delays`: seconds before a kind of request is answered. `dropped`: kinds that are not answered.
    `twice`: kinds that are answered twice. `held`: kinds that are answered only at `release()`, the
    last one first.
    """

    def __init__(self, *, executes: Callable[[MockEngine, Any], None] | None = None) -> None:
        self.delays: dict[str, float] = {}
        self.dropped: set[str] = set()
        self.twice: set[str] = set()
        self.held: set[str] = set()
        self.seen: Counter[str] = Counter()
        """How many requests of each kind have come."""
        self.inputs: list[str] = []
        """The answers to questions."""
        self.matches = ["mocked_one", "mocked_two"]
        self.count = 0
        self._executes = executes or _execute
        self._held: list[tuple[str, Any]] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._changed = threading.Condition()
        self._number = 0
        self._stop = False

    def __enter__(self) -> Self:
        self._directory = tempfile.TemporaryDirectory(prefix="im-")
        base = str(Path(self._directory.name) / "s")
        self.session = Session(key=os.urandom(16).hex().encode())
        self._context = zmq.Context()
        self._sockets: dict[str, Any] = {}
        info: dict[str, Any] = {"transport": "ipc", "ip": base, "key": self.session.key.decode()}
        info |= {"signature_scheme": "hmac-sha256", "kernel_name": "mock"}
        kinds = {"shell": zmq.ROUTER, "control": zmq.ROUTER, "stdin": zmq.ROUTER}
        for n, (name, kind) in enumerate({**kinds, "iopub": zmq.PUB, "hb": zmq.REP}.items(), 1):
            self._sockets[name] = self._context.socket(kind)
            self._sockets[name].linger = 0
            self._sockets[name].bind(f"ipc://{base}-{n}")
            info[f"{name}_port"] = n
        info["ipyembed"] = {"pid": os.getpid(), "name": "mock", "command": "mock", "started": 0.0}
        self.connection_info = info
        self.file = Path(self._directory.name) / "connection.json"
        self.file.write_text(json.dumps(info))
        self.file.chmod(0o600)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._stop = True
        self._thread.join(10)
        self._context.destroy(linger=0)
        self._directory.cleanup()

    # -- the test's ----------------------------------------------------------------------------

    def wait_for(self, kind: str, count: int = 1, timeout: float = 30.0) -> None:
        """Wait until that many requests of a kind have come."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.seen[kind] >= count, timeout):
                raise AssertionError(f"{count} {kind} expected, but: {dict(self.seen)}")

    def release(self) -> None:
        """Answer what was held, the last one first."""
        held, self._held = self._held, []
        for kind, request in reversed(held):
            self.later(0, partial(self._answer, kind, request))

    def later(self, seconds: float, function: Callable[[], object]) -> None:
        """Have the engine's thread do it."""
        with self._changed:
            self._number += 1
            heapq.heappush(self._due, (time.monotonic() + seconds, self._number, function))

    # -- the engine's thread ---------------------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        for name in ("shell", "control", "stdin"):
            poller.register(self._sockets[name], zmq.POLLIN)
        while not self._stop:
            for sock, _ in poller.poll(5):
                name = next(n for n, s in self._sockets.items() if s is sock)
                identities, message = self.session.recv(sock)
                if message is not None:
                    self._take(name, identities, message)
            while self._due and self._due[0][0] <= time.monotonic():
                with self._changed:
                    function = heapq.heappop(self._due)[2]
                function()

    def _take(self, channel: str, identities: Any, message: Any) -> None:
        kind = message["msg_type"]
        request = {**message, "channel": channel, "identities": identities}
        with self._changed:
            self.seen[kind] += 1
            self._changed.notify_all()
        if kind == "input_reply":
            self.inputs.append(message["content"]["value"])
        elif kind in self.held:
            self._held.append((kind, request))
        elif kind not in self.dropped:
            self.later(self.delays.get(kind, 0), lambda: self._answer(kind, request))

    def _answer(self, kind: str, request: Any) -> None:
        for _ in range(2 if kind in self.twice else 1):
            if kind == "execute_request":
                self._executes(self, request)
            else:
                self.reply(request, self._content(kind, request["content"]))

    def _content(self, kind: str, content: Content) -> Content:
        if kind == "complete_request":
            cursor = content["cursor_pos"]
            return {
                "status": "ok",
                "matches": self.matches,
                "cursor_start": max(0, cursor - len("mocked")),
                "cursor_end": cursor,
                "metadata": {},
            }
        if kind == "history_request":
            return {"status": "ok", "history": [[1, 1, "of the history"]]}
        if kind == "state_request":
            return {"status": "ok", "busy": None, "execution_count": self.count + 1}
        return {"status": "ok", "banner": "a mock\n"}

    def reply(self, request: Any, content: Content) -> None:
        kind = request["msg_type"].replace("_request", "_reply")
        self.session.send(
            self._sockets[request["channel"]], kind, content, request, request["identities"]
        )

    def publish(self, kind: str, content: Content, request: Any) -> None:
        self.session.send(self._sockets["iopub"], kind, content, request, kind.encode())

    def ask(self, request: Any, prompt: str) -> None:
        self.session.send(
            self._sockets["stdin"],
            "input_request",
            {"prompt": prompt, "password": False},
            request,
            request["identities"],
        )

    def text(self, text: str, request: Any) -> None:
        self.publish("stream", {"name": "stdout", "text": text}, request)

    def end(self, request: Any, **content: Any) -> None:
        """The reply to a cell, and that it has ended."""
        self.reply(request, {"status": "ok", "execution_count": self.count, **content})
        self.publish("status", {"execution_state": "idle"}, request)


def _execute(engine: MockEngine, request: Any) -> None:
    engine.count += 1
    engine.text(f"faked: {request['content']['code']}\n", request)
    engine.end(request)
