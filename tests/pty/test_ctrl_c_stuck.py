"""Ctrl-C while some task or callback blocks the eval thread: it is that which ends, and no more."""

from __future__ import annotations

import re

import pytest

from tests.pty.conftest import Spawn
from tests.pty.storm import NEEDED
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, sys, threading, time
    import ipyembed

    ticks = 0

    async def tick():
        global ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def hang():
        await asyncio.sleep(0.2)
        try:
            time.sleep(1000)
        except KeyboardInterrupt:
            print("cleaning up")
            raise

    def spin():
        while True: pass

    def block(seconds=1000):
        threading.Timer(0.5, print, ["a while", "later"]).start()
        print("it blocks")
        end = time.monotonic() + seconds
        while time.monotonic() < end: pass

    swallow_again = [True]

    async def swallow():
        while True:
            try:
                # Told once it does: a key during print() would be an interrupt of that.
                threading.Timer(0.1, print, ["it", "waits"]).start()
                await asyncio.sleep(1000)
            except asyncio.CancelledError:
                if not swallow_again:
                    raise
                print("it swallows")
                threading.Timer(0.5, print, ["a while", "later"]).start()

    async def main():
        me = asyncio.current_task()
        background = asyncio.create_task(tick())
        after = asyncio.get_running_loop().call_later
        await ipyembed.embed_async()
        print("left", me.cancelling(), background.done())
        background.cancel()

    RUN
"""

RUNNERS = {
    "asyncio": "asyncio.run(main())",
    "uvloop": "__import__('uvloop').run(main())",
    "qasync": (
        "from PySide6.QtWidgets import QApplication\n"
        "    app = QApplication([])\n"
        "    __import__('qasync').run(main())"
    ),
    "own loop": "ipyembed.embed()",
    "running loop": (
        "main = lambda: None\n"
        "    async def main():\n"
        "        background = asyncio.create_task(tick())\n"
        "        ipyembed.embed(embed_in_running_loop='run')\n"
        "        print('left', 0, background.done())\n"
        "        background.cancel()\n"
        "    asyncio.run(main())"
    ),
}


@pytest.fixture(params=RUNNERS)
def terminal(request: pytest.FixtureRequest, spawn: Spawn) -> Terminal:
    for name in NEEDED.get(request.param, ()):
        pytest.importorskip(name, reason=f"{name} is not installed")
    spawn.env["QT_QPA_PLATFORM"] = "offscreen"
    terminal = spawn(HOST.replace("RUN", RUNNERS[request.param]), cols=200)
    terminal.prompt(1)
    if request.param == "own loop":
        terminal.run("background = asyncio.create_task(tick()); await asyncio.sleep(0)")
    else:
        terminal.run("1")
    terminal.run("after = asyncio.get_running_loop().call_later; await asyncio.sleep(0)")
    return terminal


def hang(terminal: Terminal) -> None:
    terminal.run("hung = asyncio.create_task(hang(), name='the hung one'); await asyncio.sleep(0)")
    terminal.wait_for("stuck for .* in hang .*task the hung one")


def loop_is_well(terminal: Terminal, n: int) -> None:
    terminal.prompt(n)
    terminal.run("then = ticks")
    assert terminal.run("await asyncio.sleep(0.1); ticks > then, background.done()").endswith(
        "(True, False)"
    )


def leave(terminal: Terminal) -> None:
    terminal.leave()
    assert "Traceback" not in terminal.screen_text().rpartition("exit")[2]


def test_at_the_prompt(terminal: Terminal) -> None:
    hang(terminal)
    terminal.send("half =")
    terminal.wait_for("half =$")
    mark = terminal.mark()
    terminal.ctrl("c")
    terminal.wait_for_new("cleaning up", mark)
    terminal.wait_for_new("ipyembed: KeyboardInterrupt in task the hung one, in hang", mark)
    terminal.wait_for_new("free again", mark)
    shown = terminal.printed_since(mark)
    assert shown.index("Traceback") < shown.index("time.sleep(1000)")
    assert "ipyembed/" not in shown
    terminal.wait_for(r"^In \[4\]: half =$")  # what was typed is still there
    terminal.line(" 7; half + 1")
    terminal.prompt(5)
    assert "Out[4]: 8" in terminal.screen_text()
    assert "Interrupted" in terminal.run("type(hung.exception()).__name__")
    loop_is_well(terminal, 6)
    # a callback; it is not yet known to be stuck, and nothing is typed
    mark = terminal.mark()
    terminal.run("handle = after(0.1, spin)")
    terminal.ctrl("c")
    terminal.wait_for_new("ipyembed: KeyboardInterrupt in callback spin, in spin", mark)
    terminal.wait_for_new("free again", mark)
    loop_is_well(terminal, 9)
    leave(terminal)


def test_a_cell_was_entered_already(terminal: Terminal) -> None:
    hang(terminal)
    terminal.line("print('now', 'free')")
    terminal.send("typed = 'ahead'")
    mark = terminal.mark()
    terminal.ctrl("c")
    terminal.wait_for_new("ipyembed: KeyboardInterrupt in task the hung one", mark)
    terminal.wait_for_new("now free", mark)
    terminal.wait_for(r"^In \[5\]: typed = 'ahead'$")
    terminal.line()
    loop_is_well(terminal, 6)
    leave(terminal)


def test_a_cell_awaits(terminal: Terminal) -> None:
    mark = terminal.mark()
    terminal.line("handle = after(0.1, block); await asyncio.sleep(1000)")
    terminal.wait_for_new("it blocks", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("a while later", mark)
    assert "KeyboardInterrupt" not in terminal.printed_since(mark)
    terminal.ctrl("c")
    terminal.wait_for_new("ipyembed: KeyboardInterrupt in callback block, in block", mark)
    terminal.prompt(4)  # the cell has ended: the first was remembered
    cell = terminal.output(3)
    assert re.search(r"asyncio.sleep\(1000\)\n(.|\n)*^KeyboardInterrupt", cell, re.MULTILINE)
    # it blocks for a moment only
    terminal.line("handle = after(0.1, block, 1); await asyncio.sleep(1000)")
    mark = terminal.mark()
    terminal.wait_for_new("it blocks", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    loop_is_well(terminal, 5)
    leave(terminal)


def test_a_cell_swallows_the_cancellation(terminal: Terminal) -> None:
    mark = terminal.mark()
    terminal.line("await swallow()")
    terminal.wait_for_new("it waits", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("it swallows", mark)
    terminal.wait_for_new("a while later", mark)
    terminal.ctrl("c")
    terminal.prompt(4)
    loop_is_well(terminal, 4)
    assert "await swallow()" in terminal.run("%jobs")
    terminal.run("swallow_again.clear()")
    terminal.run("%cancel 1")
    terminal.wait_for(r"cancelled +await swallow\(\)")
    leave(terminal)


def test_a_completion_that_is_stuck(terminal: Terminal) -> None:
    """IPython shows what its completers raise by `sys.excepthook`, and goes on."""
    terminal.run("class Slow:\n    def __dir__(self): spin()\nslow = Slow()")
    terminal.run("%config LoopJuggler.completion_timeout = 0.2")
    terminal.send("slow.\t")
    terminal.wait_for("the eval thread has been stuck for .* in spin")
    for _ in range(5):  # more than one of them may ask for `dir(slow)`
        mark = terminal.mark()
        terminal.ctrl("c")
        terminal.wait_for_new("ipyembed: KeyboardInterrupt in a completion, in spin", mark)
        try:
            terminal.wait_for_new("the eval thread is free again", mark, timeout=2)
            break
        except AssertionError:
            continue
    terminal.ctrl("u")
    loop_is_well(terminal, terminal.prompt())
    assert "ipyembed/" not in terminal.screen_text()
    assert "Traceback" not in terminal.screen_text()
    leave(terminal)
