"""What docs/tutorial.md asks the reader to type does what it says."""

from __future__ import annotations

import re
from pathlib import Path

from tests.pty.conftest import Spawn

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def block(text: str) -> str:
    """The one that this is in."""
    (found,) = [block for block in BLOCKS if text in block]
    return str(found).strip()


def test_a_prompt_at_which_things_go_on(spawn: Spawn) -> None:
    terminal = spawn.module("ipyembed", "--no-banner", "--no-confirm-exit")
    modes = terminal.tty_modes()
    terminal.run(block("async def tick"))
    terminal.run(block("%bg tick(5)").replace("5", "2"))
    terminal.send("6 *")
    terminal.wait_for(r"^\[1\] tick 2\nIn \[3\]: 6 \*$")
    terminal.wait_for(r"^\[1\] done tick\(2\)\nIn")
    terminal.line(" 7")
    terminal.prompt(4)
    start, wait = block("job = ").splitlines()
    terminal.run(start)
    assert terminal.run(wait).endswith("'slept'")

    terminal.interrupt(block("sleep(1000)"))
    terminal.prompt(7)
    mark = terminal.mark()
    terminal.line(block("tick(1000)"))
    terminal.wait_for_new("tick 1", mark)
    terminal.ctrl("z")
    terminal.wait_for_new(r"\[3\] await tick\(1000\)", mark)
    jobs, _, cancel = block("%jobs").splitlines()
    assert re.search(r"^\[3\] +await tick\(1000\) +running", terminal.run(jobs), re.MULTILINE)
    terminal.line(cancel)
    terminal.wait_for(r"^\[3\] cancelled await tick\(1000\)$")
    terminal.leave(modes=modes)


def test_in_a_program(spawn: Spawn) -> None:
    terminal = spawn(block("embed_async"))
    terminal.wait_for("^shop: sold one for 10\nIn")
    for cell in block("shop.price = 99").splitlines():
        terminal.run(cell)
    terminal.wait_for("^shop: sold one for 99\nIn")
    assert terminal.run(block("work.done")).endswith("False")
    terminal.leave(r"^closed, having sold \d+$")


def test_at_a_place_that_you_want_to_look_at(spawn: Spawn) -> None:
    terminal = spawn(block("def average"))
    assert terminal.run("numbers") == "Out[1]: []"
    terminal.leave("^0$")


def test_when_it_hangs(spawn: Spawn) -> None:
    terminal = spawn.module("ipyembed", "--no-banner", "--no-confirm-exit")
    terminal.run(block("async def spin"))
    terminal.run(block("%bg spin()"))
    terminal.send("2 *")
    terminal.wait_for("has been stuck")
    terminal.ctrl("c")
    terminal.wait_for(r"^\[1\] failed spin\(\): .*KeyboardInterrupt")
    terminal.wait_for(r"^\[1\]   File .*, in spin\n(\[1\]    .*\n)*\[1\] KeyboardInterrupt")
    terminal.line(" 21")
    terminal.wait_for("^Out.*42$")
    terminal.prompt(4)
    terminal.leave()
