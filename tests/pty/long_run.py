"""What the storms share when they are run for as long as one likes: seeds, rounds, and programs."""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.pty.conftest import Spawn


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """With the options that `seeds` needs."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--rounds", type=int, default=1, help="0: for ever")
    return parser


def seeds(options: argparse.Namespace) -> Iterator[int]:
    """One for each round."""
    n = 0
    while not options.rounds or n < options.rounds:
        yield options.seed + n
        n += 1


@contextmanager
def spawning() -> Iterator[Spawn]:
    """Programs in a folder of their own; both are gone at the end."""
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(f"{folder}/ipython")
        spawn = Spawn(Path(folder), Path(folder, "ipython"))
        try:
            yield spawn
        finally:
            spawn.close()
