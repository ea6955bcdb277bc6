"""`await embed_async()` where Qt turns asyncio: qasync's loop and PySide6's own QtAsyncio."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pty import test_left_behind
from tests.pty.conftest import Spawn
from tests.pty.test_pager import AWAITED, leave_pager
from tests.pty.test_system import leave_child
from tests.pty.watching_child import write_child

pytest.importorskip("PySide6.QtWidgets", reason="PySide6-Essentials is not installed")

RUNNERS = {
    "qasync": "__import__('qasync').run",
    "QtAsyncio": "partial(__import__('PySide6.QtAsyncio').QtAsyncio.run, keep_running=False)",
}


@pytest.fixture(params=RUNNERS)
def runner(request: pytest.FixtureRequest, spawn: Spawn) -> str:
    """An expression: what runs a coroutine on such a loop."""
    if request.param == "qasync":
        pytest.importorskip("qasync", reason="qasync is not installed")
    else:
        pytest.importorskip("PySide6.QtAsyncio", reason="PySide6-Addons is not installed")
    spawn.env["QT_QPA_PLATFORM"] = "offscreen"
    return RUNNERS[request.param]


HOST = """
    import asyncio, contextvars, signal, sys, threading, time
    from functools import partial
    from PySide6.QtCore import QTimer
    from PySide6.QtWidgets import QApplication
    import ipyembed

    app = QApplication([])
    var = contextvars.ContextVar("var", default="unset")
    thread = threading.get_ident()
    ticks = paints = 0

    def paint():
        global paints
        paints += 1

    async def tick():
        global ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def both_go_on():
        before = ticks, paints
        await asyncio.sleep(0.2)
        return ticks > before[0], paints > before[1]

    async def main():
        me = asyncio.current_task()
        timer = QTimer()
        timer.timeout.connect(paint)
        timer.start(10)
        background = asyncio.create_task(tick())
        handler, wakeup = signal.getsignal(signal.SIGINT), signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(wakeup)
        secret = 41
        await ipyembed.embed_async(header="the header", exit_msg="bye")
        print("left with", secret, var.get(), me.cancelling(), me is asyncio.current_task())
        print("afterwards", await both_go_on())
        print("handler kept", signal.getsignal(signal.SIGINT) is handler)
        print("wakeup fd kept", signal.set_wakeup_fd(wakeup) == wakeup)
        print("threads", [t.name for t in threading.enumerate() if "ipyembed" in t.name])
        background.cancel()

    (RUN)(main())
    print("end")
"""


def test_a_session(spawn: Spawn, runner: str) -> None:
    terminal = spawn(HOST.replace("RUN", runner))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "the header" in terminal.screen_text()

    # Qt and asyncio go on while nothing is typed: the cell itself does not await
    terminal.run("before = ticks, paints; say = lambda: print('and', ticks - 2, paints - 2)")
    terminal.run("handle = asyncio.get_running_loop().call_later(0.5, say)")
    said = terminal.wait_for(r"^and \d+ \d+$")
    assert all(int(n) > 5 for n in said.split()[1:])

    # the caller's own task, its thread, inside the loop
    assert terminal.run("asyncio.current_task() is me, threading.get_ident() == thread").endswith(
        "(True, True)"
    )
    assert terminal.run("await asyncio.sleep(0.01, asyncio.current_task() is me)").endswith("True")
    assert terminal.run("await both_go_on()").endswith("(True, True)")
    assert terminal.run("t = asyncio.create_task(asyncio.sleep(0.01, 'made in a sync cell'))") == ""
    assert terminal.run("await t").endswith("'made in a sync cell'")

    # context variables, although QtAsyncio (PySide6 6.12) loses a task's context as it awaits
    cell = "await asyncio.sleep(0); var.set('one'); await asyncio.sleep(0.01); secret += 1"
    assert terminal.run(f"{cell}; var.get()").endswith("'one'")
    if "qasync" in runner:
        assert terminal.run("await asyncio.sleep(0.01); var.get()").endswith("'one'")

    terminal.line("exit")
    terminal.wait_for(r"^bye$")
    terminal.wait_for(r"^left with 42 \w+ 0 True$")
    terminal.wait_for(r"^afterwards \(True, True\)$")
    for kept in (r"handler kept True", r"wakeup fd kept True", r"threads \[\]", "end"):
        terminal.wait_for(f"^{kept}$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("ticking", [True, False])
def test_ctrl_c_ends_the_cell_and_nothing_else(spawn: Spawn, runner: str, ticking: bool) -> None:
    """Also where Qt waits and calls no Python that could notice the signal."""
    terminal = spawn(HOST.replace("RUN", runner))
    terminal.run("def spin():\n    while True: pass\n")
    if not ticking:
        terminal.run("timer.stop(); background.cancel()")
    n = terminal.prompt()
    cells = ["await asyncio.sleep(1000)", "time.sleep(1000)", "spin()"] * (1 if ticking else 2)
    for i, cell in enumerate(cells, n):
        terminal.interrupt(cell)
        terminal.prompt(i + 1)
    assert terminal.run("me.cancelling(), me.done()").endswith("(0, False)")
    assert "ipyembed/" not in terminal.screen_text()
    assert terminal.run("await asyncio.sleep(0.01, 'fine')").endswith("'fine'")
    terminal.line("exit")
    terminal.wait_for(r"^left with 41 unset 0 True$")
    terminal.wait_for(r"^handler kept True$")
    terminal.wait_for(r"^wakeup fd kept True$")
    assert terminal.wait_exit() == 0


def test_ctrl_z_leaves_the_cell_in_the_background(spawn: Spawn, runner: str) -> None:
    """Also with a timeout open, and where no Python runs that could notice the signal."""
    terminal = spawn(HOST.replace("RUN", runner), rows=60)
    terminal.run("timer.stop(); background.cancel()")
    terminal.run(
        "async def ticker():\n"
        "    async with asyncio.timeout(60):\n"
        "        for i in range(1000):\n"
        "            print('tick', i)\n"
        "            await asyncio.sleep(0.1 if i else 1)\n"
        "            if i == 12: return asyncio.current_task() is me\n"
    )
    mark = terminal.mark()
    terminal.line("result = await ticker(); result")
    terminal.wait_for_new("^tick 0", mark)
    terminal.ctrl("z")
    terminal.wait_for(r"^\[1\] result = await ticker\(\); result$")
    terminal.prompt(4)
    terminal.wait_for(r"^\[1\] tick 2$")
    assert terminal.run("asyncio.current_task() is me").endswith("True")
    mark = terminal.mark()
    terminal.line("%fg")
    terminal.wait_for_new(r"^tick 12\r*$", mark)
    terminal.wait_for(r"^Out\[5\]: False$")
    terminal.run("from ipyembed import run_in_background, run_in_foreground")
    terminal.run("job = run_in_background(asyncio.sleep(0.5, 'of the loop'))")
    assert terminal.run("run_in_foreground(job)").endswith("'of the loop'")
    terminal.line("exit")
    terminal.wait_for(r"^left with 41 unset 0 True$")
    terminal.wait_for(r"^wakeup fd kept True$")
    assert terminal.wait_exit() == 0


CANCELLED = """
    import asyncio, os, sys, time
    from functools import partial
    from PySide6.QtWidgets import QApplication
    import ipyembed

    app = QApplication([])

    async def main():
        me = asyncio.current_task()

        async def watch():
            while not os.path.exists("cancel"):
                await asyncio.sleep(0.005)
            me.cancel()

        watcher = asyncio.create_task(watch())
        try:
            await ipyembed.embed_async()
            print("returned normally")
        except BaseException as error:
            print("ended by", type(error).__name__, me.cancelling())
        me.uncancel()
        await asyncio.sleep(0.01)
        print("the host goes on", sys.stdout.isatty())

    (RUN)(main())
"""

MOMENTS = {
    "prompt": "",
    "half-typed": "half = 'typed",
    "sync cell": "while not __import__('os').path.exists('cancel'): time.sleep(0.001)\r\r",
    "awaiting cell": "await asyncio.sleep(1000)\r",
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_cancelling_takes_the_prompt_down(
    spawn: Spawn, tmp_path: Path, runner: str, moment: str
) -> None:
    terminal = spawn(CANCELLED.replace("RUN", runner))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.send(MOMENTS[moment])
    if moment != "prompt":
        terminal.wait_for_new(re.escape(MOMENTS[moment].strip("\r")[:12]), mark)
    (tmp_path / "cancel").touch()
    terminal.wait_for("^ended by CancelledError 1$")
    terminal.wait_for("^the host goes on True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
    assert "Traceback" not in terminal.screen_text()


@pytest.mark.parametrize("leaving", ["exit", "%exit_raise"])
def test_nothing_is_left_behind(spawn: Spawn, runner: str, leaving: str) -> None:
    run = f"""
    from functools import partial
    from PySide6.QtWidgets import QApplication
    app = QApplication([])
    ({runner})(session_async())"""
    terminal = spawn(test_left_behind.HOST.replace("    RUN", run), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("1/0")
    terminal.run("await asyncio.sleep(0.01); left = asyncio.create_task(asyncio.sleep(0.2))")
    terminal.run("await left, print('printed')")
    terminal.interrupt("await asyncio.sleep(1000)")
    terminal.prompt(5)
    terminal.line(leaving)
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    terminal.wait_for("^end$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_blocking_embed_in_such_a_loop(spawn: Spawn, runner: str) -> None:
    terminal = spawn(
        """
        import asyncio
        from functools import partial
        from PySide6.QtWidgets import QApplication
        import ipyembed
        app = QApplication([])
        async def main():
            task = asyncio.create_task(asyncio.sleep(0.01, "the host's"))
            ipyembed.embed()
            print("and", await task)
        (RUN)(main())
        """.replace("RUN", runner)
    )
    terminal.prompt(1)
    out = terminal.run("await asyncio.sleep(0.01, 'in a helper')")
    assert re.search(r"EventLoop\s+cannot\s+be\s+re-entered", out)
    assert out.endswith("'in a helper'")
    terminal.leave("^and the host's$")


def test_a_shell_opened_by_a_slot(spawn: Spawn) -> None:
    """The usual way in such a program: a button starts a task."""
    pytest.importorskip("qasync", reason="qasync is not installed")
    terminal = spawn(
        """
        import asyncio, qasync
        from PySide6.QtCore import QTimer
        from PySide6.QtWidgets import QApplication, QPushButton
        import ipyembed
        app = QApplication([])
        closed = asyncio.Event()
        tasks = []
        async def open_shell():
            name = "slot"
            await ipyembed.embed_async()
            closed.set()
        async def main():
            button = QPushButton("shell")
            button.clicked.connect(lambda: tasks.append(asyncio.create_task(open_shell())))
            QTimer.singleShot(0, button.click)
            await closed.wait()
            print("closed")
        qasync.run(main())
        """,
        env={"QT_QPA_PLATFORM": "offscreen"},
    )
    terminal.prompt(1)
    assert terminal.run("name, await asyncio.sleep(0.01, 'awaited')").endswith(
        "('slot', 'awaited')"
    )
    terminal.leave("^closed$")


def test_pager_commands_and_editor(spawn: Spawn, tmp_path: Path, runner: str) -> None:
    """Qt turns on while a page is shown and a command runs; not where a command has to block."""
    child = write_child(tmp_path)
    impatient = write_child(tmp_path / "..", patience=0.5)
    run = AWAITED.replace("RUN", runner).replace(
        "import asyncio,", "from functools import partial\n    import asyncio,"
    )
    terminal = spawn(run, env={"PAGER": child, "EDITOR": impatient})
    modes = terminal.tty_modes()
    terminal.prompt(1)
    for n, cell in enumerate(("long?", "help(long)"), 1):
        mark = terminal.mark()
        terminal.line(cell)
        leave_pager(terminal, mark)
        terminal.prompt(n + 1)
    mark = terminal.mark()
    terminal.line(f"!{child}")
    leave_child(terminal, mark)
    terminal.prompt(4)
    assert terminal.run(f"x = !SILENT=1 {child}\nx[0]").endswith("'the host goes on'")
    terminal.prompt(5)
    mark = terminal.mark()
    terminal.line("%edit -x new.py")
    leave_child(terminal, mark, goes_on=False)
    terminal.wait_for("cannot be re-entered")
    terminal.prompt(6)
    terminal.leave("^left")
    terminal.assert_terminal_restored(modes)
