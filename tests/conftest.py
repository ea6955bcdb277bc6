"""Fixtures for all tests."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def ipython_dir(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fresh IPYTHONDIR, so that no test sees the history or the profile of another, or yours."""
    path = tmp_path_factory.mktemp("ipython")
    monkeypatch.setenv("IPYTHONDIR", str(path))
    return path
