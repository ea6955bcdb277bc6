"""A service that logs a lot, from tasks and threads: all of it lands above the prompt.
The handlers were made before the shell; the line that you type stays whole.
Run: python examples/logging_service.py [lines per second]    (20 by default)
"""

import asyncio
import logging
import sys
import threading
from itertools import count
from types import SimpleNamespace

import ipyembed

HEADER = """\
Lines come in above what you type. Try:

  settings.pace = 0.5                          seconds between two lines
  logging.getLogger("orders").setLevel("WARNING")
  lines                                        how many there were so far
  log.warning("from the prompt")
  exit
"""

log = logging.getLogger("service")
settings = SimpleNamespace(pace=0.05)
lines = 0


def count_lines(record: logging.LogRecord) -> bool:
    """A filter that lets all pass."""
    global lines
    lines += 1
    return True


async def take_orders() -> None:
    orders = logging.getLogger("orders")
    for number in count(1):
        orders.log(logging.INFO if number % 10 else logging.WARNING, "order %d", number)
        await asyncio.sleep(settings.pace)


def check_stock(stop: threading.Event) -> None:
    stock = logging.getLogger("stock")
    while not stop.wait(10 * settings.pace):
        stock.info("checked, on %s", threading.current_thread().name)


async def main() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=check_stock, args=[stop], name="stock")
    thread.start()
    orders = asyncio.create_task(take_orders())
    await ipyembed.embed_async(banner1="", header=HEADER)
    orders.cancel()
    stop.set()
    thread.join()
    log.info("the service has stopped after %d lines", lines)


if __name__ == "__main__":
    if len(sys.argv) > 1:
        settings.pace = 1 / float(sys.argv[1])
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s: %(message)s"
    )
    logging.getLogger().handlers[0].addFilter(count_lines)
    asyncio.run(main())
