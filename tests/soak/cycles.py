"""`embed_async()` and `embed()` in turn, in one process with a host loop and a window."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from textwrap import dedent
from typing import Any

from tests.benchmarks.peers import Shells
from tests.gui.required import why_not
from tests.pty.gui_programs import PROGRAMS
from tests.soak.counted import COUNTED, mb
from tests.xvfb import virtual_screen

SETTLED = 50
"""Cycles after which nothing may grow any more."""
MOST = 5 * 2**20
"""Bytes by which the memory may have grown from then on."""

_PROGRAM = """
import ipyembed
from traitlets.config import Config
config = Config()
config.TerminalInteractiveShell.confirm_exit = False
config.TerminalInteractiveShell.enable_tip = False
beats = 0
async def beat():
    global beats
    while True:
        await asyncio.sleep(0.005)
        beats += 1
async def main():
    logging.basicConfig()
    task = asyncio.create_task(beat())
    with open("counted", "w") as file:
        for n in range(int(sys.argv[1])):
            beats_before, ticks_before = beats, ticks
            if n % 2 == 0:
                await ipyembed.embed_async(banner1="", config=config)
            else:
                ipyembed.embed(banner1="", config=config)
            await asyncio.sleep(0.02)  # what the shell has handed to the loop ends
            line = counted() | {"beats": beats - beats_before, "ticks": ticks - ticks_before}
            print(json.dumps(line), file=file, flush=True)
    task.cancel()
    print("over")
make()
asyncio.run(main())
"""
_NO_WINDOW = "ticks = 0\ndef make(): pass\n"


def run(cycles: int, settled: int = SETTLED) -> str:
    """What was found, in words. Raises AssertionError when something has grown."""
    toolkit = next((name for name in PROGRAMS if not why_not(name)), None)
    window = dedent(PROGRAMS[toolkit].text) if toolkit is not None else _NO_WINDOW
    with Shells() as shells, _screen(toolkit) as env:
        text = f"{COUNTED}\nticks = paints = 0\n{window}\n{_PROGRAM}"
        terminal = shells.program(text, str(cycles), env=env)
        started = time.perf_counter()
        mark = 0
        for n in range(cycles):
            shells.wait_prompt(terminal, "ipyembed", 1, mark)
            mark = terminal.mark()
            awaits = "await __import__('asyncio').sleep(0, 42)" if n % 4 == 0 else "6 * 7"
            terminal.send(f"{awaits}\r".encode())
            shells.wait_prompt(terminal, "ipyembed", 2, mark)
            assert b"42" in terminal.output[mark:], bytes(terminal.output[mark:])
            mark = terminal.mark()
            terminal.send(b"\x04")
        terminal.wait_for(b"over\r\n", mark)
        assert terminal.wait_exit() == 0, bytes(terminal.output[-3000:])
        took = time.perf_counter() - started
        [path] = shells.path.glob("*/counted")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert len(lines) == cycles
    _assert_constant(lines[settled:])
    asyncs = lines[::2]
    assert all(line["beats"] > 0 for line in asyncs), "the host's task stood still"
    assert toolkit is None or sum(line["ticks"] for line in lines) > cycles, (
        "the window stood still"
    )
    grown = lines[-1]["rss"] - lines[settled]["rss"]
    found = (
        f"{cycles} cycles, {toolkit or 'no toolkit'}, {took / cycles * 1000:.0f} ms each: memory "
        f"{mb(lines[settled]['rss'])} after {settled}, {mb(lines[-1]['rss'])} at the end; "
        f"{lines[-1]['objects'] - lines[settled]['objects']} objects more; "
        f"threads {lines[-1]['held']['threads']}, {lines[-1]['held']['fds']} descriptors"
    )
    assert grown < MOST, found
    return found


def _assert_constant(lines: list[dict[str, Any]]) -> None:
    """From one cycle to the next but one: each entry with its own kind."""
    for n, line in enumerate(lines):
        first = lines[n % 2]["held"]
        changed = {
            name: (first[name], value)
            for name, value in line["held"].items()
            if value != first[name]
        }
        assert not changed, f"after {n} cycles: {changed}"


@contextmanager
def _screen(toolkit: str | None) -> Iterator[dict[str, str]]:
    if toolkit is None:
        yield {}
        return
    with virtual_screen() as display:
        yield {"DISPLAY": display, "QT_QPA_PLATFORM": "xcb"}
