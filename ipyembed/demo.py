"""A tour of one minute: ``python -m ipyembed.demo``.

A program with an asyncio loop, a log, a job, and where there is a display a window; and a prompt in
all of that. The header tells what to type.
"""

from __future__ import annotations

import asyncio
import logging
import time
from itertools import count
from types import SimpleNamespace
from typing import Any

import ipyembed

STEPS = """\
This program runs while you type. One minute, from top to bottom:

  settings.greeting = "hi"    the log above your line says so from then on
  await answer(2)             wait for a coroutine of the program's
  time.sleep(60)              it hangs; Ctrl-C ends it, and nothing else
  await asyncio.sleep(60)     again; Ctrl-Z puts the cell into the background
  %jobs                       it is there, and so is a counter
  %cancel --all
  %loops                      which loop turns where
"""
WINDOW = """\
  label["fg"] = "red"         the window's clock never stopped; move it, close it
"""
END = """\
  exit
"""

log = logging.getLogger("demo")


async def greet(settings: SimpleNamespace) -> None:
    """The program's work: a line of log every three seconds."""
    for number in count(1):
        log.info("%s, visitor %d", settings.greeting, number)
        await asyncio.sleep(3)


async def count_up(counter: list[int]) -> None:
    """What runs as a job."""
    for counter[0] in count():
        await asyncio.sleep(0.1)


def make_window() -> tuple[Any, Any] | None:
    """A Tk window and the label in it; None where there is no Tk, or no display."""
    try:
        import tkinter as tk
    except ImportError:
        return None
    try:
        window = tk.Tk()
    except tk.TclError:
        return None
    window.title("ipyembed.demo")
    label = tk.Label(window, text="...", font=("sans", 32), padx=40, pady=30)
    label.pack()
    return window, label


async def run_clock(window: Any, label: Any) -> None:
    """Tell the time in the window, as long as it is there."""
    import tkinter as tk

    try:
        while True:
            label["text"] = time.strftime("%H:%M:%S")
            await asyncio.sleep(0.1)
    except tk.TclError:
        log.info("the window has been closed")


async def main() -> None:
    """The program."""
    settings = SimpleNamespace(greeting="hello")
    counter = [0]
    names: dict[str, Any] = {"asyncio": asyncio, "settings": settings, "counter": counter}

    async def answer(seconds: float) -> int:
        await asyncio.sleep(seconds)
        return 42

    names |= {"answer": answer, "time": time, "ipyembed": ipyembed}
    tasks = [asyncio.create_task(greet(settings))]
    job = ipyembed.run_in_background(count_up(counter), name="counter")
    shown = make_window()
    if shown is not None:
        window, label = shown
        names |= {"window": window, "label": label}
        tasks.append(asyncio.create_task(run_clock(window, label)))
    header = STEPS + (WINDOW if shown else "") + END
    await ipyembed.embed_async(banner1="", header=header, local_ns=names)
    for task in tasks:
        task.cancel()
    job.cancel()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s")
    asyncio.run(main())
