"""`make demo`: the example that shows the most, in this terminal."""

from __future__ import annotations

import os
import sys

from tools import pythons, venvs


def main() -> None:
    interpreter = venvs.prepare(pythons.find()[-1], ".venv")
    sys.stdout.flush()
    # In place of this process, so that the terminal's Ctrl-C and Ctrl-Z reach the example alone.
    os.execv(interpreter, [interpreter, str(venvs.ROOT / "examples" / "async_server.py")])


if __name__ == "__main__":
    main()
