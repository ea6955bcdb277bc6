"""The host cancels a shell that trio awaits; and nothing is left behind, however it ends."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pty import test_left_behind
from tests.pty.conftest import Spawn
from tests.pty.test_endings import pager

__all__ = ["pager"]  # a fixture

pytest.importorskip("trio", reason="trio is not installed")

CANCELLED = """
    import contextlib, os, sys, time, trio
    import ipyembed

    async def main():
        async def watch(go):
            # cancelled from the terminal's side, by a file that the test makes
            while not os.path.exists("cancel"):
                await trio.sleep(0.005)
            go()

        async with trio.open_nursery() as helpers:
            try:
                EMBED
                print("went on after the block")
            except BaseException as error:
                print("ended by", type(error).__name__)
            helpers.cancel_scope.cancel()
        await trio.sleep(0)
        print("the host goes on", sys.stdout.isatty())

    trio.run(main)
"""

SHELL = "await ipyembed.embed_async(); print('returned normally')"
ENDINGS = {
    "cancel scope": (
        f"""
                with trio.CancelScope() as scope:
                    helpers.start_soon(watch, scope.cancel)
                    {SHELL}""",
        "went on after the block",
    ),
    "twice": (
        f"""
                with trio.CancelScope() as outer, trio.CancelScope() as inner:
                    helpers.start_soon(watch, inner.cancel)
                    helpers.start_soon(watch, outer.cancel)
                    {SHELL}""",
        "went on after the block",
    ),
    "move_on_after": (
        f"""
                with trio.move_on_after(1000) as scope:
                    expire = lambda: setattr(scope, "deadline", trio.current_time())
                    helpers.start_soon(watch, expire)
                    {SHELL}""",
        "went on after the block",
    ),
    "fail_after": (
        f"""
                with trio.fail_after(1000) as scope:
                    expire = lambda: setattr(scope, "deadline", trio.current_time())
                    helpers.start_soon(watch, expire)
                    {SHELL}""",
        "ended by TooSlowError",
    ),
    "in a nursery of its own": (
        """
                async with trio.open_nursery() as nursery:
                    helpers.start_soon(watch, nursery.cancel_scope.cancel)
                    nursery.start_soon(ipyembed.embed_async)""",
        "went on after the block",
    ),
    "a sibling fails": (
        """
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(watch, lambda: 1/0)
                    nursery.start_soon(ipyembed.embed_async)""",
        "ended by ExceptionGroup",
    ),
    "seen": (
        f"""
                with trio.CancelScope() as scope:
                    helpers.start_soon(watch, scope.cancel)
                    try:
                        {SHELL}
                    except trio.Cancelled:
                        print("Cancelled was raised")
                        raise""",
        "Cancelled was raised",
    ),
    "thrown away": (
        """
                shell = ipyembed.embed_async()
                shell.send(None)
                gone = trio.Event()
                helpers.start_soon(watch, gone.set)
                await gone.wait()
                shell.close()
                await trio.sleep(0.05)""",
        "went on after the block",
    ),
}

MOMENTS = {
    "prompt": "",
    "half-typed": "half = 'typed",
    "completion menu": "trio.sl\t",
    "sync cell": "while not __import__('os').path.exists('cancel'): time.sleep(0.001)\r\r",
    "awaiting cell": "await trio.sleep(1000)\r",
    "awaiting a nursery": "await asks\r",
    "confirm question": "\x04",
    "pager": "%page trio.__dict__\r",
}


@pytest.mark.parametrize(
    ("ending", "moment"),
    [(ending, "prompt") for ending in ENDINGS]
    + [(ending, "awaiting cell") for ending in ENDINGS if ending != "thrown away"]
    + [("fail_after", "pager")]
    + [("cancel scope", moment) for moment in MOMENTS if moment not in ("prompt", "awaiting cell")],
)
def test_cancelling_takes_the_prompt_down(
    spawn: Spawn, tmp_path: Path, ending: str, moment: str
) -> None:
    embed, expected = ENDINGS[ending]
    terminal = spawn(CANCELLED.replace("EMBED", embed))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    if moment == "awaiting a nursery":
        terminal.run(
            "async def children():\n    async with trio.open_nursery() as n:\n"
            "        n.start_soon(trio.sleep_forever); n.start_soon(trio.sleep_forever)\n"
        )
        terminal.run("asks = children()")
    mark = terminal.mark()
    terminal.send(MOMENTS[moment])
    seen = {
        "completion menu": "sleep_forever",
        "confirm question": "Do you really want to exit",
        "pager": "the pager has it",
    }.get(moment, re.escape(MOMENTS[moment].strip("\r")[:10]))
    if moment != "prompt":
        terminal.wait_for_new(seen, mark)
    if moment.startswith("awaiting"):
        terminal.wait_for_new(r"\x1b\[\?2004l|\n", mark)
    (tmp_path / "cancel").touch()
    terminal.wait_for(f"^{expected}$")
    terminal.wait_for(r"^the host goes on True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
    # it is nobody's error, so nothing of it is shown
    assert "Traceback" not in terminal.screen_text()
    assert "returned normally" not in terminal.screen_text()


def test_a_cell_that_swallows_the_cancellation_does_not_save_the_shell(
    spawn: Spawn, tmp_path: Path
) -> None:
    embed, _ = ENDINGS["cancel scope"]
    terminal = spawn(CANCELLED.replace("EMBED", embed))
    terminal.prompt(1)
    terminal.paste(
        "with contextlib.suppress(trio.Cancelled):\n    print('waits'); "
        "await trio.sleep(1000)\nprint('swallowed')"
    )
    terminal.send("\x1b\r")
    terminal.wait_for("^waits$")
    (tmp_path / "cancel").touch()
    terminal.wait_for("^swallowed$")
    terminal.wait_for("^went on after the block$")
    assert terminal.wait_exit() == 0
    assert "returned normally" not in terminal.screen_text()


LEFT_BEHIND = test_left_behind.HOST.replace(
    "    RUN",
    """
    import trio
    def tasks(task):
        return [task] + [t for n in task.child_nurseries for c in n.child_tasks for t in tasks(c)]
    def of_trio():
        here = trio.lowlevel.current_task()
        return (tasks(trio.lowlevel.current_root_task()), trio.current_effective_deadline(),
                here._cancel_status, len(here._cancel_status._children))
    async def session_trio():
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                before = snapshot(), of_trio()
                EMBED
                compare(before[0])
                print("trio is as before:", of_trio() == before[1])
    trio.run(session_trio)""",
)


@pytest.mark.parametrize("leaving", ["exit", "%exit_raise", "ctrl-d"])
def test_nothing_is_left_behind(spawn: Spawn, leaving: str) -> None:
    embed = """
                try:
                    await ipyembed.embed_async(**SETTINGS)
                except KillEmbedded as error:
                    print("left by", type(error).__name__)"""
    terminal = spawn(LEFT_BEHIND.replace("EMBED", embed), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("1/0")
    terminal.run("await trio.sleep(0.01); nursery.start_soon(trio.sleep, 0.2)")
    terminal.run("with trio.move_on_after(0.01):\n    await trio.sleep_forever()\n")
    terminal.interrupt("await trio.sleep(1000)")
    terminal.prompt(5)
    terminal.run("await trio.sleep(0.3)")
    terminal.send("os.pa\t")
    terminal.wait_for("path")
    terminal.ctrl("c")
    terminal.prompt(6)
    terminal.ctrl("u")
    if leaving == "ctrl-d":
        terminal.ctrl("d")
        terminal.wait_for(r"Do you really want to exit \(\[y\]/n\)\?")
        terminal.line("y")
    else:
        terminal.line(leaving)
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    terminal.wait_for("^trio is as before: True$")
    terminal.wait_for("^end$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("cell", ["", "await trio.sleep(1000)\r"])
def test_nothing_is_left_behind_by_cancellation(spawn: Spawn, cell: str) -> None:
    embed = """
                with trio.CancelScope() as cancelled:
                    async def watch():
                        while not os.path.exists("trigger"):
                            await trio.sleep(0.005)
                        cancelled.cancel()
                    nursery.start_soon(watch)
                    await ipyembed.embed_async(**SETTINGS)"""
    terminal = spawn(LEFT_BEHIND.replace("EMBED", embed), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    if cell:
        mark = terminal.mark()
        terminal.send(f"print('begun'); {cell}")
        terminal.wait_for_new(r"begun\r?\n", mark)
    (spawn.path / "trigger").touch()
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    terminal.wait_for("^trio is as before: True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
