"""What prompt_toolkit remembers of a shell that is over.

Each of its filters keeps every combination with another one that was ever made (`a & b`), so that
the same one is not made twice. Some filters are there for ever (`vi_mode`), and each prompt session
combines them with new ones of its own, which hold its buffers: 14 KB stay behind for each shell.

Touched of prompt_toolkit (3.0.50 to 3.0.53): `_and_cache` and `_or_cache` of the filters in
`prompt_toolkit.filters.app`. Without these, nothing is forgotten. To forget too much does no harm:
the combination is made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prompt_toolkit.filters import Filter, app


@contextmanager
def combinations_forgotten() -> Iterator[None]:
    """At the end, drop the combinations of filters that were made meanwhile."""
    kept = [(cache, set(cache)) for cache in _caches()]
    try:
        yield
    finally:
        for cache, known in kept:
            for other in list(cache):  # at once: another thread may have a prompt
                if other not in known:
                    cache.pop(other, None)


def _caches() -> list[dict[Filter, Any]]:
    return [
        cache
        for thing in list(vars(app).values())
        if isinstance(thing, Filter)
        for name in ("_and_cache", "_or_cache")
        if isinstance(cache := getattr(thing, name, None), dict)
    ]
