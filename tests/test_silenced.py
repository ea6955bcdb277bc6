"""Warnings that say nothing for a time, while another thread swaps the list of filters."""

from __future__ import annotations

import threading
import warnings

import pytest
from IPython.core.completer import Completion, ProvisionalCompleterWarning

from ipyembed.silenced import Silenced, provisional_completions


def warn() -> None:
    warnings.warn("a warning", ProvisionalCompleterWarning, stacklevel=1)


def test_it_is_silent_as_long_as_somebody_holds_it() -> None:
    before = list(warnings.filters)
    silenced = Silenced(ProvisionalCompleterWarning, "a warn")
    with silenced:
        with silenced:
            warn()
        warn()
        with pytest.raises(ProvisionalCompleterWarning, match="provisional API"):
            Completion(0, 1, "another text of the same kind")
    assert list(warnings.filters) == before
    with pytest.raises(ProvisionalCompleterWarning):
        warn()


def test_while_another_thread_swaps_the_filters() -> None:
    """As the prompt thread does, when it looks whether a cell is complete."""
    before = list(warnings.filters)
    is_over = threading.Event()

    def swap() -> None:
        while not is_over.is_set():
            with warnings.catch_warnings():
                warnings.simplefilter("error", SyntaxWarning)

    with provisional_completions:
        thread = threading.Thread(target=swap)
        thread.start()
        try:
            for _ in range(20_000):
                provisional_completions.renew()
                warn()
        finally:
            is_over.set()
            thread.join()
    assert list(warnings.filters) == before
