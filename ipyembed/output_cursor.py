"""Where printed text has left the cursor, so that the prompt can be drawn below and text go on.

Text above the prompt need not end with a newline: a progress bar is one line that is drawn again
and again. The prompt is drawn on the row below it. When more text comes, the cursor has to go back
to where the text stopped, in the colours that it had set. A terminal could be asked where its
cursor is, but answers late, among the keys; so we follow the text ourselves.

Only what matters for the last rows is followed. What moves the cursor to a place that cannot be
known counts as a new line: then the next text goes below, and nothing is overwritten.
"""

from __future__ import annotations

import re

from prompt_toolkit.utils import get_cwidth

_STRING_END = re.compile(rb"\x07|\x1b\\")
_UNFINISHED = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*)?\Z")
#: What moves the cursor other than along its row or to the next one.
_MOVES = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[ABEFHJLMSTdfrsu]|[78DEHMc])|[\x0b\x0c]")
_TOKEN = re.compile(
    r"\x1b\[([0-?]*)[ -/]*([@-~])"
    r"|(?:\x1b[\]P_^X](?s:.*?)(?:\x07|\x1b\\|\Z)|\x1b[ -/]*[0-~])"
    r"|([\x00-\x1f\x7f])"
    r"|([^\x00-\x1f\x7f\x1b]+)"
)
_SGR = re.compile(rb"\x1b\[([0-9;:]*)m")
_LONGEST_STYLE = 256

LONGEST_HELD = 1 << 20
"""Bytes of an unfinished sequence that are waited for, a picture for example."""


class Cursor:
    """The cursor of what is printed above the prompt."""

    def __init__(self) -> None:
        self.new_line()
        self.style = b""
        """The sequences that set the present colours and attributes."""

    def new_line(self) -> None:
        """The next text begins on a row of its own."""
        self.column = 0
        self.below = 0
        """Rows of the text below the cursor."""
        self._painted = 0  # the columns of the cursor's row that are not known to be blank
        self._last = ""  # the character in the last column, if the next one will wrap

    @property
    def is_on_new_line(self) -> bool:
        """Whether the prompt can take the cursor's row."""
        return not (self.column or self.below or self._painted)

    def to_prompt(self) -> bytes:
        """What moves from the end of the text to where the prompt begins."""
        if self.is_on_new_line:
            return b"\x1b[0m" if self.style else b""
        down = b"\x1b[%dB" % self.below if self.below else b""
        return down + b"\x1b[0m\r\n"

    def to_text(self) -> bytes:
        """What moves from where the prompt began to the end of the text."""
        if self.is_on_new_line:
            return self.style
        moves = b"\x1b[%dA\r" % (self.below + 1)
        column = self.column - get_cwidth(self._last) if self._last else self.column
        if column:
            moves += b"\x1b[%dC" % column
        # Drawn again, the last character of a full row makes the next one wrap, as it did before.
        return moves + self.style + self._last.encode()

    def follow(self, data: bytes, width: int) -> None:
        """Note what `data`, which ends with no unfinished sequence, does on `width` columns."""
        self._follow_style(data)
        if not self.below and not _MOVES.search(data):
            rest = data.rpartition(b"\n")
            if rest[1]:
                self.new_line()
            data = rest[2]
        for parameters, command, control, text in _TOKEN.findall(data.decode(errors="replace")):
            if text:
                self._follow_text(text, width)
            elif control:
                self._follow_control(control, width)
            elif command:
                self._follow_command(command, parameters, width)

    def _follow_style(self, data: bytes) -> None:
        if b"\x1b[" not in data:
            return
        reset = max(data.rfind(b"\x1b[0m"), data.rfind(b"\x1b[m"))
        for match in _SGR.finditer(data, max(reset, 0)):
            if match[1] in (b"", b"0"):
                self.style = b""
            elif match[1].startswith((b"0;", b";")):
                self.style = match[0]
            else:
                self.style += match[0]
        if len(self.style) > _LONGEST_STYLE:  # nobody needs so many at once
            self.style = b""

    def _follow_text(self, text: str, width: int) -> None:
        if not text.strip(" ") and self.column + len(text) <= width:
            self._follow_spaces(len(text), width)
            return
        for character in text:
            cells = get_cwidth(character)
            if cells == 0:
                if self._last:
                    self._last += character
                continue
            if self.column + cells > width:  # the row is full
                self._down()
                self.column = 0
            self.column += cells
            self._painted = max(self._painted, self.column)
            self._last = character if self.column >= width else ""

    def _follow_spaces(self, count: int, width: int) -> None:
        start = self.column
        self.column += count
        if start < self._painted <= self.column:
            self._painted = start
        self._last = " " if self.column >= width else ""

    def _follow_control(self, control: str, width: int) -> None:
        if control in "\n\x0b\x0c":
            self._down()
            self.column = 0  # as the terminal's own translation of newlines does
        elif control == "\r":
            self.column = 0
        elif control == "\b":
            self.column = max(0, self.column - 1)
        elif control == "\t":
            self.column = min(width - 1, (self.column // 8 + 1) * 8)
        else:
            return
        self._last = ""

    def _follow_command(self, command: str, parameters: str, width: int) -> None:
        if command == "m":
            return
        number = int(parameters) if parameters.isdecimal() else 1
        if command in "AF":
            self.below += max(1, number)
            self._painted = width
        elif command in "BE":
            self.below = max(0, self.below - max(1, number))
            self._painted = width
        elif command == "C":
            self.column = min(width - 1, self.column + max(1, number))
        elif command == "D":
            self.column = max(0, self.column - max(1, number))
        elif command in "G`":
            self.column = min(width, max(1, number)) - 1
        elif command == "K":
            kind = parameters or "0"
            if kind == "2" or (kind == "0" and self.column < self._painted):
                self._painted = 0 if kind == "2" else self.column
            return
        elif command == "J":
            if parameters in ("", "0"):
                self.below = 0
                self._painted = min(self._painted, self.column)
            return
        elif command in "Hfd":
            self.new_line()
            self._painted = width
        else:
            return
        if command in "EF":
            self.column = 0
        self._last = ""

    def _down(self) -> None:
        if self.below:
            self.below -= 1
        else:
            self._painted = 0


def unfinished(data: bytes) -> int:
    """How many bytes at the end of `data` begin a character or a sequence that goes on."""
    start = max(data.rfind(byte) for byte in (b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX"))
    if start >= 0 and not _STRING_END.search(data, start + 2):
        length = len(data) - start
        return length if length <= LONGEST_HELD else 0
    match = _UNFINISHED.search(data, max(0, len(data) - 64))
    if match:
        return len(match[0])
    for length in range(1, min(4, len(data) + 1)):
        byte = data[-length]
        if byte > 0xF4:  # not UTF-8
            return 0
        if byte >= 0xC0:  # the first of a character
            needed = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return length if length < needed else 0
        if byte < 0x80:
            return 0
    return 0
