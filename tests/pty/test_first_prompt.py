"""What is not done before the first prompt is on the screen, and what is done then."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

#: Notes what the lexer is asked for and what is imported, and whether a prompt has been painted.
WATCHED = """\
import sys
from IPython.terminal.ptutils import IPythonPTLexer
from prompt_toolkit.renderer import Renderer

lexed, imported = [], set()

def lex_document(self, document, lex_document=IPythonPTLexer.lex_document):
    lines = lex_document(self, document)
    lexed.append((document.text, bool(imported)))
    if len(lexed) == 1:
        print("the lexer has been used")
    return lines

def render(self, *args, render=Renderer.render, **kwargs):
    render(self, *args, **kwargs)
    imported.update(() if imported else sys.modules)

IPythonPTLexer.lex_document, Renderer.render = lex_document, render
"""
EMBEDS = {
    "embed": "ipyembed.embed(banner1='')",
    "embed_async": "asyncio.run(ipyembed.embed_async(banner1=''))",
}
#: What is needed only by some cells, or where the program has such a loop.
LATER = {
    "ipyembed.engine",
    "ipyembed.gui.hooks",
    "ipyembed.gui.selector",
    "ipyembed.hosts_trio",
    "ipyembed.job_processes",
    "ipyembed.state",
    "ipyembed.trio_waits",
    "multiprocessing",
}


@pytest.mark.parametrize("embed", EMBEDS)
def test_the_first_prompt_waits_for_little(spawn: Spawn, embed: str) -> None:
    terminal = spawn(f"import asyncio, ipyembed\n{WATCHED}\n{EMBEDS[embed]}")
    terminal.prompt(1)
    terminal.wait_for("the lexer has been used")  # without any key
    assert terminal.run("lexed[0]").endswith("Out[1]: ('', True)")  # after the painting
    assert terminal.run(f"sorted({LATER} & imported)") == "Out[2]: []"
    terminal.send("def f")
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]].endswith("def f"))
    row = terminal.screen.buffer[terminal.cursor[0]]
    prompt = len("In [3]: ")
    assert row[prompt].fg != row[prompt + len("def ")].fg  # a keyword and a name
