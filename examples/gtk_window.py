"""A GTK window, an asyncio task that drives its clock, and a live prompt, all on one thread.
Run: python examples/gtk_window.py    (it needs a display, PyGObject and GTK 4 or 3)
Type at its prompt what it suggests, move the window meanwhile, and close it: the prompt stays.
"""

import asyncio
import sys
import time

import gi

import ipyembed

VERSION = sys.argv[1] if len(sys.argv) > 1 else "4.0"
gi.require_version("Gtk", VERSION)
from gi.repository import Gtk  # noqa: E402  # the version is to be chosen first

HEADER = """\
The window's clock is driven by an asyncio task while you type here. Try:

  %loops                        who turns what
  window.set_title("hello")     change the window
  pace = 1.0                    seconds between two ticks
  await asyncio.sleep(3)        the window lives on
  clock.cancel()                stops the clock
  exit
"""


async def main() -> None:
    window = Gtk.Window(title="a GTK window", default_width=320, default_height=120)
    label = Gtk.Label(label="…")
    if VERSION == "4.0":
        window.set_child(label)
        window.present()
    else:
        window.add(label)
        window.show_all()
    pace = 0.1

    async def run_clock() -> None:
        while True:
            label.set_markup(f'<span size="32000">{time.strftime("%H:%M:%S")}</span>')
            await asyncio.sleep(pace)

    clock = asyncio.create_task(run_clock())
    await ipyembed.embed_async(banner1="", header=HEADER)
    clock.cancel()


if __name__ == "__main__":
    Gtk.init_check()
    asyncio.run(main())
