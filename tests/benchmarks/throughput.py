"""Requests per second of an asyncio server with the prompt up.

    python -m tests.benchmarks.throughput [--rounds N] [--seconds S] [--only PySide6 tk ...]

The server reads an HTTP request and sends its body back, by asyncio's streams, on connections that
stay open. The client is another process that costs less per request than the server does: it sends
on all connections, then reads all of them, and checks what it reads. With one connection the
server goes to sleep after each request; with many it does so only after a round of them.

Whatever else the machine does changes these figures more than what they are about. So the turns are
short, and there are many. CPU: the server's own, all its threads, by which a request costs the same
on a busy machine.
"""

from __future__ import annotations

import os
import subprocess
import sys
from functools import partial

from tests.benchmarks.harness import Figure, Options, Report, checked, run, take_turns
from tests.benchmarks.measured import Stage, assert_ticked, still, text, toolkits_here

# glibc maps a block larger than any that was freed before. asyncio receives into 256 KiB, so that a
# program which has never freed more, as the bare one, would map and unmap for each request.
_SERVER = """
bytearray(1 << 21)
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
port, most = int(sys.argv[1]), int(sys.argv[2])
body = b"x" * 100
request = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % len(body) + body
answer = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
every = [socket.create_connection(("127.0.0.1", port)) for _ in range(most)]
def ask(lines):
    for line in lines: line.sendall(request)
    for line in lines:
        found = line.recv(len(answer))
        while len(found) < len(answer): found += line.recv(len(answer) - len(found))
        assert found == answer
for asked in sys.stdin:
    connections, seconds, clock = asked.split()
    lines, seconds, clock = every[:int(connections)], float(seconds), int(clock)
    warm = time.perf_counter() + 0.02
    while time.perf_counter() < warm: ask(lines)
    done, start, cpu = 0, time.perf_counter(), time.clock_gettime(clock)
    while (now := time.perf_counter()) < start + seconds:
        ask(lines)
        done += len(lines)
    print(done / (now - start), (time.clock_gettime(clock) - cpu) / done, flush=True)
"""
_CONNECTIONS = {32: "32 connections", 1: "1 connection"}
_SLICE = 0.1
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
            port = self.program.terminal.wait_for(r"port \d+").split()[1]
            self._client = subprocess.Popen(
                [sys.executable, "-c", _CLIENT, port, str(max(_CONNECTIONS))],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        stage.callback(self._close)
        # Where both share a core, it is luck how many requests the server finds at once.
        cores = sorted(os.sched_getaffinity(0))
        for pid, core in ((self.program.terminal.pid, cores[0]), (self._client.pid, cores[-1])):
            for thread in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(thread), {core})
        # Linux: the clock of another process's CPU time, as clock_getcpuclockid(3) gives it.
        self._clock = (~self.program.terminal.pid << 3) | 2

    def _close(self) -> None:
        self._client.kill()
        self._client.communicate()

    def requests(self, connections: int) -> tuple[float, float]:
        """A second, and seconds of CPU for each; the client checks each answer."""
        assert self._client.stdin is not None
        assert self._client.stdout is not None
        with self.program.awake():
            self._client.stdin.write(f"{connections} {_SLICE} {self._clock}\n")
            self._client.stdin.flush()
            rate, cpu = self._client.stdout.readline().split()
        return float(rate), float(cpu)


def measure(options: Options) -> Report:
    turns = max(1, round(options.rounds * options.seconds / _SLICE))
    report = Report(
        "Requests per second of an asyncio HTTP server, embed_async() up",
        f"counted by a client in another process, {turns} turns of {_SLICE:g} s; bare: the same "
        "server without prompt and GUI; with a toolkit: its 16 ms timer ticks",
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
                {name: partial(server.requests, connections) for name, server in servers.items()},
                turns,
            )
            for name in ("embed_async", *names):
                bar = _BAR_GUI if name in names else _BAR_ALONE
                what = f"{name}, {load}"
                rates = [rate for rate, _ in found[name]]
                bare = [rate for rate, _ in found["bare"]]
                report.figures.append(Figure(what, "1/s", rates, bare, "bare", bar, at_least=True))
                costs = [cpu * 1e6 for _, cpu in found[name]]
                bare = [cpu * 1e6 for _, cpu in found["bare"]]
                report.figures.append(Figure(f"{what}, CPU", "us", costs, bare, "bare"))
        for name, server in servers.items():
            with checked(name):
                if server.toolkit is not None:
                    assert_ticked([server.program.ask(options.seconds)], options.seconds)
                server.program.assert_prompt_lives()
    return report


if __name__ == "__main__":
    run(measure)
