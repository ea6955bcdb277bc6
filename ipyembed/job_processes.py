"""Jobs in processes: one process each, at most as many at once as there are processors.

Not `ProcessPoolExecutor`: its processes are forked at first use, so they know no function that was
typed at the prompt later; and none of them can be ended alone. A process that is forked for the job
has all that this one had, the moment before. Where there is no fork, the function and its arguments
must be picklable.

What the process prints comes back and is printed here, as the job's.
"""

from __future__ import annotations

import asyncio
import functools
import io
import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.connection import Connection
from typing import Any


@functools.cache
def pool() -> ThreadPoolExecutor:
    """The threads that wait for the processes."""
    return ThreadPoolExecutor(os.cpu_count() or 1, "ipyembed-process")


class RemoteError(Exception):
    """The cause of an exception that came from a process: where it was raised there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def __str__(self) -> str:
        return f'\n"""\n{self._text}"""'


class Process:
    """A call in a process of its own."""

    def __init__(self, function: Callable[..., Any], args: tuple[Any, ...]) -> None:
        self._function = function
        self._args = args
        self._process: Any = None
        self._is_killed = False
        # So that a process is not killed in the midst of its start, or when it has gone.
        self._lock = threading.Lock()

    def kill(self) -> None:
        """End it, now or as soon as it starts; from any thread."""
        with self._lock:
            self._is_killed = True
            if self._process is not None:
                self._process.kill()

    def run(self) -> Any:
        """The call's result, or raises its exception; blocks.

        Raises `asyncio.CancelledError` after `kill()`, RuntimeError if the process has died.
        """
        context = multiprocessing.get_context()
        ours, theirs = context.Pipe(duplex=False)
        call = theirs, self._function, self._args
        process = context.Process(target=_in_process, args=call, daemon=True)
        with ours:
            with theirs, self._lock:
                if self._is_killed:
                    raise asyncio.CancelledError
                process.start()
                self._process = process
            try:
                return self._receive(ours)
            finally:
                process.join()
                with self._lock:
                    self._process = None
                    process.close()

    def _receive(self, ours: Connection) -> Any:
        while True:
            try:
                what, *values = ours.recv()
            except EOFError:
                break
            if what == "result":
                return values[0]
            if what == "error":
                error, text = values
                raise error from RemoteError(text)
            stream = getattr(sys, what)
            if stream is not None:
                stream.write(values[0])
        self._process.join()
        status = self._process.exitcode
        if self._is_killed:
            raise asyncio.CancelledError
        raise RuntimeError(f"the job's process ended with exit status {status}")


class _Stream(io.TextIOBase):
    """Sends what is written."""

    def __init__(self, connection: Connection, name: str) -> None:
        self._connection = connection
        self._name = name

    def write(self, text: str) -> int:
        self._connection.send((self._name, text))
        return len(text)

    def writable(self) -> bool:
        return True


def _in_process(
    connection: Connection, function: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    """What the process runs."""
    _leave_signals_alone()
    sys.stdout, sys.stderr = _Stream(connection, "stdout"), _Stream(connection, "stderr")
    try:
        answer: tuple[Any, ...] = ("result", function(*args))
    except BaseException as error:
        answer = ("error", error, traceback.format_exc())
    try:
        connection.send(answer)
    except Exception as error:  # what cannot be pickled, fails in many ways
        text = f"the job's result cannot be sent to this process: {error}"
        connection.send(("error", RuntimeError(text), traceback.format_exc()))


def _leave_signals_alone() -> None:
    """A process that was forked has our handlers, and would tell our loop of its signals.

    Ctrl-C and Ctrl-Z go to it as well, but are meant for us: nobody would continue it.
    """
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(-1)
        for name, handler in {
            "SIGINT": signal.SIG_IGN,
            "SIGTERM": signal.SIG_DFL,
            "SIGTSTP": signal.SIG_IGN,
        }.items():
            if hasattr(signal, name):
                signal.signal(getattr(signal, name), handler)
