"""The prompt lives beside a loop that is always busy and never waits."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

HOST = """
    import asyncio, sys, time
    import ipyembed

    class Host:
        turns = 0

    def turn():
        Host.turns += 1
        end = time.perf_counter() + float(sys.argv[1])
        while time.perf_counter() < end: pass

    async def simulate():
        while True:
            turn()
            await asyncio.sleep(0)

    async def main():
        before = getattr(asyncio.get_running_loop(), "_selector", None)
        task = asyncio.create_task(simulate())
        EMBED
        print("left", before is getattr(asyncio.get_running_loop(), "_selector", None))

    async def in_trio():
        import trio

        async def simulate():
            while True:
                turn()
                await trio.sleep(0)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(simulate)
            await ipyembed.embed_async()
            print("left", True)
            nursery.cancel_scope.cancel()

    def own_loop():
        ipyembed.embed()
        print("left", True)

    RUN
"""
AWAITED = "await ipyembed.embed_async()"
HOSTS = {
    "asyncio": (AWAITED, "asyncio.run(main())"),
    "uvloop": (AWAITED, "__import__('uvloop').run(main())"),
    "trio": ("", "__import__('trio').run(in_trio)"),
    "running loop": ("ipyembed.embed(embed_in_running_loop='run')", "asyncio.run(main())"),
    "own loop": ("", "own_loop()"),
}


@pytest.mark.parametrize("turn", ["0.00005", "0.001"])
@pytest.mark.parametrize("host", HOSTS)
def test_a_loop_that_never_waits(spawn: Spawn, host: str, turn: str) -> None:
    if host in ("uvloop", "trio"):
        pytest.importorskip(host)
    embed, run = HOSTS[host]
    terminal = spawn(HOST.replace("EMBED", embed).replace("RUN", run), turn)
    modes = terminal.tty_modes()
    if host == "own loop":
        terminal.run("task = asyncio.create_task(simulate()); await asyncio.sleep(0)")
    terminal.prompt()
    for letter in "abcdefgh":
        mark = terminal.mark()
        terminal.send(letter)
        terminal.wait_for_new(letter, mark)
    terminal.ctrl("u")
    terminal.run("then = Host.turns")
    assert terminal.run("Host.turns > then").endswith("True")
    terminal.run(
        "import threading; threading.Thread(target=print, args=['from a', 'thread']).start()"
    )
    terminal.wait_for("^from a thread$")
    terminal.leave("^left True$", modes=modes)
