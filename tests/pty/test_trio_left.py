"""A cell that trio awaits is left behind as a job: by the second Ctrl-C, and by Ctrl-Z."""

from __future__ import annotations

from textwrap import indent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal
from tests.pty.test_trio import HOST

pytest.importorskip("trio", reason="trio is not installed")

STUBBORN = """
swallow_again = [True]

async def swallow(wait):
    while True:
        try:
            return await wait()
        except (KeyboardInterrupt, trio.Cancelled):
            if not swallow_again:
                raise
            print('it', 'swallows')

async def stubborn_child():
    with trio.CancelScope(shield=True):
        while swallow_again:
            await trio.sleep(0.01)

async def in_nursery():
    async with trio.open_nursery() as nursery:
        nursery.start_soon(stubborn_child)

def later():
    threading.Timer(0.2, print, ['it', 'waits']).start()
    threading.Timer(0.8, print, ['a while', 'later']).start()

def in_thread():
    while swallow_again:
        time.sleep(0.01)
"""

LEFT = [
    ("await swallow(trio.sleep_forever)", "it swallows"),
    ("await swallow(trio.Event().wait)", "it swallows"),
    ("await in_nursery()", ""),
    ("await trio.to_thread.run_sync(in_thread)", ""),
]


@pytest.fixture
def terminal(spawn: Spawn) -> Terminal:
    terminal = spawn(
        HOST.replace("    async def main", indent(STUBBORN, "    ") + "    async def main"),
        cols=120,
    )
    terminal.prompt(1)
    return terminal


def end_well(terminal: Terminal) -> None:
    assert "ipyembed/" not in terminal.screen_text()
    terminal.line("exit")
    terminal.wait_for(r"^left with 41 unset True$")
    terminal.wait_for(r"^handler kept True$")
    terminal.wait_for(r"^ticks go on True$")
    assert terminal.wait_exit() == 0


def leave_behind(terminal: Terminal, cell: str, says: str) -> None:
    """The first Ctrl-C is swallowed, as `says` shows; the second gives the prompt back."""
    mark = terminal.mark()
    terminal.line(f"later(); {cell}")
    terminal.wait_for_new("^it waits", mark)
    terminal.ctrl("c")
    terminal.wait_for_new(says, mark)
    terminal.wait_for_new("a while later", mark)  # two at once are one
    assert terminal.screen_text().rstrip().endswith("a while later")
    terminal.ctrl("c")
    terminal.wait_for_new(r"^\[1\] later\(\); await ", mark)
    terminal.prompt(2)


@pytest.mark.parametrize(("cell", "says"), LEFT)
def test_the_second_ctrl_c_gives_the_prompt_back(terminal: Terminal, cell: str, says: str) -> None:
    leave_behind(terminal, cell, says)
    assert "[1]  later(); await " in terminal.run("%jobs")
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    assert terminal.run("host_nursery.cancel_scope.cancel_called").endswith("False")
    terminal.run("swallow_again.clear()")
    terminal.run("%cancel 1")
    terminal.wait_for(r"^\[1\] (cancelled|done) later")
    end_well(terminal)


def test_it_is_left_by_ctrl_z_and_brought_back(terminal: Terminal) -> None:
    """Nothing is raised in it; the names are still the prompt's, and the host's task the host's."""
    mark = terminal.mark()
    terminal.line("print('be' + 'gins'); await trio.sleep(1.5); end = 'slept'; print(end); 5")
    terminal.wait_for_new("^begins", mark)
    terminal.ctrl("z")
    terminal.wait_for_new(r"^\[1\] print", mark)
    terminal.prompt(2)
    assert "In [1]" in terminal.run("%jobs")  # where it is
    assert terminal.run("trio.lowlevel.current_task() is me").endswith("True")
    assert terminal.run("%fg 1").endswith("5")
    assert terminal.run("end").endswith("'slept'")
    mark = terminal.mark()
    terminal.line("print('be' + 'gins'); await trio.sleep(1000)")
    terminal.wait_for_new("^begins", mark)
    terminal.ctrl("z")
    terminal.prompt(7)
    terminal.run("%cancel 2")
    terminal.wait_for(r"^\[2\] cancelled print")
    end_well(terminal)


def test_one_that_never_ends_does_not_keep_the_program_from_ending(terminal: Terminal) -> None:
    """Under trio a cancellation comes again at each wait: to swallow it would be for ever."""
    leave_behind(terminal, "await swallow(trio.sleep_forever)", "it swallows")
    mark = terminal.mark()
    terminal.line("exit")
    terminal.wait_for_new("There is 1 running job, which will go on", mark)
    end_well(terminal)
