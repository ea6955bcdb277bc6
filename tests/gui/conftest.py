"""Fixtures for tests with real windows."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.xvfb import virtual_screen


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
