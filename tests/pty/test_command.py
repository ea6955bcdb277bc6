"""The `ipyembed` command, and our shell as IPython's `interactive_shell_class`."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from IPython.core.magic import Magics

from ipyembed.job_magics import JobMagics
from ipyembed.magics import LoopMagics
from tests.pty.conftest import Spawn
from tests.pty.profile import write_config

COMMAND = [sys.executable, "-m", "ipyembed"]
IPYTHON = [sys.executable, "-m", "IPython"]
CLASS = "TerminalIPythonApp.interactive_shell_class"
QUIET = ["--no-banner", "--no-confirm-exit"]

SCRIPT = """\
import sys
print("script", sys.argv[1:], __name__)
from_script = "kept"
"""

#: A cell whose task lets a file grow.
TICK = """\
import asyncio
async def tick():
    while True:
        with open('ticks', 'a') as file:
            file.write('.')
        await asyncio.sleep(0.01)
"""


@pytest.mark.parametrize("how", ["command line", "profile", "module", "entry point"])
def test_the_prompt_is_threaded(spawn: Spawn, ipython_dir: Path, tmp_path: Path, how: str) -> None:
    argv = {
        "command line": [*IPYTHON, f"--{CLASS}=ipyembed.ThreadedInteractiveShell"],
        "profile": IPYTHON,
        "module": COMMAND,
        "entry point": [sys.executable, "-c", "from ipyembed.__main__ import main; main()"],
    }[how]
    if how == "profile":
        write_config(ipython_dir, f"c.{CLASS} = 'ipyembed.ThreadedInteractiveShell'")
    terminal = spawn.argv([*argv, *QUIET])
    before = terminal.tty_modes()
    terminal.run(TICK)
    terminal.run("task = asyncio.create_task(tick()); await asyncio.sleep(0)")
    size = (tmp_path / "ticks").stat().st_size
    terminal.wait_for(lambda _: (tmp_path / "ticks").stat().st_size > size + 3)
    assert terminal.run("asyncio.run(asyncio.sleep(0, 'outside'))") == "Out[3]: 'outside'"
    assert "LoopJuggler.sync_cells" in terminal.run("asyncio.create_task(tick())")
    terminal.run("%config LoopJuggler.sync_cells = 'inside'")
    assert terminal.run("asyncio.get_running_loop().is_running()") == "Out[6]: True"
    assert terminal.run("__name__, type(get_ipython()).__name__") == (
        "Out[7]: ('__main__', 'ThreadedInteractiveShell')"
    )
    terminal.leave()
    assert "ipyembed:" not in terminal.screen_text()
    terminal.assert_terminal_restored(before)


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["script.py", "a", "--", "-b"], r"^script \['a', '-b'\] __main__"),
        (["-c", "print('in', 6 * 7)"], "^in 42"),
        (["-c", "import asyncio; print('got', await asyncio.sleep(0, 42))"], "^got 42"),
        (["-m", "amodule", "a", "b"], r"^script \['a', 'b'\] __main__"),
        (["--version"], r"^\d+\.\d+"),
        (["--help"], r"(?s)ipyembed.*install-profile"),
        (["profile", "list"], "^    pysh|^Available profiles|^To use any"),
    ],
)
def test_what_needs_no_prompt(
    spawn: Spawn, tmp_path: Path, arguments: list[str], shown: str
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "amodule.py").write_text(SCRIPT)
    terminal = spawn.argv([*COMMAND, *arguments])
    before = terminal.tty_modes()
    assert terminal.wait_exit() == 0
    assert re.search(shown, terminal.screen_text(), re.MULTILINE)
    assert "In [1]" not in terminal.screen_text()
    terminal.assert_terminal_restored(before)


@pytest.mark.parametrize(
    "arguments",
    [["script.py"], ["-c", "from_script = 'kept'"], ["-m", "amodule"]],
    ids=["script", "-c", "-m"],
)
def test_i_stays_at_the_prompt(spawn: Spawn, tmp_path: Path, arguments: list[str]) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "amodule.py").write_text(SCRIPT)
    terminal = spawn.argv([*COMMAND, *QUIET, "-i", *arguments])
    before = terminal.tty_modes()
    assert terminal.run("from_script") == "Out[1]: 'kept'"
    assert terminal.run("await __import__('asyncio').sleep(0, 1)") == "Out[2]: 1"
    terminal.leave(modes=before)


def test_exit_codes_of_scripts_and_errors_in_them(spawn: Spawn, tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text("1/0")
    (tmp_path / "ends.py").write_text("raise SystemExit(3)")
    for arguments in (["fails.py"], ["-c", "1/0"], ["ends.py"], ["missing.py"]):
        ours, theirs = spawn.argv([*COMMAND, *arguments]), spawn.argv([*IPYTHON, *arguments])
        assert ours.wait_exit() == theirs.wait_exit(), arguments
        text = ours.screen_text().replace("[IPyEmbedApp]", "[TerminalIPythonApp]")
        assert text == theirs.screen_text()


def test_help_fits_on_a_screen(spawn: Spawn) -> None:
    terminal = spawn.argv([*COMMAND, "--help"], rows=24, cols=80)
    assert terminal.wait_exit() == 0
    assert terminal.screen.rows[0].startswith("IPython with its prompt in a thread")
    assert "--help-all" in terminal.screen_text()


def test_a_command_whose_libraries_are_missing_says_so_in_a_line(spawn: Spawn) -> None:
    without = "import sys; sys.modules['zmq'] = None; from ipyembed.app import main; main()"
    for command in ("attach", "engines"):
        terminal = spawn(without, command)
        assert terminal.wait_exit() == 2
        said = "the engine needs more packages: pip install 'ipyembed[engine]'"
        assert terminal.screen_text() == f"ipyembed {command}: {said}"


def test_it_greets_with_one_line(spawn: Spawn, ipython_dir: Path) -> None:
    terminal = spawn.argv(COMMAND, cols=80)
    terminal.prompt(1)
    terminal.wait_for(r"^ipyembed: .*%loops, %jobs.*\n\nIn \[1\]:")
    write_config(ipython_dir, "c.TerminalInteractiveShell.banner2 = 'of the profile\\n'")
    terminal = spawn.argv(COMMAND)
    terminal.prompt(1)
    terminal.wait_for(r"^of the profile$")
    assert "%loops" not in terminal.screen_text()


@pytest.mark.parametrize("magics", [JobMagics, LoopMagics])
def test_each_magic_has_an_example(magics: type[Magics]) -> None:
    names = {name for kind in magics.magics.values() for name in kind.values()}
    assert names
    for name in names:
        assert re.search("Examples?::", getattr(magics, name).__doc__), name


def test_help_all_lists_the_policies(spawn: Spawn) -> None:
    terminal = spawn.argv([*COMMAND, "--help-all"], cols=120)
    assert terminal.wait_exit() == 0
    text = terminal.screen_text()
    for policy, values in (
        ("asyncio_at_prompt", ["run", "pause"]),
        ("embed_in_running_loop", ["pause", "run", "error"]),
        ("await_in_running_loop", ["reenter", "thread", "error"]),
        ("sync_cells", ["outside", "inside"]),
    ):
        at = text.index(f"--LoopJuggler.{policy}=<")
        entry = re.split(r"\n--", text[at:], maxsplit=1)[0]
        for value in values:
            assert repr(value) in entry, (policy, value)
        assert f"Default: {values[0]!r}" in entry
    assert "--TerminalInteractiveShell.editing_mode" in text


def test_policies_on_the_command_line(spawn: Spawn) -> None:
    terminal = spawn.argv(
        [*COMMAND, *QUIET, "--LoopJuggler.sync_cells=inside", "--LoopJuggler.stuck_after=7"]
    )
    terminal.run("import asyncio")
    assert "Task" in terminal.run("asyncio.create_task(asyncio.sleep(0))")
    assert terminal.run("%config LoopJuggler.stuck_after") == "Out[3]: 7.0"
    assert "['outside', 'inside']" in terminal.run("%config LoopJuggler.sync_cells = 'wrong'")
    assert terminal.run("%config LoopJuggler.sync_cells") == "Out[5]: 'inside'"
    terminal.leave()


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        ([*COMMAND, "--LoopJuggler.sync_cells=wrong"], ["sync_cells", "'outside'", "'inside'"]),
        ([*COMMAND, "--LoopJuggler.stuck_after=-1"], ["stuck_after", "above 0"]),
        ([*COMMAND, "--LoopJuggler.stuck_after=soon"], ["stuck_after", "float"]),
        (
            [*IPYTHON, f"--{CLASS}=ipyembed.ThreadedInteractiveShell",
             "--LoopJuggler.asyncio_at_prompt=wrong"],
            ["asyncio_at_prompt", "'run'", "'pause'"],
        ),
        (
            [*COMMAND, f"--{CLASS}=IPython.terminal.interactiveshell.TerminalInteractiveShell"],
            ["interactive_shell_class", "ThreadedInteractiveShell"],
        ),
        ([*COMMAND, f"--{CLASS}=collections.Counter"],
         ["interactive_shell_class", "ThreadedInteractiveShell"]),
        ([*COMMAND, f"--{CLASS}=ipyembed.LoopJuggler"],
         ["interactive_shell_class", "ThreadedInteractiveShell"]),
        ([*COMMAND, f"--{CLASS}=ipyembed.Missing"], ["interactive_shell_class"]),
    ],
)  # fmt: skip
def test_bad_values_are_refused_and_the_allowed_ones_named(
    spawn: Spawn, argv: list[str], named: list[str]
) -> None:
    terminal = spawn.argv(argv, cols=300)
    before = terminal.tty_modes()
    assert terminal.wait_exit() == 1
    text = terminal.screen_text()
    assert "Traceback" not in text
    for name in named:
        assert name in text
    assert "In [1]" not in text
    terminal.assert_terminal_restored(before)
