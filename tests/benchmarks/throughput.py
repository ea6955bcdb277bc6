"""Requests per second of an asyncio server with the prompt up.

    python -m tests.benchmarks.throughput [--rounds N] [--seconds S] [--only PySide6 tk ...]

With one connection the server goes to sleep after each request; with many it does so only after a
round of them.

Whatever else the machine does changes these figures more than what they are about. So the turns are
short, and there are many. CPU: the server's own, all its threads, by which a request costs the same
on a busy machine.
"""

from __future__ import annotations

import os
from functools import partial

from tests.benchmarks.harness import Figure, Options, Report, checked, run, take_turns
from tests.benchmarks.http_server import SERVE, HttpClient, pin
from tests.benchmarks.measured import Stage, assert_ticked, still, text, toolkits_here

_MAIN = """
async def main():
    server = await start()
    {then}
asyncio.run(main())
"""
_CONNECTIONS = {32: "32 connections", 1: "1 connection"}
_SLICE = 0.1
_BAR_ALONE, _BAR_GUI = 0.97, 0.9


class Server:
    """The server, with what is in the process beside it."""

    def __init__(self, stage: Stage, toolkit: str | None, has_prompt: bool) -> None:
        then = "await ipyembed.embed_async()" if has_prompt else "await server.serve_forever()"
        window = still(toolkit) if toolkit is not None else ""
        program = text(toolkit, window + SERVE + _MAIN.format(then=then))
        self.toolkit = toolkit
        self.program = stage.start(program, has_prompt=has_prompt)
        with self.program.awake():
            port = self.program.terminal.wait_for(r"port \d+ open").split()[1]
            self._client = HttpClient(port, self.program.terminal.pid, max(_CONNECTIONS))
        stage.callback(self._client.close)
        cores = sorted(os.sched_getaffinity(0))
        pin(self.program.terminal.pid, cores[0])
        pin(self._client.pid, cores[-1])

    def requests(self, connections: int) -> tuple[float, float]:
        """A second, and seconds of CPU for each; the client checks each answer."""
        with self.program.awake():
            return self._client.ask(connections, _SLICE)


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
