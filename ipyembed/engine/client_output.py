"""What one cell of a client's writes, shows and asks: to that client, and in JSON's types."""

from __future__ import annotations

import base64
import weakref
from collections.abc import Callable
from contextlib import ExitStack
from contextvars import ContextVar
from typing import Any

from ipyembed import routing
from ipyembed.engine.network import Network
from ipyembed.engine.outgoing import Message
from ipyembed.engine.request import Request
from ipyembed.job import Job
from ipyembed.job_shell import notice

current_request: ContextVar[ClientOutput | None] = ContextVar("ipyembed_client", default=None)
"""The client's cell that the code which looks belongs to."""


class ClientOutput:
    """What one cell of a client's writes, also after its end: a `routing.Sink`.

    The cell's own code, and what it starts, writes by way of a `RoutedOutput`.
    """

    marks = True
    """Lines that jobs print are marked with the job's number."""

    def __init__(
        self, network: Network, request: Request, ask: Callable[[ClientOutput, str, bool], str]
    ) -> None:
        self.network = network
        self.request = request
        self.ask = ask

    def write(self, stream_name: str, text: str) -> None:
        """See `routing.Sink`."""
        if text:
            self.network.outgoing.put_text(stream_name, text, self.request.header)

    def tell_of(self, job: Job) -> None:
        """A job that the cell has started has ended: say so, as a prompt does. Any thread."""
        line = f"{notice(job)}\n"
        self.network.outgoing.put_text("stdout", line, self.request.header, waits=False)

    def publish(self, kind: str, content: dict[str, Any]) -> None:
        """Send a message that all clients hear, as an answer to the cell's request."""
        cleaned = jsonable(content)
        message = Message("iopub", kind, cleaned, self.request.header)
        self.network.outgoing.put(message, size=200 + _size(cleaned), is_urgent=False)


class RoutedOutput:
    """The sink of a cell and of what it starts: as long as anybody has it, streams are routed.

    They have it in their contexts, as a sink and in no other way. When the last has gone, so has
    this, on whatever thread; the network thread then stops routing. It does so for all when it
    ends, for there is nobody left to write to, and a context may be kept for ever.
    """

    marks = True

    def __init__(self, output: ClientOutput) -> None:
        self._output = output
        routed = ExitStack()
        routed.enter_context(routing.routed())
        output.network.hold(routed)
        weakref.finalize(self, output.network.let_go_threadsafe, routed).atexit = False

    def write(self, stream_name: str, text: str) -> None:
        """See `routing.Sink`."""
        self._output.write(stream_name, text)

    def tell_of(self, job: Job) -> None:
        """See `ClientOutput`."""
        self._output.tell_of(job)

    def let_go(self, job: Job) -> None:
        """The job has ended, and is remembered. This need not be."""
        job.print_to(self._output)


def _size(value: Any) -> int:
    """Characters in it, about."""
    if isinstance(value, dict):
        return sum(_size(item) for item in value.values())
    if isinstance(value, list):
        return sum(_size(item) for item in value)
    return len(value) if isinstance(value, str) else 1


def jsonable(value: Any) -> Any:
    """`value` with nothing in it that JSON has not: bytes as base64, the rest as text."""
    if isinstance(value, str | bool | int | None):
        return value
    if isinstance(value, float):
        return value if value - value == 0 else repr(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(item) for item in value]
    return text_of(value)


def text_of(value: Any) -> str:
    """`str()` of it, whatever that does."""
    try:
        return str(value)
    except Exception as error:  # the user's own __str__
        return f"<str() of it failed: {type(error).__name__}>"
