"""All benchmarks, or some, one table after the other."""

from __future__ import annotations

import importlib
import pkgutil

import tests.benchmarks
from tests.benchmarks.harness import Measure, run_all


def benchmarks() -> dict[str, Measure]:
    """By the names of their modules: those of this package that have a `measure`."""
    found: dict[str, Measure] = {}
    for module in pkgutil.iter_modules(tests.benchmarks.__path__):
        if module.name != "__main__":
            measure = getattr(
                importlib.import_module(f"{tests.benchmarks.__name__}.{module.name}"),
                "measure",
                None,
            )
            if measure is not None:
                found[module.name] = measure
    return found


if __name__ == "__main__":
    run_all(benchmarks(), __doc__ or "")
