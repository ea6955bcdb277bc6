"""What `import ipyembed` costs a program that never opens a shell.

    python -m tests.benchmarks.import_time [PROCESSES]

An import happens once a process, so each measurement is a fresh interpreter's, which times one
import statement and nothing else. Processes that import an empty module take turns with those that
import ipyembed, so that whatever else the machine does falls on both alike. The difference of the
medians is what ipyembed adds to an import statement as such.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

DEFAULT_PROCESSES = 100
LIMIT_MS = 3.0

_MEASURE = """\
import sys, time
sys.path[:0] = sys.argv[2:]
start = time.perf_counter()
__import__(sys.argv[1])
print((time.perf_counter() - start) * 1000)
"""


def milliseconds_to_import(module: str, *path: str) -> float:
    """Measured in a fresh process, with `path` in front of its `sys.path`."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, module, *path],
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    return float(done.stdout)


def measure(processes: int) -> dict[str, list[float]]:
    """Milliseconds of each import, by module; both bytecode caches are warm."""
    import ipyembed

    home = os.path.dirname(os.path.dirname(ipyembed.__file__))
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "empty_module.py").touch()
        where = {"empty_module": directory, "ipyembed": home}
        for module, path in where.items():
            milliseconds_to_import(module, path)
        times: dict[str, list[float]] = {module: [] for module in where}
        for _ in range(processes):
            for module, path in where.items():
                times[module].append(milliseconds_to_import(module, path))
    return times


def main() -> None:
    """Measure and print; the exit status says whether the median is below the limit."""
    processes = int(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_PROCESSES
    times = measure(processes)
    print(f"Python {sys.version.split()[0]}, {processes} fresh processes each, milliseconds")
    print(f"{'import':<14}{'median':>8}{'p5':>8}{'p95':>8}{'max':>8}")
    for module, values in times.items():
        cuts = statistics.quantiles(values, n=20)
        row = statistics.median(values), cuts[0], cuts[-1], max(values)
        print(f"{module:<14}" + "".join(f"{value:8.3f}" for value in row))
    medians = {module: statistics.median(values) for module, values in times.items()}
    added = medians["ipyembed"] - medians["empty_module"]
    print(f"ipyembed over an empty module: {added:.3f} ms (at most {LIMIT_MS:g} ms is promised)")
    sys.exit(medians["ipyembed"] >= LIMIT_MS)


if __name__ == "__main__":
    main()
