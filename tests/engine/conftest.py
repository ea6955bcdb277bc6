"""Fixtures for tests of the engine: real processes and real sockets."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.host import Engines, engines_in
from tests.pty.conftest import spawn

__all__ = ["spawn"]


@pytest.fixture
def engines(tmp_path: Path, ipython_dir: Path) -> Iterator[Engines]:
    with engines_in(tmp_path, {"IPYTHONDIR": str(ipython_dir)}) as engines:
        yield engines
