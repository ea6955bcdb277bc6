"""A descriptor that any thread can make readable: what a GUI loop can wait for, and Python too."""

from __future__ import annotations

import socket
from typing import Self

from ipyembed.gui.turn import is_readable


class Doorbell:
    """Rung from any thread, heard on one."""

    def __enter__(self) -> Self:
        # Sockets, not a pipe: on Windows nothing else can be watched.
        self._heard, self._rung = socket.socketpair()
        self._heard.setblocking(False)
        self._rung.setblocking(False)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._heard.close()
        self._rung.close()

    def fileno(self) -> int:
        """The descriptor that is readable after a ring."""
        return self._heard.fileno()

    def ring_threadsafe(self) -> None:
        """Make it readable."""
        try:
            self._rung.send(b"\0")
        except OSError:  # rung often enough already, or nobody listens any more
            pass

    def wait(self) -> None:
        """Block until it is rung. Signal handlers run meanwhile, and what they raise comes out."""
        is_readable(self.fileno(), None)

    def clear(self) -> None:
        """Make it unreadable."""
        try:
            while self._heard.recv(1024):
                pass
        except BlockingIOError:
            pass
