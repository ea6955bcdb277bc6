"""A prompt on a worker thread: cells run there, while the main thread goes on with its work.
`await` works in it, on a loop of that thread.
Run: python examples/worker_thread.py
"""

import asyncio  # noqa: F401  # for cells
import threading

import ipyembed

HEADER = """\
Cells run on the thread "shell"; the main thread works on. Try:

  rounds                              twice: it goes up
  threading.current_thread().name     where a cell runs
  await asyncio.sleep(1, "slept")     a loop of this thread
  stop.set()                          what the main thread looks at
  exit                                ends both
"""

rounds = 0
stop = threading.Event()


def shell() -> None:
    """What the worker thread does."""
    ipyembed.embed(banner1="", header=HEADER)
    stop.set()


def main() -> None:
    global rounds
    thread = threading.Thread(target=shell, name="shell")
    thread.start()
    while not stop.wait(0.1):
        rounds += 1
    print(f"main thread: stopped after {rounds} rounds")
    thread.join()
    print("main thread: the shell has ended")


if __name__ == "__main__":
    main()
