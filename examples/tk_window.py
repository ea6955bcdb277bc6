"""A Tk window, an asyncio task that drives its clock, and a live prompt, all on one thread.
Run: python examples/tk_window.py    (it needs a display, and a Python with tkinter)
Type at its prompt what it suggests, move the window meanwhile, and close it: the prompt stays.
"""

import asyncio
import time
import tkinter as tk

import ipyembed

HEADER = """\
The window's clock is driven by an asyncio task while you type here. Try:

  %loops                        who turns what
  label["fg"] = "red"           change the window
  pace = 1.0                    seconds between two ticks
  await asyncio.sleep(3)        the window lives on
  clock.cancel()                stops the clock
  exit
"""


async def main(root: tk.Tk) -> None:
    root.title("a Tk window")
    label = tk.Label(root, text="…", font=("sans", 32), padx=40, pady=30)
    label.pack()
    pace = 0.1

    async def run_clock() -> None:
        while True:
            label["text"] = time.strftime("%H:%M:%S")
            await asyncio.sleep(pace)

    clock = asyncio.create_task(run_clock())
    await ipyembed.embed_async(banner1="", header=HEADER)
    clock.cancel()


if __name__ == "__main__":
    asyncio.run(main(tk.Tk()))
