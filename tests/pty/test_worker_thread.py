"""`embed()` and `embed_async()` on a worker thread, while the main thread goes on."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

HOST = """
    import asyncio, threading, time
    import ipyembed

    done = threading.Event()
    ticks = 0

    def work():
        mine = "local"
        try:
            EMBED
        finally:
            print("worker left with", mine)
            done.set()

    worker = threading.Thread(target=work, name="worker", daemon=DAEMON)
    worker.start()
    while not done.wait(0.005):
        ticks += 1
        if ticks == until:
            print("main goes on")
    worker.join()
    print("main ends")
"""


def host(embed: str, daemon: bool = False) -> str:
    script = HOST.replace("EMBED", embed).replace("DAEMON", str(daemon))
    return script.replace("ticks = 0\n", "ticks = 0\n    until = 10\n")


@pytest.mark.parametrize("entry", ["embed", "embed_async"])
def test_a_session_on_a_worker(spawn: Spawn, entry: str) -> None:
    call = "ipyembed.embed()" if entry == "embed" else "asyncio.run(ipyembed.embed_async())"
    terminal = spawn(host(call))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.wait_for("^main goes on$")
    assert terminal.run("threading.current_thread() is worker").endswith("True")
    assert terminal.run("await asyncio.sleep(0.01, threading.current_thread() is worker)").endswith(
        "True"
    )
    assert terminal.run("await asyncio.to_thread(lambda: mine)").endswith("'local'")
    terminal.run("async def later(): await asyncio.sleep(0.05); print('ticked')")
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(later())")
    terminal.wait_for("^ticked$")
    terminal.run("mine = 'changed'")
    terminal.line("exit")
    terminal.wait_for("^worker left with changed$")
    terminal.wait_for("^main ends$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_the_interpreter_ends_while_the_prompt_is_up(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import pathlib, threading, time
        import ipyembed
        threading.Thread(target=ipyembed.embed, daemon=True).start()
        while not pathlib.Path("end").exists():
            time.sleep(0.005)
        """
    )
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.send("half-typed")
    terminal.wait_for("half-typed")
    (spawn.path / "end").touch()
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
