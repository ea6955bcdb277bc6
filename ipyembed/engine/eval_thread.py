"""What the network thread asks of the eval thread."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Protocol

from ipyembed.engine.pace import EnginePace
from ipyembed.engine.request import Request


@dataclass
class Running:
    """The cell that the eval thread has been asked to run."""

    request: Request
    since: float
    """`time.monotonic()`"""
    interrupt: Callable[[], object] | None = None
    """Interrupts it; from any thread. None: it has not begun."""
    withdraw: Callable[[], object] | None = None
    """Takes that back, if it has not hit yet."""
    interrupt_again: Callable[[], bool] | None = None
    """Repeats an interrupt that has not hit yet; whether there is one."""


class EvalThread(Protocol):
    """What the engine does on the eval thread. Called on the network thread, must not block."""

    @property
    def name(self) -> str:
        """What clients call the engine."""

    @property
    def pace(self) -> EnginePace:
        """When the next piece of work may begin."""

    @property
    def completion_timeout(self) -> float:
        """Seconds."""

    @property
    def execution_count(self) -> int:
        """The number of the next cell."""

    def begin(self, running: Running) -> None:
        """Have the cell run, then `CellQueue.ended`. Raises RuntimeError without a thread."""

    def answer(self, request: Request) -> Future[dict[str, Any]]:
        """Have a short request answered. Raises RuntimeError without a thread.

        The answer is cancelled if its shell is closed before; ask again then.
        """

    def where(self) -> str:
        """What the eval thread is in, for people."""

    def ask_to_close(self) -> None:
        """Close the engine soon."""
