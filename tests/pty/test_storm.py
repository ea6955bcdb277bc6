"""Ctrl-C at random moments, in short; `make storm` does so for as long as one likes."""

from __future__ import annotations

import random

import pytest

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
