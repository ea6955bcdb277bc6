"""A descriptor that becomes readable when told, and what a call of a hook cost until then."""

from __future__ import annotations

import os
import resource
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from ipyembed.gui.hooks.protocol import Hook


@dataclass(frozen=True)
class Cost:
    """Of one call."""

    seconds: float
    cpu: float
    switches: int
    """How often the process went to sleep, all threads."""
    after_ready: float
    """Seconds from the moment that the descriptor became readable; negative if it did not."""


class Pipe:
    """A pipe behind an epoll descriptor, as the shell's own; it is the context of a hook."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe()
        self._epoll = select.epoll()
        self._epoll.register(self._read, select.EPOLLIN)
        self._written_at = float("inf")

    def fileno(self) -> int:
        return self._epoll.fileno()

    def input_is_ready(self) -> bool:
        return bool(self._epoll.poll(0))

    def write(self) -> None:
        self._written_at = time.perf_counter()
        os.write(self._write, b"x")

    def drain(self) -> None:
        if self.input_is_ready():
            os.read(self._read, 4096)
        self._written_at = float("inf")

    def close(self) -> None:
        self._epoll.close()
        os.close(self._read)
        os.close(self._write)

    def run(self, hook: Hook, ready_after: float | None = None) -> Cost:
        """Call the hook, with the pipe readable some time later; written by another thread."""
        timer = threading.Timer(ready_after, self.write) if ready_after is not None else None
        if timer is not None:
            timer.start()
        before = resource.getrusage(resource.RUSAGE_SELF)
        cpu, start = time.process_time(), time.perf_counter()
        try:
            hook(self)
        finally:
            end = time.perf_counter()
            cost = Cost(
                seconds=end - start,
                cpu=time.process_time() - cpu,
                switches=resource.getrusage(resource.RUSAGE_SELF).ru_nvcsw - before.ru_nvcsw,
                after_ready=end - self._written_at,
            )
            if timer is not None:
                timer.cancel()
                timer.join()
        return cost

    def run_until(self, hook: Hook, done: Callable[[], object], timeout: float = 5.0) -> None:
        """Turn in short turns until something has happened."""
        deadline = time.perf_counter() + timeout
        while not done():
            assert time.perf_counter() < deadline, "it does not happen"
            self.run(hook, 0.01)
            self.drain()
