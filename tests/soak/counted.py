"""What a process holds, counted by itself and by others."""

from __future__ import annotations

import os
from pathlib import Path

#: Defines `counted()`, for a program that is soaked. What can be compared is in "held".
COUNTED = """
import asyncio, gc, json, logging, os, signal, sys, threading
def counted():
    gc.collect()
    loop = asyncio._get_running_loop()
    held = {
        "threads": sorted(t.name.split("_")[0] for t in threading.enumerate()),
        "fds": len(os.listdir("/proc/self/fd")),
        "tasks": len(asyncio.all_tasks(loop)) if loop else 0,
        "selector": type(getattr(loop, "_selector", None)).__name__,
        "signals": [repr(signal.getsignal(n)) for n in sorted(signal.valid_signals())],
        "hooks": [repr(h) for h in (sys.excepthook, sys.displayhook, threading.excepthook)],
        "streams": [repr(s) for s in (sys.stdin, sys.stdout, sys.stderr)],
        "handlers": [repr(h) for h in logging.getLogger().handlers],
        "modules' paths": len(sys.path),
    }
    with open("/proc/self/statm") as statm:
        rss = int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return {"held": held, "rss": rss, "objects": len(gc.get_objects())}
"""


def rss(pid: int) -> int:
    """Bytes of memory of a process."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def held(pid: int) -> tuple[int, int]:
    """Threads and descriptors of a process."""
    return len(os.listdir(f"/proc/{pid}/task")), len(os.listdir(f"/proc/{pid}/fd"))


def is_no_more(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether what a process holds has not grown, but for a descriptor or two.

    The history opens one while it is written, and the output one at its first flood, which it keeps
    until the shell is closed.
    """
    return after[0] == before[0] and after[1] <= before[1] + 2


def mb(size: float) -> str:
    return f"{size / 2**20:.1f} MB"
