"""What waits to be sent to clients, and how much may wait.

Any thread puts in, the network thread takes out. Text that is written piece by piece to one stream
of one cell is joined while it waits, so a cell that prints a million lines makes few messages.

What is too much: more than `MOST_WAITING` characters of output. Then whoever prints waits until the
network thread has caught up, which is what a terminal does to a program that prints too fast. If
it does not catch up within `PATIENCE` seconds, the text is dropped, and the client is told how
much: a client that stops reading must not stop a cell for ever.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

MOST_WAITING = 4_000_000
"""Characters of output that may wait to be sent."""
LONGEST_PIECE = 32_000
"""Characters of output in one message."""
PATIENCE = 2.0
"""Seconds that code which prints waits for the network thread."""


@dataclass
class Message:
    """One message to be sent."""

    channel: str
    """``shell``, ``control``, ``stdin`` or ``iopub``."""
    kind: str
    """Its type, in Jupyter's words."""
    content: dict[str, Any]
    parent: dict[str, Any]
    """The header of the request that it answers; empty: none."""
    identities: list[bytes] = field(default_factory=list)
    """Whom it is for; on ``iopub``, everybody hears it."""
    metadata: dict[str, Any] | None = None
    size: int = 0


@dataclass
class _Text:
    """Output that waits."""

    name: str
    parent: dict[str, Any]
    pieces: list[str] = field(default_factory=list)
    size: int = 0


class Outgoing:
    """A queue with one reader.

    `wake()` tells the reader that there is something new; it may be called often. `looks_soon()`:
    whether it will look by itself shortly.
    """

    def __init__(self, wake: Callable[[], object], looks_soon: Callable[[], bool]) -> None:
        # One lock for the queue and its size; whoever prints waits on it for room. Reentrant,
        # because a finalizer of the user's may print while this thread is in here.
        self._changed = threading.Condition(threading.RLock())
        self._queue: deque[Message | _Text] = deque()
        self._waiting = 0
        self._is_urgent = False
        self._is_closed = False
        self._has_given_up = False
        self._half_since: float | None = None
        self._wake = wake
        self._looks_soon = looks_soon
        self._pid = os.getpid()
        self._dropped: tuple[int, str, dict[str, Any]] | None = None

    def put(self, *messages: Message, size: int = 0, is_urgent: bool = True) -> None:
        """Send `messages` soon, after what was put in before.

        With a `size`, in characters, they wait for room like output does. If it is not urgent, a
        reader that will look by itself shortly is not woken.
        """
        with self._changed:
            if self._is_closed or (size and not self._wait_for_room()):
                return
            self._tell_of_dropped()
            for message in messages:
                message.size = size
                self._waiting += size
                self._queue.append(message)
            self._is_urgent = True
        if is_urgent or not self._looks_soon():
            self._wake()

    def put_text(self, name: str, text: str, parent: dict[str, Any], waits: bool = True) -> None:
        """Send `text`, written to the stream `name` by the cell whose request is `parent`.

        Without `waits`, what cannot be put in at once is dropped.
        """
        if os.getpid() != self._pid:  # a forked child's output is not the client's
            return
        while text:
            piece, rest = text[:LONGEST_PIECE], text[LONGEST_PIECE:]
            if not self._put_piece(name, piece, parent, waits):
                with self._changed:
                    before = self._dropped[0] if self._dropped is not None else 0
                    self._dropped = before + len(text), name, parent
                return
            text = rest

    def _put_piece(self, name: str, piece: str, parent: dict[str, Any], waits: bool) -> bool:
        with self._changed:
            has_room = self._waiting < MOST_WAITING and not self._is_closed
            if not has_room and not (waits and self._wait_for_room()):
                return False
            self._tell_of_dropped()
            was_empty = not self._queue
            last = self._queue[-1] if self._queue else None
            if (
                not isinstance(last, _Text)
                or last.name != name
                or last.parent is not parent
                or last.size >= LONGEST_PIECE
            ):
                last = _Text(name, parent)
                self._queue.append(last)
            last.pieces.append(piece)
            last.size += len(piece)
            self._waiting += len(piece)
            was_half = self._half_since is not None
            self._half_since = None if piece.endswith("\n") else time.monotonic()
            is_whole = was_half and self._half_since is None
        if was_empty or is_whole:
            self._wake()
        return True

    def _tell_of_dropped(self) -> None:
        if self._dropped is None:
            return
        count, name, parent = self._dropped
        self._dropped = None
        line = f"\n[ipyembed: {count:,} characters are missing here, for they were not fetched]\n"
        text = _Text(name, parent)
        text.pieces.append(line)
        text.size = len(line)
        self._waiting += len(line)
        self._queue.append(text)

    def _wait_for_room(self) -> bool:
        deadline = 0.0
        while self._waiting >= MOST_WAITING and not self._is_closed:
            deadline = deadline or time.monotonic() + PATIENCE
            left = deadline - time.monotonic()
            if left <= 0 or self._has_given_up:
                self._has_given_up = True
                return False
            self._changed.wait(left)
        self._has_given_up = False
        return not self._is_closed

    # -- the reader's ------------------------------------------------------------------------

    @property
    def is_urgent(self) -> bool:
        """Whether something other than output waits."""
        return self._is_urgent

    @property
    def half_since(self) -> float:
        """When half a line was put in (`time.monotonic()`), whose other half is to come; or 0.

        `print` writes a line and its end one after the other. Sent one by one, another text could
        come between them on the client's screen.
        """
        return self._half_since or 0.0

    def __bool__(self) -> bool:
        return bool(self._queue)

    def first(self) -> Message | None:
        """What is to be sent next; it stays in the queue until `sent()`."""
        with self._changed:
            if not self._queue:
                self._is_urgent = False
                return None
            first = self._queue[0]
            if isinstance(first, Message):
                return first
            message = Message(
                "iopub", "stream", {"name": first.name, "text": "".join(first.pieces)}, first.parent
            )
            message.size = first.size
            self._queue[0] = message  # no more is joined to it
            return message

    def sent(self) -> None:
        """The first message is sent, or given up."""
        with self._changed:
            first = self._queue.popleft()
            if first.size:
                self._waiting -= first.size
                self._changed.notify_all()

    def close(self) -> None:
        """Take nothing any more; nobody waits any more."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
