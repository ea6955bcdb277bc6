"""`make soak`: all of them, long or short."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable

from tests.soak import cells, cycles, lines

_SOAKS: dict[str, tuple[Callable[[int], str], int, int]] = {
    "cycles": (cycles.run, 1_000, 100),
    "cells": (cells.run, 10_000, 200),
    "lines": (lines.run, 1_000_000, 10_000),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"some of: {', '.join(_SOAKS)}")
    parser.add_argument("--short", action="store_true")
    asked = parser.parse_args()
    failed = False
    for name in asked.names or _SOAKS:
        run, long, short = _SOAKS[name]
        started = time.monotonic()
        try:
            print(f"{name}: {run(short if asked.short else long)}", flush=True)
        except AssertionError:
            failed = True
            print(f"{name} failed after {time.monotonic() - started:.0f} s:", flush=True)
            traceback.print_exc()
    sys.exit(failed)


if __name__ == "__main__":
    main()
