"""The engine: round trips, and what it costs its host.

    python -m tests.benchmarks.engine [--rounds N] [--seconds S]

Round trips and floods are compared with ipykernel's kernel, which `jupyter console` starts, by the
same client, over the same kind of sockets. The host is an asyncio HTTP server, asked by a client in
another process on 32 connections; the one that completes and executes all the time is a third.

One greedy client asks 20 times a second, faster than anybody types, and then one without a pause.
The server needs all of its loop, so the second is paced by the policy `busy_share`. By processor
time, a request costs the same on a busy machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from tests.benchmarks.harness import Figure, Options, Report, percentile, run, take_turns
from tests.benchmarks.http_server import SERVE, HttpClient
from tests.engine.host import Client, Engines, Host, engines_in

_SLICE = 0.2
_CONNECTIONS = 32
_CLIENTS = 20
_LINES = 1_000_000

_IDLE = """
    import asyncio, ipyembed
    async def main():
        async with ipyembed.serve("host"):
            print("engine is open", flush=True)
            await asyncio.sleep(86400)
    asyncio.run(main())
"""
_MAIN = """
async def main():
    server = await start()
    with contextlib.ExitStack() as stack:
        if "engine" in sys.argv:
            import ipyembed
            stack.enter_context(ipyembed.serve(sys.argv[2]))
        print("all is open", flush=True)
        await server.serve_forever()
asyncio.run(main())
"""
_GREEDY = """
    import sys, time
    from tests.engine.host import Client
    client = Client(sys.argv[1])
    client.run("1 + 1")
    print("ready", flush=True)
    for pause in sys.stdin:
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            assert client.run("1 + 1").value == "2"
            assert client.reply(client.raw.complete("asyn"))["matches"]
            time.sleep(float(pause))
"""


def measure(options: Options) -> Report:
    report = Report(
        "Round trips to an engine, and what an engine costs its host",
        "1+1: from the request until reply and idle have come; server: requests a second in turns "
        f"of {_SLICE:g} s",
    )
    with contextlib.ExitStack() as stack:
        runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ib-")))
        engines = stack.enter_context(engines_in(runtime, {"IPYTHONDIR": str(runtime / "ipython")}))
        _measure_clients(report, options, engines, stack)
        _measure_server(report, options, engines, stack)
    return report


def _measure_clients(
    report: Report, options: Options, engines: Engines, stack: contextlib.ExitStack
) -> None:
    engines.host(_IDLE).wait_for("engine is open")
    ours = engines.client("host")
    theirs = stack.enter_context(_ipykernel(engines.path))
    for client in (ours, theirs):
        for _ in range(20):
            assert client.run("1 + 1").value == "2"
    found = take_turns(
        {
            name: partial(_round_trips, client, options.seconds / 2)
            for name, client in (("engine", ours), ("ipykernel", theirs))
        },
        options.rounds,
    )
    for what, percent in (("p50", 50), ("p95", 95)):
        times = [[percentile(values, percent) for values in found[name]] for name in found]
        bar = 1.0 if percent == 50 else None
        report.figures.append(
            Figure(f"round trip of 1+1, {what}", "ms", times[0], times[1], "ipykernel", bar)
        )
    floods = take_turns(
        {"engine": partial(_flood, ours), "ipykernel": partial(_flood, theirs)},
        max(1, options.rounds // 3),
    )
    what = "a million lines of a cell, all received"
    report.figures.append(Figure(what, "s", floods["engine"], floods["ipykernel"], "ipykernel"))
    many = [engines.client("host") for _ in range(_CLIENTS)]
    rates = take_turns({"all": partial(_together, many)}, options.rounds)
    report.figures.append(
        Figure(f"{_CLIENTS} clients at once, cells", "1/s", rates["all"], at_least=True)
    )


def _round_trips(client: Client, seconds: float) -> list[float]:
    times: list[float] = []
    until = time.perf_counter() + seconds
    while (start := time.perf_counter()) < until or len(times) < 20:
        assert client.run("1 + 1").value == "2"
        times.append((time.perf_counter() - start) * 1000)
    return times


def _flood(client: Client) -> float:
    start = time.perf_counter()
    request = client.start(f"for n in range({_LINES}): print(n)")
    lines = client.finish(request, 300).text.count("\n")
    assert lines == _LINES, lines
    return time.perf_counter() - start


def _together(clients: list[Client]) -> float:
    start, cells = time.perf_counter(), 5
    for _ in range(cells):
        requests = [client.start("1 + 1") for client in clients]
        for client, request in zip(clients, requests, strict=True):
            assert client.finish(request).value == "2"
    return cells * len(clients) / (time.perf_counter() - start)


@contextlib.contextmanager
def _ipykernel(path: Path) -> Iterator[Client]:
    file = path / "ipykernel.json"
    with tempfile.TemporaryDirectory(prefix="ik-") as sockets:
        ports = {f"{c}_port": n for n, c in enumerate(("shell", "iopub", "stdin", "control", "hb"))}
        info = {**ports, "ip": f"{sockets}/s", "transport": "ipc", "kernel_name": ""}
        info |= {"key": secrets.token_hex(32), "signature_scheme": "hmac-sha256"}
        info |= {name: number + 1 for name, number in ports.items()}
        file.write_text(json.dumps(info))
        kernel = subprocess.Popen(
            [sys.executable, "-m", "ipykernel_launcher", "-f", str(file)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            client = Client(file)
            yield client
            client.close()
        finally:
            kernel.kill()
            kernel.wait()


class Server:
    """The HTTP server in a process, and the client that asks it."""

    def __init__(self, engines: Engines, *arguments: str) -> None:
        program = "import asyncio, contextlib, sys\n" + SERVE + _MAIN
        self.host: Host = engines.host(program, *arguments)
        port = self.host.wait_for("all is open").split()[1]
        self._client = HttpClient(port, self.host.process.pid, _CONNECTIONS)
        self.close = self._client.close

    def rate(self) -> tuple[float, float]:
        """Requests a second, and requests a second of its processor time, all threads."""
        rate, cost = self._client.ask(_CONNECTIONS, _SLICE)
        return rate, 1 / cost


class Greedy:
    """A client in a process of its own, which asks while the server is measured."""

    def __init__(self, engines: Engines) -> None:
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
        file = str(engines.found("server").path)
        self._host = engines.host(_GREEDY, file, env={"PYTHONPATH": path})
        self._host.wait_for("ready")

    def beside(self, server: Server, pause: float) -> tuple[float, float]:
        """The server's rates while the client asks."""
        self._host.say(str(pause))
        rate = server.rate()
        time.sleep(0.5)  # until it has ended
        return rate


def _measure_server(
    report: Report, options: Options, engines: Engines, stack: contextlib.ExitStack
) -> None:
    bare, idle = Server(engines), Server(engines, "engine", "idle")
    used = Server(engines, "engine", "server")
    for server in (bare, idle, used):
        stack.callback(server.close)
    greedy = Greedy(engines)
    turns = max(2, round(options.rounds * options.seconds / _SLICE / 2))
    found = take_turns(
        {
            "bare": bare.rate,
            "idle engine": idle.rate,
            "20 a second": partial(greedy.beside, used, 0.05),
            "without a pause": partial(greedy.beside, used, 0.0),
        },
        turns,
    )
    for number, unit in enumerate(("1/s", "1/s of its processor")):
        rates = {name: [values[number] for values in found[name]] for name in found}
        for name, bar in (("idle engine", 0.99), ("20 a second", 0.9), ("without a pause", 0.9)):
            what = name if name == "idle engine" else f"a client completes and executes, {name}"
            report.figures.append(
                Figure(f"server, {what}", unit, rates[name], rates["bare"], "bare", bar, True)
            )


if __name__ == "__main__":
    run(measure)
