"""Draw a terminal screen as a picture: a standalone SVG, for the documentation.

Every run of text is pinned to its column and stretched to its width in cells, so that the
picture is aligned whatever monospace font the reader has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import pyte
from pyte.screens import Char

CELL_WIDTH = 8.4
CELL_HEIGHT = 18
BASELINE = 13.5
FONT_SIZE = 14
PADDING = 12
TITLE_HEIGHT = 30
FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"

BACKGROUND = "#1e1e2e"
FOREGROUND = "#d8dee9"
TITLE_BAR = "#313244"
TITLE_COLOUR = "#a6adc8"
CURSOR = "#f5e0dc"
BUTTONS = ("#f38ba8", "#f9e2af", "#a6e3a1")

#: pyte's names: "brown" is what everyone else calls yellow.
PALETTE = {
    "black": "#45475a",
    "red": "#f38ba8",
    "green": "#a6e3a1",
    "brown": "#f9e2af",
    "blue": "#89b4fa",
    "magenta": "#cba6f7",
    "cyan": "#94e2d5",
    "white": "#bac2de",
    "brightblack": "#7f849c",
    "brightred": "#ff9fb5",
    "brightgreen": "#b9f6b4",
    "brightbrown": "#ffeeba",
    "brightblue": "#a3c5ff",
    "brightmagenta": "#dcc0ff",
    "brightcyan": "#aef5e8",
    "brightwhite": "#ffffff",
}

# What XML 1.0 cannot hold, not even escaped.
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True)
class Style:
    """How a run of cells looks, resolved to colours."""

    foreground: str
    background: str
    bold: bool
    italics: bool
    underscore: bool
    strikethrough: bool


@dataclass
class Run:
    """Neighbouring cells of one row that look the same."""

    column: int
    cells: int
    text: str
    style: Style


def svg(screen: pyte.Screen, title: str = "") -> str:
    """The screen as it is now, in a window with a title bar."""
    width = screen.columns * CELL_WIDTH + 2 * PADDING
    height = TITLE_HEIGHT + screen.lines * CELL_HEIGHT + 2 * PADDING
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img"',
        f' width="{width:g}" height="{height:g}" aria-label={quoteattr(_xml(title))}>',
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{BACKGROUND}"/>',
        *_title_bar(width, title),
        f'<g transform="translate({PADDING} {TITLE_HEIGHT + PADDING})" style="white-space: pre"',
        f' font-family="{FONTS}" font-size="{FONT_SIZE}">',
    ]
    for y in range(screen.lines):
        parts.extend(_row(y, list(_runs(screen, y))))
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _title_bar(width: float, title: str) -> Iterator[str]:
    bar = f"M0 {TITLE_HEIGHT}V8a8 8 0 0 1 8-8H{width - 8:g}a8 8 0 0 1 8 8V{TITLE_HEIGHT}Z"
    yield f'<path d="{bar}" fill="{TITLE_BAR}"/>'
    for i, colour in enumerate(BUTTONS):
        yield f'<circle cx="{18 + 20 * i}" cy="{TITLE_HEIGHT / 2:g}" r="6" fill="{colour}"/>'
    yield (
        f'<text x="{width / 2:g}" y="{TITLE_HEIGHT / 2 + 5:g}" text-anchor="middle"'
        f' font-family="system-ui, sans-serif" font-size="13" fill="{TITLE_COLOUR}">'
        f"{escape(_xml(title))}</text>"
    )


def _row(y: int, runs: list[Run]) -> Iterator[str]:
    top = y * CELL_HEIGHT
    for run in runs:
        if run.style.background != BACKGROUND:
            yield (
                f'<rect x="{run.column * CELL_WIDTH:g}" y="{top}"'
                f' width="{run.cells * CELL_WIDTH:g}" height="{CELL_HEIGHT}"'
                f' fill="{run.style.background}"/>'
            )
    spans = "".join(_span(run) for run in runs if run.text.strip())
    if spans:
        yield f'<text y="{top + BASELINE:g}" xml:space="preserve">{spans}</text>'


def _span(run: Run) -> str:
    style = run.style
    text = run.text
    if not (style.underscore or style.strikethrough):
        text = text.rstrip(" ")
    cells = run.cells - (len(run.text) - len(text))
    attributes = {
        "x": f"{run.column * CELL_WIDTH:g}",
        "textLength": f"{cells * CELL_WIDTH:g}",
        "lengthAdjust": "spacingAndGlyphs",
        "fill": style.foreground,
    }
    if style.bold:
        attributes["font-weight"] = "bold"
    if style.italics:
        attributes["font-style"] = "italic"
    lines = [("underline", style.underscore), ("line-through", style.strikethrough)]
    if decoration := " ".join(name for name, on in lines if on):
        attributes["text-decoration"] = decoration
    listed = " ".join(f"{name}={quoteattr(value)}" for name, value in attributes.items())
    return f"<tspan {listed}>{escape(_xml(text))}</tspan>"


def _runs(screen: pyte.Screen, y: int) -> Iterator[Run]:
    cursor = screen.cursor
    row = screen.buffer[y]
    current: Run | None = None
    for x in range(screen.columns):
        char = row[x]
        if char.data == "":
            continue  # The right half of the wide character before it.
        wide = x + 1 < screen.columns and row[x + 1].data == ""
        style = _style(char, is_cursor=not cursor.hidden and (y, x) == (cursor.y, cursor.x))
        # A wide character is a run of its own: in another font it may not be two cells wide.
        if current is not None and style == current.style and not wide:
            current.text += char.data
            current.cells += 1
            continue
        if current is not None:
            yield current
        current = Run(x, 2 if wide else 1, char.data, style)
        if wide:
            yield current
            current = None
    if current is not None:
        yield current


def _style(char: Char, *, is_cursor: bool) -> Style:
    foreground = _colour(char.fg, FOREGROUND)
    background = _colour(char.bg, BACKGROUND)
    if char.reverse:
        foreground, background = background, foreground
    if is_cursor:
        foreground, background = BACKGROUND, CURSOR
    return Style(
        foreground, background, char.bold, char.italics, char.underscore, char.strikethrough
    )


def _colour(name: str, default: str) -> str:
    if name == "default":
        return default
    # pyte 0.8 misspells one of its names.
    name = name.replace("bfight", "bright")
    return PALETTE.get(name, f"#{name}")


def _xml(text: str) -> str:
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
