"""A terminal shell and clients work in one shell at the same time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.host import Engines, engines_in
from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

HOSTS = {
    "embed_async": """
        import asyncio, threading, time
        import ipyembed
        beats = 0
        async def beat():
            global beats
            while True:
                beats += 1
                await asyncio.sleep(0.01)
        async def main():
            beating = asyncio.create_task(beat())
            async with ipyembed.serve("host"):
                await ipyembed.embed_async()
                print("left the shell")
                await asyncio.sleep(600)
        asyncio.run(main())
    """,
    "uvloop": """
        import asyncio, threading, time, uvloop
        import ipyembed
        async def main():
            async with ipyembed.serve("host"):
                await ipyembed.embed_async()
                print("left the shell")
                await asyncio.sleep(600)
        uvloop.run(main())
    """,
    "trio": """
        import threading, time, trio
        import ipyembed
        async def main():
            async with ipyembed.serve("host"):
                await ipyembed.embed_async()
                print("left the shell")
                await trio.sleep(600)
        trio.run(main)
    """,
    "embed": """
        import asyncio, threading, time
        import ipyembed
        with ipyembed.serve("host"):
            ipyembed.embed()
            print("left the shell")
            time.sleep(600)
    """,
    "embed in a paused loop": """
        import asyncio, threading, time
        import ipyembed
        async def main():
            async with ipyembed.serve("host"):
                ipyembed.embed()
                print("left the shell")
                await asyncio.sleep(600)
        asyncio.run(main())
    """,
}


@pytest.fixture
def shared(spawn: Spawn, tmp_path: Path) -> Iterator[Engines]:
    with engines_in(tmp_path, {}) as engines:
        spawn.env.update(engines.env)
        yield engines


@pytest.fixture(params=HOSTS)
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if kind in ("uvloop", "trio") and not os.environ.get("CI"):
        pytest.importorskip(kind)
    return kind


def test_prompt_and_client_take_turns(spawn: Spawn, shared: Engines, kind: str) -> None:
    terminal = spawn(HOSTS[kind])
    terminal.prompt(1)
    client = shared.client()
    terminal.run("x = 1")
    assert client.run("x, threading.current_thread() is threading.main_thread()").value == (
        "(1, True)"
    )
    result = client.run("print('of the client'); y = 2; x + y")
    assert (result.text, result.value) == ("of the client\n", "3")
    # The numbers are one sequence, and the prompt shows the next one.
    assert result.of("execute_input")[0]["execution_count"] == 3
    terminal.prompt(4)
    assert terminal.run("y, _, In[3][-5:]").endswith("(2, 3, 'x + y')")
    assert "of the client" not in terminal.screen.text
    assert client.reply(client.raw.complete("beats" if kind == "embed_async" else "thread"))[
        "matches"
    ]

    # While a client's cell awaits, one types, and the cell comes after it.
    sleep = "import trio; await trio.sleep" if kind == "trio" else "await asyncio.sleep"
    request = client.start(f"print('it', 'runs'); {sleep}(60)")
    client.heard(request, "it runs")
    terminal.prompt()
    terminal.line("z = 5; z")
    if kind != "embed in a paused loop":
        terminal.wait_for("comes after it")
    assert client.interrupt()["status"] == "ok"
    assert client.finish(request).reply["ename"] == "KeyboardInterrupt"
    terminal.wait_for(r"Out\[\d+\]: 5")
    if kind != "embed in a paused loop":
        request = client.start(f"print('it', 'runs'); {sleep}(60)")
        client.heard(request, "it runs")
        terminal.prompt()
        mark = terminal.mark()
        terminal.line("never = 1")
        terminal.wait_for_new("comes after it", mark)
        terminal.ctrl("c")
        terminal.wait_for_new("KeyboardInterrupt", mark)
        client.interrupt()
        client.finish(request)
        assert terminal.run("'never' in dir()").endswith("False")
    assert client.run("z").value == "5"

    # While the terminal's cell awaits, the client's waits for it.
    terminal.prompt()
    terminal.line(f"print('terminal', 'runs'); {sleep}(0.5); w = 1")
    terminal.wait_for("terminal runs")
    request = client.start("w")
    assert client.finish(request).value == "1"
    terminal.prompt()

    # When the shell has been left, the engine is still there, with a shell of its own.
    terminal.line("exit")
    leave(terminal)
    assert client.run("1 + 1").value == "2"


def leave(terminal: Terminal) -> None:
    terminal.wait_for("left the shell")


def test_client_s_cell_ends_with_the_shell_that_it_is_in(spawn: Spawn, shared: Engines) -> None:
    for kind in ("embed_async", "embed"):
        terminal = spawn(HOSTS[kind])
        terminal.prompt(1)
        client = shared.client()
        request = client.start("print('it', 'runs'); await asyncio.sleep(60)")
        client.heard(request, "it runs")
        terminal.prompt()
        terminal.ctrl("d")
        terminal.wait_for("want to exit")
        terminal.line("y")
        leave(terminal)
        assert client.finish(request).reply["status"] == "error"
        assert client.run("1 + 1").value == "2"
        terminal.close()
        for path in shared.runtime.iterdir():
            shutil.rmtree(path)


STUBBORN = """
async def stubborn():
    try:
        await asyncio.sleep(600)
    except asyncio.CancelledError:
        print("it", "stays")
        await asyncio.sleep(600)
"""


def test_shell_that_takes_its_time_to_close(spawn: Spawn, shared: Engines) -> None:
    """It waits for a task of its own; what clients ask in that time is for the engine's shell."""
    terminal = spawn(HOSTS["embed"])
    terminal.prompt(1)
    client = shared.client()
    terminal.run(f"exec({STUBBORN!r})")
    terminal.run("task = asyncio.create_task(stubborn()); await asyncio.sleep(0)")
    terminal.prompt()
    terminal.line("exit")
    terminal.wait_for("it stays")
    assert client.run("1 + 1").value == "2"
    assert client.reply(client.raw.history(hist_access_type="tail", n=1, raw=True))["history"]
    leave(terminal)


def test_engine_opened_from_the_prompt(spawn: Spawn, shared: Engines) -> None:
    terminal = spawn.module("ipyembed", "--no-banner", "--no-confirm-exit")
    terminal.prompt(1)
    terminal.run("import ipyembed; engine = ipyembed.serve('mine'); here = 'at the prompt'")
    client = shared.client("mine")
    assert client.run("here").value == "'at the prompt'"
    assert client.run("import asyncio; await asyncio.sleep(0.01, 'awaited')").value == "'awaited'"
    client.run("there = 'at the client'")
    terminal.line("there")
    terminal.wait_for(r"Out\[\d+\]: 'at the client'")
    # One history, one table of jobs; the end of a job is told to whoever has started it.
    tail = client.reply(client.raw.history(hist_access_type="tail", n=3, raw=True, output=False))
    assert [line for _, _, line in tail["history"]][-2:] == ["there = 'at the client'", "there"]
    terminal.send("\x1b[A\x1b[A")
    terminal.wait_for(r"In \[\d+\]: there = 'at the client'")
    terminal.send("\x15")
    request = client.start("%bg await asyncio.sleep(0.01); print('of', 'the job')")
    printed = client.finish(request).text
    if "[1] done" not in printed:
        printed = client.heard(request, "[1] done")
    assert "[1] of the job\n" in printed
    mark = terminal.mark()
    terminal.line("%jobs")
    terminal.wait_for_new(r"\[1\]  await asyncio.*done", mark)
    assert "[1] of the job" not in terminal.screen.text
    terminal.prompt()
    terminal.line("engine.close(); exit()")
    terminal.wait_exit()
    assert not list(shared.runtime.iterdir())
