"""Python imports this when it starts: the shells are swapped in child processes, too."""

from swapped_shells import swap  # type: ignore[import-not-found]

swap()
