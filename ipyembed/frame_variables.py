"""The variables of a function that has been called: to read, and to assign, from outside."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, MutableMapping
from types import FrameType
from typing import Any


class FrameVariables(MutableMapping[str, Any]):
    """The variables of a function's frame, which may be running, waiting or done.

    Since Python 3.13 (PEP 667) `frame.f_locals` is that. Before, it is a dictionary into which
    CPython copies them at each look; a function that debuggers use copies them back. On other
    interpreters without it, assignments do not reach the function, as with IPython's embed.
    """

    def __init__(self, frame: FrameType) -> None:
        self._frame = frame

    def __getitem__(self, name: str) -> Any:
        return self._frame.f_locals[name]

    def __setitem__(self, name: str, value: Any) -> None:
        names = self._frame.f_locals
        names[name] = value
        if sys.version_info < (3, 13):
            _locals_to_fast(self._frame)

    def __delitem__(self, name: str) -> None:
        """Raises NotImplementedError: Python has no way to unbind another function's variable."""
        if name not in self._frame.f_locals:
            raise KeyError(name)
        raise NotImplementedError

    def __iter__(self) -> Iterator[str]:
        return iter(self._frame.f_locals)

    def __len__(self) -> int:
        return len(self._frame.f_locals)


def _locals_to_fast(frame: FrameType) -> None:
    if _to_fast is not None:
        _to_fast(frame, 0)


def _find_to_fast() -> Callable[[FrameType, int], None] | None:
    """CPython's function for it; private, there up to 3.12."""
    try:
        import ctypes

        to_fast: Any = ctypes.pythonapi.PyFrame_LocalsToFast
    except (ImportError, AttributeError):
        return None
    to_fast.argtypes = ctypes.py_object, ctypes.c_int
    to_fast.restype = None
    found: Callable[[FrameType, int], None] = to_fast
    return found


_to_fast = _find_to_fast() if sys.version_info < (3, 13) else None
