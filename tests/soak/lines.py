"""Log lines above one prompt."""

from __future__ import annotations

import re
import time

from tests.benchmarks.peers import OURS, Shells
from tests.benchmarks.raw_terminal import RawTerminal
from tests.soak.counted import held, is_no_more, mb, rss

MOST = 20 * 2**20
"""Bytes by which the memory may grow: what is under way is bounded."""
_DEADLINE = 3600.0

_PROGRAM = """
import logging, sys, threading
import ipyembed
logging.basicConfig(format="<%(message)s>")
def log():
    for n in range(int(sys.argv[1])): logging.warning("line %07d", n)
    logging.warning("that is all")
def start():
    threading.Thread(target=log).start()
ipyembed.embed(banner1="")
"""
_LINE = re.compile(rb"<line (\d{7})>")


def run(lines: int) -> str:
    """What was found, in words. Raises AssertionError when a line is missing or torn."""
    with Shells() as shells:
        terminal = shells.program(_PROGRAM, str(lines))
        shells.wait_prompt(terminal, OURS, 1)
        terminal.wait_quiet()
        before, memory = held(terminal.pid), rss(terminal.pid)
        mark = terminal.mark()
        started = time.perf_counter()
        terminal.send(b"start()\r")
        most, over = _follow(terminal, mark, lines)
        took = over - started
        mark = terminal.mark()
        terminal.send(b"6 * 7\r")
        shells.wait_prompt(terminal, OURS, 3, mark)
        assert b"42" in terminal.output[mark:], "the prompt does not answer"
        terminal.wait_quiet()
        after, grown = held(terminal.pid), rss(terminal.pid) - memory
        shells.leave(terminal)
    found = (
        f"{lines} lines in {took:.1f} s, {lines / took:.0f} a second, none lost, in order; memory "
        f"{mb(memory)} before, at most {mb(most)}, grown by {mb(grown)}; threads and descriptors "
        f"{before} and {after}"
    )
    assert most - memory < MOST, found
    assert is_no_more(before, after), found
    return found


def _follow(terminal: RawTerminal, mark: int, lines: int) -> tuple[int, float]:
    """Read until the last line; the most memory that was seen, and the clock at the end."""
    expected, most, looked = 0, 0, mark
    deadline = time.perf_counter() + _DEADLINE
    while True:
        is_over = terminal.has_come(b"<that is all>", looked)
        end = terminal.output.rfind(b">")  # a line that is not whole comes with the next piece
        for match in _LINE.finditer(terminal.output, looked, max(end + 1, looked)):
            assert int(match[1]) == expected, f"line {int(match[1])} came for {expected}"
            expected += 1
        if is_over:
            assert expected == lines, f"{expected} lines came of {lines}"
            return most, time.perf_counter()
        assert time.perf_counter() < deadline, f"{expected} lines came of {lines}"
        most = max(most, rss(terminal.pid))
        if end > 0:
            terminal.forget(end)
        looked = 0
