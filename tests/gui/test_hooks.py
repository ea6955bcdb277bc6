"""Every hook with the real toolkit, on a real X server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gui.required import require
from tests.gui.scenarios import SCENARIOS
from tests.gui.special_scenarios import SPECIAL
from tests.gui.windows import WINDOWS

ROOT = Path(__file__).resolve().parent.parent.parent

DEADLINE = 40.0

WITHOUT = {("pyglet", "a_modal_dialog"): "pyglet has none"}


@pytest.mark.parametrize("name", SCENARIOS)
@pytest.mark.parametrize("window", WINDOWS)
def test_scenario(display: str, tmp_path: Path, window: str, name: str) -> None:
    if (window, name) in WITHOUT:
        return
    require(window)
    assert play(display, tmp_path, "tests.gui.scenarios", window, name).endswith("passed\n")


@pytest.mark.parametrize(("window", "name"), SPECIAL)
def test_special(display: str, tmp_path: Path, window: str, name: str) -> None:
    require(window)
    module = "tests.gui.special_scenarios"
    assert play(display, tmp_path, module, window, name).endswith("passed\n")


def play(display: str, folder: Path, module: str, *arguments: str) -> str:
    """Run the module in a process of its own; what it printed. Shows it if it fails."""
    wayland = {"WAYLAND_DISPLAY", "QT_QPA_PLATFORM", "GDK_BACKEND", "QT_API"}
    env = {name: value for name, value in os.environ.items() if name not in wayland}
    env |= {"DISPLAY": display, "XDG_RUNTIME_DIR": str(folder), "NO_AT_BRIDGE": "1"}
    process = subprocess.Popen(
        [sys.executable, "-X", "faulthandler", "-m", module, *arguments],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=DEADLINE)
        end = f"exit status {process.returncode}"
    except subprocess.TimeoutExpired:
        process.kill()
        stdout, stderr = process.communicate()
        end = f"still running after {DEADLINE:g} s"
    if process.returncode:
        pytest.fail(f"{' '.join(arguments)}: {end}\n{stdout}\n{stderr}", pytrace=False)
    return stdout
