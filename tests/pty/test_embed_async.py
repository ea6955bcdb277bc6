"""`await embed_async()`: the host loop turns, cells run in the caller's task."""

from __future__ import annotations

import re

import pytest

from tests.pty.conftest import Spawn
from tests.pty.pieces import TICKING

RUNNERS = {
    "asyncio": "asyncio.run",
    "debug": "lambda main: asyncio.run(main, debug=True)",
    "uvloop": "__import__('uvloop').run",
}

HOST = (
    """
    import asyncio, contextvars, threading
    import ipyembed

    var = contextvars.ContextVar("var", default="unset")
    thread = threading.get_ident()"""
    + TICKING
    + """
    async def main():
        me = asyncio.current_task()
        background = asyncio.create_task(tick())
        secret = 41
        await ipyembed.embed_async(header="the header", exit_msg="bye")
        print("left with", secret, var.get(), me.cancelling(), me is asyncio.current_task())
        background.cancel()

    RUN(main())
"""
)


@pytest.mark.parametrize("runner", RUNNERS)
def test_a_session(spawn: Spawn, runner: str) -> None:
    terminal = spawn(HOST.replace("RUN", f"({RUNNERS[runner]})"))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "the header" in terminal.screen_text()

    # the host loop turns while nothing is typed: the cell itself does not await
    # (its output, `asked`, comes from a callback of the loop)
    terminal.run("before = ticks; wait = asyncio.get_running_loop().call_later")
    terminal.run("handle = wait(0.1, lambda: print('asked', ticks > before))")
    terminal.wait_for("^asked True$")

    # the caller's own task, its thread, inside the loop
    assert terminal.run("asyncio.current_task() is me, threading.get_ident() == thread").endswith(
        "(True, True)"
    )
    assert terminal.run("await asyncio.sleep(0.01, asyncio.current_task() is me)").endswith("True")
    assert terminal.run("t = asyncio.create_task(asyncio.sleep(0.01, 'made in a sync cell'))") == ""
    assert terminal.run("await t").endswith("'made in a sync cell'")
    assert terminal.run("_").endswith("'made in a sync cell'")

    # context variables: sync and async cells, seen by the next and by the host afterwards
    terminal.run("token = var.set('one'); secret += 1")
    assert terminal.run("await asyncio.sleep(0); var.get()").endswith("'one'")
    terminal.run("await asyncio.sleep(0); var.set('two')")
    assert terminal.run("var.get()").endswith("'two'")
    assert terminal.run("await asyncio.sleep(0); var.reset(token); var.get()").endswith("'unset'")
    terminal.run("await asyncio.sleep(0); var.set('three')")

    terminal.line("exit")
    terminal.wait_for(r"^bye$")
    terminal.wait_for(r"^left with 42 three 0 True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("runner", ["asyncio", "uvloop"])
def test_what_a_cell_opens_another_can_close(spawn: Spawn, runner: str) -> None:
    terminal = spawn(HOST.replace("RUN", f"({RUNNERS[runner]})"))
    terminal.prompt(1)
    terminal.run("group = asyncio.TaskGroup(); await group.__aenter__()")
    terminal.run("child = group.create_task(asyncio.sleep(0.01, 'child'))")
    terminal.run("await group.__aexit__(None, None, None)")
    assert terminal.run("child.result()").endswith("'child'")
    terminal.run("timeout = asyncio.timeout(1000); await timeout.__aenter__()")
    terminal.run("await asyncio.sleep(0)")
    assert "Traceback" not in terminal.run("await timeout.__aexit__(None, None, None)")
    assert terminal.run("timeout.expired()").endswith("False")
    terminal.leave()


def test_a_timeout_opened_in_a_cell_ends_only_that_cell(spawn: Spawn) -> None:
    terminal = spawn(HOST.replace("RUN", "asyncio.run"))
    terminal.prompt(1)
    out = terminal.run("async with asyncio.timeout(0.05):\n    await asyncio.sleep(1000)\n")
    assert "TimeoutError" in out
    assert terminal.run("me.cancelling()").endswith("0")
    terminal.leave()


CANCELLED = """
    import asyncio, contextlib, sys, time
    import ipyembed

    async def main():
        me = asyncio.current_task()
        cancel = asyncio.Event()
        go = asyncio.get_running_loop().call_later

        async def watch():
            # cancelled from the terminal's side, by a file that the test makes
            import os
            while not os.path.exists("cancel"):
                await asyncio.sleep(0.005)
            HOW

        watcher = asyncio.create_task(watch())
        try:
            EMBED
            print("returned normally")
        except BaseException as error:
            print("ended by", type(error).__name__, me.cancelling())
        await asyncio.sleep(0)
        print("the host goes on", sys.stdout.isatty())

    asyncio.run(main())
"""

ENDINGS = {
    "task.cancel": ("me.cancel()", "await ipyembed.embed_async()", "CancelledError 1"),
    "twice": ("me.cancel(); me.cancel()", "await ipyembed.embed_async()", "CancelledError 2"),
    "timeout": (
        "timeout.reschedule(asyncio.get_running_loop().time())",
        "async with asyncio.timeout(None) as timeout: await ipyembed.embed_async()",
        "TimeoutError 0",
    ),
    "wrapped in a task": (
        "shell.cancel()",
        "shell = asyncio.create_task(ipyembed.embed_async()); await shell",
        "CancelledError 0",
    ),
    "thrown away": (
        "shell.close()",
        # The coroutine is driven by hand to its first wait, as an abandoned one would be.
        "shell = ipyembed.embed_async(); shell.send(None); await watcher; print('closed')",
        "",
    ),
}

MOMENTS = {
    "prompt": "",
    "half-typed": "half = 'typed",
    "completion menu": "asyncio.\t",
    "sync cell": "while not __import__('os').path.exists('cancel'): time.sleep(0.001)\r\r",
    "awaiting cell": "await asyncio.sleep(1000)\r",
    "confirm question": "\x04",
    "history search": "\x12",
}


@pytest.mark.parametrize(
    ("ending", "moment"),
    [(ending, "prompt") for ending in ENDINGS]
    + [(ending, "awaiting cell") for ending in ENDINGS if ending != "thrown away"]
    + [("task.cancel", moment) for moment in MOMENTS if moment not in ("prompt", "awaiting cell")],
)
def test_cancelling_takes_the_prompt_down(
    spawn: Spawn, tmp_path: object, ending: str, moment: str
) -> None:
    how, embed, expected = ENDINGS[ending]
    terminal = spawn(CANCELLED.replace("HOW", how).replace("EMBED", embed))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    if moment == "awaiting cell":
        terminal.run("1")
    mark = terminal.mark()
    terminal.send(MOMENTS[moment])
    seen = {
        "prompt": r"In \[\d\]: ",
        "completion menu": "sleep|all_tasks",
        "confirm question": "Do you really want to exit",
        "history search": "search",
    }.get(moment, re.escape(MOMENTS[moment].strip("\r")[:12]))
    if moment != "prompt":
        terminal.wait_for_new(seen, mark)
    (tmp_path / "cancel").touch()  # type: ignore[operator]
    terminal.wait_for(f"^ended by {expected}$" if expected else "^closed$")
    terminal.wait_for(r"^the host goes on True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
    # it is nobody's error, so nothing of it is shown
    assert "Traceback" not in terminal.screen_text()
    assert "CancelledError  " not in terminal.screen_text()


def test_a_cell_that_swallows_the_cancellation_does_not_save_the_shell(
    spawn: Spawn, tmp_path: object
) -> None:
    terminal = spawn(
        CANCELLED.replace("HOW", "me.cancel()").replace("EMBED", "await ipyembed.embed_async()")
    )
    terminal.prompt(1)
    terminal.paste(
        "with contextlib.suppress(asyncio.CancelledError):\n    print('waits'); "
        "await asyncio.sleep(1000)\nprint('swallowed')"
    )
    terminal.send("\x1b\r")
    terminal.wait_for("^waits$")
    (tmp_path / "cancel").touch()  # type: ignore[operator]
    terminal.wait_for("^swallowed$")
    terminal.wait_for("^ended by CancelledError 1$")
    assert terminal.wait_exit() == 0


def test_ctrl_c_ends_the_cell_and_nothing_else(spawn: Spawn) -> None:
    terminal = spawn(HOST.replace("RUN", "asyncio.run"))
    terminal.prompt(1)
    terminal.run("import time\ndef spin():\n    while True: pass\n")
    cells = ["await asyncio.sleep(1000)", "time.sleep(1000)", "spin()"]
    for n, cell in enumerate(cells):
        terminal.interrupt(cell)
        terminal.prompt(n + 3)
    assert terminal.run("me.cancelling(), background.done()").endswith("(0, False)")
    assert "ipyembed/" not in terminal.screen_text()
    terminal.leave(r"^left with 41 unset 0 True$")


def test_outside_a_loop_it_says_so(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import ipyembed
        coroutine = ipyembed.embed_async()
        try:
            coroutine.send(None)
        except RuntimeError as error:
            print("RuntimeError:", error)
        """
    )
    terminal.wait_for("RuntimeError: .*running")
    assert terminal.wait_exit() == 0
