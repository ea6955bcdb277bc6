"""Fixtures for all tests."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.xvfb import virtual_screen

# Each test starts a program or two: as a user's, they find our modules compiled.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# And what they print is buffered, line by line, unless a test says otherwise.
os.environ.pop("PYTHONUNBUFFERED", None)


@pytest.fixture
def ipython_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh IPYTHONDIR, so that no test sees the history or the profile of another, or yours."""
    path = tmp_path_factory.mktemp("ipython")
    monkeypatch.setenv("IPYTHONDIR", str(path))
    return path


@pytest.fixture(scope="session")
def display() -> Iterator[str]:
    """The name of a virtual screen's display, one for each worker of the run."""
    try:
        with virtual_screen() as name:
            yield name
    except RuntimeError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(f"no virtual screen: {error}")
