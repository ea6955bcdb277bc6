"""What the text above the prompt does to the cursor, against a terminal that shows it."""

from __future__ import annotations

import pyte
import pytest

from ipyembed.output_cursor import Cursor, unfinished

WIDTH = 20

TEXTS = {
    "lines": ["one\n", "two\n"],
    "half a line": ["one", " two", "\nthree"],
    "a progress bar": ["\r10%", "\r20%", "\r100%\n", "done\n"],
    "a bar that is wiped": ["\r10%", "\r   \r", "done\n"],
    "a bar that is erased": ["\r10%", "\r\x1b[K", "done\n"],
    "a bar with its return behind": ["10%\r", "20%\r", "\n"],
    "two bars": ["\ra 1\n\rb 1\x1b[A", "\ra 2\n\rb 2\x1b[A", "\n\n", "done\n"],
    "a full row": ["x" * WIDTH, "y", "\n"],
    "a full row and a newline": ["x" * WIDTH, "\n", "y\n"],
    "a full row and a return": ["x" * WIDTH, "\ry\n"],
    "many rows": ["x" * 50, "y" * 7, "\rz\n"],
    "wide characters": ["\u65e5\u672c", "\u8a9e" * 10, "x\n"],
    "combining characters": ["e\u0301", "e\u0301x\n"],
    "backspaces and tabs": ["ab\b", "c\t", "d\n"],
    "sideways": ["abc\x1b[2D", "x\x1b[5C", "y\x1b[3G", "z\n"],
    "colours": ["\x1b[31mred", " red\x1b[0m", " not\n", "\x1b[1m", "bold\n\x1b[0m"],
    "a title": ["\x1b]0;a title\x07", "text\n"],
    "up and erased": ["a\nb\n\x1b[2A\x1b[J", "c\n"],
}


@pytest.mark.parametrize("name", TEXTS)
def test_text_in_pieces_is_as_in_one(name: str) -> None:
    """With a prompt drawn and erased after each piece."""
    pieces = TEXTS[name]
    whole = pyte.Screen(WIDTH, 12)
    whole.set_mode(pyte.modes.LNM)
    pyte.Stream(whole).feed("".join(pieces))

    screen = pyte.Screen(WIDTH, 12)
    screen.set_mode(pyte.modes.LNM)
    stream = pyte.ByteStream(screen)
    cursor = Cursor()
    for piece in pieces:
        stream.feed(cursor.to_text() + piece.encode())
        cursor.follow(piece.encode(), WIDTH)
        stream.feed(cursor.to_prompt())
        assert screen.cursor.x == 0
        stream.feed(b"> prompt\x1b[8D\x1b[J")
    stream.feed(b"\x1b[J")
    assert screen.display == whole.display
    assert [row[0].fg for row in _rows(screen)] == [row[0].fg for row in _rows(whole)]


def _rows(screen: pyte.Screen) -> list[dict[int, pyte.screens.Char]]:
    return [screen.buffer[y] for y in range(screen.lines)]


@pytest.mark.parametrize(
    ("data", "length"),
    [
        (b"text", 0),
        (b"text\x1b", 1),
        (b"text\x1b[3", 3),
        (b"text\x1b[31m", 0),
        (b"\x1b]0;title", 9),
        (b"\x1b]0;title\x07", 0),
        (b"\x1bPpicture\x1b", 10),
        (b"\x1bPpicture\x1b\\", 0),
        ("\u65e5".encode()[:1], 1),
        ("x\u65e5".encode()[:-1], 2),
        ("\u65e5".encode(), 0),
        ("\U0001f600".encode()[:3], 3),
        (b"\xff\xfe", 0),
        (b"", 0),
    ],
)
def test_what_is_unfinished(data: bytes, length: int) -> None:
    assert unfinished(data) == length
