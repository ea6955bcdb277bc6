"""Output that goes where the code that prints it belongs: a job's, a client's.

Goal: what `print` writes reaches the sink of whoever started the code that prints, also when two
of them print at once, from tasks and from threads; and where nobody has set a sink, the very
stream that was there before.

Who prints is told by a context variable, `sink`. asyncio gives each task a copy of the context of
the code that made it, so tasks inherit it; `asyncio.to_thread` copies it as well. Two ways into a
thread do not, before Python 3.14 or for ever: `threading.Thread.start` and
`ThreadPoolExecutor.submit` (and so `loop.run_in_executor`). They are wrapped while output is
routed. A pool's thread serves many, so what is handed over there is the sink of each call, not
that of the call for which the thread happened to be started.

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
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import update_wrapper
from typing import Any, ParamSpec, Protocol, Self, TypeVar

P = ParamSpec("P")
T = TypeVar("T")

_STREAMS = ("stdout", "stderr")
KEPT = 32
"""How many stand-ins stay after their time."""


class Sink(Protocol):
    """Where the output of some code goes."""

    def write(self, stream_name: str, text: str) -> None:
        """Take `text` that was written to ``"stdout"`` or ``"stderr"``; on any thread.

        What is written in here to `sys.stdout` comes back, unless it is done ``with to(None)``.
        """


class _Inherited:
    """No sink was set in this context: the one of the code that started the thread counts."""


class Relay:
    """In place of a sink: where output goes that may be sent elsewhere later.

    Whoever inherits it follows: so does what a cell has started, when the cell becomes a job.
    """

    __slots__ = ("target",)

    def __init__(self, target: Sink | Relay | None) -> None:
        self.target = target


_INHERITED = _Inherited()
_sink: ContextVar[Sink | Relay | _Inherited | None] = ContextVar(
    "ipyembed_sink", default=_INHERITED
)
_of_threads: weakref.WeakKeyDictionary[threading.Thread, Sink | Relay] = weakref.WeakKeyDictionary()


def current_sink() -> Sink | None:
    """Where the output of the code that calls this goes; None: to the stream itself."""
    sink = current_route()
    while isinstance(sink, Relay):
        sink = sink.target
    return sink


def current_route() -> Sink | Relay | None:
    """The same, but a relay as such; to be handed on."""
    sink = _sink.get()
    if isinstance(sink, _Inherited):
        return _of_threads.get(threading.current_thread()) if _routing.has_threads else None
    return sink


def set_sink(sink: Sink | Relay | None) -> None:
    """From now on the output of the current context, and of what it starts, goes to `sink`."""
    _sink.set(sink)


@contextmanager
def to(sink: Sink | Relay | None) -> Iterator[None]:
    """For the time of the block, the output of this context goes to `sink`, None: to the stream.

    This says where; something must be in place that looks (`routed`).
    """
    token = _sink.set(sink)
    try:
        yield
    finally:
        try:
            _sink.reset(token)
        except ValueError:  # QtAsyncio may have changed the context over an await
            before = token.old_value
            _sink.set(_INHERITED if before is Token.MISSING else before)


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
            return self.original.write(text)  # type: ignore[no-any-return]
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
    """Who holds which stand-ins, and the two wrapped methods."""

    def __init__(self) -> None:
        # Guards all that is below; output is routed and no longer routed by any thread.
        self._lock = threading.RLock()
        self._holders = 0
        self.has_threads = False
        """Whether threads have inherited a sink: to ask for the current one takes time."""
        # Output is routed and no longer routed on any thread, while others print. Before 3.14 (and
        # late versions of 3.13) `print` does not hold the stream that it found in `sys`, and
        # crashes if that goes away. So the last ones stay, and are used again.
        self._used: deque[RoutedStream] = deque(maxlen=KEPT)
        self._start: Callable[..., Any] | None = None
        self._submit: Callable[..., Any] | None = None

    def enter(self) -> list[RoutedStream]:
        with self._lock:
            self.tidy()
            if self._holders == 0:
                self._wrap()
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
                self._unwrap()

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

    # -- what starts code in threads ---------------------------------------------------------

    def _wrap(self) -> None:
        # Somebody may have wrapped ours of an earlier time; that then is still in force.
        if self._start is None:
            self._start = threading.Thread.start
            threading.Thread.start = _starting(self, self._start)  # type: ignore[method-assign]
        if self._submit is None:
            self._submit = ThreadPoolExecutor.submit
            ThreadPoolExecutor.submit = _submitting(  # type: ignore[method-assign]
                self, self._submit
            )

    def _unwrap(self) -> None:
        if getattr(threading.Thread.start, "routing", None) is self:
            threading.Thread.start = self._start  # type: ignore[method-assign]
            self._start = None
        if getattr(ThreadPoolExecutor.submit, "routing", None) is self:
            ThreadPoolExecutor.submit = self._submit  # type: ignore[method-assign]
            self._submit = None

    @property
    def is_on(self) -> bool:
        return self._holders > 0

    def forget(self) -> None:
        """In a forked child: the lock could be held for ever."""
        self._lock = threading.RLock()


def _starting(routing: _Routing, start: Callable[..., None]) -> Callable[..., None]:
    def start_with_sink(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        sink = current_route() if routing.is_on else None
        if sink is not None:
            _of_threads[self] = sink
            routing.has_threads = True
        start(self, *args, **kwargs)

    return _looks_like(start, start_with_sink, routing)


def _submitting(routing: _Routing, submit: Callable[..., Any]) -> Callable[..., Any]:
    def submit_with_sink(
        self: ThreadPoolExecutor, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        sink = current_route() if routing.is_on else None
        if sink is None:
            return submit(self, fn, *args, **kwargs)  # type: ignore[no-any-return]

        def call() -> T:
            with to(sink):
                return fn(*args, **kwargs)

        with to(None):  # the thread that may be started now is everybody's
            return submit(self, call)  # type: ignore[no-any-return]

    return _looks_like(submit, submit_with_sink, routing)


def _looks_like(
    original: Callable[..., Any], wrapper: Callable[..., Any], routing: _Routing
) -> Callable[..., Any]:
    update_wrapper(wrapper, original)
    wrapper.routing = routing  # type: ignore[attr-defined]
    return wrapper


# -- logging -----------------------------------------------------------------------------------


def _point_handlers(original: Any, stream: RoutedStream) -> list[Any]:
    handlers = [handler for handler in _handlers() if handler.stream is original]
    for handler in handlers:
        handler.setStream(stream)
    return handlers


def _point_back(stream: RoutedStream) -> None:
    for handler in stream.handlers:
        if handler.stream is stream:
            handler.setStream(stream.original)
    stream.handlers = []


def _handlers() -> Iterator[logging.StreamHandler[Any]]:
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
