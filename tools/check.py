"""`make test` and `make lint`: everything that has to hold, on every supported Python found."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys

from tools import docs, package, pythons, venvs

ENDS_ONLY = (
    "tests/gui/*",
    "tests/pty/test_gui*.py",
    "tests/pty/test_matplotlib.py",
    "tests/ipython_own/*",
)
"""Tests of many minutes whose subject is a library's binding: on the oldest and the newest Python,
not on those between."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lint", action="store_true", help="ruff and mypy only")
    only_lint = parser.parse_args().lint

    found = pythons.find()
    # The oldest Python has the oldest standard library to be wrong about.
    lint(_prepare(found[0]))
    if not only_lint:
        package.check(_prepare(found[0]), found, with_extras=everything())
        if os.environ.get("CI"):  # Sphinx is needed for nothing else; locally there is make docs
            docs.build(found[-1])
        for python in found:
            is_between = python not in (found[0], found[-1])
            test(_prepare(python), without=ENDS_ONLY if is_between else ())


def lint(interpreter: str) -> None:
    _step(interpreter, "-m", "ruff", "check")
    _step(interpreter, "-m", "ruff", "format", "--check")
    _step(interpreter, "-m", "mypy")


def test(interpreter: str, without: tuple[str, ...]) -> None:
    """Nothing may be printed after this: pytest's closing line is the last one of a run."""
    extra = shlex.split(os.environ.get("PYTEST_ARGS", ""))
    if without:
        print("on the oldest and the newest Python only:", *without)
    ignored = (f"--ignore-glob={pattern}" for pattern in without)
    # Half as many again as there are cores: a test in a terminal mostly waits.
    _step(interpreter, "-m", "pytest", "-n", str(cores() + cores() // 2), *ignored, *extra)


def cores() -> int:
    """The cores that this process may use, where the system tells."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def everything() -> bool:
    """Whether to install toolkits, some hundred megabytes; else, tests use those that are there."""
    return bool(os.environ.get("CI") or os.environ.get("GUI"))


def _prepare(python: pythons.Python) -> str:
    major, minor = python.minor
    extra = "test,gui-test,examples" if everything() else "test"
    return venvs.prepare(python, f".venv-{major}.{minor}", f".[{extra}]")


def _step(*command: str) -> None:
    print("$", shlex.join([os.path.relpath(command[0], venvs.ROOT), *command[1:]]), flush=True)
    # Never our standard input: it may be closed, and then the first file that a test opens would
    # take its place.
    result = subprocess.run(command, cwd=venvs.ROOT, stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        sys.exit(result.returncode)


if __name__ == "__main__":
    main()
