"""The prompt hears of a new size of the terminal, and so does whoever had the signal before."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

HOST = """
    import asyncio, os, signal
    import ipyembed

    sizes = []

    def heard(signum, frame):
        sizes.append(tuple(os.get_terminal_size(1)))

    signal.signal(signal.SIGWINCH, heard)
    OPEN
    print("still mine:", signal.getsignal(signal.SIGWINCH) is heard)
"""

KINDS = {
    "plain": "ipyembed.embed()",
    "awaited": "asyncio.run(ipyembed.embed_async())",
    "paused": "ipyembed.embed(asyncio_at_prompt='pause')",
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_prompt_is_drawn_anew(spawn: Spawn, kind: str) -> None:
    terminal = spawn(HOST.replace("OPEN", KINDS[kind]))
    terminal.prompt(1)
    terminal.send("'half-typed")
    terminal.wait_for("'half-typed$")
    for rows, cols in ((24, 60), (40, 120)):
        mark = terminal.mark()
        terminal.resize(rows, cols)
        terminal.wait_for_new("half-typed", mark)
        terminal.prompt(1)
    terminal.send("'")
    assert terminal.run("") == "Out[1]: 'half-typed'"
    # The host's handler is called, and the size is right by then.
    assert terminal.run("sizes[-1]").endswith("(120, 40)")
    assert terminal.run("import shutil; shutil.get_terminal_size().columns").endswith("120")
    terminal.leave("^still mine: True$")
