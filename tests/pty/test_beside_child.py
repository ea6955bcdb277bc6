"""What the host prints while a child process has the terminal."""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, os, threading, time
    import ipyembed

    said = 0

    def say(n):
        # Some lines, when somebody wants them; and a file that says that they have been printed.
        global said
        for said in range(said, said + 5):
            print("the host says", said)
        said += 1
        os.rename("say", f"said {n}")

    def say_when_told():
        n = 0
        while True:
            if os.path.exists("say"):
                say(n)
                n += 1
            time.sleep(0.01)

    def long():
        DOC

    async def heart():
        n = 0
        while True:
            if os.path.exists("say"):
                say(n)
                n += 1
            await asyncio.sleep(0.01)

    async def main():
        task = asyncio.create_task(heart())
        await ipyembed.embed_async()
        task.cancel()

    def blocking():
        threading.Thread(target=say_when_told, daemon=True).start()
        ipyembed.embed()

    RUN
    print("left")
""".replace("DOC", repr("\n".join(f"line {n}" for n in range(100))))

RUNS = {"awaited": "asyncio.run(main())", "blocking": "blocking()"}

#: Takes the screen as `less` and `vim` do, and the mode for lines only when it asks for one.
FULL_SCREEN = """
    #!{python} -IS
    import os, sys, termios, tty
    sys.stdin.isatty() or sys.stdin.read()
    keyboard = os.open("/dev/tty", os.O_RDWR)
    before = termios.tcgetattr(keyboard)
    tty.setraw(keyboard)
    print("\\x1b[?1049h\\x1b[H\\x1b[2Jit has the screen", end="\\r\\n", flush=True)
    while os.read(keyboard, 1) != b"q":
        pass
    termios.tcsetattr(keyboard, termios.TCSADRAIN, before)
    print("\\x1b[?1049lit was here", flush=True)
"""

LINES = """
    #!{python} -IS
    print("it begins", flush=True)
    print("it ends", input("go on? "))
"""


def program(path: Path, name: str, text: str) -> str:
    file = path / name
    file.write_text(dedent(text).lstrip().replace("{python}", sys.executable))
    file.chmod(0o755)
    return str(file)


def have_said(terminal: Terminal, path: Path, n: int) -> str:
    """The host prints; what it has printed until then."""
    (path / "say").touch()
    terminal.wait_for(lambda _: (path / f"said {n}").exists())
    return "\n".join(f"the host says {line}" for line in range(5 * n, 5 * n + 5))


@pytest.mark.parametrize("run", RUNS)
def test_a_program_that_has_the_screen(spawn: Spawn, tmp_path: Path, run: str) -> None:
    """Its picture stays as it is, and all that was printed is there when it has ended."""
    child = program(tmp_path, "child", FULL_SCREEN)
    terminal = spawn(HOST.replace("RUN", RUNS[run]), env={"PAGER": child, "EDITOR": child})
    modes = terminal.tty_modes()
    cells = (f"!{child}", "long?", "%edit -x new.py")
    for n, cell in enumerate(cells):
        terminal.prompt(n + 1)
        terminal.line(cell)
        terminal.wait_for("^it has the screen$")
        assert terminal.screen.in_alternate_screen
        lines = have_said(terminal, tmp_path, n)
        # What it writes itself comes at once, so what is not there now was not let through.
        terminal.send("x")
        terminal.mark()
        assert terminal.screen.rows[:2] == ["it has the screen", ""]
        terminal.send("q")
        terminal.wait_for(rf"it was here\n(.*\n)*{lines}$")
        terminal.prompt(n + 2)
        assert terminal.screen_text().count("the host says 3\n") == 1
    terminal.line("exit")
    terminal.wait_for("^left$")
    terminal.wait_exit()
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("run", RUNS)
def test_a_program_that_prints(spawn: Spawn, tmp_path: Path, run: str) -> None:
    """What is printed beside it comes at once, line by line."""
    terminal = spawn(HOST.replace("RUN", RUNS[run]))
    terminal.prompt(1)
    terminal.line(f"!{program(tmp_path, 'child', LINES)}")
    terminal.wait_for(r"^go on\?")
    lines = have_said(terminal, tmp_path, 0)
    terminal.wait_for(lines)
    terminal.line("yes")
    terminal.wait_for("^it ends yes$")
    terminal.prompt(2)
    assert terminal.run("print('as ever')") == "as ever"
    terminal.line("exit")
    terminal.wait_for("^left$")
    terminal.wait_exit()


def test_the_shell_is_cancelled_meanwhile(spawn: Spawn, tmp_path: Path) -> None:
    child = program(tmp_path, "child", FULL_SCREEN)
    terminal = spawn(
        HOST.replace("await ipyembed.embed_async()", "await cancelled()")
        .replace("RUN", RUNS["awaited"])
        .replace(
            "async def main",
            """async def cancelled():
        shell = asyncio.create_task(ipyembed.embed_async())
        while not os.path.exists("said 0"):
            await asyncio.sleep(0.01)
        shell.cancel()
        await asyncio.wait({shell})

    async def main""",
        )
    )
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.line(f"!{child}")
    terminal.wait_for("^it has the screen$")
    lines = have_said(terminal, tmp_path, 0)
    terminal.wait_for("^left$")
    terminal.wait_exit()
    assert lines in terminal.screen_text()
    assert not terminal.screen.in_alternate_screen
    terminal.assert_terminal_restored(modes)
