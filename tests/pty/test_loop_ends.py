"""The host's loop ends while a shell that it awaits is open: the terminal is as it was found."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal
from tests.pty.test_endings import half_typed, in_an_awaiting_cell, in_the_pager, pager

__all__ = ["pager"]  # a fixture

HOST = """
    import asyncio, os, sys, threading, time
    import ipyembed

    text = "\\n".join(f"line {n}" for n in range(200))
    ended = None  # of the shell's task

    async def shell():
        global ended
        try:
            await ipyembed.embed_async()
            ended = "left"
        except BaseException as error:
            ended = type(error).__name__
            raise

    def when_told(function):
        trigger = os.open("trigger", os.O_RDWR)

        def hear():
            os.read(trigger, 1)
            loop.remove_reader(trigger)
            function()

        loop = asyncio.get_running_loop()
        loop.add_reader(trigger, hear)

    async def main():
        global task
        task = asyncio.create_task(shell())
        told = asyncio.Event()
        when_told(told.set)
        await told.wait()
        HOW

    async def begin():
        global task
        task = asyncio.create_task(shell())
        when_told(loop.stop)

    os.mkfifo("trigger")
    NEW_LOOP
    try:
        RUN
    finally:
        print("the host", "goes on", ended)
"""
FOREVER = "loop.run_until_complete(begin()); loop.run_forever()"
#: How it ends; what has ended the shell then, if it has ended; the status of the process.
ENDS = {
    "main returns": ("RUNNER(main())", "pass", "CancelledError", 0),
    "main fails": ("RUNNER(main())", "raise OSError", "CancelledError", 1),
    "main exits": ("RUNNER(main())", "sys.exit(3)", "CancelledError", 3),
    "stopped": (FOREVER, "", "None", 0),
    "stopped and closed": (f"{FOREVER}; loop.close()", "", "None", 0),
    "stopped, closed and forgotten": (f"{FOREVER}; loop.close(); del task", "", ".*", 0),
}
RUNNERS = {
    "asyncio": ("asyncio.run", "asyncio.new_event_loop()"),
    "uvloop": ("__import__('uvloop').run", "__import__('uvloop').new_event_loop()"),
}


def spawn_host(spawn: Spawn, runner: str, run: str, how: str) -> Terminal:
    if runner != "asyncio":
        pytest.importorskip(runner)
    name, new_loop = RUNNERS[runner]
    text = HOST.replace("RUN", run.replace("RUNNER", name)).replace("HOW", how or "pass")
    new_loop = f"loop = {new_loop}" if "loop" in run else "pass"
    return spawn(text.replace("NEW_LOOP", new_loop), cols=120)


CASES = [
    *((runner, half_typed, end) for runner in RUNNERS for end in ENDS),
    *(
        ("asyncio", moment, end)
        for moment in (in_an_awaiting_cell, in_the_pager)
        for end in ("main returns", "main exits", "stopped", "stopped and closed")
    ),
]


@pytest.mark.parametrize(
    ("runner", "moment", "end"), CASES, ids=[f"{r}-{m.__name__}-{e}" for r, m, e in CASES]
)
def test_the_terminal_is_as_found(
    spawn: Spawn, runner: str, moment: Callable[[Terminal], None], end: str
) -> None:
    run, how, ended, status = ENDS[end]
    terminal = spawn_host(spawn, runner, run, how)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    moment(terminal)
    (spawn.path / "trigger").write_text("x")
    terminal.wait_for(f"the host goes on {ended}")
    assert terminal.wait_exit() == status
    terminal.assert_terminal_restored(modes)
