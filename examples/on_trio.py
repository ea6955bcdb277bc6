"""trio as the host's loop: children of a nursery work on while you type, and cells await trio.
`await ipyembed.embed_async()` is the same as under asyncio.
Run: pip install trio, then: python examples/on_trio.py
"""

import math

import trio

import ipyembed

HEADER = """\
Two workers send what they have done to a channel. Try:

  await done.receive()                     the next result
  await trio.sleep(1); done.statistics()   how many are waiting
  with trio.move_on_after(0.5): await trio.sleep_forever()
  nursery.start_soon(worker, "third")      one more
  exit                                     stops them all
"""


async def main() -> None:
    work, done = trio.open_memory_channel[str](math.inf)

    async def worker(name: str) -> None:
        for i in range(1000):
            await trio.sleep(0.3)
            await work.send(f"{name}: {i + 1}")

    async with trio.open_nursery() as nursery:
        nursery.start_soon(worker, "first")
        nursery.start_soon(worker, "second")
        await ipyembed.embed_async(banner1="", header=HEADER)
        nursery.cancel_scope.cancel()
    left = done.statistics().current_buffer_used
    print(f"all workers have stopped; {left} results were left")


if __name__ == "__main__":
    trio.run(main)
