"""`make bench` and `make soak`: on the Python that has the most GUI toolkits.

BENCH names some of the benchmarks, BENCH_ARGS and SOAK_ARGS are passed on (`--rounds 3`).
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys

from tools import pythons, venvs

RESULTS = os.path.join("build", "benchmarks")


def main() -> None:
    found = pythons.find()
    # Those that come with a Python are the ones that PyPI does not have. Else, the newest.
    python = max(found, key=lambda python: (len(python.toolkits), python.version))
    interpreter = venvs.prepare(python, ".venv-bench", ".[test,gui-test,bench]")
    if sys.argv[1:] == ["soak"]:
        sys.exit(_run(interpreter, "-m", "tests.soak", *_words("SOAK_ARGS")))
    results = os.path.join(RESULTS, "results.json")
    status = _run(
        interpreter,
        *("-m", "tests.benchmarks", *_words("BENCH")),
        *("--json", results, *_words("BENCH_ARGS")),
    )
    if (venvs.ROOT / results).exists():
        status |= _run(interpreter, "docs/make_performance.py", "--into", RESULTS, results)
    sys.exit(status)


def _words(variable: str) -> list[str]:
    return shlex.split(os.environ.get(variable, ""))


def _run(*command: str) -> int:
    print("$", shlex.join([os.path.relpath(command[0], venvs.ROOT), *command[1:]]), flush=True)
    return subprocess.run(command, cwd=venvs.ROOT, stdin=subprocess.DEVNULL, check=False).returncode


if __name__ == "__main__":
    main()
