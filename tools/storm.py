"""`make storm`: Ctrl-C at random moments, on the newest supported Python found."""

from __future__ import annotations

import subprocess
import sys

from tools import pythons, venvs


def main() -> None:
    python = pythons.find()[-1]
    major, minor = python.minor
    interpreter = venvs.prepare(python, f".venv-{major}.{minor}", ".[test]")
    command = [interpreter, "-m", "tests.pty.storm", *sys.argv[1:]]
    sys.exit(subprocess.run(command, cwd=venvs.ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
