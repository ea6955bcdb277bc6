"""Cells, one after the other, in one session."""

from __future__ import annotations

import statistics
import time

from tests.benchmarks.peers import OURS, Shells
from tests.soak.counted import held, is_no_more, mb, rss

SETTLED = 50

_AWAITS = b"await __import__('asyncio').sleep(0); i += 1"


def run(cells: int, settled: int = SETTLED) -> str:
    """What was found, in words. Raises AssertionError when something has gone wrong."""
    with Shells() as shells:
        terminal = shells.start(OURS)
        shells.wait_prompt(terminal, OURS, 1)
        times = []
        before = held(terminal.pid)
        memory = 0
        for n in range(1, cells + 1):
            mark = terminal.mark()
            cell = _AWAITS if n % 2 == 0 else b"i += 1" if n > 1 else b"i = 1"
            started = time.perf_counter()
            terminal.send(cell + b"\r")
            times.append(shells.wait_prompt(terminal, OURS, n + 1, mark) - started)
            if n == settled:
                before, memory = held(terminal.pid), rss(terminal.pid)
            terminal.forget(mark)
        mark = terminal.mark()
        terminal.send(b"print('i is', i)\r")
        terminal.wait_for(b"i is %d\r\n" % cells, mark)
        shells.wait_prompt(terminal, OURS, cells + 2, mark)
        after, grown = held(terminal.pid), rss(terminal.pid) - memory
        shells.leave(terminal)
    part = max(1, cells // 10)
    early, late = (statistics.median(t) * 1000 for t in (times[:part], times[-part:]))
    found = (
        f"{cells} cells: {early:.1f} ms each at first, {late:.1f} ms at last; threads and "
        f"descriptors {before} and {after}; memory grew by {mb(grown)}, "
        f"{grown / cells:.0f} bytes a cell"
    )
    assert is_no_more(before, after), found
    return found
