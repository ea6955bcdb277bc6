"""Python's warnings as errors: the package gives cause for none, and hides none of its own."""

from __future__ import annotations

import sys

import pytest

from tests.pty.conftest import Spawn

EMBED = """\
import asyncio, ipyembed
def main():
    ipyembed.embed(banner1="")
main()
print("it went on")
"""
EMBED_ASYNC = """\
import asyncio, ipyembed
async def main():
    await ipyembed.embed_async(banner1="")
asyncio.run(main())
print("it went on")
"""
COMMAND = "from ipyembed.app import main; main()"


@pytest.mark.parametrize("script", [EMBED, EMBED_ASYNC, COMMAND], ids=["embed", "async", "command"])
def test_a_session_in_which_warnings_are_errors(spawn: Spawn, script: str) -> None:
    # ResourceWarning comes as things are thrown away, so that Python can only print it.
    argv = [sys.executable, "-W", "error", "-c", script]
    terminal = spawn.argv(argv, cols=200)
    terminal.run("import asyncio, gc, warnings")
    assert "Traceback" in terminal.run("warnings.warn('they are', DeprecationWarning)")
    terminal.run("await asyncio.sleep(0.01)")
    terminal.run("%bg asyncio.sleep(0.01)")
    terminal.wait_for(r"^\[1\] done")
    assert terminal.run("!echo by a $((6 * 7))") == "by a 42"
    terminal.line("answer = input('ask' + 'ed: ')")
    terminal.wait_for("^asked:")
    terminal.line("told")
    terminal.send("answer.isupp\t")
    terminal.wait_for(r"answer\.isupper$")
    terminal.line("()")
    terminal.wait_for(r"^Out\[\d\]: False$")
    terminal.run("%loops")
    mark = terminal.mark()
    terminal.run("gc.collect()")
    terminal.leave()
    assert "Warning" not in terminal.printed_since(mark)
    terminal.assert_terminal_restored()
