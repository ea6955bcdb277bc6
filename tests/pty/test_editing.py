"""Editing at the prompt is as in IPython: each test runs in IPython, too."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

PROGRAMS = {
    "IPython": """
        import IPython
        IPython.start_ipython([])
    """,
    "embed": """
        import ipyembed
        ipyembed.embed()
    """,
    "embed_async": """
        import asyncio, ipyembed
        async def main():
            await ipyembed.embed_async()
        asyncio.run(main())
    """,
}
LEFT, RIGHT, UP, F2, ESCAPE, CTRL_E = "\x1b[D", "\x1b[C", "\x1b[A", "\x1bOQ", "\x1b", "\x05"
ALT_ENTER = "\x1b\r"

#: An editor that needs the terminal: it waits for a key, in the modes that the shell has left.
EDITOR = """
import sys, termios
modes = termios.tcgetattr(0)
print("editing", open(sys.argv[1]).read().strip(), bool(modes[3] & termios.ICANON))
answer = sys.stdin.readline().strip()
open(sys.argv[1], "w").write(f"print('edited', {answer} * 7)\\n")
"""

Start = Callable[..., Terminal]


@pytest.fixture(params=PROGRAMS)
def start(request: pytest.FixtureRequest, spawn: Spawn, ipython_dir: Path) -> Start:
    """Starts the program, with that text as IPython's configuration."""

    def start(config: str = "", **env: str) -> Terminal:
        profile = ipython_dir / "profile_default"
        profile.mkdir()
        (profile / "ipython_config.py").write_text(f"c = get_config()\n{config}")
        return spawn(PROGRAMS[request.param], env=env)

    return start


def at(terminal: Terminal, line: str) -> None:
    """Wait until the cursor's row is that."""
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == line.rstrip())


def test_lines(start: Start) -> None:
    terminal = start()
    terminal.prompt(1)
    # indented by itself; an empty line ends the block
    terminal.line("for i in range(2):")
    at(terminal, "   ...:     ")
    terminal.line("print('line', i)")
    at(terminal, "   ...:     ")
    terminal.line()
    terminal.prompt(2)
    assert terminal.output(1).endswith("line 0\nline 1")
    # recalled as a whole, edited in its midst, run from there
    terminal.send(UP)
    at(terminal, "   ...:     print('line', i)")
    terminal.send(UP + CTRL_E + LEFT + LEFT + "\x7f3")  # range(2) -> range(3)
    at(terminal, "In [2]: for i in range(3):")
    terminal.send(ALT_ENTER)
    terminal.prompt(3)
    assert terminal.output(2).endswith("line 0\nline 1\nline 2")
    # a cell that cannot be complete goes on; Ctrl-O adds a line below
    terminal.line("total = sum([1,")
    at(terminal, "   ...:            ")
    terminal.line("2])")
    terminal.prompt(4)
    terminal.send("total\x01\x0f")  # Ctrl-A, Ctrl-O
    terminal.wait_for(r"^   \.\.\.: total$")
    terminal.ctrl("c")
    assert terminal.run("total") == "Out[4]: 3"


def test_history(start: Start) -> None:
    terminal = start()
    terminal.run("alpha = 'first of all'")
    terminal.run("beta = 'second'")
    n = terminal.prompt()
    # the beginning that is typed selects what is recalled
    terminal.send("alp" + UP)
    at(terminal, f"In [{n}]: alpha = 'first of all'")
    terminal.ctrl("c")  # not Ctrl-U, which leaves one at that place of the history
    at(terminal, f"In [{n}]:")
    # Ctrl-R: as it is typed; Enter takes it, the next one runs it
    terminal.ctrl("r")
    terminal.send("first")
    terminal.wait_for(rf"^In \[{n}\]: alpha = 'first of all'$")
    terminal.line()
    at(terminal, f"In [{n}]: alpha = 'first of all'")
    terminal.line(CTRL_E + "; print(beta)")
    terminal.prompt(n + 1)
    # what was typed before is suggested; right at the end takes it
    terminal.send("beta =")
    terminal.wait_for(rf"^In \[{n + 1}\]: beta = 'second'$")
    taken = f"In [{n + 1}]: beta = 'second'"
    terminal.send(RIGHT)
    terminal.wait_for(lambda t: t.cursor[1] == len(taken) and t.screen.rows[t.cursor[0]] == taken)
    terminal.line(" + '!'")
    terminal.prompt(n + 2)
    assert terminal.run("beta").endswith("'second!'")
    terminal.run("%config TerminalInteractiveShell.autosuggestions_provider = None")
    n = terminal.prompt()
    terminal.send("alp")
    terminal.send("ha")
    at(terminal, f"In [{n}]: alpha")


def test_vi(start: Start) -> None:
    terminal = start(
        "c.TerminalInteractiveShell.editing_mode = 'vi'\n"
        "c.TerminalInteractiveShell.timeoutlen = 0.05\n"
        "c.TerminalInteractiveShell.extra_open_editor_shortcuts = True\n"
    )
    terminal.wait_for(r"^\[ins\] In \[1\]:")
    terminal.send("one two")
    terminal.wait_for(r"^\[ins\] In \[1\]: one two$")
    terminal.send(ESCAPE)
    terminal.wait_for(r"^\[nav\] In \[1\]: one two$")
    terminal.send("0cw")
    terminal.wait_for(r"^\[ins\] In \[1\]: two$")
    terminal.send("three = ")
    terminal.send("\x1b")
    terminal.wait_for(r"^\[nav\] In \[1\]: three = two$")
    terminal.send("$ciw3")
    terminal.wait_for(r"^\[ins\] In \[1\]: three = 3$")
    terminal.line()
    terminal.wait_for(r"^\[ins\] In \[2\]:")
    terminal.line("%config TerminalInteractiveShell.editing_mode = 'emacs'")
    terminal.prompt(3)
    assert terminal.run("three") == "Out[3]: 3"
    terminal.line("%config TerminalInteractiveShell.editing_mode = 'vi'")
    terminal.wait_for(r"^\[ins\] In \[5\]:")


@pytest.mark.parametrize("key", [F2, ESCAPE + "v"])
def test_editor(start: Start, spawn: Spawn, key: str) -> None:
    editor = spawn.path / "editor.py"
    editor.write_text(EDITOR)
    is_vi = key != F2
    terminal = start(
        "c.TerminalInteractiveShell.extra_open_editor_shortcuts = True\n"
        "c.TerminalInteractiveShell.timeoutlen = 0.05\n"
        f"c.TerminalInteractiveShell.editing_mode = {'vi' if is_vi else 'emacs'!r}\n",
        EDITOR=f"python {editor}",
        VISUAL=f"python {editor}",
    )
    terminal.wait_for(r"^(\[ins\] )?In \[1\]:")
    terminal.send("text")
    terminal.wait_for(r"In \[1\]: text$")
    if is_vi:
        terminal.send(ESCAPE)
        terminal.wait_for(r"^\[nav\] In \[1\]: text$")
    terminal.send(key[-1] if is_vi else key)
    terminal.wait_for("^editing text True$")
    terminal.line("6")
    terminal.wait_for(r"In \[1\]: print\('edited', 6 \* 7\)")
    if not is_vi:  # `v` has run it
        terminal.line()
    terminal.wait_for("^edited 42$")
    terminal.wait_for(r"In \[2\]:$")


def test_mouse(start: Start) -> None:
    terminal = start("c.TerminalInteractiveShell.mouse_support = True\n")
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.send("'abcdef'")
    at(terminal, "In [1]: 'abcdef'")
    row, _ = terminal.cursor
    column = len("In [1]: 'abc") + 1
    for end in "Mm":  # pressed and released
        terminal.send(f"\x1b[<0;{column};{row + 1}{end}")
    terminal.wait_for(lambda t: t.cursor == (row, column - 1))
    terminal.send("-")
    at(terminal, "In [1]: 'abc-def'")
    terminal.line()
    terminal.prompt(2)
    assert terminal.output(1) == "Out[1]: 'abc-def'"
    terminal.line("exit")
    terminal.wait_exit()
    terminal.assert_terminal_restored(modes)


def test_doctest_mode_and_prompts(start: Start) -> None:
    terminal = start()
    terminal.prompt(1)
    terminal.line("%doctest_mode")
    terminal.wait_for("^>>>$")
    terminal.paste(">>> 6 * 7\n")
    terminal.send(ALT_ENTER)
    terminal.wait_for("^42$")
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == ">>>")
    terminal.line("%doctest_mode")
    terminal.prompt(4)
    terminal.run("from IPython.terminal.prompts import Prompts, Token; import threading")
    terminal.run(
        "class Mine(Prompts):\n"
        "    def in_prompt_tokens(self):\n"
        "        threads.append(threading.current_thread() is threading.main_thread())\n"
        "        return [(Token.Prompt, f'mine {len(threads)}> ')]\n"
        "    def out_prompt_tokens(self):\n"
        "        return [(Token.OutPrompt, 'gives ')]\n"
    )
    terminal.line("threads = []; ip = get_ipython(); old = ip.prompts; ip.prompts = Mine(ip)")
    terminal.wait_for("^mine 1>$")
    terminal.line("6 * 7")
    terminal.wait_for("^gives 42$")
    terminal.wait_for("^mine 2>$")
    terminal.line("ip.prompts = old")
    assert terminal.run("set(threads)").endswith("{True}")


def test_config_live(start: Start) -> None:
    terminal = start()
    terminal.prompt(1)
    terminal.line("%config TerminalInteractiveShell.prompt_line_number_format = '{line}|'")
    terminal.wait_for(r"^1\|In \[2\]:")
    terminal.line("%config TerminalInteractiveShell.prompt_line_number_format = ''")
    terminal.prompt(3)
    terminal.run(
        "%config TerminalInteractiveShell.shortcuts = [{'command': "
        "'IPython:auto_suggest.accept', 'new_keys': ['c-q'], 'new_filter': 'always', "
        "'create': True}]"
    )
    terminal.run("suggested = 42")
    n = terminal.prompt()
    terminal.send("sugg")
    terminal.wait_for(rf"^In \[{n}\]: suggested = 42$")
    terminal.ctrl("q")
    terminal.line("+0")
    terminal.prompt(n + 1)
    assert terminal.run("suggested").endswith(": 42")
    terminal.run("%config TerminalInteractiveShell.confirm_exit = False")
    terminal.ctrl("d")
    assert terminal.wait_exit() == 0


def test_a_paste_of_a_megabyte(spawn: Spawn) -> None:
    terminal = spawn(PROGRAMS["embed_async"])  # seconds of prompt_toolkit's work, in all programs
    terminal.prompt(1)
    lines = [f"    '{n:06}{'a' * 90}'," for n in range(10_000)]
    terminal.send("\x1b[200~pasted = [\n" + "\n".join(lines) + "\n]\x1b[201~")
    terminal.wait_for(r"^   \.\.\.: \]$", timeout=60)
    terminal.send(ALT_ENTER)
    terminal.prompt(2, timeout=60)
    assert terminal.run("len(pasted), sum(map(len, pasted)), pasted[-1][:6]").endswith(
        "(10000, 960000, '009999')"
    )


def test_config_knows_parent_classes(spawn: Spawn) -> None:
    terminal = spawn(PROGRAMS["embed"])
    assert terminal.run("%config TerminalInteractiveShell.editing_mode") == "Out[1]: 'emacs'"
    assert terminal.run("%config InteractiveShell.ast_node_interactivity").endswith("'last_expr'")
    assert "ThreadedInteractiveShellEmbed(" in terminal.run("%config InteractiveShellEmbed")
    assert re.search("Invalid config|NotThere", terminal.run("%config NotThere"))
