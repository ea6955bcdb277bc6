"""A wxPython window, an asyncio task that drives its clock, and a live prompt, on one thread.
Run: python examples/wx_window.py    (it needs a display and wxPython 4)
Type at its prompt what it suggests, move the window meanwhile, and close it: the prompt stays.
"""

import asyncio
import time

import wx

import ipyembed

HEADER = """\
The window's clock is driven by an asyncio task while you type here. Try:

  %loops                        who turns what
  frame.SetTitle("hello")       change the window
  pace = 1.0                    seconds between two ticks
  await asyncio.sleep(3)        the window lives on
  clock.cancel()                stops the clock
  exit
"""


async def main() -> None:
    frame = wx.Frame(None, title="a wx window", size=(320, 120))
    label = wx.StaticText(frame, label="…", style=wx.ALIGN_CENTRE_HORIZONTAL)
    label.SetFont(wx.Font(wx.FontInfo(32)))
    frame.Show()
    pace = 0.1

    async def run_clock() -> None:
        while True:
            label.SetLabel(time.strftime("%H:%M:%S"))
            await asyncio.sleep(pace)

    clock = asyncio.create_task(run_clock())
    await ipyembed.embed_async(banner1="", header=HEADER)
    clock.cancel()


if __name__ == "__main__":
    application = wx.App()
    asyncio.run(main())
