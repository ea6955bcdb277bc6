"""The wheel, built from the sdist and installed with nothing but what it asks for, works.

Twice: on the oldest Python with the lowest versions that pyproject.toml allows, and on the newest
with the newest. The tests that are run are the sdist's, so what they need has to be in it. The
extras have their turn after that, with the lowest versions; the newest are those of `make test`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path

from tools import venvs
from tools.pythons import Python

#: What else the first tests below need.
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
#: One test at least for each library that an extra has, but for linters and ptpython.
EXTRAS = ("bench", "docs", "engine", "examples", "gui-test", "test")
SMOKE_OF_EXTRAS = [
    "tests/engine/test_attach.py::test_server",
    "tests/engine/test_clients.py::test_jupyter_console",
    "tests/engine/test_clients.py::test_qtconsole",
    "tests/pty/test_examples.py::test_live_plot",
    "tests/pty/test_examples.py::test_on_qasync",
    "tests/pty/test_examples.py::test_on_trio",
    "tests/pty/test_examples.py::test_on_uvloop",
    "tests/pty/test_examples.py::test_web_app",
    "tests/pty/test_gui.py::test_each_strategy[PyQt5-select]",
    "tests/pty/test_gui.py::test_each_strategy[PyQt6-select]",
    "tests/pty/test_gui.py::test_each_strategy[pyglet-select]",
    "tests/test_benchmarks.py",
]


def check(builder: str, pythons: list[Python], with_extras: bool) -> None:
    """Build with the interpreter `builder`, which has hatchling; then install and try.

    `with_extras`: some hundred megabytes of toolkits are downloaded.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = _unpack(_built(builder, venvs.ROOT, folder, "sdist"), folder)
        wheel = _built(builder, source, folder, "wheel")
        # What is tested is what was installed.
        shutil.rmtree(source / "ipyembed")
        oldest, newest = pythons[0], pythons[-1]
        _try(oldest, folder / "lowest", wheel, source, list(floors()))
        if with_extras:
            _try_extras(folder / "lowest", source)
        if newest != oldest:
            _try(newest, folder / "newest", wheel, source, [])


def floors(*extras: str) -> Iterator[str]:
    """The lowest version that pyproject.toml allows of each library that the core needs.

    And of each that is needed by `extras`, among which a library may come more than once.
    """
    text = (venvs.ROOT / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    needed: list[str] = list(project["dependencies"])
    for extra in extras:
        needed += project["optional-dependencies"][extra]
    for requirement in needed:
        if own := re.fullmatch(r"ipyembed\[(.+)\]", requirement):
            yield from floors(*own[1].split(","))
        else:
            found = re.fullmatch(r"([\w-]+>=[\d.]+)[^;]*(;.*)?", requirement)
            assert found is not None, f"{requirement} does not say from which version on"
            yield found[1].replace(">=", "==") + (found[2] or "")


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


def _try_extras(folder: Path, source: Path) -> None:
    interpreter = str(folder / "bin" / "python")
    _run([interpreter, "-m", "pip", "install", "-qq", *sorted({*floors(*EXTRAS)})], source)
    _run([interpreter, "-m", "pip", "check"], source)
    sphinx = ["-m", "sphinx", "--quiet", "--fail-on-warning", "docs", str(folder / "pages")]
    _run([interpreter, *sphinx], source)
    # Not as in CI, where no toolkit may be missing: Debian's are not there. But nothing is skipped.
    # Old libraries on top of new ones may be warned of by these.
    pytest = ["-m", "pytest", "-q", "-n", "2", "-p", "no:cacheprovider", *SMOKE_OF_EXTRAS]
    options = ["-W", "ignore::DeprecationWarning", "--junit-xml", str(folder / "tests.xml")]
    _run([interpreter, *pytest, *options], source, CI="")
    if "<skipped" in (folder / "tests.xml").read_text(encoding="utf-8"):
        raise SystemExit("tests of the extras were skipped")


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
