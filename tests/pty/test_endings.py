"""However a shell ends, the terminal is as found, and the host lives on or ends as without it."""

from __future__ import annotations

import shutil
import signal
import sys

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, os, signal, sys, threading, time
    import ipyembed

    text = "\\n".join(f"line {n}" for n in range(200))

    def spin(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end: pass

    def host_handler(*args):
        print("the host", "heard")

    def sync():
        try:
            ipyembed.embed(confirm_exit=CONFIRM)
        finally:
            print("left", "the shell")

    async def main():
        me = asyncio.current_task()
        loop = asyncio.get_running_loop()
        trigger = os.open("trigger", os.O_RDWR)

        def cancel():
            os.read(trigger, 1)
            loop.remove_reader(trigger)
            me.cancel()

        loop.add_reader(trigger, cancel)
        try:
            AWAIT
        except asyncio.CancelledError:
            print("cancelled", me.cancelling())
            me.uncancel()
        print("left", "the shell")

    os.mkfifo("trigger")
    BEFORE
    RUN
    print("the host", "goes on")
"""
AWAITED = "asyncio.run(main())"
SHELL = "await ipyembed.embed_async(confirm_exit=CONFIRM)"


def script(
    run: str = AWAITED, *, before: str = "", shell: str = SHELL, confirm: bool = False
) -> str:
    text = HOST.replace("BEFORE", before).replace("AWAIT", shell).replace("RUN", run)
    return text.replace("CONFIRM", str(confirm))


@pytest.mark.parametrize("run", ["sync()", AWAITED])
def test_errors_that_do_not_end_it(spawn: Spawn, run: str) -> None:
    terminal = spawn(script(run))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "SystemExit" in terminal.run("raise SystemExit(3)")
    assert "SystemExit" in terminal.run("await asyncio.sleep(0.01); sys.exit('why')")
    assert "KeyboardInterrupt" in terminal.run("raise KeyboardInterrupt")
    assert "KeyboardInterrupt" in terminal.run("await asyncio.sleep(0.01); raise KeyboardInterrupt")
    assert "CancelledError" in terminal.run("raise asyncio.CancelledError")
    assert terminal.run("1 + 1").endswith(": 2")
    terminal.line("exit")
    terminal.wait_for("^left the shell$")
    terminal.wait_for("^the host goes on$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("run", ["sync()", AWAITED])
def test_the_confirm_question(spawn: Spawn, run: str) -> None:
    terminal = spawn(script(run, confirm=True))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    question = r"Do you really want to exit \(\[y\]/n\)\?"
    for answer in ("n\r", "\x03"):
        mark = terminal.mark()
        terminal.ctrl("d")
        terminal.wait_for_new(question, mark)
        mark = terminal.mark()
        terminal.send(answer)
        if answer == "\x03":
            break
        terminal.wait_for_new(r"In \[1\]:", mark)
    terminal.wait_for("^left the shell$|In ")
    if "left the shell" not in terminal.screen_text():
        terminal.ctrl("d")
        terminal.line("y")
    terminal.wait_for("^the host goes on$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def at_prompt(terminal: Terminal) -> None:
    terminal.prompt(1)


def half_typed(terminal: Terminal) -> None:
    terminal.send("for n in range(3):\r  half")
    terminal.wait_for("half$")


def with_a_menu(terminal: Terminal) -> None:
    terminal.send("os.pa\t")
    terminal.wait_for("pathconf")


def in_search(terminal: Terminal) -> None:
    terminal.ctrl("r")
    terminal.wait_for("I-search")


def in_a_sync_cell(terminal: Terminal) -> None:
    terminal.line("print('be' + 'gun'); spin(0.5)")
    terminal.wait_for("^begun$")


def in_an_awaiting_cell(terminal: Terminal) -> None:
    terminal.line("print('be' + 'gun'); await asyncio.sleep(1000)")
    terminal.wait_for("^begun$")


def at_the_confirm_question(terminal: Terminal) -> None:
    terminal.ctrl("d")
    terminal.wait_for("Do you really")


def in_the_pager(terminal: Terminal) -> None:
    terminal.line("%page text")
    terminal.wait_for("the pager has it|line 5")


MOMENTS = {
    function.__name__: function
    for function in (
        at_prompt,
        half_typed,
        with_a_menu,
        in_search,
        in_a_sync_cell,
        in_an_awaiting_cell,
        at_the_confirm_question,
        in_the_pager,
    )
}

#: Has the terminal in raw mode, and leaves it so when it is ended.
PAGER = """
import os, sys, termios, tty
sys.stdin.read()
terminal = os.open("/dev/tty", os.O_RDWR)
tty.setraw(terminal)
os.write(terminal, b"the pager has it\\r\\n")
while True: os.read(terminal, 1)
"""


@pytest.fixture(autouse=True)
def pager(spawn: Spawn) -> None:
    (spawn.path / "pager.py").write_text(PAGER)
    spawn.env["PAGER"] = f"{sys.executable} {spawn.path / 'pager.py'}"


@pytest.mark.parametrize("moment", MOMENTS)
def test_cancelled_by_the_host(spawn: Spawn, moment: str) -> None:
    terminal = spawn(script(confirm=True))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    MOMENTS[moment](terminal)
    (spawn.path / "trigger").write_text("x")
    terminal.wait_for("^cancelled 1$")
    terminal.wait_for("^the host goes on$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.skipif(not shutil.which("less"), reason="less is not installed")
def test_cancelled_in_less(spawn: Spawn) -> None:
    spawn.env["PAGER"] = "less"
    terminal = spawn(script())
    modes = terminal.tty_modes()
    terminal.prompt(1)
    in_the_pager(terminal)
    terminal.wait_for(lambda t: t.screen.in_alternate_screen)
    (spawn.path / "trigger").write_text("x")
    terminal.wait_for("^cancelled 1$")
    terminal.wait_for("^the host goes on$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("moment", ["half_typed", "in_an_awaiting_cell", "in_the_pager"])
def test_a_timeout_around_it(spawn: Spawn, moment: str) -> None:
    shell = (
        "\n            try:\n"
        "                async with asyncio.timeout(2):\n"
        f"                    {SHELL}\n"
        "            except TimeoutError:\n"
        "                print('timed', 'out', me.cancelling())"
    )
    terminal = spawn(script(shell=shell))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    MOMENTS[moment](terminal)
    terminal.wait_for("^timed out 0$")
    terminal.wait_for("^the host goes on$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("run", ["sync()", AWAITED, "ipyembed.embed(asyncio_at_prompt='pause')"])
@pytest.mark.parametrize("moment", ["half_typed", "in_an_awaiting_cell"])
def test_a_signal_whose_default_action_ends_the_host(
    spawn: Spawn, number: int, run: str, moment: str
) -> None:
    terminal = spawn(script(run))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    MOMENTS[moment](terminal)
    terminal.signal(number)
    assert terminal.wait_exit() == -number
    terminal.assert_terminal_restored(modes)


def test_it_ends_the_host_also_when_that_is_stuck(spawn: Spawn) -> None:
    terminal = spawn(script())
    modes = terminal.tty_modes()
    terminal.run("handle = loop.call_later(0.1, spin, 1000)")
    terminal.wait_for("the eval thread has been stuck")
    terminal.send("half")
    terminal.wait_for("half$")
    terminal.signal(signal.SIGTERM)
    assert terminal.wait_exit() == -signal.SIGTERM
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("run", ["sync()", AWAITED])
def test_a_signal_that_the_host_handles(spawn: Spawn, run: str) -> None:
    before = "signal.signal(signal.SIGTERM, host_handler)"
    terminal = spawn(script(run, before=before))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.signal(signal.SIGTERM)
    terminal.wait_for("^the host heard$")
    assert terminal.run("1 + 1").endswith(": 2")
    terminal.leave("^the host goes on$", modes=modes)


def test_a_handler_that_exits(spawn: Spawn) -> None:
    before = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))"
    terminal = spawn(script("sync()", before=before))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    half_typed(terminal)
    terminal.signal(signal.SIGTERM)
    terminal.wait_for("^left the shell$")
    assert terminal.wait_exit() == 7
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("call", ["ipyembed.embed()", "asyncio.run(ipyembed.embed_async())"])
def test_the_terminal_goes_away(spawn: Spawn, call: str) -> None:
    terminal = spawn(
        f"""
        import asyncio, signal
        import ipyembed
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        how = "returned"
        try:
            {call}
        except BaseException as error:
            how = repr(error)
        with open("how", "w") as file:
            file.write(how)
        """
    )
    terminal.prompt(1)
    terminal.hang_up()
    terminal.wait_exit()
    how = (spawn.path / "how").read_text()
    assert how == "returned" or how.startswith("OSError(5"), how
