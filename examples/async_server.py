"""An HTTP server that goes on answering while you work in it: `await ipyembed.embed_async()`.
Run: make demo, or: python examples/async_server.py [PORT]    (8765 by default; 0: any free port)
Type at its prompt what it suggests, and ask it from another terminal with curl meanwhile.
"""

import asyncio
import logging
import sys
from collections import Counter
from http import HTTPStatus
from types import SimpleNamespace

import ipyembed

log = logging.getLogger("server")
stats: Counter[str] = Counter()  # how often each path was asked for
settings = SimpleNamespace(greeting="hello")


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer one request, and log it."""
    try:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), timeout=2)
        method, path, _ = head.split(b"\r\n")[0].decode().split(" ", 2)
        status, body = HTTPStatus.OK, f"{settings.greeting}, this is {path}\n".encode()
        if method != "GET":
            status, body = HTTPStatus.METHOD_NOT_ALLOWED, b"only GET\n"
        writer.write(f"HTTP/1.1 {status} {status.phrase}\r\n".encode())
        writer.write(f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)
        await writer.drain()
        stats[path] += 1
        log.info("%s %s -> %d", method, path, status)
    except (OSError, EOFError, ValueError, TimeoutError, asyncio.LimitOverrunError) as error:
        log.warning("no proper request: %r", error)
    except asyncio.CancelledError:
        log.info("the server stops")  # and this connection with it
    finally:
        writer.close()


async def main(port: int) -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    port = server.sockets[0].getsockname()[1]
    url = f"http://127.0.0.1:{port}"

    async def fetch(path: str) -> str:
        """What the server answers to a GET of `path`."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        text = (await reader.read()).decode()
        writer.close()
        return text.partition("\r\n\r\n")[2]

    async def visit(times: int) -> None:
        """Fetch a page every second."""
        for i in range(times):
            await fetch(f"/visit/{i + 1}")
            await asyncio.sleep(1)

    header = f"""\
The server answers at {url} while you type here. Try:

  stats                                 what it was asked for so far
  await fetch("/")                      ask it from inside
  settings.greeting = "hi"              and ask again, or: curl {url}
  task = asyncio.create_task(visit(5))  its log comes in above what you type
  exit                                  stop the server
"""
    async with server:
        await ipyembed.embed_async(banner1="", header=header)
    print("the server has stopped")


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s: %(message)s")
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
