"""Commands and editors have the terminal, and what the eval thread turns goes on turning."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal
from tests.pty.test_pager import AWAITED, EMBED, RUNNERS
from tests.pty.watching_child import CANCELLED, write_child


def leave_child(terminal: Terminal, mark: int, goes_on: bool = True) -> None:
    terminal.wait_for_new("the host goes on" if goes_on else "the host stands still", mark)
    terminal.wait_for_new(r"leave it\?", mark)
    terminal.line("yes")
    terminal.wait_for_new("it heard yes", mark)


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_host_loop_goes_on(spawn: Spawn, tmp_path: Path, runner: str) -> None:
    if runner != "asyncio":
        pytest.importorskip(runner, reason=f"{runner} is not installed")
    patience = 10.0 if runner == "asyncio" else 0.5
    child = write_child(tmp_path)
    impatient = write_child(tmp_path / "..", patience) if runner != "asyncio" else child
    terminal = spawn(AWAITED.replace("RUN", RUNNERS[runner]), env={"EDITOR": impatient})
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.line(f"!{child}")
    leave_child(terminal, mark)
    terminal.prompt(2)
    terminal.paste(f"for word in ['yes']:\n    x = !echo some $word; SILENT=1 {child}")
    terminal.send("\x1b\r")
    terminal.prompt(3)
    assert terminal.run("x[:2]").endswith("['some yes', 'the host goes on']")
    # Where it has to block, asyncio's loop is run again from inside; uvloop's cannot be.
    goes_on = runner == "asyncio"
    terminal.paste(f"def deep():\n    !{impatient}")
    terminal.send("\x1b\r")
    terminal.prompt(5)
    mark = terminal.mark()
    terminal.line("deep()")
    leave_child(terminal, mark, goes_on)
    if not goes_on:
        terminal.wait_for("uvloop.Loop cannot be re-entered, so it stands still meanwhile")
    terminal.prompt(6)
    mark = terminal.mark()
    terminal.line("%edit -x new.py")
    leave_child(terminal, mark, goes_on)
    terminal.prompt(7)
    terminal.leave("^left")


def test_like_ipythons(spawn: Spawn) -> None:
    terminal = spawn(EMBED)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("name = 'some value'")
    assert terminal.run("!echo $name; exit 3") == "some value"
    assert terminal.run("_exit_code").endswith("3")
    terminal.run("def f(local):\n    said = !echo {local}\n    return said\n")
    assert terminal.run("f('of a function')").endswith("['of a function']")
    assert terminal.run("%system echo line").endswith("['line']")
    assert terminal.run("!!echo line").endswith("['line']")
    assert terminal.run("%alias said echo said %s") == ""
    assert terminal.run("said it").endswith("said it")
    # It has a terminal, and is left in a wild state.
    assert terminal.run("!test -t 0 && test -t 1 && stty raw -echo && echo raw").startswith("raw")
    assert terminal.run("1 + 1").endswith("2")
    # Ctrl-C is the command's, and then the cell's. (`echo up; sleep 60` would be dash's race: the
    # child that it starts at the moment of a Ctrl-C does not get it, and dash waits for its end.)
    terminal.line("!sh -c 'echo up; exec sleep 60'; echo down")
    terminal.wait_for("^up$")
    terminal.ctrl("c")
    terminal.wait_for("^KeyboardInterrupt$")
    n = terminal.prompt()
    assert terminal.run("_exit_code").endswith("-2")
    terminal.line("!trap 'echo caught' INT; echo armed; read x; echo on")
    terminal.wait_for("^armed$")
    terminal.ctrl("c")
    terminal.wait_for("caught$")
    terminal.line()
    terminal.wait_for("^on$")
    terminal.prompt(n + 2)
    terminal.leave("^left", modes=modes)


def test_ctrl_z_is_the_commands(spawn: Spawn) -> None:
    """The cell is not left behind as a job: its command would keep the terminal.

    (The group of these processes is orphaned, so that the system does not stop them.)
    """
    terminal = spawn(AWAITED.replace("RUN", "asyncio.run"))
    terminal.prompt(1)
    terminal.paste("await asyncio.sleep(0)\n!echo up; sleep 0.5; echo down")
    terminal.send("\x1b\r")
    terminal.wait_for("^up$")
    terminal.ctrl("z")
    terminal.wait_for("down$")
    terminal.prompt(2)
    assert terminal.run("__import__('ipyembed.job_table').job_table.job_table.jobs").endswith("[]")
    terminal.leave("^left")


def test_the_shells_own_loop_goes_on(spawn: Spawn, tmp_path: Path) -> None:
    child = write_child(tmp_path)
    terminal = spawn(EMBED)
    terminal.prompt(1)
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(heart())")
    mark = terminal.mark()
    terminal.line(f"!{child}")
    leave_child(terminal, mark)
    terminal.prompt(3)
    terminal.leave("^left")


def test_cancelled_while_a_command_runs(spawn: Spawn, tmp_path: Path) -> None:
    terminal = spawn(CANCELLED)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.line(f"!stty -echo; exec {write_child(tmp_path)}")
    terminal.wait_for("left True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
