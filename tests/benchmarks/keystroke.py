"""From a key to the screen: idle, under load, beside a busy loop, while the eval thread is stuck.

    python -m tests.benchmarks.keystroke [--rounds N] [--only IPython ptpython]

Every key is a letter that was never typed or printed before, so that the first sight of it is its
own. What is compared is the same in all shells: a name that grows, taken away every few letters.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from textwrap import dedent

from tests.benchmarks.harness import (
    Figure,
    Options,
    Report,
    Values,
    checked,
    percentile,
    run,
    take_turns,
)
from tests.benchmarks.measured import toolkits_here
from tests.benchmarks.peers import OURS, Shells
from tests.benchmarks.raw_terminal import RawTerminal
from tests.pty.gui_programs import PROGRAMS
from tests.xvfb import virtual_screen

_KEYS = 60
"""Keys in each round."""
_LINE = 15
"""Letters until they are taken away."""
_BAR_IDLE = 1.0
_BAR_LOADED = 50.0
_BAR_STUCK = 100.0
_ESCAPED = re.compile(rb"\x1b\[[0-9;?]*[a-zA-Z]$")
_TOOLKITS = ["PySide6", "tk", "gtk3"]

_LOAD = """
import asyncio, threading, time
import ipyembed

def flood():
    go.wait()
    n = 0
    while True:
        print("line", n)
        n += 1

async def timer():
    while True:
        await asyncio.sleep(0.001)

async def main():
    go.clear()
    threading.Thread(target=flood, daemon=True).start()
    task = asyncio.create_task(timer())
    await ipyembed.embed_async(banner1="")

go = threading.Event()
threading.Timer(3.0, lambda: (go.set())).start()
asyncio.run(main())
"""
_STUCK = """
import asyncio
import ipyembed

async def stuck():
    await asyncio.sleep(3)
    while True:
        pass

async def main():
    task = asyncio.create_task(stuck(), name="spins")
    await ipyembed.embed_async(banner1="")

asyncio.run(main())
"""
_BUSY = """
import asyncio, time
import ipyembed

async def simulate():
    while True:
        end = time.perf_counter() + 0.0001
        while time.perf_counter() < end:
            pass
        await asyncio.sleep(0)

async def main():
    task = asyncio.create_task(simulate())
    await ipyembed.embed_async(banner1="")

asyncio.run(main())
"""


def measure(options: Options) -> Report:
    report = Report(
        "Keystroke to screen",
        f"from the key to its letter in the terminal, {options.rounds} rounds of {_KEYS} keys; "
        "loaded: a thread prints without end, a 1 kHz asyncio timer and a 60 Hz window; stuck: a "
        "task of the host's loop runs `while True: pass`; busy: one computes for 0.1 ms, awaits "
        "`asyncio.sleep(0)`, and so on",
    )
    with Shells() as shells, virtual_screen() as display:
        names = shells.names(report, options.only)
        typists = {name: _Typist(shells.embed(name), name) for name in names}
        window = ""
        for toolkit in toolkits_here(report, _TOOLKITS)[:1]:
            window = f"ticks = paints = 0\n{dedent(PROGRAMS[toolkit].text)}\nmake()\n"
        loaded = shells.program(window + _LOAD, env={"DISPLAY": display})
        typists["loaded"] = _Typist(loaded, "loaded", until=b"line 1000\r\n")
        typists["stuck"] = _Typist(shells.program(_STUCK), "stuck", until=b"has been stuck for")
        typists["busy"] = _Typist(shells.program(_BUSY), "busy")
        for typist in typists.values():
            typist.type(_KEYS)
        found = take_turns(
            {name: partial(typist.type, _KEYS) for name, typist in typists.items()},
            options.rounds,
        )
    for percent in (50, 99):
        at = {
            name: [percentile(times, percent) * 1e3 for times in rounds]
            for name, rounds in found.items()
        }
        for name in names[1:]:
            bar = _BAR_IDLE if name == "IPython" else None
            what = f"p{percent}, idle, ipyembed against {name}"
            report.figures.append(Figure(what, "ms", at[OURS], at[name], name, bar))
        for name, limit in {"loaded": _BAR_LOADED, "stuck": _BAR_STUCK, "busy": None}.items():
            bar = limit if percent == 99 else None
            report.figures.append(Figure(f"p{percent}, {name}", "ms", at[name], bar=bar))
    return report


class _Typist:
    """Types at a prompt."""

    def __init__(self, terminal: RawTerminal, name: str, until: bytes | None = None) -> None:
        """Returns when the prompt is there, and `until` is in the output."""
        self._terminal, self._name = terminal, name
        self._letters = _letters()
        self._before = b"["  # of no letter
        with checked(name):
            terminal.wait_for(b">>>" if name == "ptpython" else b"In [")
            if until is not None:
                terminal.wait_for(until)
            else:
                terminal.wait_quiet()

    def type(self, keys: int) -> Values:
        """Seconds from each key to its letter."""
        return [self._key(n) for n in range(keys)]

    def _key(self, n: int) -> float:
        if n % _LINE == 0:
            self._terminal.send(b"\x15")  # Ctrl-U
        letter = next(self._letters).encode()
        mark = self._terminal.mark()
        pressed = self._terminal.send(letter)
        while True:
            with checked(self._name):
                seen = self._terminal.wait_for(letter, mark)
            mark = self._terminal.output.index(letter, mark) + len(letter)
            if self._is_drawn(letter, mark):
                self._before = letter
                return seen - pressed

    def _is_drawn(self, letter: bytes, end: int) -> bool:
        """Whether the letter is part of a prompt, and not the terminal's own echo of the key.

        That comes while the prompt is away, to let somebody write. A prompt draws a letter after
        an escape sequence, or after the letter before it.
        """
        start = end - len(letter)
        before = bytes(self._terminal.output[max(0, start - 100) : start])
        return before.endswith(self._before) or _ESCAPED.search(before) is not None


def _letters() -> Iterator[str]:
    """Letters that a name may have, each once."""
    for number in range(0xA000, 0x20000):
        letter = chr(number)
        if letter.isidentifier() and len(letter.encode()) == 3:
            yield letter


if __name__ == "__main__":
    run(measure)
