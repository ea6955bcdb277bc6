"""The pager has the terminal, and what the eval thread turns goes on turning."""

from __future__ import annotations

import shutil
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import script
from tests.pty.profile import write_config
from tests.pty.terminal import Terminal
from tests.pty.watching_child import CANCELLED, HOST, write_child

AWAITED = (
    HOST
    + """
    async def main():
        task = asyncio.create_task(heart())
        await ipyembed.embed_async()
        task.cancel()
        print("left")

    RUN(main())
"""
)

RUNNERS = {
    "asyncio": "asyncio.run",
    "uvloop": "__import__('uvloop').run",
}


def leave_pager(terminal: Terminal, mark: int, goes_on: bool = True) -> None:
    terminal.wait_for_new("the host goes on" if goes_on else "the host stands still", mark)
    terminal.wait_for_new("it shows some lines: 1", mark)
    terminal.wait_for_new(r"leave it\?", mark)
    terminal.line("yes")
    terminal.wait_for_new("it heard yes", mark)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_host_loop_goes_on(spawn: Spawn, tmp_path: Path, runner: str) -> None:
    if runner != "asyncio":
        pytest.importorskip(runner, reason=f"{runner} is not installed")
    terminal = spawn(AWAITED.replace("RUN", RUNNERS[runner]), env={"PAGER": write_child(tmp_path)})
    for n, cell in enumerate(
        ("long?", "help(long)", "%page long.__doc__", "def f(): help(long)\nf()"), 1
    ):
        terminal.prompt(n)
        mark = terminal.mark()
        terminal.paste(cell)
        terminal.send("\x1b\r")
        leave_pager(terminal, mark)
    terminal.prompt(5)
    # what fits is printed, in order with what else the cell prints
    out = terminal.run("print('first')\nlen?\nprint('last')")
    assert out.index("first") < out.index("Return the number of items") < out.index("last")
    # two pages, one after the other; Ctrl-C is the pager's
    mark = terminal.mark()
    terminal.line("help(long); help(long); print('first')")
    leave_pager(terminal, mark)
    assert "first" in terminal.printed_since(mark)
    mark = terminal.mark()
    leave_pager(terminal, mark)
    terminal.prompt(7)
    terminal.leave("^left")


def test_under_trio(spawn: Spawn, tmp_path: Path) -> None:
    pytest.importorskip("trio", reason="trio is not installed")
    text = (
        HOST.replace("asyncio", "trio")
        + """
    async def main():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(heart)
            await ipyembed.embed_async()
            nursery.cancel_scope.cancel()
        print("left")

    trio.run(main)
"""
    )
    terminal = spawn(text, env={"PAGER": write_child(tmp_path)})
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.line("long?")
    leave_pager(terminal, mark)
    terminal.prompt(2)
    mark = terminal.mark()
    terminal.line("!$PAGER")
    terminal.wait_for_new("the host goes on", mark)
    terminal.wait_for_new(r"leave it\?", mark)
    terminal.line("yes")
    terminal.prompt(3)
    # Where it has to block, the loop stands still, and that is said.
    mark = terminal.mark()
    terminal.line("get_ipython().run_line_magic('system', 'true')")
    terminal.wait_for_new("the host's loop cannot be re-entered, so it stands still", mark)
    terminal.prompt(4)
    terminal.leave("^left")


def test_cancelled_in_the_pager(spawn: Spawn, tmp_path: Path) -> None:
    """The pager is ended, the shell goes, the terminal is as it was."""
    terminal = spawn(CANCELLED, env={"PAGER": write_child(tmp_path)})
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.line("long?")
    terminal.wait_for("left True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_the_window_lives(spawn: Spawn, display: str, program: str, tmp_path: Path) -> None:
    """In a blocking shell."""
    looks = dedent(HOST) + "def seen(): look(); post(seen)\n"
    text = script(program, "embed").replace("make(); ", f"make(); exec({looks!r}); post(seen); ")
    terminal = spawn(text, env={"DISPLAY": display, "PAGER": write_child(tmp_path)})
    for n, cell in enumerate(("long?", "help(long)"), 1):
        terminal.prompt(n)
        mark = terminal.mark()
        terminal.line(cell)
        leave_pager(terminal, mark)
    terminal.prompt(3)
    terminal.leave("^left ticks True")


def at_the_end(terminal: Terminal) -> bool:
    terminal.send("G")  # an interrupted pager may throw away what was typed
    return "line 199" in terminal.screen_text()


EMBED = (
    HOST
    + "    ipyembed.embed()\n    print('left', __import__('pydoc').pager.__module__, type(help))\n"
)


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_less(spawn: Spawn) -> None:
    """Without any setting; Ctrl-C does not end it."""
    terminal = spawn(EMBED, env={"LESS": None})
    modes = terminal.tty_modes()
    for n, cell in enumerate(("long?", "help(long)", "len??"), 1):
        terminal.prompt(n)
        terminal.line(cell)
        if n == 3:
            break  # it fits
        terminal.wait_for(lambda t: t.screen.in_alternate_screen and "line 5" in t.screen_text())
        terminal.ctrl("c")
        terminal.wait_for(at_the_end)
        terminal.send("q")
        terminal.wait_for(lambda t: not t.screen.in_alternate_screen)
    terminal.prompt(4)
    terminal.leave("^left pydoc <class '_sitebuiltins._Helper'>$", modes=modes)


def test_settings_of_ipython(spawn: Spawn, ipython_dir: Path, tmp_path: Path) -> None:
    # A hook of the user's goes first.
    write_config(
        ipython_dir,
        """
        c.InteractiveShellApp.exec_lines = []
        c.TerminalInteractiveShell.display_page = True
        """,
    )
    terminal = spawn(EMBED, env={"PAGER": write_child(tmp_path)})
    terminal.prompt(1)
    assert "line 199" in terminal.run("long?")
    terminal.run("%config TerminalInteractiveShell.display_page = False")
    terminal.run("get_ipython().set_hook('show_in_pager', lambda *a, **k: print('the', 'user'))")
    assert terminal.run("long?").endswith("the user")
    terminal.leave()


def test_a_pager_that_does_not_exist(spawn: Spawn) -> None:
    """IPython's own takes its place."""
    terminal = spawn(EMBED, env={"PAGER": "/does/not/exist"})
    terminal.prompt(1)
    terminal.line("long?")
    terminal.wait_for("^---Return to continue, q to quit---")
    terminal.line("q")
    terminal.prompt(2)
    terminal.leave()
