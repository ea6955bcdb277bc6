"""What `import ipyembed` costs a program that never opens a shell.

    python -m tests.benchmarks.import_time [--rounds N] [--only import ...]

An import happens once a process, so each measurement is a fresh interpreter's, which times one
import statement and nothing else. An empty module shows what an import statement costs as such.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import ipyembed
from tests.benchmarks.harness import Figure, Options, Report, Values, run, take_turns

_PROCESSES = 20
"""In each round."""
_BAR = 3.0

_MEASURE = """\
import sys, time
sys.path[:0] = sys.argv[2:]
start = time.perf_counter()
module = __import__(sys.argv[1])
print((time.perf_counter() - start) * 1000, module.__file__)
assert "IPython" not in sys.modules
"""


def milliseconds_to_import(module: str, path: str) -> float:
    """Measured in a fresh process, with `path` in front of its `sys.path`."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, module, path],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    milliseconds, found = done.stdout.split(maxsplit=1)
    assert found.startswith(path), found
    return float(milliseconds)


def measure(options: Options) -> Report:
    report = Report(
        "`import ipyembed`, in a program that never opens a shell",
        f"the import statement's time in {_PROCESSES} fresh interpreters a round, their median; "
        "empty: the same for an empty module; bytecode caches are warm",
    )
    home = os.path.dirname(os.path.dirname(ipyembed.__file__))
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "empty_module.py").touch()

        def median(module: str, path: str) -> float:
            return statistics.median(
                milliseconds_to_import(module, path) for _ in range(_PROCESSES)
            )

        contenders = {
            "empty": partial(median, "empty_module", directory),
            "ipyembed": partial(median, "ipyembed", home),
        }
        for contender in contenders.values():
            contender()
        found = take_turns(contenders, options.rounds)
    ours: Values = found["ipyembed"]
    report.figures.append(Figure("import ipyembed", "ms", ours, bar=_BAR))
    report.figures.append(Figure("an empty module", "ms", found["empty"]))
    return report


if __name__ == "__main__":
    run(measure)
