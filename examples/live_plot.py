"""A matplotlib plot that an asyncio task feeds, a window that you can zoom meanwhile, and a prompt.
Nothing calls plt.pause() or plt.show(block=True): the window lives while you type.
Run: pip install matplotlib PySide6, then: python examples/live_plot.py    (it needs a display)
"""

import asyncio
import math
from itertools import count
from types import SimpleNamespace

import matplotlib.pyplot as plt

import ipyembed

HEADER = """\
The plot grows while you type here. Try:

  settings.noise = 0.5          what the task reads
  line.set_color("red")         change the plot
  ax.set_ylim(-3, 3)
  len(ys)                       the data, as they are now
  feed.cancel()                 stops it
  exit
"""

settings = SimpleNamespace(noise=0.0, pace=0.05)


async def main() -> None:
    fig, ax = plt.subplots(num="a live plot")
    (line,) = ax.plot([], [])
    ax.set_ylim(-2, 2)
    ys: list[float] = []

    async def run_feed() -> None:
        for i in count():
            ys.append(math.sin(i / 10) + settings.noise * math.sin(i * 7.3))
            line.set_data(range(len(ys)), ys)
            ax.set_xlim(max(0, i - 200), max(200, i))
            fig.canvas.draw_idle()
            await asyncio.sleep(settings.pace)

    feed = asyncio.create_task(run_feed())
    plt.show(block=False)
    await ipyembed.embed_async(banner1="", header=HEADER)
    feed.cancel()
    print(f"{len(ys)} points were drawn")


if __name__ == "__main__":
    asyncio.run(main())
