"""The debugger asks on the prompt thread: from cells, host code, threads, and without a shell."""

from __future__ import annotations

import re
import signal

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import script
from tests.pty.terminal import Terminal

HELPERS = """
    import asyncio, signal, sys, threading, time
    import ipyembed

    async def give(value):
        await asyncio.sleep(0.01)
        return value

    def state():
        return (
            sys.breakpointhook is sys.__breakpointhook__,
            sys.gettrace(),
            sys.displayhook is sys.__displayhook__,
            sys.excepthook is sys.__excepthook__,
            [thread.name for thread in threading.enumerate()],
            __import__("signal").getsignal(2) is __import__("signal").default_int_handler,
        )
"""

EMBED = (
    HELPERS
    + """
    def host(value):
        breakpoint()
        print("host has", value)

    def in_thread(value):
        thread = threading.Thread(target=host, args=(value,))
        thread.start()

    ipyembed.embed(SETTINGS)
    print("left", state())
"""
)

CLEAN = r"left (True, None, True, True, ['MainThread'], True)"


def opened(spawn: Spawn, text: str = EMBED, settings: str = "") -> Terminal:
    terminal = spawn(text.replace("SETTINGS", settings))
    terminal.prompt(1)
    return terminal


def ask(terminal: Terminal, line: str, answer: str) -> None:
    """Give the debugger a line; wait for the answer and for its next prompt."""
    mark = terminal.mark()
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == "ipdb>")
    terminal.line(line)
    terminal.wait_for_new(answer, mark)


def leave(terminal: Terminal) -> None:
    terminal.line("exit")
    terminal.wait_for(re.escape(CLEAN))
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


@pytest.mark.parametrize("entry", ["embed", "extension"])
def test_in_cells(spawn: Spawn, entry: str) -> None:
    if entry == "embed":
        terminal = opened(spawn)
    else:
        terminal = spawn.ipython("--ext=ipyembed")
        terminal.run("import asyncio")
        terminal.run("async def give(value):\n    return await asyncio.sleep(0.01, value)\n")
    n = terminal.prompt()
    terminal.line("def inverse(of): return 1 / of")
    terminal.prompt(n + 1)
    terminal.line("inverse(0)")
    terminal.prompt(n + 2)
    terminal.line("%debug")
    ask(terminal, "p of", "\n0\r?\n")
    ask(terminal, "u", "<module>")
    ask(terminal, "q", "q")
    terminal.prompt(n + 3)

    terminal.line("%pdb on")
    terminal.prompt(n + 4)
    terminal.line("inverse(0)")
    ask(terminal, "p of + 5", "\n5\r?\n")
    # Ctrl-C clears the line, Ctrl-D leaves
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == "ipdb>")
    terminal.send("half")
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == "ipdb> half")
    terminal.ctrl("c")
    ask(terminal, "p of + 6", "\n6\r?\n")
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == "ipdb>")
    terminal.ctrl("d")
    terminal.prompt(n + 5)
    terminal.run("%pdb off")

    terminal.line("def stops(a): breakpoint(); return a + 1")
    terminal.prompt(n + 7)
    terminal.line("stops(41)")
    ask(terminal, "p a", "\n41\r?\n")
    ask(terminal, "await give('awaited')", "\n'awaited'\r?\n")
    ask(terminal, "p (await give(1)) + 1", "\n2\r?\n")
    ask(terminal, "await give(1 / 0)", "ZeroDivisionError: division by zero")
    ask(terminal, "c", "Out.*42")
    terminal.prompt(n + 8)
    terminal.line("stops(41)")
    ask(terminal, "q", "q")
    terminal.prompt(n + 9)
    assert terminal.run("sys.gettrace() if 'sys' in dir() else None") == ""
    if entry == "embed":
        leave(terminal)
    else:
        terminal.run("%unload_ext ipyembed")
        terminal.line("stops(41)")
        terminal.wait_for(r"^\(Pdb\)")
        terminal.line("c")
        terminal.prompt()
        terminal.leave()


def test_another_thread_while_one_types(spawn: Spawn) -> None:
    """The prompt steps aside; leaving the debugger by `q` lets the host's code go on."""
    terminal = opened(spawn)
    terminal.run("later = threading.Timer(0.5, host, [41]); later.start()")
    terminal.send("half-typed")
    ask(terminal, "p value", "\n41\r?\n")
    ask(terminal, "await give(7)", "\n7\r?\n")
    ask(terminal, "value = 42", "ipdb")
    ask(terminal, "q", "host has 42")
    terminal.wait_for(r"^In \[2\]: half-typed$")
    terminal.ctrl("u")
    assert terminal.run("1 + 1").endswith("2")
    leave(terminal)


def test_the_shells_loop_goes_on_by_policy(spawn: Spawn) -> None:
    terminal = opened(spawn)
    terminal.run(
        "async def ticker():\n    for n in range(3):\n"
        "        await asyncio.sleep(0.05); print('tick', n)\n"
    )
    terminal.line("await asyncio.sleep(0); task = asyncio.create_task(ticker()); host(1)")
    # In a cell that awaits, the loop is executing the cell: it stands still, as for `embed()`.
    ask(terminal, "p value", "\n1\r?\n")
    assert "tick" not in terminal.screen_text().split("host(1)")[1]
    ask(terminal, "await asyncio.sleep(0.3)", "tick 2")
    ask(terminal, "c", "host has 1")
    terminal.prompt(3)
    # In a cell without `await` it goes on, and what it prints lands above the prompt.
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(ticker())")
    mark = terminal.mark()
    terminal.line("task = asyncio.run_coroutine_threadsafe(ticker(), task.get_loop()); host(2)")
    terminal.wait_for_new("ipdb>", mark)
    terminal.wait_for_new("tick 2", mark)
    ask(terminal, "c", "host has 2")
    terminal.prompt(5)
    leave(terminal)


HOST = (
    HELPERS
    + """
    beats = 0
    async def heart():
        global beats
        while True:
            beats += 1
            await asyncio.sleep(0.01)

    async def request(value):
        breakpoint()
        print("request has", value, beats > 0)

    async def main():
        heart_task = asyncio.create_task(heart())
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGUSR1, lambda: loop.create_task(request(41)))
        await ipyembed.embed_async(SETTINGS)
        heart_task.cancel()

    asyncio.run(main())
    print("left", state())
"""
)


@pytest.mark.parametrize("policy", ["pause", "run"])
def test_a_task_of_the_host_loop(spawn: Spawn, policy: str) -> None:
    terminal = opened(spawn, HOST, f"embed_in_running_loop={policy!r}")
    terminal.send("half-typed")
    terminal.wait_for(r"^In \[1\]: half-typed$")
    terminal.signal(signal.SIGUSR1)
    ask(terminal, "before = beats", "ipdb")
    ask(terminal, "p value", "\n41\r?\n")
    ask(terminal, "time.sleep(0.05)", "ipdb")
    ask(terminal, "p beats > before", f"\n{policy == 'run'}\r?\n")
    ask(terminal, "before = beats", "ipdb")
    ask(terminal, "await asyncio.sleep(0.1)", "ipdb")
    ask(terminal, "p beats > before", "\nTrue\r?\n")
    ask(terminal, "q", "request has 41 True")
    terminal.wait_for(r"^In \[1\]: half-typed$")
    terminal.ctrl("u")
    terminal.run("seen = beats")
    assert terminal.run("await asyncio.sleep(0.1); beats > seen").endswith("True")
    # from a cell
    terminal.line("await request(1)")
    ask(terminal, "p value", "\n1\r?\n")
    ask(terminal, "c", "request has 1 True")
    terminal.prompt(4)
    leave(terminal)


def test_policy_error_forbids_await(spawn: Spawn) -> None:
    terminal = opened(spawn, HOST, "await_in_running_loop='error'")
    terminal.signal(signal.SIGUSR1)
    ask(terminal, "await give(1)", "forbidden by LoopJuggler.await_in_running_loop")
    ask(terminal, "c", "request has 41 True")
    terminal.prompt(1)
    leave(terminal)


NO_SHELL = (
    HELPERS
    + """
    def work(value):
        CALL
        value += 1
        return value

    print("returned", work(41))
    async def main():
        return work(1)
    print("returned", asyncio.run(main()))
    print("left", state())
"""
)


@pytest.mark.parametrize("call", ["ipyembed.set_trace()", "breakpoint()"])
def test_without_a_shell(spawn: Spawn, call: str) -> None:
    terminal = spawn(NO_SHELL.replace("CALL", call), env={"PYTHONBREAKPOINT": "ipyembed.set_trace"})
    modes = terminal.tty_modes()
    ask(terminal, "p value", "\n41\r?\n")
    ask(terminal, "await give(7)", "\n7\r?\n")
    ask(terminal, "n", "value")
    ask(terminal, "c", "returned 42")
    ask(terminal, "p await give(8)", "\n8\r?\n")
    ask(terminal, "value = 2", "ipdb")
    ask(terminal, "c", "returned 3")
    terminal.wait_for(re.escape(CLEAN))
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_a_shell_as_the_breakpoint(spawn: Spawn) -> None:
    terminal = spawn(
        NO_SHELL.replace("CALL", "breakpoint()"), env={"PYTHONBREAKPOINT": "ipyembed.embed"}
    )
    terminal.prompt(1)
    assert terminal.run("value").endswith("41")
    terminal.run("value = 50")
    terminal.line("exit")
    terminal.wait_for("^returned 51$")
    terminal.prompt(1)
    assert terminal.run("await give(value)").endswith("1")
    terminal.line("exit")
    terminal.wait_for(re.escape(CLEAN))
    assert terminal.wait_exit() == 0


def test_the_window_lives(spawn: Spawn, display: str, program: str) -> None:
    """At a breakpoint in a cell, and in a callback of the toolkit while the prompt is up."""
    terminal = spawn(script(program, "embed"), env={"DISPLAY": display})
    terminal.prompt(1)
    terminal.run("def stops(): breakpoint()")
    for n, cell in ((2, "stops()"), (3, "post(stops)")):
        terminal.prompt(n)
        terminal.line(cell)
        ask(terminal, "stops.seen = ticks", "ipdb")
        mark = terminal.mark()
        ask(terminal, "post(lambda: print('ticked', ticks > stops.seen))", "ipdb")
        terminal.wait_for_new(r"ticked True", mark)
        ask(terminal, "c", "c")
    terminal.prompt(4)
    terminal.line("exit")
    terminal.wait_for("^left ticks True paints True$")
    terminal.wait_exit()
    terminal.assert_terminal_restored()
