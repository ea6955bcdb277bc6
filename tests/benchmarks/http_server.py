"""An HTTP server of asyncio's streams, and the client that asks it from another process.

The server sends a request's body back, on connections that stay open. The client costs less per
request than the server does: it sends on all connections, then reads all of them, and checks what
it reads.
"""

from __future__ import annotations

import os
import subprocess
import sys

# glibc maps a block larger than any that was freed before. asyncio receives into 256 KiB, so that a
# program which has never freed more, as the bare one, would map and unmap for each request.
SERVE = """
bytearray(1 << 21)
async def serve(reader, writer):
    while head := await reader.readline():
        while (line := await reader.readline()) != b"\\r\\n":
            if line.startswith(b"Content-Length:"): size = int(line[15:])
        body = await reader.readexactly(size)
        writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % size + body)
        await writer.drain()
async def start():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print("port", server.sockets[0].getsockname()[1], "open", flush=True)
    return server
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


class HttpClient:
    """The client's process."""

    def __init__(self, port: str, server: int, connections: int) -> None:
        """`server` is the pid of the server, `connections` the most that will be asked on."""
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CLIENT, port, str(connections)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.pid = self._process.pid
        # Linux: the clock of another process's CPU time, as clock_getcpuclockid(3) gives it.
        self._clock = (~server << 3) | 2

    def ask(self, connections: int, seconds: float) -> tuple[float, float]:
        """Requests a second, and seconds of the server's CPU, all its threads, for each."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{connections} {seconds} {self._clock}\n")
        self._process.stdin.flush()
        rate, cpu = self._process.stdout.readline().split()
        return float(rate), float(cpu)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()


def pin(pid: int, core: int) -> None:
    """Keep all threads of a process on one core.

    Where server and client share one, it is luck how many requests the server finds at once.
    """
    for thread in os.listdir(f"/proc/{pid}/task"):
        os.sched_setaffinity(int(thread), {core})
