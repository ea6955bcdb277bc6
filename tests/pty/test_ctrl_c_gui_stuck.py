"""Ctrl-C at the prompt while a toolkit's callback blocks: it is that which ends, and no more."""

from __future__ import annotations

from collections.abc import Callable
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_windows import on_screen, told, window_text
from tests.pty.test_gui_endings import DIALOGS, MODAL

EMBED_ASYNC = """
    def spin():
        while True: pass
    async def main():
        task = asyncio.create_task(beat())
        make()
        await ipyembed.embed_async(stuck_after=0.5)
        task.cancel()
    asyncio.run(main())
"""


@pytest.mark.parametrize("what", ["spin()", "time.sleep(1000)"])
def test_a_callback_that_blocks(spawn: Spawn, display: str, program: str, what: str) -> None:
    terminal = spawn(window_text(program, EMBED_ASYNC), env=on_screen(display, spawn), cols=200)
    terminal.prompt(1)
    terminal.run(
        f"def stuck():\n    print('it ' + 'blocks')\n    {what}\n    print('it ' + 'went on')"
    )
    mark = terminal.mark()
    terminal.line("post(stuck)")
    terminal.wait_for_new("it blocks", mark)
    terminal.send("'half")
    terminal.wait_for_new("the eval thread has been stuck", mark)
    terminal.ctrl("c")
    # The outermost function of the program's own is what its toolkit has called.
    terminal.wait_for_new(
        "ipyembed: KeyboardInterrupt in callback (stuck|post.*lambda>), in ", mark
    )
    terminal.wait_for_new("the eval thread is free again", mark)
    terminal.line(" of a line'")
    terminal.wait_for("^Out.*: 'half of a line'$")
    assert "it went on" not in terminal.printed_since(mark)
    assert "ipyembed/" not in terminal.screen_text()
    assert terminal.screen_text().count("Traceback") == 1
    assert told(terminal, "tell_ticks(10)")
    assert told(terminal, "tell_beats()")
    terminal.leave()


#: A callback that waits for a dialog, and a task that does so.
OPENS = """
    def opens():
        try:
            print("dialog open")  # in one piece: it may be printed above the prompt
            modal()
            print("it went on")
        except KeyboardInterrupt:
            print("cleaning up")
            raise
    async def opens_in_a_task():
        opens()
"""


@pytest.mark.parametrize("origin", ["callback", "task"])
@pytest.mark.parametrize(("toolkit", "kind"), DIALOGS)
def test_a_dialog_that_a_callback_waits_for(
    spawn: Spawn,
    display: str,
    installed: Callable[..., None],
    toolkit: str,
    kind: str,
    origin: str,
) -> None:
    installed(toolkit)
    text = dedent(MODAL[kind]) + dedent(OPENS) + dedent(EMBED_ASYNC)
    terminal = spawn(window_text(toolkit, text), env=on_screen(display, spawn), cols=200)
    terminal.prompt(1)
    terminal.run("import asyncio")
    mark = terminal.mark()
    cell = "post(opens)" if origin == "callback" else "t = asyncio.create_task(opens_in_a_task())"
    terminal.line(cell)
    terminal.wait_for_new("dialog open", mark)
    terminal.send("'half")
    terminal.wait_for_new("the eval thread has been stuck", mark)
    terminal.ctrl("c")
    what = "callback (opens|post.*lambda>)" if origin == "callback" else "task "
    terminal.wait_for_new(f"ipyembed: KeyboardInterrupt in {what}.*, in ", mark)
    terminal.wait_for_new("the eval thread is free again", mark)
    terminal.line(" of a line'")
    terminal.wait_for("^Out.*: 'half of a line'$")
    shown = terminal.printed_since(mark)
    assert "cleaning up" in shown
    assert "it went on" not in shown
    assert "ipyembed/" not in terminal.screen_text()
    assert terminal.screen_text().count("Traceback") == 1
    assert told(terminal, "tell_ticks(10)")
    assert told(terminal, "tell_beats()")
    terminal.leave()
