"""What is cut off a traceback that a user is shown."""

from __future__ import annotations

import traceback

import IPython
import pytest

import ipyembed
from ipyembed.tracebacks import cut_ours

USERS, OURS, IPYTHONS = "<ipython-input-1-x>", ipyembed.__file__, IPython.__file__
LIBRARYS = traceback.__file__


def interrupted(files: list[str]) -> BaseException:
    """As if functions in these files had called each other, and the last one was interrupted."""
    functions = {"next": None}
    for file in reversed(files):
        code = "def f():\n  if called: called()\n  raise KeyboardInterrupt"
        names = {"called": functions["next"]}
        exec(compile(code, file, "exec"), names)
        functions["next"] = names["f"]
    with pytest.raises(KeyboardInterrupt) as caught:
        functions["next"]()  # type: ignore[misc]
    error = caught.value
    assert error.__traceback__ is not None
    error.__traceback__ = error.__traceback__.tb_next  # this function's
    return error


@pytest.mark.parametrize(
    ("files", "shown"),
    [
        ([USERS, OURS], [USERS]),
        ([IPYTHONS, USERS, IPYTHONS, OURS], [IPYTHONS, USERS]),
        ([USERS, IPYTHONS, OURS, IPYTHONS], [USERS]),
        ([USERS, OURS, USERS, OURS, OURS], [USERS, OURS, USERS]),
        ([USERS, OURS, LIBRARYS], [USERS, OURS, LIBRARYS]),
        ([IPYTHONS, OURS], [IPYTHONS]),
        ([OURS, OURS], [OURS, OURS]),
    ],
)
def test_the_end_that_is_the_shells_is_cut_off(files: list[str], shown: list[str]) -> None:
    error = interrupted(files)
    cut_ours(error)
    assert [frame.filename for frame in traceback.extract_tb(error.__traceback__)] == shown
