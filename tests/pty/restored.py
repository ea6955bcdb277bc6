"""What a program must put back before it leaves a terminal, read from all that it printed."""

from __future__ import annotations

import re

_PRIVATE_MODE = re.compile(rb"\x1b\[\?([\d;]+)([hl])")
_CURSOR_SHAPE = re.compile(rb"\x1b\[(\d*) q")
_KEYPAD = re.compile(rb"\x1b([=>])")
_MODIFY_OTHER_KEYS = re.compile(rb"\x1b\[>4(?:;(\d*))?m")

#: Modes that a terminal starts with; every other one starts switched off.
ON_BY_DEFAULT = {7: "automatic wrapping", 25: "visible cursor"}

NAMES = {
    **ON_BY_DEFAULT,
    1: "application cursor keys",
    47: "alternate screen",
    1000: "mouse: clicks",
    1002: "mouse: dragging",
    1003: "mouse: any motion",
    1004: "focus reports",
    1006: "mouse: SGR coordinates",
    1015: "mouse: urxvt coordinates",
    1047: "alternate screen",
    1049: "alternate screen",
    2004: "bracketed paste",
    2026: "synchronised output",
}


def private_modes(transcript: bytes) -> dict[int, bool]:
    """The last state that the program gave to each private mode that it touched."""
    state: dict[int, bool] = {}
    for match in _PRIVATE_MODE.finditer(transcript):
        for mode in match[1].split(b";"):
            if mode:
                state[int(mode)] = match[2] == b"h"
    return state


def left_behind(transcript: bytes) -> list[str]:
    """What the program changed by escape sequences and did not change back."""
    problems = [
        f"private mode {mode} ({NAMES.get(mode, 'unnamed')}) was left {'on' if on else 'off'}"
        for mode, on in private_modes(transcript).items()
        if on != (mode in ON_BY_DEFAULT)
    ]
    for pattern, what, defaults in (
        (_CURSOR_SHAPE, "cursor shape", {b"", b"0"}),
        (_KEYPAD, "keypad mode", {b">"}),
        (_MODIFY_OTHER_KEYS, "modifyOtherKeys", {None, b"", b"0"}),
    ):
        matches = pattern.findall(transcript)
        if matches and matches[-1] not in defaults:
            problems.append(f"{what} was left at {matches[-1]!r}")
    return problems
