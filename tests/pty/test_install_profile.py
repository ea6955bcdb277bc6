"""`ipyembed install-profile [NAME]`."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.profile import write_config

LINE = 'c.TerminalIPythonApp.interactive_shell_class = "ipyembed.ThreadedInteractiveShell"'


def install(spawn: Spawn, *arguments: str) -> tuple[int, str]:
    """Run the command; its exit status and what it printed."""
    terminal = spawn.argv([sys.executable, "-m", "ipyembed", "install-profile", *arguments])
    status = terminal.wait_exit()
    return status, terminal.screen_text().replace("\n", "")


@pytest.mark.parametrize("name", ["ipyembed", "live", "my-profile_2"])
def test_an_installed_profile_is_threaded(spawn: Spawn, ipython_dir: Path, name: str) -> None:
    path = ipython_dir / f"profile_{name}" / "ipython_config.py"
    status, said = install(spawn, *([] if name == "ipyembed" else [name]))
    assert status == 0
    assert str(path) in said
    assert f"ipython --profile={name}" in said

    terminal = spawn.ipython(f"--profile={name}")
    assert terminal.run("type(get_ipython()).__name__") == "Out[1]: 'ThreadedInteractiveShell'"
    terminal.run("import asyncio, threading; ticked = threading.Event()")
    terminal.run("async def tick():\n    await asyncio.sleep(0.01); print('ticked', 6 * 7)")
    terminal.run("task = asyncio.create_task(tick()); await asyncio.sleep(0)")
    terminal.wait_for("^ticked 42")
    terminal.leave()


def test_other_profiles_are_as_before(spawn: Spawn) -> None:
    install(spawn)
    terminal = spawn.ipython()
    assert terminal.run("type(get_ipython()).__name__") == "Out[1]: 'TerminalInteractiveShell'"


def test_a_profile_that_is_there_keeps_its_settings(spawn: Spawn, ipython_dir: Path) -> None:
    path = write_config(ipython_dir, "c.TerminalInteractiveShell.colors = 'linux'", "mine")
    before = path.read_text()
    assert install(spawn, "mine")[0] == 0
    once = path.read_text()
    assert once.startswith(before)
    assert once.count(LINE) == 1
    status, said = install(spawn, "mine")
    assert status == 0
    assert "mine" in said
    assert path.read_text() == once

    terminal = spawn.ipython("--profile=mine")
    assert terminal.run("type(get_ipython()).__name__, get_ipython().colors") == (
        "Out[1]: ('ThreadedInteractiveShell', 'linux')"
    )


def test_the_default_profile(spawn: Spawn, ipython_dir: Path) -> None:
    assert install(spawn, "default")[0] == 0
    assert LINE in (ipython_dir / "profile_default" / "ipython_config.py").read_text()
    terminal = spawn.ipython()
    assert terminal.run("type(get_ipython()).__name__") == "Out[1]: 'ThreadedInteractiveShell'"


@pytest.mark.parametrize(
    "arguments",
    [["a/b"], ["../up"], [""], ["two words"], ["a", "b"], [".."], ["a.b"], ["--unknown"]],
)
def test_a_bad_name_is_refused(
    spawn: Spawn, ipython_dir: Path, tmp_path: Path, arguments: list[str]
) -> None:
    status, said = install(spawn, *arguments)
    assert status == 2
    assert "Traceback" not in said
    if arguments == ["--unknown"]:
        assert "--unknown" in said
    else:
        assert said.startswith("ipyembed install-profile: ")
    assert list(ipython_dir.rglob("*config*")) == list(tmp_path.rglob("*config*")) == []


def test_a_directory_that_cannot_be_written(spawn: Spawn, ipython_dir: Path) -> None:
    (ipython_dir / "profile_taken").write_text("a file")
    status, said = install(spawn, "taken")
    assert status != 0
    assert "Traceback" not in said


def test_help(spawn: Spawn) -> None:
    terminal = spawn.argv([sys.executable, "-m", "ipyembed", "install-profile", "--help"])
    assert terminal.wait_exit() == 0
    assert "ipyembed install-profile [NAME]" in terminal.screen_text()
