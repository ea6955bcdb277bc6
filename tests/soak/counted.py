"""What a process holds, counted by itself and by others."""

from __future__ import annotations

import os
import time
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


def held_at_last(pid: int, before: tuple[int, int]) -> tuple[int, int]:
    """The same; looks again for a while, for the history opens a file while it is written."""
    deadline = time.monotonic() + 10
    while (found := held(pid)) != before and time.monotonic() < deadline:
        time.sleep(0.05)
    return found


def mb(size: float) -> str:
    return f"{size / 2**20:.1f} MB"
