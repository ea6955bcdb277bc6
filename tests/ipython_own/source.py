"""IPython's own tests: they are in its source distribution only, which pip fetches once."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from collections.abc import Sequence
from pathlib import Path

import IPython

#: Seconds that pip may take.
DEADLINE = 300


class NotThereError(Exception):
    """Why IPython's tests are not to be had."""


def ipython_tests(cache: Path, names: Sequence[str]) -> list[Path]:
    """Those test modules of the IPython that is installed. Raises NotThereError."""
    folder = cache / f"ipython-{IPython.__version__}"
    if not folder.exists():
        _fetch(cache, folder)
    files = [folder / "tests" / f"{name}.py" for name in names]
    if missing := [file.name for file in files if not file.exists()]:
        raise NotThereError(f"IPython {IPython.__version__} has no {', '.join(missing)} in `tests`")
    return files


def plugins(cache: Path) -> Path:
    """A folder to put on the path: the pytest plugin of IPython's tests. Raises NotThereError.

    It is not installed, for then it would be active in our own tests.
    """
    folder = cache / "plugins"
    if not folder.exists():
        part = cache / "plugins.part"
        _pip("install", "--no-deps", "--target", str(part), "pytest-asyncio")
        part.rename(folder)
    return folder


def _fetch(cache: Path, folder: Path) -> None:
    part = cache / "ipython.part"
    shutil.rmtree(part, ignore_errors=True)
    wanted = f"ipython=={IPython.__version__}"
    _pip("download", "--no-deps", "--no-binary", "ipython", "--dest", str(part), wanted)
    (archive,) = part.glob("ipython-*.tar.gz")
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):  # from 3.11.4
            tar.extractall(part, filter="data")
        else:
            tar.extractall(part)
    (part / folder.name).rename(folder)
    shutil.rmtree(part)


def _pip(*arguments: str) -> None:
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments]
    try:
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, timeout=DEADLINE
        )
    except subprocess.TimeoutExpired:
        raise NotThereError(f"pip took more than {DEADLINE} s: {arguments}") from None
    if done.returncode:
        raise NotThereError(f"pip {arguments[0]} {arguments[-1]}: {done.stderr[-500:]}")
