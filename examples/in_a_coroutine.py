"""A blocking `ipyembed.embed()` inside a running loop, as at a breakpoint: the loop stands still.
What belongs to that loop can be awaited at the prompt all the same.
Run: python examples/in_a_coroutine.py
"""

import asyncio
from itertools import count

import ipyembed

HEADER = """\
The host's loop stands still while this prompt waits. Try:

  beats                               twice: no beat meanwhile
  await queue.get()                   what the host has put there; the loop turns for this
  await asyncio.sleep(1); beats       and the host's other tasks go on as well
  exit                                the host goes on
"""

beats = 0


async def beat(queue: asyncio.Queue[str]) -> None:
    """The host's work: ten times a second."""
    global beats
    for beats in count(1):  # a global, for the prompt to look at
        await queue.put(f"beat {beats}")
        await asyncio.sleep(0.1)


async def main() -> None:
    queue: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(beat(queue))
    await asyncio.sleep(0.35)
    ipyembed.embed(banner1="", header=HEADER)
    seen = beats
    await asyncio.sleep(0.35)
    print(f"the host goes on: {beats - seen} beats since you left")
    task.cancel()


if __name__ == "__main__":
    asyncio.run(main())
