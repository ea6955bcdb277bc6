"""The short form of each soak, and what once was left behind by every shell."""

from __future__ import annotations

import sys

import pytest

from ipyembed.filter_memory import combinations_forgotten
from tests.soak import cells, cycles, lines

linux_only = pytest.mark.skipif(
    not sys.platform.startswith("linux"), reason="the counts are read from /proc"
)


@linux_only
def test_shells_opened_and_closed_again_and_again_leave_nothing_behind() -> None:
    print(cycles.run(24, settled=8))


@linux_only
def test_many_cells() -> None:
    print(cells.run(60, settled=20))


@linux_only
def test_many_lines_above_one_prompt() -> None:
    print(lines.run(20_000))


def test_combinations_of_filters_are_forgotten_and_only_new_ones() -> None:
    from prompt_toolkit.filters import Condition, vi_mode

    known = Condition(lambda: True)
    kept = vi_mode & known
    with combinations_forgotten():
        new = Condition(lambda: True)
        assert (vi_mode & new) is (vi_mode & new)
        assert new in vi_mode._and_cache
    assert new not in vi_mode._and_cache
    assert (vi_mode & known) is kept
