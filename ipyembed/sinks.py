"""Where the output of some code goes: a context variable, inherited by what that code starts.

asyncio gives each task a copy of the context of the code that made it, so tasks inherit the
variable; `asyncio.to_thread` copies it as well. Two ways into a thread do not, before Python 3.14
or for ever: `threading.Thread.start` and `ThreadPoolExecutor.submit` (`loop.run_in_executor`). They
are wrapped while output is routed. A pool's thread serves many, so what is handed over there is the
sink of each call, not that of the call for which the thread happened to be started.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar, Token
from functools import update_wrapper
from typing import Any, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


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
_current = _sink.get
_of_threads: weakref.WeakKeyDictionary[threading.Thread, Sink | Relay] = weakref.WeakKeyDictionary()


def current_sink() -> Sink | None:
    """Where the output of the code that calls this goes; None: to the stream itself."""
    sink = _current()
    if sink is _INHERITED:
        if not inheritance.has_threads:
            return None
        sink = current_route()
    while isinstance(sink, Relay):
        sink = sink.target
    return sink  # type: ignore[return-value]


def current_route() -> Sink | Relay | None:
    """The same, but a relay as such; to be handed on."""
    sink = _current()
    if isinstance(sink, _Inherited):
        return _of_threads.get(threading.current_thread()) if inheritance.has_threads else None
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


class Inheritance:
    """That threads inherit their sink. Begun and ended under a lock of the caller's."""

    def __init__(self) -> None:
        self.is_on = False
        self.has_threads = False
        """Whether any ever has: to ask which takes time."""
        self._start: Callable[..., Any] | None = None
        self._submit: Callable[..., Any] | None = None

    def begin(self) -> None:
        """From now on threads inherit."""
        self.is_on = True
        # Somebody may have wrapped ours of an earlier time; that then is still in force.
        if self._start is None:
            self._start = threading.Thread.start
            threading.Thread.start = _starting(self, self._start)  # type: ignore[method-assign]
        if self._submit is None:
            self._submit = ThreadPoolExecutor.submit
            ThreadPoolExecutor.submit = _submitting(  # type: ignore[method-assign]
                self, self._submit
            )

    def end(self) -> None:
        """From now on they do not; who has wrapped our wrapper keeps his."""
        self.is_on = False
        if getattr(threading.Thread.start, "inheritance", None) is self:
            threading.Thread.start = self._start  # type: ignore[method-assign]
            self._start = None
        if getattr(ThreadPoolExecutor.submit, "inheritance", None) is self:
            ThreadPoolExecutor.submit = self._submit  # type: ignore[method-assign]
            self._submit = None


def _starting(owner: Inheritance, start: Callable[..., None]) -> Callable[..., None]:
    def start_with_sink(self: threading.Thread, *args: Any, **kwargs: Any) -> None:
        sink = current_route() if owner.is_on else None
        if sink is not None:
            _of_threads[self] = sink
            owner.has_threads = True
        start(self, *args, **kwargs)

    return _looks_like(start, start_with_sink, owner)


def _submitting(owner: Inheritance, submit: Callable[..., Any]) -> Callable[..., Any]:
    def submit_with_sink(
        self: ThreadPoolExecutor, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs
    ) -> Future[T]:
        sink = current_route() if owner.is_on else None
        if sink is None:
            return submit(self, fn, *args, **kwargs)  # type: ignore[no-any-return]

        def call() -> T:
            with to(sink):
                return fn(*args, **kwargs)

        with to(None):  # the thread that may be started now is everybody's
            return submit(self, call)  # type: ignore[no-any-return]

    return _looks_like(submit, submit_with_sink, owner)


def _looks_like(
    original: Callable[..., Any], wrapper: Callable[..., Any], owner: Inheritance
) -> Callable[..., Any]:
    update_wrapper(wrapper, original)
    wrapper.inheritance = owner  # type: ignore[attr-defined]
    return wrapper


inheritance = Inheritance()
"""The process's."""
