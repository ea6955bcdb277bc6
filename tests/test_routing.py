"""Output goes to the sink of the code that prints it, and the streams are as they were."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from typing import Concatenate, NamedTuple, ParamSpec

import pytest

from ipyembed import routing

P = ParamSpec("P")


class Kept:
    """A sink that keeps what it gets."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str]] = []

    def write(self, stream_name: str, text: str) -> None:
        self.got.append((stream_name, text))

    @property
    def text(self) -> str:
        return "".join(text for _, text in self.got)


class Streams(NamedTuple):
    out: io.StringIO
    err: io.StringIO


def with_streams(test: Callable[Concatenate[Streams, P], None]) -> Callable[P, None]:
    """Calls the test with streams in place of pytest's, of which nothing of ours may be left.

    No fixture: pytest sets the streams anew before it calls the test.
    """

    def call(*args: P.args, **kwargs: P.kwargs) -> None:
        streams = Streams(io.StringIO(), io.StringIO())
        start, submit = threading.Thread.start, ThreadPoolExecutor.submit
        with redirect_stdout(streams.out), redirect_stderr(streams.err):
            test(streams, *args, **kwargs)
            assert (sys.stdout, sys.stderr) == streams
        assert (threading.Thread.start, ThreadPoolExecutor.submit) == (start, submit)

    signature = inspect.signature(test)
    parameters = list(signature.parameters.values())[1:]
    call.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return call


@with_streams
def test_to_the_sink_or_else_to_the_stream(streams: Streams) -> None:
    out, err = streams
    sink = Kept()
    with routing.routed():
        print("before")
        with routing.to(sink):
            print("in", "side")
            print("oops", file=sys.stderr)
            with routing.to(None):
                print("around")
            sys.stdout.writelines(["a\n", "b\n"])
            with pytest.raises(TypeError, match="must be str, not bytes"):
                sys.stdout.write(b"x")  # type: ignore[arg-type]
        print("after", file=sys.stderr)
    with routing.to(sink):
        print("nobody looks")
    assert sink.text == "in side\noops\na\nb\n"
    assert ("stderr", "oops") in sink.got
    assert out.getvalue() == "before\naround\nnobody looks\n"
    assert err.getvalue() == "after\n"


@with_streams
def test_all_else_is_the_streams_own(streams: Streams) -> None:
    sys.stdout = real = io.TextIOWrapper(io.BytesIO(), encoding="latin-1", write_through=True)
    try:
        with routing.routed():
            assert sys.stdout is not real
            assert sys.stdout.encoding == "latin-1"
            assert sys.stdout.buffer is real.buffer
            assert not sys.stdout.isatty()
            with pytest.raises(io.UnsupportedOperation):
                sys.stdout.fileno()
            sys.stdout.flush()
            # what IPython does, to record what a cell prints
            written: list[str] = []
            sys.stdout.write = written.append  # type: ignore[method-assign,assignment]
            print("x")
            del sys.stdout.write
            assert written == ["x", "\n"]
        assert sys.stdout is real
    finally:
        sys.stdout = streams.out


@with_streams
def test_tasks_that_print_at_once(streams: Streams) -> None:
    sinks = [Kept() for _ in range(3)]

    async def child(n: int) -> None:
        for _ in range(20):
            print(n)
            await asyncio.sleep(0)

    async def parent(n: int) -> None:
        routing.set_sink(sinks[n])
        await asyncio.gather(child(n), asyncio.create_task(child(n)))

    async def main() -> None:
        await asyncio.gather(*(parent(n) for n in range(3)))

    with routing.routed():
        asyncio.run(main())
    assert [sink.text for sink in sinks] == [f"{n}\n" * 40 for n in range(3)]
    assert streams.out.getvalue() == ""


@with_streams
def test_threads_inherit(streams: Streams) -> None:
    sink = Kept()

    def inner() -> None:
        print("inner")

    def outer() -> None:
        print("outer")
        thread = threading.Thread(target=inner)
        thread.start()
        thread.join()
        asyncio.run(a_task())

    async def a_task() -> None:
        print("task")
        with routing.to(None):
            print("around")

    def others() -> None:
        print("other's")

    with routing.routed():
        with routing.to(sink):
            thread = threading.Thread(target=outer)
            thread.start()
        thread.join()
        thread = threading.Thread(target=others)
        thread.start()
        thread.join()
    assert sink.text == "outer\ninner\ntask\n"
    assert streams.out.getvalue() == "around\nother's\n"


@with_streams
def test_a_pools_thread_prints_for_whoever_called(streams: Streams) -> None:
    first, second = Kept(), Kept()
    with routing.routed(), ThreadPoolExecutor(1) as pool:
        with routing.to(first):
            pool.submit(print, "first").result()
        with routing.to(second):
            list(pool.map(print, ["second"]))
        pool.submit(print, "nobody's").result()

    async def main() -> None:
        with routing.to(first):
            await asyncio.get_running_loop().run_in_executor(None, print, "executor")
            await asyncio.to_thread(print, "to_thread")

    with routing.routed():
        asyncio.run(main())
    assert first.text == "first\nexecutor\nto_thread\n"
    assert second.text == "second\n"
    assert streams.out.getvalue() == "nobody's\n"


@with_streams
def test_what_a_relay_was_given_to_follows_it(streams: Streams) -> None:
    sink, relay = Kept(), routing.Relay(None)
    go = threading.Event()

    def work() -> None:
        print("before")
        go.wait(10)
        print("after")

    with routing.routed():
        with routing.to(relay):
            thread = threading.Thread(target=work)
            thread.start()
            print("before")
        relay.target = sink
        go.set()
        thread.join()
    assert streams.out.getvalue() == "before\nbefore\n"
    assert sink.text == "after\n"


@with_streams
def test_who_wraps_the_same_methods_keeps_his_wrapper(
    streams: Streams, monkeypatch: pytest.MonkeyPatch
) -> None:
    sink = Kept()
    started = []
    with monkeypatch.context() as patch:
        with routing.routed():
            ours = threading.Thread.start

            def start(self: threading.Thread) -> None:
                started.append(self)
                ours(self)

            patch.setattr(threading.Thread, "start", start)
        assert threading.Thread.start is start
        with routing.routed(), routing.to(sink):  # once, not twice
            thread = threading.Thread(target=print, args=("x",))
            thread.start()
            thread.join()
        assert threading.Thread.start is start
    assert started == [thread]
    assert sink.text == "x\n"
    with routing.routed():  # what his wrapper called is gone when he is
        pass


@with_streams
def test_held_by_several_and_left_in_any_order(streams: Streams) -> None:
    sink = Kept()
    first, second = routing.routed(), routing.routed()
    first.__enter__()
    stand_in = sys.stdout
    second.__enter__()
    assert sys.stdout is stand_in
    first.__exit__(None, None, None)
    with routing.to(sink):
        print("still")
    second.__exit__(None, None, None)
    assert sink.text == "still\n"


@with_streams
def test_in_front_of_what_somebody_else_has_put_there(streams: Streams) -> None:
    sink, his = Kept(), io.StringIO()
    with routing.routed():
        with redirect_stdout(his):
            with routing.to(sink):
                print("his")
            with routing.routed(), routing.to(sink):
                print("in front")
            assert sys.stdout is his
    assert his.getvalue() == "his\n"
    assert sink.text == "in front\n"


@with_streams
def test_what_is_put_back_late_forwards_and_is_taken_away(streams: Streams) -> None:
    out, _ = streams
    sink, his = Kept(), io.StringIO()
    held = routing.routed()
    held.__enter__()
    with redirect_stdout(his):
        held.__exit__(None, None, None)
        assert sys.stdout is his
    with routing.to(sink):
        print("forwarded")  # by a stand-in whose time is over
    assert out.getvalue() == "forwarded\n"
    with routing.routed():
        pass
    assert sys.stdout is out


@with_streams
def test_logging_handlers_that_hold_the_stream(streams: Streams) -> None:
    _, err = streams
    sink = Kept()
    logger = logging.getLogger("ipyembed.tests.routing")
    logger.propagate = False
    handler = logging.StreamHandler()
    logger.addHandler(handler)
    try:
        with routing.routed():
            with routing.to(sink):
                logger.error("the job's")
            logger.error("the host's")
        assert handler.stream is err
        with routing.routed():
            handler.setStream(kept := io.StringIO())  # the host's own wish
        assert handler.stream is kept
    finally:
        logger.removeHandler(handler)
    assert sink.text == "the job's\n"
    assert err.getvalue() == "the host's\n"


@with_streams
def test_streams_come_and_go_while_others_print(streams: Streams) -> None:
    """Before Python 3.14, `print` crashes if its stream goes away meanwhile."""
    over = threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            time.sleep(0.0001)  # lets others run, as writing to a terminal does
            return super().write(text)

    def prints() -> None:
        while not over.is_set():
            print("x", "y")

    with redirect_stdout(Slow()):
        thread = threading.Thread(target=prints)
        thread.start()
        for _ in range(300):
            with routing.routed():
                time.sleep(0.0001)
        over.set()
        thread.join()
    assert set(streams.out.getvalue()) <= {"x", "y", " ", "\n"}


@with_streams
def test_without_a_stream(streams: Streams, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", None)  # as under pythonw
        with routing.routed():
            assert sys.stdout is None
            print("x", file=sys.stderr)
    assert streams.err.getvalue() == "x\n"
