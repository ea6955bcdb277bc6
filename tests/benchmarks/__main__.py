"""All benchmarks, one table after the other."""

from __future__ import annotations

from tests.benchmarks import gui_interval, iteration_cost, lateness, throughput, wakeups
from tests.benchmarks.harness import run

if __name__ == "__main__":
    run(
        lateness.measure,
        gui_interval.measure,
        throughput.measure,
        wakeups.measure,
        iteration_cost.measure,
    )
