"""`embed()`: the user's IPython profile is read, and the history is shared with IPython."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.profile import write_config
from tests.pty.terminal import Terminal

EMBED = """
    from ipyembed import embed
    embed(display_banner=False)
"""


def leave(terminal: Terminal) -> None:
    terminal.ctrl("c")  # empties the line
    terminal.wait_for(lambda t: re.search(r"In \[\d+\]:$", t.screen.rows[t.cursor[0]]))
    terminal.leave()


def colour_of(terminal: Terminal, start: str) -> str:
    """The colour of the first row on the screen that starts like this."""
    row = next(y for y, text in enumerate(terminal.screen.rows) if text.startswith(start))
    colour: str = terminal.screen.buffer[row][0].fg
    return colour


@pytest.mark.parametrize(
    ("setting", "coloured"), [("", True), ("'linux'", True), ("'nocolor'", False)]
)
def test_colours(spawn: Spawn, ipython_dir: Path, setting: str, coloured: bool) -> None:
    if setting:
        write_config(ipython_dir, f"c.TerminalInteractiveShell.colors = {setting}")
    terminal = spawn(EMBED)
    terminal.prompt(1)
    assert (colour_of(terminal, "In [1]") != "default") is coloured
    terminal.run("1/0")
    assert (colour_of(terminal, "ZeroDivisionError") != "default") is coloured
    assert terminal.run("1") == "Out[2]: 1"
    assert (colour_of(terminal, "Out[2]") != "default") is coloured
    leave(terminal)


def test_prompts_banner_and_other_settings(spawn: Spawn, ipython_dir: Path) -> None:
    write_config(
        ipython_dir,
        """
        import os
        from IPython.terminal.prompts import Prompts, Token

        class MyPrompts(Prompts):
            def in_prompt_tokens(self):
                local = self.shell.user_ns.get("local")
                return [(Token.Prompt, f"{self.shell.execution_count} of {local}> ")]
            def out_prompt_tokens(self):
                return [(Token.OutPrompt, "--> ")]

        c.TerminalInteractiveShell.prompts_class = MyPrompts
        c.TerminalInteractiveShell.banner1 = "the profile's banner"
        c.TerminalInteractiveShell.confirm_exit = False
        """,
    )
    terminal = spawn("from ipyembed import embed\ndef f(local):\n    embed()\nf('caller')")
    terminal.wait_for("^the profile's banner")
    terminal.wait_for("^1 of caller>$")
    terminal.line("local = 'cell'")
    terminal.wait_for("^2 of cell>$")
    terminal.line("6 * 7")
    terminal.wait_for("^--> 42")
    terminal.wait_for("^3 of cell>$")
    terminal.ctrl("d")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


def test_vi_editing_mode(spawn: Spawn, ipython_dir: Path) -> None:
    write_config(ipython_dir, "c.TerminalInteractiveShell.editing_mode = 'vi'")
    terminal = spawn(EMBED)
    terminal.wait_for(r"^\[ins\] In \[1\]: ?$")
    terminal.send("print('acb')")
    terminal.wait_for("acb")
    terminal.send("\x1b")
    terminal.wait_for(r"^\[nav\] In \[1\]: ")
    terminal.send("3hxpa-")  # swap two letters, then append
    terminal.wait_for(r"^\[ins\] In \[1\]: print\('abc-'\)")
    terminal.line()
    terminal.wait_for(r"^abc-$")
    terminal.wait_for(r"^\[ins\] In \[2\]: ?$")
    leave(terminal)


def test_autosuggestions_and_shortcuts(spawn: Spawn, ipython_dir: Path) -> None:
    write_config(
        ipython_dir,
        """
        c.TerminalInteractiveShell.shortcuts = [
            {
                "new_keys": ["c-q"],
                "command": "prompt_toolkit:named_commands.capitalize_word",
                "create": True,
            },
        ]
        """,
    )
    terminal = spawn(EMBED)
    assert terminal.run("'suggested'.upper()") == "Out[1]: 'SUGGESTED'"
    terminal.prompt(2)
    terminal.send("'sug")
    terminal.wait_for(r"^In \[2\]: 'suggested'\.upper\(\)")
    terminal.ctrl("e")  # takes the suggestion
    terminal.line()
    terminal.prompt(3)
    assert terminal.output(2) == "Out[2]: 'SUGGESTED'"
    terminal.send("word = 'x'")
    terminal.ctrl("a")
    terminal.ctrl("q")
    terminal.wait_for(r"^In \[3\]: Word = 'x'")
    leave(terminal)


def test_no_autosuggestions(spawn: Spawn, ipython_dir: Path) -> None:
    write_config(ipython_dir, "c.TerminalInteractiveShell.autosuggestions_provider = None")
    terminal = spawn(EMBED)
    terminal.run("'suggested'.upper()")
    terminal.send("'sug")
    terminal.wait_for(r"^In \[2\]: 'sug$")
    terminal.send("!")  # drawn after a suggestion would have been
    terminal.wait_for(r"^In \[2\]: 'sug!$")
    assert terminal.screen_text().count("'suggested'") == 1
    leave(terminal)


def test_history_is_shared_with_IPython_both_ways(spawn: Spawn) -> None:
    ipython = spawn.ipython()
    ipython.run("from_ipython = 1")
    leave(ipython)

    embedded = spawn(EMBED)
    embedded.prompt(1)
    embedded.send("\x1b[A\x1b[A")  # up, twice: past the `exit` in between
    embedded.wait_for(r"^In \[1\]: from_ipython = 1$")
    embedded.line()
    embedded.prompt(2)
    embedded.run("from_embed = '\N{GREEK SMALL LETTER ALPHA}'")
    assert "from_ipython = 1" in embedded.run("%history -g -l 4")
    leave(embedded)

    ipython = spawn.ipython()
    ipython.prompt(1)
    ipython.send("from_e\x1b[A")  # up, to what starts like this
    ipython.wait_for("from_embed = '\N{GREEK SMALL LETTER ALPHA}'")
    ipython.line()
    ipython.prompt(2)
    assert "from_embed" in ipython.run("%history -g from_embed")
    leave(ipython)


def test_history_is_shared_by_embeds_of_one_program_and_searched_by_prefix(spawn: Spawn) -> None:
    terminal = spawn(EMBED + "    embed(display_banner=False)\n")
    terminal.run("first = 1")
    terminal.run("for i in [1]:\n    second = i")
    terminal.line("exit")
    terminal.prompt(1)
    terminal.send("fi\x1b[A")
    terminal.wait_for(r"^In \[1\]: first = 1$")
    terminal.line()
    terminal.prompt(2)
    terminal.send("\x1b[A\x1b[A\x1b[A")
    terminal.wait_for(r"^In \[2\]: for i in \[1\]:\n +\.\.\.:     second = i$")
    leave(terminal)
