"""The shell's own loop, where the host has none: it turns while the prompt waits."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

EMBED = """
    import asyncio, contextvars, time
    import ipyembed
    var = contextvars.ContextVar("var", default="unset")
    ipyembed.embed(SETTINGS)
    print("after:", var.get())
"""


def embed(**settings: object) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return EMBED.replace("SETTINGS", arguments)


TICKER = """\
async def ticker():
    for n in range(3):
        await asyncio.sleep(0.05); print('tick', n)
"""


@pytest.mark.parametrize("entry", ["embed", "extension", "class", "command"])
def test_a_task_ticks_while_one_types(spawn: Spawn, entry: str) -> None:
    if entry == "embed":
        terminal = spawn(embed())
    elif entry == "extension":
        terminal = spawn.ipython("--ext=ipyembed")
    elif entry == "class":
        name = "ipyembed.ThreadedInteractiveShell"
        terminal = spawn.ipython(f"--TerminalIPythonApp.interactive_shell_class={name}")
    else:
        terminal = spawn.module("ipyembed", "--no-banner", "--no-confirm-exit")
    terminal.prompt(1)
    terminal.run("import asyncio")
    terminal.run(TICKER)
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(ticker())")
    terminal.send("half-typed")
    terminal.wait_for("^tick 2$")
    terminal.wait_for(r"^In \[4\]: half-typed$")
    terminal.ctrl("u")
    assert terminal.run("task.done()").endswith("True")
    terminal.leave()


def test_policy_pause_lets_it_stand(spawn: Spawn) -> None:
    terminal = spawn(embed(asyncio_at_prompt="pause"))
    terminal.prompt(1)
    terminal.run("ran = []")
    terminal.run("await asyncio.sleep(0); later = asyncio.get_running_loop().call_later")
    terminal.run("handle = later(0.02, ran.append, 1)")
    terminal.run("time.sleep(0.05)")
    assert terminal.run("ran").endswith("[]")
    assert terminal.run("await asyncio.sleep(0.01); ran").endswith("[1]")
    terminal.run("handle = later(0.02, print, 'ran')")
    terminal.run("%config LoopJuggler.asyncio_at_prompt = 'run'")
    terminal.wait_for("^ran$")
    terminal.leave()


def test_a_stuck_coroutine_cannot_freeze_the_prompt(spawn: Spawn) -> None:
    terminal = spawn(embed(stuck_after=0.3))
    terminal.prompt(1)
    terminal.run("go_on = []")
    terminal.run("async def stuck():\n    await asyncio.sleep(0.05)\n    while not go_on: pass\n")
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(stuck(), name='culprit')")
    terminal.wait_for(r"the eval thread has been stuck for 0\.\d s in stuck \(In \[2\]:3\)")
    terminal.wait_for("task culprit")
    terminal.prompt(4)
    # typing is alive, and so are moves and deletions
    terminal.send("1 + 2222\x7f\x7f\x7f\x01(\x05)")
    terminal.wait_for(r"^In \[4\]: \(1 \+ 2\)$")
    terminal.ctrl("u")


def test_it_says_when_the_eval_thread_is_free_again(spawn: Spawn) -> None:
    terminal = spawn(embed(stuck_after=0.2))
    terminal.prompt(1)
    terminal.run("await asyncio.sleep(0); loop = asyncio.get_running_loop()")
    terminal.run("handle = loop.call_later(0.05, time.sleep, 0.7)")
    terminal.wait_for(r"stuck for 0\.2 s in sleep,|stuck for 0\.2 s in sleep;")
    terminal.wait_for(r"the eval thread is free again after 0\.\d s")
    assert terminal.run("'free'").endswith("'free'")
    terminal.leave()


def test_sync_cells_outside_by_default(spawn: Spawn) -> None:
    terminal = spawn(embed(), cols=200)
    terminal.prompt(1)
    assert terminal.run("asyncio.run(asyncio.sleep(0.01, 'own run'))").endswith("'own run'")
    out = terminal.run("task = asyncio.create_task(asyncio.sleep(1))")
    assert "no running event loop" in out
    assert "%config LoopJuggler.sync_cells = 'inside'" in out
    terminal.run("%config LoopJuggler.sync_cells = 'inside'")
    terminal.run("task = asyncio.create_task(asyncio.sleep(0.01, 'made'))")
    assert terminal.run("await task").endswith("'made'")
    out = terminal.run("asyncio.run(asyncio.sleep(0))")
    assert "cannot be called from a running event loop" in out
    assert terminal.run("get_ipython().run_cell('6*7').result").endswith("42")
    terminal.run("%config LoopJuggler.sync_cells = 'outside'")
    assert terminal.run("asyncio.run(asyncio.sleep(0.01, 'own run'))").endswith("'own run'")
    terminal.leave()


@pytest.mark.parametrize("sync_cells", ["outside", "inside"])
def test_context_variables(spawn: Spawn, sync_cells: str) -> None:
    terminal = spawn(embed(sync_cells=sync_cells))
    terminal.prompt(1)
    terminal.run("token = var.set('sync')")
    assert terminal.run("await asyncio.sleep(0); var.get()").endswith("'sync'")
    terminal.run("await asyncio.sleep(0); var.reset(token)")
    assert terminal.run("var.get()").endswith("'unset'")
    terminal.run("await asyncio.sleep(0); var.set('async')")
    assert terminal.run("var.get()").endswith("'async'")
    terminal.leave("^after: async$")


def test_an_error_in_a_task_is_shown_above_the_prompt(spawn: Spawn) -> None:
    terminal = spawn(embed())
    terminal.prompt(1)
    terminal.run("async def fail():\n    await asyncio.sleep(0.05); raise ERROR\n")
    for number, error in enumerate(["ValueError('one')", "SystemExit('two')"]):
        terminal.run(f"ERROR = {error}")
        terminal.run("await asyncio.sleep(0); task = asyncio.create_task(fail()); del task")
        terminal.wait_for(("ValueError: one", "SystemExit: two")[number])
        assert terminal.run("'alive'").endswith("'alive'")
    terminal.leave()


def test_tasks_that_are_left_are_cancelled_and_the_stubborn_named(spawn: Spawn) -> None:
    terminal = spawn(embed(), cols=200)
    terminal.prompt(1)
    terminal.run(
        "async def polite():\n    try: await asyncio.sleep(1000)\n"
        "    finally: print('polite ends')\n"
    )
    terminal.run(
        "async def stubborn():\n    while True:\n        try: await asyncio.sleep(1000)\n"
        "        except asyncio.CancelledError: pass\n"
    )
    terminal.run(
        "await asyncio.sleep(0)\na = asyncio.create_task(polite())\n"
        "b = asyncio.create_task(stubborn(), name='rock')"
    )
    terminal.line("exit")
    terminal.wait_for("^polite ends$")
    terminal.wait_for("ipyembed: cancelled at exit, but did not end within 2 s: rock")
    terminal.wait_for("^after: unset$")
    assert terminal.wait_exit() == 0


def test_ctrl_c(spawn: Spawn) -> None:
    terminal = spawn(embed())
    terminal.prompt(1)
    for n, cell in enumerate(["await asyncio.sleep(1000)", "time.sleep(1000)"]):
        terminal.interrupt(cell)
        terminal.prompt(n + 2)
    terminal.send("half-typed")
    terminal.wait_for("half-typed")
    terminal.ctrl("c")
    terminal.wait_for(r"^In \[3\]:$")
    assert terminal.run("1 + 1").endswith("2")
    terminal.leave()


def test_an_interrupt_from_outside_brings_a_new_prompt(spawn: Spawn) -> None:
    import signal

    for settings in ({}, {"asyncio_at_prompt": "pause"}):
        terminal = spawn(embed(**settings))
        modes = terminal.tty_modes()
        terminal.prompt(1)
        terminal.send("half-typed")
        terminal.wait_for("half-typed")
        mark = terminal.mark()
        terminal.signal(signal.SIGINT)
        terminal.wait_for_new(r"In \[1\]: ", mark)
        terminal.prompt(1)
        assert terminal.run("await asyncio.sleep(0.01, 'alive')").endswith("'alive'")
        terminal.leave(modes=modes)
