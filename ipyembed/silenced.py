"""Warnings of others that say nothing for a time, on all threads.

`warnings.catch_warnings()` (before 3.14) swaps the process's list of filters, and puts back the one
that it found. Where two threads do so at once, the one takes away what the other has set, or leaves
it in force for good. The prompt thread does it whenever it looks whether a cell is complete, so the
eval thread must not. What we do: a filter of ours is put into the list, first, and taken out.
"""

from __future__ import annotations

import re
import threading
import warnings
from contextlib import suppress
from typing import Any

from IPython.core.completer import ProvisionalCompleterWarning


class Silenced:
    """A kind of warning, ignored while somebody holds this with `with`. Any thread."""

    def __init__(self, category: type[Warning], beginning: str | None = None) -> None:
        pattern = re.compile(beginning) if beginning is not None else None
        self._filter = ("ignore", pattern, category, None, 0)
        self._holders = 0
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        with self._lock:
            self._holders += 1
            self.renew()

    def renew(self) -> None:
        """While it is held: somebody may have set other filters since."""
        filters: list[Any] = warnings.filters  # type: ignore[assignment]
        if self._filter not in filters:
            filters.insert(0, self._filter)

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            self._holders -= 1
            if self._holders == 0:
                with suppress(ValueError):
                    warnings.filters.remove(self._filter)  # type: ignore[attr-defined]


collision_with_trio = Silenced(
    RuntimeWarning, "It looks like Trio's signal handling code might have collided"
)
"""`trio.run()` in a cell finds our wakeup fd."""

provisional_completions = Silenced(ProvisionalCompleterWarning)
"""IPython (9.0 to 9.18) raises this for each completion outside of `provisionalcompleter()`."""
