"""Ctrl-Z at the prompt, and `fg`: the shell's shell has its terminal, and later we have ours."""

from __future__ import annotations

import shutil
import sys
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.pieces import TICKING

HOST = (
    """
    import asyncio, ipyembed
"""
    + TICKING
    + """
    async def main():
        background = asyncio.create_task(tick())
        await ipyembed.embed_async()

    CALL
    print("the host", "goes on")
"""
)


@pytest.mark.parametrize("call", ["asyncio.run(main())", "ipyembed.embed()"])
def test_suspended_and_continued(spawn: Spawn, call: str) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    (spawn.path / "host.py").write_text(dedent(HOST).replace("CALL", call))
    terminal = spawn.argv([bash, "--norc", "--noediting", "-i"], env={"PS1": "sh: "})
    terminal.wait_for(r"^sh:$")
    modes = terminal.tty_modes()
    terminal.line(f"{sys.executable} host.py")
    terminal.prompt(1)
    for n, word in ((1, "half"), (3, "typed")):
        terminal.send(f"'{word}'")
        terminal.wait_for(rf"In \[{n}\]: '{word}'$")
        mark = terminal.mark()
        terminal.ctrl("z")
        terminal.wait_for_new("Stopped", mark)
        assert terminal.tty_modes() == modes
        mark = terminal.mark()
        terminal.line("echo it is $((40 + 2))")
        terminal.wait_for_new("it is 42", mark)
        terminal.line("fg")
        terminal.wait_for(rf"In \[{n}\]: '{word}'$")
        mark = terminal.mark()
        terminal.line(".upper()")
        terminal.prompt(n + 1)
        assert f"Out[{n}]: '{word.upper()}'" in terminal.screen_text()
        terminal.run("1")
    terminal.interrupt("__import__('time').sleep(1000)")
    terminal.line("exit")
    terminal.wait_for("^the host goes on$")
    terminal.wait_for(r"^sh:\Z")
    assert terminal.tty_modes() == modes
    terminal.leave()
