"""Virtual environments with this project in them, made once and updated when needed."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

from tools.pythons import Python

ROOT = Path(__file__).resolve().parent.parent


def prepare(python: Python, name: str, requirement: str = ".") -> str:
    """The path of the environment's interpreter, with `requirement` installed editable.

    A stamp in the environment tells what was installed from which pyproject.toml, so that a
    second call installs nothing.
    """
    folder = ROOT / name
    interpreter = folder / "bin" / "python"
    stamp = folder / "installed"
    wanted = "\n".join(
        [
            ".".join(map(str, python.version)),
            python.path,
            requirement,
            *python.toolkits,
            hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest(),
        ]
    )
    # The interpreter dangles when the Python that it was made with has gone.
    if interpreter.exists() and stamp.exists() and stamp.read_text() == wanted:
        return str(interpreter)
    print(f"preparing {name}", flush=True)
    same_python = stamp.exists() and stamp.read_text().splitlines()[:2] == wanted.splitlines()[:2]
    if not (interpreter.exists() and same_python):
        _run(python.path, "-m", "venv", "--clear", str(folder))
    stamp.unlink(missing_ok=True)
    _link_toolkits(python, folder)
    _run(str(interpreter), "-m", "pip", "install", "-qq", "--editable", requirement)
    stamp.write_text(wanted)
    return str(interpreter)


def _link_toolkits(python: Python, folder: Path) -> None:
    """Make the GUI toolkits that come with the Python, and nothing else of it, importable.

    An environment with all of the system's packages would have its pytest plugins, too.
    """
    major, minor = python.minor
    for toolkit in map(Path, python.toolkits):
        link = folder / "lib" / f"python{major}.{minor}" / "site-packages" / toolkit.name
        link.unlink(missing_ok=True)
        link.symlink_to(toolkit)


def _run(*command: str) -> None:
    result = subprocess.run(command, cwd=ROOT, stdin=subprocess.DEVNULL, check=False)
    if result.returncode:
        raise SystemExit(result.returncode)
