"""Ctrl-C at random moments, in short; `make storm` does so for as long as one likes."""

from __future__ import annotations

import random

import pytest

from tests.pty.conftest import Spawn
from tests.pty.storm import HOSTS, Storm


@pytest.mark.parametrize("host", HOSTS)
def test_ctrl_c_at_random_moments(spawn: Spawn, host: str) -> None:
    if host == "uvloop":
        pytest.importorskip("uvloop")
    seed = random.randrange(10**6)
    print("seed", seed)
    storm = Storm(spawn, host, seed)
    storm.blow(60)
    storm.end()
