"""Ctrl-C and typing at random moments, in short; `make storm` does so for as long as one likes."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from tests.pty import gui_storm, typing_storm
from tests.pty.conftest import Spawn
from tests.pty.storm import HOSTS, NEEDED, Storm


@pytest.mark.parametrize("host", HOSTS)
def test_ctrl_c_at_random_moments(spawn: Spawn, host: str) -> None:
    for name in NEEDED.get(host, ()):
        pytest.importorskip(name, reason=f"{name} is not installed")
    seed = random.randrange(10**6)
    print("seed", seed)
    storm = Storm(spawn, host, seed)
    storm.blow(60)
    storm.end()


@pytest.mark.parametrize("cells", [False, True], ids=["questions", "cells"])
@pytest.mark.parametrize("host", typing_storm.HOSTS)
def test_typing_while_threads_ask_and_print(spawn: Spawn, host: str, cells: bool) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    typing_storm.TypingStorm(spawn, host, seed).blow(cells, count=300)


@pytest.mark.parametrize("host", gui_storm.HOSTS)
@pytest.mark.parametrize("toolkit", gui_storm.TOOLKITS)
def test_ctrl_c_at_random_moments_in_a_toolkits_loop(
    spawn: Spawn, display: str, installed: Callable[..., None], toolkit: str, host: str
) -> None:
    installed(toolkit)
    seed = random.randrange(10**6)
    print("seed", seed)
    gui_storm.GuiStorm(spawn, toolkit, host, seed, display).blow(30)
