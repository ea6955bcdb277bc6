"""Output that goes where the code that prints it belongs: a job's, a client's.

Goal: what `print` writes reaches the sink of whoever started the code that prints, also when two
of them print at once, from tasks and from threads; and where nobody has set a sink, the very
stream that was there before.

Who prints is told by a context variable (`sinks`), which tasks and threads inherit.

While output is routed, `sys.stdout` and `sys.stderr` are stand-ins that write to the current sink
or else to the stream that they replaced; all else (`fileno`, `isatty`, `encoding`, `buffer`, …) is
that stream's. A logging handler that holds the replaced stream is pointed at the stand-in for the
same time, as it would write around it.

==========================  ======================================================================
the stand-in is             what happens
==========================  ======================================================================
put in place                by the first `routed()`, or by one that finds another stream in place
                            (which then is what this new stand-in writes to)
taken away                  by the last `exit` of those who share it; the same object is put back
covered by somebody else's  his stays; ours below forwards everything, at once or when it is over
put back by him later       the next `routed()`, entered or left, or `tidy()` takes it away
==========================  ======================================================================

Not routed: what is written to `sys.__stdout__`, to a stream kept in a variable, to a file
descriptor (C code, child processes), and threads made by `_thread` directly.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, Self

from ipyembed.open_line import open_line
from ipyembed.sinks import (
    Relay,
    Sink,
    current_route,
    current_sink,
    inheritance,
    set_sink,
    to,
)

__all__ = [
    "Relay",
    "RoutedStream",
    "Sink",
    "current_route",
    "current_sink",
    "put_below",
    "routed",
    "set_sink",
    "tidy",
    "to",
]

_STREAMS = ("stdout", "stderr")
KEPT = 32
"""How many stand-ins stay after their time."""


class RoutedStream:
    """Stands in for a stream: writes to the current sink, or else to that stream."""

    # What is set on it by others (IPython sets `write`) is in the dictionary, what is ours is not.
    __slots__ = ("__dict__", "__weakref__", "handlers", "holders", "name_in_sys", "original")

    def __init__(self, name: str, original: Any) -> None:
        self.name_in_sys = name
        self.original = original
        self.holders = 0
        self.handlers: list[Any] = []

    def write(self, text: str) -> int:
        """As the stream's own."""
        sink = current_sink() if self.holders else None
        if sink is None:
            if not (self.holders and open_line.is_watched):
                return self.original.write(text)  # type: ignore[no-any-return]
            with open_line.lock:
                count: int = self.original.write(text)
                open_line.written(text)
            return count
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        sink.write(self.name_in_sys, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """As the stream's own."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.original)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.original.__exit__(*exc_info)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.original!r}>"


class _Routing:
    """Who holds which stand-ins."""

    def __init__(self) -> None:
        # Guards all that is below; output is routed and no longer routed by any thread.
        self._lock = threading.RLock()
        self._holders = 0
        # Output is routed and no longer routed on any thread, while others print. Before 3.14 (and
        # late versions of 3.13) `print` does not hold the stream that it found in `sys`, and
        # crashes if that goes away. So the last ones stay, and are used again.
        self._used: deque[RoutedStream] = deque(maxlen=KEPT)

    def enter(self) -> list[RoutedStream]:
        with self._lock:
            self.tidy()
            if self._holders == 0:
                inheritance.begin()
            self._holders += 1
            return [self._hold(name) for name in _STREAMS if getattr(sys, name) is not None]

    def leave(self, held: list[RoutedStream]) -> None:
        with self._lock:
            for stream in reversed(held):
                stream.holders -= 1
                if stream.holders == 0:
                    _point_back(stream)
            self.tidy()
            self._holders -= 1
            if self._holders == 0:
                inheritance.end()

    def _hold(self, name: str) -> RoutedStream:
        top = getattr(sys, name)
        if not isinstance(top, RoutedStream):
            original, top = top, self._stand_in(name, top)
            setattr(sys, name, top)
            top.handlers = _point_handlers(original, top)
        top.holders += 1
        return top

    def _stand_in(self, name: str, original: Any) -> RoutedStream:
        for used in self._used:
            if used.original is original and used.name_in_sys == name and not used.holders:
                return used
        stand_in = RoutedStream(name, original)
        self._used.append(stand_in)
        return stand_in

    @staticmethod
    def tidy() -> None:
        """Take away stand-ins that nobody holds; one may have been put back by somebody else."""
        for name in _STREAMS:
            top = getattr(sys, name)
            while isinstance(top, RoutedStream) and not top.holders:
                top = top.original
                setattr(sys, name, top)

    def forget(self) -> None:
        """In a forked child: the lock could be held for ever."""
        self._lock = threading.RLock()
        open_line.forget()


# -- logging -----------------------------------------------------------------------------------


def _point_handlers(original: Any, stream: RoutedStream) -> list[Any]:
    handlers = [handler for handler in stream_handlers() if handler.stream is original]
    for handler in handlers:
        handler.setStream(stream)
    return handlers


def _point_back(stream: RoutedStream) -> None:
    for handler in stream.handlers:
        if handler.stream is stream:
            handler.setStream(stream.original)
    stream.handlers = []


def stream_handlers() -> Iterator[logging.StreamHandler[Any]]:
    """The handlers of all loggers that write to a stream that they hold."""
    seen: set[int] = set()
    for logger in [logging.root, *list(logging.root.manager.loggerDict.values())]:
        for handler in getattr(logger, "handlers", ()):  # a PlaceHolder has none
            if isinstance(handler, logging.StreamHandler) and id(handler) not in seen:
                seen.add(id(handler))
                if "stream" in vars(handler):  # logging.lastResort looks sys.stderr up itself
                    yield handler


_routing = _Routing()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_routing.forget)


@contextmanager
def routed() -> Iterator[None]:
    """While the block lasts, output goes to the sinks of those who print it.

    May be nested and held by several at once, on any threads, and left in any order. Where
    something else has taken the place of `sys.stdout` since, it is routed in front of that.
    """
    held = _routing.enter()
    try:
        yield
    finally:
        _routing.leave(held)


def tidy() -> None:
    """Take away stand-ins whose time is over, and that somebody else has put back since."""
    _routing.tidy()


def put_below(name: str, stream: Any) -> Any:
    """Put `stream` in the place of one of `sys`, below what routes; returns what was there.

    Output that is routed to a job or a client stays routed.
    """
    top = getattr(sys, name)
    if isinstance(top, RoutedStream):
        original, top.original = top.original, stream
        return original
    setattr(sys, name, stream)
    return top
