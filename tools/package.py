"""The wheel, built from the sdist and installed with nothing but what it asks for, works.

Twice: on the oldest Python with the lowest versions that pyproject.toml allows, and on the newest
with the newest. The tests that are run are the sdist's, so what they need has to be in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from pathlib import Path

from tools import venvs
from tools.pythons import Python

#: What else the tests below need.
TOOLS = ["pyte", "pytest", "pytest-timeout"]
#: Each way into a shell once: what differs with the versions shows in these.
SMOKE = [
    "tests/test_import.py::test_star_import_and_dir",
    "tests/test_packaging.py",
    "tests/pty/test_command.py::test_the_prompt_is_threaded",
    "tests/pty/test_examples.py::test_async_server",
    "tests/pty/test_examples.py::test_in_a_coroutine",
    "tests/pty/test_examples.py::test_plain_script",
    "tests/pty/test_examples.py::test_worker_thread",
]


def check(builder: str, pythons: list[Python]) -> None:
    """Build with the interpreter `builder`, which has hatchling; then install and try."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _unpack(_built(builder, venvs.ROOT, folder, "sdist"), folder)
        wheel = _built(builder, source, folder, "wheel")
        # What is tested is what was installed.
        shutil.rmtree(source / "ipyembed")
        oldest, newest = pythons[0], pythons[-1]
        _try(oldest, folder / "lowest", wheel, source, floors())
        if newest != oldest:
            _try(newest, folder / "newest", wheel, source, [])


def floors() -> list[str]:
    """The lowest version that pyproject.toml allows of each library that the core needs."""
    project = tomllib.loads((venvs.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    dependencies: list[str] = project["project"]["dependencies"]
    return [dependency.replace(">=", "==") for dependency in dependencies]


def _built(builder: str, source: Path, folder: Path, kind: str) -> Path:
    # Without isolation, so without a package index: hatchling is there.
    _run([builder, "-m", "hatchling", "build", "-t", kind, "-d", str(folder)], source)
    (path,) = folder.glob("*.tar.gz" if kind == "sdist" else "*.whl")
    return path


def _unpack(sdist: Path, folder: Path) -> Path:
    with tarfile.open(sdist) as archive:
        # Debian's 3.11 and CPython 3.12 know the filter; 3.14 has it by default.
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def _try(python: Python, folder: Path, wheel: Path, source: Path, versions: list[str]) -> None:
    _run([python.path, "-m", "venv", str(folder)], source)
    interpreter = str(folder / "bin" / "python")
    pip = [interpreter, "-m", "pip"]
    _run([*pip, "install", "-qq", str(wheel), *versions], source)
    # It has to work without the tools of the tests, too.
    _run([*pip, "check"], source)
    _run([str(folder / "bin" / "ipyembed"), "--version"], source, PYTHONWARNINGS="error")
    _run([*pip, "install", "-qq", *TOOLS, *versions], source)
    # No warning, either, in the programs that the tests start.
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *SMOKE]
    _run([interpreter, *pytest], source, PYTHONWARNINGS="error")


def _run(command: list[str], cwd: Path, **environment: str) -> None:
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if result.returncode:
        raise SystemExit(result.returncode)
