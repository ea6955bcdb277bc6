"""A toolkit that nobody knows but you: register its hook, and it is alive at the prompt.
A hook turns the toolkit's loop until there is input; it need not know about asyncio or the prompt.
Run: python examples/own_gui_hook.py
"""

import asyncio  # noqa: F401  # for cells
import select
import time
from typing import Any

from IPython.terminal import pt_inputhooks

import ipyembed

HEADER = """\
"toy" draws 50 frames a second, at the prompt and while a cell awaits. Try:

  toy.frames                                           twice
  before = toy.frames; await asyncio.sleep(1); toy.frames - before
  %loops                                               what turns where
  %gui                                                 turns it off: toy.frames stands still
  %gui toy
  exit
"""


class Toy:
    """In place of a real toolkit: draws frames, and can wait for a descriptor meanwhile."""

    def __init__(self) -> None:
        self.frames = 0
        self._next_frame = 0.0

    def draw_until_readable(self, descriptor: int) -> None:
        is_readable: list[int] = []
        while not is_readable:
            seconds = max(0.0, self._next_frame - time.monotonic())
            is_readable, _, _ = select.select([descriptor], [], [], seconds)
            if time.monotonic() >= self._next_frame:
                self.frames += 1
                self._next_frame = time.monotonic() + 1 / 50


toy = Toy()


def hook(context: Any) -> None:
    """What IPython's hooks are: return when `context.fileno()` can be read."""
    toy.draw_until_readable(context.fileno())


def main() -> None:
    pt_inputhooks.register("toy", hook)
    ipyembed.embed(banner1="", header=HEADER, gui="toy")
    print(f"the toy has drawn {toy.frames} frames")


if __name__ == "__main__":
    main()
