"""What clients ask for, and who answers it.

==================================  ================================================================
request                             answered
==================================  ================================================================
``execute``                         on the eval thread, one after the other; clients take turns
                                    (`cell_queue`)
``complete``, ``inspect``,          on the eval thread, as soon as that is free, also while a cell
``history``, ``names``              awaits; the first two "not now" after `completion_timeout`
                                    (`short_requests`)
all others                          at once, by the network thread: here
==================================  ================================================================
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

from IPython.core import release
from IPython.core.inputtransformer2 import TransformerManager

from ipyembed.engine.answers import ANSWERS
from ipyembed.engine.cell_queue import CellQueue
from ipyembed.engine.eval_thread import EvalThread
from ipyembed.engine.following import Following
from ipyembed.engine.network import Network
from ipyembed.engine.outgoing import Message
from ipyembed.engine.questions import Questions
from ipyembed.engine.replies import error_content, idle, published, reply_to, status
from ipyembed.engine.request import Request
from ipyembed.engine.short_requests import ShortRequests


class Requests:
    """Takes requests from the network thread. A `request.Receiver`; call `open()` first."""

    def __init__(self, engine: EvalThread) -> None:
        self._engine = engine
        self._syntax = TransformerManager()

    def open(self, network: Network, questions: Questions, following: Following) -> None:
        """The network is there now."""
        self._network = network
        self._questions = questions
        self._following = following
        self.cells = CellQueue(self._engine, network)
        self._short = ShortRequests(self._engine, network)

    def received(self, request: Request) -> None:
        """See `Receiver`."""
        kind = request.kind
        if request.channel == "stdin":
            if kind == "input_reply":
                self._questions.answered(request.client, str(request.content.get("value", "")))
        elif kind == "execute_request" and request.channel == "shell":
            self.cells.add(request)
        elif kind in ANSWERS:
            self._short.add(request)
        elif kind in _AT_ONCE:
            self._network.send(status(request, "busy"))
            self._network.send(reply_to(request, _AT_ONCE[kind](self, request)), idle(request))
            if kind == "shutdown_request":
                self._engine.ask_to_close()
        elif kind == "comm_open":  # there are no comms here, and that is how to say it
            comm = request.content.get("comm_id")
            self._network.send(published(request, "comm_close", {"comm_id": comm, "data": {}}))
        elif kind.endswith("_request"):
            text = f"an engine does not know {kind}"
            self._network.send(reply_to(request, error_content("NotSupported", text)))

    def client_left(self, client: bytes) -> None:
        """See `Receiver`."""
        self.cells.client_left(client)
        self._short.client_left(client)
        self._questions.client_left(client)
        self._following.end(client)

    def turned(self) -> float | None:
        """See `Receiver`."""
        waits = [self.cells.turned(), self._short.turned()]
        return min((wait for wait in waits if wait is not None), default=None)

    def close(self) -> None:
        """Nothing more is run; whoever waits is told. Any thread."""
        self.cells.close()
        self._short.close()
        self._network.send(
            Message("iopub", "shutdown_reply", {"status": "ok", "restart": False}, {})
        )

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
        found, indent = self._syntax.check_complete(str(request.content.get("code", "")))
        reply: dict[str, Any] = {"status": found}
        if found == "incomplete":
            reply["indent"] = " " * (indent or 0)
        return reply

    def _interrupt(self, request: Request) -> dict[str, Any]:
        return self.cells.interrupt(request, self._questions.interrupt)

    def _shutdown(self, request: Request) -> dict[str, Any]:
        """The engine ends, the host does not, so there is nothing to be restarted."""
        return {"status": "ok", "restart": False}

    def _comm_info(self, request: Request) -> dict[str, Any]:
        return {"status": "ok", "comms": {}}

    def _state(self, request: Request) -> dict[str, Any]:
        """``state_request``, ours: what the engine is doing."""
        running = self.cells.running
        busy = running and {
            "seconds": time.monotonic() - running.since,
            "where": self._engine.where(),
            "code": str(running.request.content.get("code", ""))[:200],
        }
        return {
            "status": "ok",
            "busy": busy,
            "queued": len(self.cells),
            "execution_count": self._engine.execution_count,
        }


_AT_ONCE: dict[str, Callable[[Requests, Request], dict[str, Any]]] = {
    "kernel_info_request": Requests._kernel_info,
    "is_complete_request": Requests._is_complete,
    "interrupt_request": Requests._interrupt,
    "shutdown_request": Requests._shutdown,
    "comm_info_request": Requests._comm_info,
    "state_request": Requests._state,
}
