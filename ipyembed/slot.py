"""One shell at a time owns the terminal: a second one waits for the first.

A shell that is opened by a cell of another one is nested: it may go at once, because the other
one waits for that cell. A blocking shell that is opened on the thread of a shell whose prompt is
up can neither wait (it would wait for itself) nor go: that is an error.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import deque
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ipyembed.cells import open_cell
from ipyembed.hosts import current_host

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment


@dataclass(eq=False)
class Opened:
    """An open shell."""

    where: str
    """Where it was opened: ``file:line``, or in words."""
    thread: threading.Thread = field(default_factory=threading.current_thread)
    attachment: Attachment | None = None
    """What makes it threaded, once it has come that far."""

    def __str__(self) -> str:
        return f"{self.where} (thread {self.thread.name})"

    @property
    def cell_is_running(self) -> bool:
        """Whether it is in a cell now, so that its prompt is not up."""
        return self.attachment is not None and self.attachment.cells.running


class Slot:
    """The open shells, innermost last, and those that wait for the outermost to end."""

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # Guards both collections: shells are opened on any thread.
        self._lock = threading.Lock()
        self._open: list[Opened] = []
        self._waiting: deque[tuple[Opened, Future[None]]] = deque()

    @property
    def innermost(self) -> Opened | None:
        """The shell that was opened last and is still open, if any; from any thread."""
        with self._lock:
            return self._open[-1] if self._open else None

    @property
    def open_shells(self) -> list[Opened]:
        """All open shells, innermost first; from any thread."""
        with self._lock:
            return self._open[::-1]

    @contextmanager
    def hold(self, where: str) -> Iterator[Opened]:
        """Own the terminal; blocks until it is free. Raises RuntimeError if it never could be."""
        opened = Opened(where)
        turn = self._enter(opened, blocking=True)
        try:
            if turn is not None:
                turn.result()
            yield opened
        finally:
            self._leave(opened)

    @asynccontextmanager
    async def hold_async(self, where: str) -> AsyncIterator[Opened]:
        """The same, awaiting."""
        opened = Opened(where)
        turn = self._enter(opened, blocking=False)
        try:
            if turn is not None:
                await current_host().wait_until_done(turn)
            yield opened
        finally:
            self._leave(opened)

    def _enter(self, opened: Opened, blocking: bool) -> Future[None] | None:
        with self._lock:
            owner = self._open[-1] if self._open else None
            if owner is None or self._is_nested(owner, blocking):
                self._open.append(opened)
                return None
            if blocking and owner.thread is opened.thread:
                raise RuntimeError(
                    f"embed() at {opened.where} would stop the shell that is open at {owner}, "
                    "whose prompt is up on this very thread; leave that shell first, or use "
                    "`await ipyembed.embed_async()`, which waits for it to end"
                )
            turn: Future[None] = Future()
            self._waiting.append((opened, turn))
        print(
            f"ipyembed: the shell at {opened} waits for the one opened at {owner} to end",
            file=sys.stderr,
        )
        return turn

    @staticmethod
    def _is_nested(owner: Opened, blocking: bool) -> bool:
        if not owner.cell_is_running:
            return False
        if blocking:
            return owner.thread is threading.current_thread()
        return owner.attachment is not None and open_cell.get() is owner.attachment.cells

    def _leave(self, opened: Opened) -> None:
        with self._lock:
            if opened in self._open:
                self._open.remove(opened)
            self._waiting = deque(entry for entry in self._waiting if entry[0] is not opened)
            if self._open or not self._waiting:
                return
            following, turn = self._waiting.popleft()
            self._open.append(following)
        turn.set_result(None)


slot = Slot()
"""The process's only terminal slot."""
