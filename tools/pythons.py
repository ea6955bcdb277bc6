"""Find the interpreters to test with: one that works for each supported minor version."""

from __future__ import annotations

import glob
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

SUPPORTED = ((3, 11), (3, 12), (3, 13))

# A candidate says itself what it is: pyenv has a shim for each version that it has ever installed,
# which fails where that version is not active.
_PROBE = """
import importlib.util, os, sys, sysconfig
why_not = ""
if sys.implementation.name != "cpython":
    why_not = sys.implementation.name
elif sysconfig.get_config_var("Py_GIL_DISABLED"):
    why_not = "a free-threaded build"
elif importlib.util.find_spec("ensurepip") is None:
    why_not = "no ensurepip, so no virtual environments (Debian: install python3-venv)"
specs = [importlib.util.find_spec(name) for name in ("gi", "cairo", "wx")]
folders = [spec.submodule_search_locations[0] for spec in specs if spec is not None]
print(*sys.version_info[:3], sys.executable, why_not, os.pathsep.join(folders), sep="|")
"""


@dataclass(frozen=True)
class Python:
    """An interpreter, and why it cannot be used, if so."""

    version: tuple[int, int, int]
    path: str
    why_not: str
    toolkits: tuple[str, ...] = ()
    """Folders of GUI toolkits that come with it, as Debian packages them, and not from PyPI."""

    @property
    def minor(self) -> tuple[int, int]:
        return self.version[:2]

    def __str__(self) -> str:
        reason = f": not used, {self.why_not}" if self.why_not else ""
        return f"Python {'.'.join(map(str, self.version))} ({self.path}){reason}"


def probe(candidate: str) -> Python | None:
    """Run the candidate; None if it does not work at all."""
    try:
        result = subprocess.run(
            [candidate, "-Ic", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )
        major, minor, micro, path, why_not, toolkits = result.stdout.strip("\n").split("|")
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    folders = tuple(filter(None, toolkits.split(os.pathsep)))
    return Python((int(major), int(minor), int(micro)), path or candidate, why_not, folders)


def candidates() -> Iterator[str]:
    names = [f"python{major}.{minor}" for major, minor in SUPPORTED] + ["python3", "python"]
    for folder in os.environ.get("PATH", os.defpath).split(os.pathsep):
        for name in names:
            yield os.path.join(folder, name)
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    yield from sorted(glob.glob(os.path.join(root, "versions", "*", "bin", "python")), reverse=True)


def find() -> list[Python]:
    """One interpreter for each supported minor version, oldest first; prints what it found.

    `PYTHONS` names the interpreters instead, and then each of them has to work.
    """
    if named := os.environ.get("PYTHONS", "").split():
        return [_required(path) for path in named]
    found: dict[tuple[int, int], Python] = {}
    seen: set[str] = set()
    for candidate in candidates():
        # The same file is often reached by several names and folders.
        if not os.path.isfile(candidate) or os.path.realpath(candidate) in seen:
            continue
        python = probe(candidate)
        if python is None or python.minor not in SUPPORTED:
            continue
        seen.add(os.path.realpath(candidate))
        if python.minor not in found or _is_better(python, found[python.minor]):
            found[python.minor] = python
    pythons = [found[minor] for minor in sorted(found)]
    for python in pythons:
        print(python)
    usable = [python for python in pythons if not python.why_not]
    if not usable:
        wanted = ", ".join(f"{major}.{minor}" for major, minor in SUPPORTED)
        sys.exit(f"no usable Python found; any of {wanted} will do")
    return usable


def _is_better(python: Python, other: Python) -> bool:
    """Whether to take it although the other one was found first."""
    if bool(python.why_not) != bool(other.why_not):
        return bool(other.why_not)
    return len(python.toolkits) > len(other.toolkits)


def _required(path: str) -> Python:
    python = probe(path)
    if python is None:
        sys.exit(f"{path}, from PYTHONS, does not run")
    print(python)
    if python.why_not:
        sys.exit(1)
    return python
