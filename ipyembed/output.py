"""What others print while a prompt is up lands above it.

prompt_toolkit's proxy takes the place of `sys.stdout` and `sys.stderr`. Logging handlers made
before the shell hold the streams themselves, so they are pointed at the proxy for that time.
What writes to the file descriptors (C code, child processes) is not caught by this.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TextIO, cast

from prompt_toolkit.patch_stdout import StdoutProxy

PAUSE_BETWEEN_WRITES = 0.02
"""Seconds in which lines are gathered before the prompt is drawn again."""


@asynccontextmanager
async def above_prompt(policy: str) -> AsyncIterator[None]:
    """Catch what is printed while the prompt of the current AppSession is up.

    Runs on the prompt thread, inside the prompt's AppSession. `policy` is that of the trait
    `LoopJuggler.output`.
    """
    if policy == "off":
        yield
        return
    with _Proxy(sleep_between_writes=PAUSE_BETWEEN_WRITES, raw=True) as proxy:
        with _streams_replaced(cast("TextIO", proxy)):
            yield
    # The proxy's thread has handed its last lines to this loop; let them be written before the
    # prompt counts as answered, so that they cannot come after the cell's first output.
    for _ in range(3):
        await asyncio.sleep(0)


class _Proxy(StdoutProxy):
    """Writes above the prompt of the AppSession in which it is made.

    prompt_toolkit 3.0.50 to 3.0.53: the proxy's thread has no context variables, so there
    `run_in_terminal` looks for the prompt in the process's default session and finds none.
    """

    def _start_write_thread(self) -> threading.Thread:
        run = contextvars.copy_context().run
        thread = threading.Thread(
            target=run, args=(self._write_thread,), name="ipyembed-output", daemon=True
        )
        thread.start()
        return thread


@contextmanager
def _streams_replaced(proxy: TextIO) -> Iterator[None]:
    stdout, stderr = sys.stdout, sys.stderr
    sys.stdout = sys.stderr = proxy
    handlers = [handler for handler in _handlers() if handler.stream in (stdout, stderr)]
    streams = [handler.stream for handler in handlers]
    for handler in handlers:
        handler.setStream(proxy)
    try:
        yield
    finally:
        for handler, stream in zip(handlers, streams, strict=True):
            if handler.stream is proxy:
                handler.setStream(stream)
        # Who replaced the streams meanwhile keeps his replacement.
        if sys.stdout is proxy:
            sys.stdout = stdout
        if sys.stderr is proxy:
            sys.stderr = stderr


def _handlers() -> Iterator[logging.StreamHandler[Any]]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    seen: set[int] = set()
    for logger in loggers:
        for handler in getattr(logger, "handlers", ()):  # a PlaceHolder has none
            if isinstance(handler, logging.StreamHandler) and id(handler) not in seen:
                seen.add(id(handler))
                # logging.lastResort and its like look sys.stderr up themselves
                if "stream" in handler.__dict__:
                    yield handler


@contextmanager
def streams_kept() -> Iterator[None]:
    """Put `sys.stdout` and `sys.stderr` back if a proxy of prompt_toolkit's is left in them.

    IPython's completer puts one in for a moment, on the eval thread; if the prompt ends in that
    moment, each of the two puts back what it found. Runs on the eval thread, around the prompt.
    """
    stdout, stderr = sys.stdout, sys.stderr
    try:
        yield
    finally:
        if isinstance(sys.stdout, StdoutProxy):
            sys.stdout = stdout
        if isinstance(sys.stderr, StdoutProxy):
            sys.stderr = stderr
