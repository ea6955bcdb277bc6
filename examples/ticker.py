"""A ticker in the background, as a shell user knows it. In a script it ticks while something runs
in the foreground; at the prompt it ticks all the time, above what you type.
Run: python examples/ticker.py [seconds between ticks]
"""

import asyncio
import itertools
import sys

import ipyembed
from ipyembed import run_in_background, run_in_foreground

HEADER = """\
The ticker goes on as job 1. Try:

  %jobs                        its number, its state, and where it is
  %bg await asyncio.sleep(3, "slept")
                               another job; its end is told above the prompt
  %fg 1                        the ticker in the foreground; Ctrl-Z: back
  await asyncio.sleep(10)      then Ctrl-Z: the cell becomes a job
  %cancel 1                    ends the ticker
  exit                         tells of running jobs once
"""

PAUSE = float(sys.argv[1]) if len(sys.argv) > 1 else 1.0


async def ticker() -> None:
    """Count for ever."""
    for i in itertools.count():
        print(i)
        await asyncio.sleep(PAUSE)


def main() -> None:
    ticker1 = run_in_background(ticker())
    print(repr(ticker1))
    print("five pauses in the foreground:")
    run_in_foreground(asyncio.sleep(5 * PAUSE))
    print("nothing is in the foreground, so nothing ticks; a single step:")
    run_in_foreground(asyncio.sleep(0))
    ipyembed.embed(banner1="", header=HEADER)
    print("ticked", len(ticker1.output.splitlines()), "times")


if __name__ == "__main__":
    main()
