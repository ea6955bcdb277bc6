"""``%follow``: what the host itself prints, for the clients that ask.

As long as somebody follows, the host's streams are written through a tee. It lies below the
stand-ins that route the output of cells (`routing`), so what it sees is the host's. Logging
handlers that hold the streams are pointed at it. The host never waits for a client that follows:
what cannot be sent at once is dropped.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.interactiveshell import InteractiveShell

from ipyembed.engine.client_output import current_request
from ipyembed.engine.network import Network
from ipyembed.engine.request import Request
from ipyembed.routing import RoutedStream, put_below, stream_handlers

_STREAMS = ("stdout", "stderr")


class Following:
    """The clients of one engine that follow."""

    def __init__(self, network: Network) -> None:
        self._network = network
        # Guards both: cells begin to follow on the eval thread, clients leave on the network's.
        self._lock = threading.RLock()
        self._followers: dict[bytes, Request] = {}
        self._tees: list[_Tee] = []

    def heard(self, name: str, text: str) -> None:
        """The host has printed; on any thread."""
        for request in list(self._followers.values()):
            self._network.outgoing.put_text(name, text, request.header, waits=False)

    def begin(self, request: Request) -> None:
        """What the host prints from now on is also output of this request."""
        with self._lock:
            self._followers[request.client] = request
            if not self._tees:
                self._tees = [_Tee(name, self) for name in _STREAMS if getattr(sys, name)]

    def end(self, client: bytes) -> None:
        """No longer for that client."""
        with self._lock:
            if self._followers.pop(client, None) is not None and not self._followers:
                self._take_away()

    def close(self) -> None:
        """No longer for any."""
        with self._lock:
            self._followers.clear()
            self._take_away()

    def _take_away(self) -> None:
        tees, self._tees = self._tees, []
        for tee in tees:
            tee.take_away()

    @contextmanager
    def magic(self, shell: InteractiveShell) -> Iterator[None]:
        """While a client's cell runs in `shell`, it has the magic ``%follow``."""
        magics: dict[str, Any] = shell.magics_manager.magics["line"]
        before = magics.get("follow")
        magics["follow"] = self.follow
        try:
            yield
        finally:
            if before is None:
                magics.pop("follow", None)
            else:
                magics["follow"] = before

    def follow(self, line: str = "") -> None:
        """Show here what the program itself prints and logs, until ``%follow off``.

        Example::

            In [1]: %follow

            In [2]: %follow off
        """
        output = current_request.get()
        if output is None:
            print("%follow is for clients of an engine; this terminal is the host's")
        elif line.strip() in ("", "on"):
            self.begin(output.request)
        elif line.strip() == "off":
            self.end(output.request.client)
        else:
            print(f"%follow, or %follow off; not {line.strip()!r}")


class _Tee:
    """Stands in for a stream: writes to it, and tells who follows. In place from its making."""

    def __init__(self, name: str, following: Following) -> None:
        self._name = name
        self._following = following
        self.original = put_below(name, self)
        self._handlers = [h for h in stream_handlers() if h.stream is self.original]
        for handler in self._handlers:
            handler.setStream(self)

    def write(self, text: str) -> int:
        """As the stream's own."""
        count: int = self.original.write(text)
        self._following.heard(self._name, text)
        return count

    def writelines(self, lines: Any) -> None:
        """As the stream's own."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def take_away(self) -> None:
        """Put the stream back, unless somebody has covered this one: then it stays, below his."""
        top = getattr(sys, self._name)
        if top is self or (isinstance(top, RoutedStream) and top.original is self):
            put_below(self._name, self.original)
        for handler in stream_handlers():
            if handler.stream is self:
                handler.setStream(self.original)
