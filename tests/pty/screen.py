"""The screen that a terminal would show: pyte's, with what a REPL's transcript also needs.

pyte's `HistoryScreen` wraps every method call, which makes a flood of output take minutes, and
forgets what scrolls off while the window shrinks.  Here the scrollback is rendered text only.
"""

from __future__ import annotations

from typing import Any

import pyte

ALTERNATE_SCREEN_MODES = frozenset({47, 1047, 1049})


class ScrollbackScreen(pyte.Screen):
    """A pyte screen with scrollback, an alternate screen and replies to queries."""

    def __init__(self, columns: int, lines: int) -> None:
        self.scrollback: list[str] = []
        #: What the terminal has to answer to the program's queries, oldest first.
        self.replies: list[str] = []
        self._main_screen: tuple[dict[int, Any], int, int] | None = None
        super().__init__(columns, lines)

    @property
    def rows(self) -> list[str]:
        """The visible rows, without trailing blanks."""
        return [row.rstrip() for row in self.display]

    @property
    def text(self) -> str:
        """Scrollback and screen, without the empty rows at the bottom."""
        return "\n".join([*self.scrollback, *self.rows]).rstrip("\n")

    @property
    def in_alternate_screen(self) -> bool:
        return self._main_screen is not None

    def write_process_input(self, data: str) -> None:
        self.replies.append(data)

    def index(self) -> None:
        top, bottom = self.margins or (0, self.lines - 1)
        # Like a real terminal: only what leaves by the top of the main screen is kept.
        if self.cursor.y == bottom and top == 0 and not self.in_alternate_screen:
            self.scrollback.append(self._row(0))
        super().index()

    def resize(self, lines: int | None = None, columns: int | None = None) -> None:
        """Shrink as xterm does: empty rows below the cursor go first, then the top scrolls off.

        pyte cuts at the top whatever is there and leaves the cursor on the same row number,
        so that the program and the screen disagree about where the cursor is.
        """
        surplus = max(0, self.cursor.y + 1 - (lines or self.lines))
        for _ in range(surplus):
            if not self.in_alternate_screen:
                self.scrollback.append(self._row(0))
            for y in range(self.lines - 1):
                self.buffer[y] = self.buffer[y + 1]
            self.buffer.pop(self.lines - 1, None)
        self.cursor.y -= surplus
        if lines is not None:
            for y in range(lines, self.lines):
                self.buffer.pop(y, None)
            self.lines = lines
        super().resize(self.lines, columns)
        self.margins = None
        self.cursor.x = min(self.cursor.x, self.columns)
        self.dirty.update(range(self.lines))

    def draw(self, data: str) -> None:
        # pyte drops the rest of a run after a character of no width (a joiner, a variation
        # selector), so such runs are drawn one character at a time.
        for run in (data,) if data.isascii() else data:
            super().draw(run)

    def set_mode(self, *modes: int, **kwargs: Any) -> None:
        switches = kwargs.get("private") and ALTERNATE_SCREEN_MODES.intersection(modes)
        if switches and self._main_screen is None:
            self._main_screen = (dict(self.buffer), self.cursor.y, self.cursor.x)
            self.buffer.clear()
        super().set_mode(*modes, **kwargs)

    def reset_mode(self, *modes: int, **kwargs: Any) -> None:
        switches = kwargs.get("private") and ALTERNATE_SCREEN_MODES.intersection(modes)
        if switches and self._main_screen is not None:
            buffer, self.cursor.y, self.cursor.x = self._main_screen
            self._main_screen = None
            self.buffer.clear()
            self.buffer.update(buffer)
        super().reset_mode(*modes, **kwargs)

    # Both exist in a private form (`CSI ? ... m`, `CSI ? ... n`) that pyte would pass on to
    # methods that do not take the keyword.
    def select_graphic_rendition(self, *attrs: int, **kwargs: Any) -> None:
        if not kwargs.get("private"):
            super().select_graphic_rendition(*attrs)

    def report_device_status(self, mode: int, **kwargs: Any) -> None:
        if not kwargs.get("private"):
            super().report_device_status(mode)

    def _row(self, y: int) -> str:
        line = self.buffer[y]
        return "".join(line[x].data for x in range(self.columns)).rstrip()
