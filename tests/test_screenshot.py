"""Pictures of a terminal."""

from __future__ import annotations

from xml.etree import ElementTree as ET

import pyte

from tools import screenshot

SVG = "{http://www.w3.org/2000/svg}"


def _draw(output: str, title: str = "") -> ET.Element:
    screen = pyte.Screen(20, 3)
    pyte.Stream(screen).feed(output)
    return ET.fromstring(screenshot.svg(screen, title))


def _spans(picture: ET.Element) -> dict[str, dict[str, str]]:
    return {(span.text or "").strip(): span.attrib for span in picture.iter(f"{SVG}tspan")}


def test_text_and_title_are_escaped() -> None:
    picture = _draw("a < b && \"c\" 'd'", 'ipyembed <"live">')
    assert "a < b && \"c\" 'd'" in "".join(picture.itertext())
    assert picture.attrib["aria-label"] == 'ipyembed <"live">'


def test_runs_get_their_colours_and_weights() -> None:
    spans = _spans(
        _draw(
            "plain \x1b[31mred\x1b[0m \x1b[38;2;1;2;3mtrue\x1b[0m"
            "\r\n\x1b[1;4mbold\x1b[0m \x1b[95mbright\x1b[0m"
        )
    )
    assert spans["plain"]["fill"] == screenshot.FOREGROUND
    assert spans["red"]["fill"] == screenshot.PALETTE["red"]
    assert spans["true"]["fill"] == "#010203"
    assert spans["bold"]["font-weight"] == "bold"
    assert spans["bold"]["text-decoration"] == "underline"
    assert spans["bright"]["fill"] == screenshot.PALETTE["brightmagenta"]


def test_reverse_swaps_the_colours() -> None:
    picture = _draw("\x1b[7mnote\x1b[0m")
    assert _spans(picture)["note"]["fill"] == screenshot.BACKGROUND
    assert screenshot.FOREGROUND in {rect.attrib["fill"] for rect in picture.iter(f"{SVG}rect")}


def test_wide_characters_take_two_cells() -> None:
    spans = _spans(_draw("a\N{CJK UNIFIED IDEOGRAPH-65E5}b"))
    wide = spans["\N{CJK UNIFIED IDEOGRAPH-65E5}"]
    assert wide["textLength"] == f"{2 * screenshot.CELL_WIDTH:g}"
    assert spans["b"]["x"] == f"{3 * screenshot.CELL_WIDTH:g}"


def test_cursor_is_drawn_unless_hidden() -> None:
    def cursors(output: str) -> int:
        rects = _draw(output).iter(f"{SVG}rect")
        return sum(rect.attrib["fill"] == screenshot.CURSOR for rect in rects)

    assert cursors("ab") == 1
    assert cursors("ab\x1b[?25l") == 0
