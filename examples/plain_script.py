"""A prompt in the middle of a plain script: `ipyembed.embed()` blocks until you leave it.
In it `await` works, and asyncio tasks that you start go on while you type.
Run: python examples/plain_script.py
"""

import asyncio

import ipyembed

HEADER = """\
The script waits for you. Try:

  total += 1                           its variables are yours
  await later(1, "done")               await works
  task = asyncio.create_task(tick(5))  and while it ticks, type on
  exit                                 the script goes on
"""


async def later(seconds: float, what: str) -> str:
    """`what`, after a while."""
    return await asyncio.sleep(seconds, what)


async def tick(times: int) -> None:
    """Print a line every second."""
    for i in range(times):
        print(f"tick {i + 1}")
        await asyncio.sleep(1)


def main() -> None:
    total = 41
    # By default a cell without `await` runs outside the shell's loop, where asyncio.run() works
    # and asyncio.create_task() does not; with "inside" it is the other way round.
    ipyembed.embed(banner1="", header=HEADER, sync_cells="inside")
    print(f"the script goes on; total is {total}")


if __name__ == "__main__":
    main()
