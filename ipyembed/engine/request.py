"""A client's message, and who takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass
class Request:
    """A message of a client's."""

    channel: str
    kind: str
    content: dict[str, Any]
    header: dict[str, Any]
    identities: list[bytes] = field(repr=False)

    @property
    def client(self) -> bytes:
        """Who sent it: the identity of his sockets."""
        return self.identities[0] if self.identities else b""


class Receiver(Protocol):
    """What the network thread hands over to. All methods run there, and must not block."""

    def received(self, request: Request) -> None:
        """A request has come."""

    def client_left(self, client: bytes) -> None:
        """A client has closed its connection, or died."""

    def turned(self) -> float | None:
        """Called at each turn; returns the seconds until it must be called again, if any."""
