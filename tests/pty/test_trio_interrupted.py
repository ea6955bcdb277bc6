"""Ctrl-C in a shell that trio awaits."""

from __future__ import annotations

import signal

import pytest

from tests.pty.conftest import Spawn
from tests.pty.test_trio import HOST

pytest.importorskip("trio", reason="trio is not installed")

NURSERY = """
async def in_nursery():
    async with trio.open_nursery() as n:
        n.start_soon(trio.sleep_forever)
        n.start_soon(trio.sleep_forever)

async def shielded():
    with trio.CancelScope(shield=True):
        await trio.sleep_forever()

async def in_thread():
    while True:
        await trio.to_thread.run_sync(time.sleep, 0.05)

async def spins_in_nursery():
    async with trio.open_nursery() as n:
        n.start_soon(trio.sleep_forever)
        spin()

def spin():
    while True: pass
"""

INTERRUPTED = [
    "await trio.sleep(1000)",
    "time.sleep(1000)",
    "spin()",
    "await trio.sleep(0); spin()",
    "await in_nursery()",
    "await spins_in_nursery()",
    "await shielded()",
    "await in_thread()",
    "await trio.Event().wait()",
]


def test_ctrl_c_ends_the_cell_and_nothing_else(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.run(NURSERY)
    for n, cell in enumerate(INTERRUPTED):
        terminal.interrupt(cell)
        terminal.prompt(n + 3)
    assert terminal.run("host_nursery.cancel_scope.cancel_called").endswith("False")
    assert "ipyembed/" not in terminal.screen_text()
    assert "ExceptionGroup" not in terminal.screen_text()
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    terminal.line("exit")
    terminal.wait_for(r"^left with 41 unset True$")
    terminal.wait_for(r"^handler kept True$")
    terminal.wait_for(r"^ticks go on True$")
    assert terminal.wait_exit() == 0


@pytest.mark.parametrize("kind", ["protected", "in trio's core"])
def test_ctrl_c_in_code_that_trio_protects_comes_at_the_next_wait(spawn: Spawn, kind: str) -> None:
    """And in what it should: a child that `start_soon()` has half made would never end."""
    terminal = spawn(HOST)
    protects = "@trio.lowlevel.enable_ki_protection" if kind == "protected" else "@in_core"
    terminal.run("core = trio.__path__[0] + '/_core/_run.py'")
    terminal.run(
        "def in_core(function):\n"
        "    function.__code__ = function.__code__.replace(co_filename=core)\n"
        "    return function\n"
    )
    terminal.run(
        f"{protects}\n"
        "def protected():\n"
        "    end = time.monotonic() + 0.5\n"
        "    while time.monotonic() < end: pass\n"
        "    print('to its', 'end')\n"
    )
    terminal.interrupt("protected(); await trio.sleep(1000)")
    assert "to its end" in terminal.screen_text()
    terminal.leave()


def test_an_interrupt_from_outside_asks_again(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.prompt(1)
    terminal.send("half = 'typed")
    terminal.wait_for("half = 'typed")
    mark = terminal.mark()
    terminal.signal(signal.SIGINT)  # trio raises it in its main task
    terminal.wait_for_new("KeyboardInterrupt", mark)
    terminal.prompt(1)
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    terminal.leave(r"^ticks go on True$")


def test_trio_run_in_a_cell_finds_nothing_in_its_way(spawn: Spawn) -> None:
    terminal = spawn("import ipyembed, trio\nipyembed.embed()")
    terminal.prompt(1)
    assert terminal.run("trio.run(trio.sleep, 0.01); 'quiet'") == "Out[1]: 'quiet'"
    terminal.interrupt("trio.run(trio.sleep, 1000)")
    terminal.prompt(3)
    terminal.leave()


def test_a_task_that_blocks_trio_ends_and_no_other(spawn: Spawn) -> None:
    terminal = spawn(HOST, cols=120)
    terminal.run(
        "async def hang():\n"
        "    await trio.sleep(0.1)\n"
        "    try: time.sleep(1000)\n"
        "    except KeyboardInterrupt: print('cleaning', 'up'); raise\n"
    )
    terminal.run("host_nursery.start_soon(hang)")
    terminal.wait_for("the eval thread has been stuck .* in hang")
    terminal.ctrl("c")
    terminal.wait_for("^cleaning up$")
    terminal.wait_for("^ipyembed: KeyboardInterrupt in task .*hang, in hang ")
    terminal.prompt(3)
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    terminal.leave(r"^ticks go on True$")


def test_a_cell_awaits_while_a_task_blocks_trio(spawn: Spawn) -> None:
    """The first is remembered; the second ends the task, and with it the wait of the cell."""
    terminal = spawn(HOST, cols=120)
    terminal.run(
        "async def block():\n"
        "    await trio.sleep(0.1)\n"
        "    threading.Timer(0.5, print, ['a while', 'later']).start()\n"
        "    print('it', 'blocks')\n"
        "    while True: pass\n"
    )
    mark = terminal.mark()
    terminal.line("host_nursery.start_soon(block); await trio.sleep(1000)")
    terminal.wait_for_new("it blocks", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("a while later", mark)
    assert "KeyboardInterrupt" not in terminal.printed_since(mark)
    terminal.ctrl("c")
    terminal.wait_for_new("ipyembed: KeyboardInterrupt in task .*block, in block", mark)
    terminal.prompt(3)
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    assert terminal.run("host_nursery.cancel_scope.cancel_called").endswith("False")
    terminal.leave(r"^ticks go on True$")
