"""Requests per second of an asyncio server with the prompt up.

    python -m tests.benchmarks.throughput [--rounds N] [--seconds S] [--only PySide6 tk ...]

The server reads an HTTP request and sends its body back, by asyncio's streams, on connections that
stay open. The client is another process that costs less per request than the server does: it sends
on all connections, then reads all of them, and checks what it reads. With one connection the
server goes to sleep after each request; with many it never does.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial

from tests.benchmarks.harness import Figure, Options, Report, checked, run, take_turns
from tests.benchmarks.measured import DEADLINE, Stage, assert_ticked, still, text, toolkits_here

_SERVER = """
async def serve(reader, writer):
    while head := await reader.readline():
        while (line := await reader.readline()) != b"\\r\\n":
            if line.startswith(b"Content-Length:"): size = int(line[15:])
        body = await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + body)
        await writer.drain()
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], flush=True)
    {then}
asyncio.run(main())
"""
_CLIENT = r"""
import socket, sys, time
port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
body = b"x" * 100
request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
lines = [socket.create_connection(("127.0.0.1", port)) for _ in range(connections)]
def ask():
    for line in lines: line.sendall(request)
    for line in lines:
        found = line.recv(len(answer))
        while len(found) < len(answer): found += line.recv(len(answer) - len(found))
        assert found == answer
warm = time.perf_counter() + 0.2
while time.perf_counter() < warm: ask()
done, start = 0, time.perf_counter()
while (now := time.perf_counter()) < start + seconds:
    ask()
    done += connections
print(done / (now - start))
"""
_CONNECTIONS = {32: "32 connections", 1: "1 connection"}
_BAR_ALONE, _BAR_GUI = 0.97, 0.9


class Server:
    """The server, with what is in the process beside it."""

    def __init__(self, stage: Stage, toolkit: str | None, has_prompt: bool) -> None:
        then = "await ipyembed.embed_async()" if has_prompt else "await server.serve_forever()"
        window = still(toolkit) if toolkit is not None else ""
        program = text(toolkit, window + _SERVER.format(then=then))
        self.toolkit = toolkit
        self.program = stage.start(program, has_prompt=has_prompt)
        with self.program.awake():
            self._port = self.program.terminal.wait_for(r"port \d+").split()[1]

    def requests(self, connections: int, seconds: float) -> float:
        """A second; the client checks each answer."""
        command = [sys.executable, "-c", _CLIENT, self._port, str(connections), str(seconds)]
        with self.program.awake():
            client = subprocess.run(
                command, stdout=subprocess.PIPE, check=True, text=True, timeout=DEADLINE
            )
        return float(client.stdout)


def measure(options: Options) -> Report:
    report = Report(
        "Requests per second of an asyncio HTTP server, embed_async() up",
        f"counted by a client in another process, {options.rounds} windows of {options.seconds:g} "
        "s; bare: the same server without prompt and GUI; with a toolkit: its 16 ms timer ticks",
    )
    names = toolkits_here(report, options.wanted(["PySide6"]))
    with Stage() as stage:
        servers = {
            "bare": Server(stage, None, has_prompt=False),
            "embed_async": Server(stage, None, has_prompt=True),
            **{name: Server(stage, name, has_prompt=True) for name in names},
        }
        for connections, load in _CONNECTIONS.items():
            found = take_turns(
                {
                    name: partial(server.requests, connections, options.seconds)
                    for name, server in servers.items()
                },
                options.rounds,
            )
            for name in ("embed_async", *names):
                bar = _BAR_GUI if name in names else _BAR_ALONE
                what = f"{name}, {load}"
                report.figures.append(
                    Figure(what, "1/s", found[name], found["bare"], "bare", bar, at_least=True)
                )
        for name, server in servers.items():
            with checked(name):
                if server.toolkit is not None:
                    assert_ticked([server.program.ask(options.seconds)], options.seconds)
                server.program.assert_prompt_lives()
    return report


if __name__ == "__main__":
    run(measure)
