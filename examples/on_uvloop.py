"""uvloop as the host's loop: an echo server on it, and a prompt that is its client.
`await ipyembed.embed_async()` is the same on every loop that runs asyncio code.
Run: pip install uvloop, then: python examples/on_uvloop.py
"""

import asyncio

import uvloop

import ipyembed

HEADER = """\
An echo server runs on uvloop. Try:

  type(asyncio.get_running_loop())
  await ask("hello")
  await asyncio.gather(*map(ask, "abc"))
  connections                   how many it has had
  exit
"""


async def main() -> None:
    connections = 0

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.write((await reader.readline()).upper())
        writer.close()

    async def ask(text: str) -> str:
        """What the server answers."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"{text}\n".encode())
        answer = (await reader.readline()).decode().rstrip()
        writer.close()
        return answer

    async with await asyncio.start_server(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await ipyembed.embed_async(banner1="", header=HEADER)
    print(f"the server has had {connections} connections")


if __name__ == "__main__":
    uvloop.run(main())
