"""What a scenario asks of a toolkit's window."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable


class Window(ABC):
    """A toolkit's application with one window."""

    name: str
    """As in ``%gui NAME``."""

    paints = 0
    """How often the window was drawn, or what stands for it."""

    @abstractmethod
    def make(self) -> None:
        """Import the toolkit, make its application, show the window."""

    @abstractmethod
    def post(self, milliseconds: int, function: Callable[[], object]) -> None:
        """Have the toolkit call it once."""

    @abstractmethod
    def repaint(self) -> None:
        """Something has changed: draw anew."""

    @abstractmethod
    def close(self) -> None:
        """Close the window; it is the last one."""

    @abstractmethod
    def quit(self) -> None:
        """What ends the main loop."""

    @abstractmethod
    def main_loop(self) -> None:
        """Run the toolkit's own."""

    def open_dialog(self) -> None:
        """Show a modal dialog; returns when `close_dialog()` is called."""
        raise NotImplementedError

    def close_dialog(self) -> None:
        raise NotImplementedError

    def every(self, milliseconds: int, function: Callable[[], object]) -> None:
        """Have the toolkit call it again and again."""

        def again() -> None:
            self.post(milliseconds, again)
            function()

        self.post(milliseconds, again)
