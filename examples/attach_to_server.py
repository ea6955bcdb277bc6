"""A server without a terminal, into which you attach a prompt from another one.
Run: pip install PATH[engine], then: python examples/attach_to_server.py
and from a second terminal: ipyembed attach server    (or: ipyembed engines)
"""

import asyncio
import logging
import sys

import ipyembed

log = logging.getLogger("server")
settings = {"greeting": "hello"}
requests = 0


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    global requests
    requests += 1
    line = (await reader.readline()).decode("latin-1")
    log.info("request %d: %s", requests, line.strip())
    body = f"{settings['greeting']}, this is {line.split()[1] if ' ' in line else '/'}\n"
    writer.write(f"HTTP/1.0 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def main(port: int) -> None:
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    async with server, ipyembed.serve("server") as engine:
        address = server.sockets[0].getsockname()
        log.info("http://%s:%d; attach with: ipyembed attach %s", *address, engine.name)
        # Try there: settings["greeting"] = "hi"; requests; await asyncio.sleep(1); 1/0; exit
        await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 8765))
    except KeyboardInterrupt:
        pass
