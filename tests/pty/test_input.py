"""`input()` and its like while a shell is open: the prompt steps aside, and comes back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.gui_programs import script
from tests.pty.terminal import Terminal

#: The prompt switches off what it has switched on in the terminal.
STEPPED_ASIDE = b"\x1b[?2004l"

PROGRAM = """
    import builtins, cmd, getpass, sys, threading
    from getpass import getpass as early
    import ipyembed

    def kept():
        return {
            "input": builtins.input,
            "getpass": getpass.getpass,
            "_raw_input": getpass._raw_input,
            "cmdloop": cmd.Cmd.cmdloop,
            "hook": sys.breakpointhook,
            "stdin": sys.stdin,
            "of stdin": sorted(vars(sys.stdin)),
        }

    go = threading.Event()

    def ask(function, *args):
        go.wait()
        go.clear()
        print("before", "it asks")
        try:
            print("got", repr(function(*args)))
        except BaseException as error:
            print("ended by", type(error).__name__)

    def asker(function, *args):
        go.clear()
        thread = threading.Thread(target=ask, args=(function, *args), daemon=True)
        thread.start()
        # The half-typed line is on the screen when it asks.
        threading.Thread(target=key_watch, daemon=True).start()

    def key_watch():
        import time
        buffer = get_ipython_buffer()
        while not buffer.text.endswith("!"):
            time.sleep(0.01)
        go.set()

    def get_ipython_buffer():
        from ipyembed.slot import slot
        return slot.innermost.attachment.shell.pt_app.default_buffer

    before = kept()
    ipyembed.embed(SETTINGS)
    after = kept()
    print("left behind:", {name for name in before if before[name] != after[name]} or None)
    print("threads:", [thread.name for thread in threading.enumerate()])
"""


def opened(spawn: Spawn, settings: str = "") -> Terminal:
    terminal = spawn(PROGRAM.replace("SETTINGS", settings))
    terminal.prompt(1)
    return terminal


def answer(terminal: Terminal) -> None:
    """The question is asked, and gets its answer."""
    terminal.wait_for(r"^your name\?")
    terminal.line("Ada")
    terminal.wait_for("^got Ada$")


def half_typed(terminal: Terminal, question: str) -> int:
    """Type half a line; then the question is asked. A mark before that."""
    mark = terminal.mark()
    terminal.send("half!")
    terminal.wait_for_new("before it asks", mark)
    terminal.wait_for(lambda t: STEPPED_ASIDE in t.transcript[mark:])
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == question)
    return mark


def back(terminal: Terminal, n: int) -> None:
    """The prompt is back, with its text and its cursor."""
    terminal.wait_for(rf"^In \[{n}\]: half!$")
    terminal.prompt(n)
    terminal.send("\x1b[D\x1b[D-")
    terminal.wait_for(rf"^In \[{n}\]: hal-f!$")
    terminal.ctrl("e")
    terminal.ctrl("u")


def test_another_thread_asks(spawn: Spawn) -> None:
    terminal = opened(spawn)
    terminal.run("asker(input, 'your name? ')")
    half_typed(terminal, r"your name?")
    terminal.line("Ada")
    terminal.wait_for("^got 'Ada'$")
    back(terminal, 2)

    terminal.run("asker(sys.stdin.readline)")
    half_typed(terminal, "")
    terminal.line("a line")
    terminal.wait_for(r"^got 'a line\\n'$")
    back(terminal, 3)

    # As a program without a shell would: lines from a terminal in its usual mode.
    terminal.run("asker(sys.stdin.read, 4)")
    half_typed(terminal, "")
    terminal.send("abc\n")
    terminal.wait_for(r"^got 'abc\\n'$")
    back(terminal, 4)

    for n, name in enumerate(("getpass.getpass", "early"), 5):
        terminal.run(f"asker({name})")
        mark = half_typed(terminal, "Password:")
        terminal.line("secret")
        terminal.wait_for_new("got 'secret'", mark)
        assert "secret" not in terminal.printed_since(mark).replace("got 'secret'", "")
        back(terminal, n)

    terminal.line("exit")
    terminal.wait_for("^left behind: None$")
    terminal.wait_for(r"^threads: \['MainThread'\]$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


def test_control_keys_are_the_askers(spawn: Spawn) -> None:
    terminal = opened(spawn)
    for n, (key, error) in enumerate({"c": "KeyboardInterrupt", "d": "EOFError"}.items(), 1):
        terminal.run("asker(input, 'your name? ')")
        mark = half_typed(terminal, "your name?")
        terminal.send("typed\x15")
        terminal.ctrl(key)
        terminal.wait_for_new(f"ended by {error}", mark)
        back(terminal, n + 1)
    assert terminal.run("1 + 1").endswith("2")
    terminal.leave()


def test_from_a_cell(spawn: Spawn) -> None:
    terminal = opened(spawn)
    terminal.line("name = input('your name? ')")
    terminal.wait_for(r"^your name\?")
    terminal.line("Ada")
    terminal.prompt(2)
    assert terminal.run("name").endswith("'Ada'")
    terminal.line("early('secret word? ')")
    terminal.wait_for(r"^secret word\?")
    terminal.line("hush")
    terminal.wait_for("^Out.*'hush'$")
    terminal.prompt(4)
    # what others print lands above the question
    terminal.run("later = lambda: threading.Timer(0.2, print, ['from', 'below']).start()")
    terminal.line("later(); input('and now? ')")
    terminal.wait_for(r"^from below\nand now\?")
    terminal.ctrl("c")
    terminal.wait_for("^KeyboardInterrupt")
    terminal.prompt(6)
    terminal.leave()


def test_two_threads_ask_one_after_the_other(spawn: Spawn) -> None:
    terminal = opened(spawn)
    terminal.run("answers = []; ask = lambda n: answers.append(input('which? '))")
    terminal.line("for n in 'ab': threading.Thread(target=ask, args=n).start()")
    for answer in ("first", "second"):
        terminal.wait_for(r"^which\?$")
        terminal.line(answer)
        terminal.wait_for(rf"^which\? {answer}$")
    terminal.prompt(3)
    assert terminal.run("sorted(answers)").endswith("['first', 'second']")
    terminal.leave()


def test_answered_while_it_is_about_to_step_aside(spawn: Spawn) -> None:
    """Another thread wants the terminal, which has not yet told the question where it is; and the
    answer comes before that."""
    terminal = opened(spawn)
    terminal.run("answers = []; ask = lambda n: answers.append(input(f'{n}? '))")
    terminal.answers = False
    terminal.line("for n in 'ab': threading.Thread(target=ask, args=n).start()")
    first = terminal.wait_for(r"^[ab]\?$")
    terminal.line("one")
    terminal.wait_for(rf"^{re.escape(first)} one")
    terminal.answers = True
    second = terminal.wait_for(r"^[ab]\?$")
    terminal.wait_for(rf"^{re.escape(first)} one$\n+^{re.escape(second)}$")
    terminal.line("two")
    terminal.prompt(3)
    assert terminal.run("sorted(answers)").endswith("['one', 'two']")
    terminal.wait_for(rf"^{re.escape(first)} one$\n+^{re.escape(second)} two$")
    terminal.leave()


def test_a_task_of_the_shells_loop_asks(spawn: Spawn) -> None:
    terminal = opened(spawn)
    terminal.run("import asyncio")
    terminal.run(
        "async def asks():\n    await asyncio.sleep(0.1); ask_now()\n"
        "def ask_now():\n    print('got', input('your name? '))\n"
    )
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(asks())")
    answer(terminal)
    terminal.prompt(4)
    terminal.leave()


def test_a_thread_that_still_asks_when_the_cell_ends(spawn: Spawn) -> None:
    """The prompt comes when the question is answered."""
    terminal = opened(spawn)
    terminal.run("asks = threading.Event()")
    terminal.run(
        "def asker():\n    asks.set(); print('got', input('your name? '))\n"
        "thread = threading.Thread(target=asker)\n"
    )
    terminal.line("thread.start(); asks.wait(); __import__('time').sleep(0.2)")
    answer(terminal)
    terminal.prompt(4)
    terminal.leave()


ASYNC = """
    import asyncio, ipyembed, threading

    def ask():
        print("got", input("your name? "))

    async def main():
        shell = asyncio.create_task(ipyembed.embed_async())
        loop = asyncio.get_running_loop()
        loop.call_later(0.5, ask)
        while not shell.done():
            await asyncio.sleep(0.01)
        print("after")

    async def cancelled():
        shell = asyncio.create_task(ipyembed.embed_async())
        await asyncio.sleep(0.5)
        threading.Thread(target=ask).start()
        await asyncio.sleep(0.5)
        shell.cancel()
        await asyncio.wait({shell})
        print("cancelled", shell.cancelled())

    asyncio.run(MAIN())
"""


def test_the_host_loop_asks(spawn: Spawn) -> None:
    terminal = spawn(ASYNC.replace("MAIN", "main"))
    answer(terminal)
    terminal.prompt(1)
    assert terminal.run("1 + 1").endswith("2")
    terminal.leave("^after$")


def test_cancelled_while_a_thread_asks(spawn: Spawn) -> None:
    """The shell goes at once; the thread goes on asking, as without a shell."""
    terminal = spawn(ASYNC.replace("MAIN", "cancelled"))
    modes = terminal.tty_modes()
    terminal.wait_for("cancelled True$")
    terminal.line("Ada")
    terminal.wait_for("got Ada$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("settings", ["simple_prompt=True", "output='off'"])
def test_other_ways(spawn: Spawn, settings: str) -> None:
    terminal = opened(spawn, settings)
    terminal.line("name = input('your name? ')")
    terminal.wait_for(r"^your name\?")
    terminal.line("Ada")
    terminal.wait_for(r"^In \[2\]:")
    terminal.line("print('it is', name)")
    terminal.wait_for("^it is Ada$")
    terminal.leave("^left behind: None$")


def test_a_callback_of_the_toolkit_asks(spawn: Spawn, display: str, program: str) -> None:
    """The prompt steps aside, and the window lives on."""
    terminal = spawn(script(program, "embed"), env={"DISPLAY": display})
    terminal.prompt(1)
    terminal.run(
        "def asks():\n    ask.seen = ticks; post(lambda: print('ticked', ticks > ask.seen))\n"
        "    print('got', input('your name? '))\n"
        "def ask(): post(asks)\n"
    )
    terminal.line("ask()")
    terminal.wait_for(r"^ticked True\nyour name\?")
    terminal.line("Ada")
    terminal.wait_for("^got Ada$")
    terminal.prompt(3)
    terminal.line("exit")
    terminal.wait_for("^left ticks True paints True$")
    terminal.wait_exit()
    terminal.assert_terminal_restored()


def test_pdb_of_the_standard_library(spawn: Spawn) -> None:
    """Its whole loop has the terminal: what is typed ahead is its, too."""
    terminal = opened(spawn)
    terminal.run("def stops(value):\n    __import__('pdb').set_trace()\n    print('then', value)\n")
    terminal.run("threading.Timer(0.3, stops, [41]).start()")
    terminal.send("half")
    terminal.wait_for(r"^\(Pdb\)")
    terminal.send("p value + 1\rvalue = 43\rc\r")
    terminal.wait_for("^then 43$")
    assert re.search("^42$", terminal.screen_text(), re.MULTILINE)
    terminal.wait_for(r"^In \[3\]: half$")
    terminal.ctrl("u")
    terminal.leave("^left behind: None$")


HELD = """
    import asyncio, os, time
    import ipyembed

    def ask():
        print("it blocks")
        while not os.path.exists("entered"):
            time.sleep(0.01)
        time.sleep(0.3)  # the prompt has taken the line by now, or else it steps aside
        print("got", input("your name? "))

    async def main():
        asyncio.get_running_loop().call_later(0.5, ask)
        await ipyembed.embed_async()

    asyncio.run(main())
    print("after")
"""


def test_asked_when_a_line_has_just_been_entered(spawn: Spawn, tmp_path: Path) -> None:
    """The answer of the prompt waits for the thread that asks: nobody waits for nobody."""
    terminal = spawn(HELD)
    terminal.wait_for("^it blocks$")
    terminal.line("len('see')")
    terminal.wait_for(r"len\('see'\)$")
    (tmp_path / "entered").touch()
    terminal.wait_for(r"your name\?$")
    terminal.line("Ada")
    terminal.wait_for("got Ada$")
    terminal.wait_for("^Out.*: 3$")
    terminal.prompt(2)
    terminal.leave("^after$")


def test_somebody_reads_the_descriptor_himself(spawn: Spawn) -> None:
    """A child and C code, which cannot be noticed: they get keys, the prompt gets the others."""
    terminal = opened(spawn)
    terminal.run("import os, subprocess")
    terminal.run(
        "def both_read():\n"
        "    child = subprocess.Popen(['head', '-c', '1'], stdout=subprocess.DEVNULL)\n"
        "    os.read(0, 1); child.wait(); print('both have read')\n"
    )
    mark = terminal.mark()
    terminal.line("threading.Thread(target=both_read).start()")
    terminal.wait_for_new(r"In \[4\]: ", mark)

    def typing(terminal: Terminal) -> bool:
        terminal.send("x")
        return re.search("^both have read$", terminal.screen_text(), re.MULTILINE) is not None

    terminal.wait_for(typing)
    terminal.ctrl("e")
    terminal.ctrl("u")
    terminal.wait_for(r"^In \[4\]:$")
    assert terminal.run("1 + 1").endswith("2")
    terminal.leave("^left behind: None$")
