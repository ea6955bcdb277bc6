"""Fixtures for tests of the engine: real processes and real sockets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.pty.conftest import spawn

if TYPE_CHECKING:
    from tests.engine.host import Engines

__all__ = ["spawn"]

# The extra `engine` may be missing locally, not in CI.
if find_spec("jupyter_client") is None and not os.environ.get("CI"):
    collect_ignore_glob = ["test_*.py"]


@pytest.fixture
def engines(tmp_path: Path, ipython_dir: Path) -> Iterator[Engines]:
    from tests.engine.host import engines_in

    with engines_in(tmp_path, {"IPYTHONDIR": str(ipython_dir)}) as engines:
        yield engines
