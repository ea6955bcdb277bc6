"""From the pty back to the terminal while other threads print on.

A thread that prints without a pause writes one line into the pty and the next, when the descriptors
have been led home, to the terminal. The first has to be there before the second, and whole. So:

1. nobody may begin to write any more; what is being written into the pty is read as it comes;
2. the pty is stopped, as by Ctrl-S: who writes into it from now on waits, with all of his line;
3. what has been read is written to the terminal, however long that takes;
4. nobody may begin to write any more; the descriptors are led home, the pty goes on and takes the
   lines that have waited, one for each thread; they are read and written.

In 1 and 4 no other Python code runs, because these calls of the C library do not give up the GIL,
where those of `os` do. They do not block, and take a millisecond, on a busy machine `PATIENCE` at
most. Whether a thread is still in the midst of a write, Linux tells in /proc; elsewhere it has to
be quiet for a while. Where there is no ctypes, in Python without a GIL, and for threads that are
not Python's, one line may overtake another here.

What does not work: doing 1 and 4 at once. A terminal that is slower than who prints is always full;
then what the pty holds cannot be written without waiting, and who prints does not wait.
"""

from __future__ import annotations

import os
import sys
import termios
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from ipyembed.output_descriptors import Moves, out_of_the_way
from ipyembed.output_screen import wait_writable, write_all

ROOM = 64 * 1024
"""Bytes that a read takes: more than a pty holds."""
WORDS = 256
"""Bytes in which Linux tells the system call of a thread."""
PATIENCE = 0.1
"""Seconds that writes which have begun may take to end."""
PAUSE = 500
"""Microseconds between two looks whether they have."""
IN_VAIN = 6
"""Looks in vain after which they have, where that cannot be known."""


class Switch:
    """What a pump needs for it."""

    def __init__(self, master: int, probe: int, terminal: int) -> None:
        """`probe`: a non-blocking descriptor of the other side. `terminal`: of the real one.

        Raises OSError, ImportError or AttributeError where that cannot be had.
        """
        self._master = master
        self._probe = probe
        self._calls = _calls()
        self._buffer = self._calls.make_buffer(ROOM)
        self._words = self._calls.make_buffer(WORDS)
        self._threads: list[bytes] = []
        self._fds: list[int] = []
        # Its mode is its own: that of the terminal's other descriptors is for others to choose.
        flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
        self._terminal = out_of_the_way(os.open(os.ttyname(terminal), flags))

    def close(self) -> None:
        """Close what was opened."""
        os.close(self._terminal)

    def move(self, moves: Moves) -> None:
        """Do it. Blocks while the terminal does.

        Raises OSError if a descriptor could not be moved, or when the terminal is gone.
        """
        failed = 0
        self._threads = [
            f"/proc/self/task/{thread.native_id}/syscall".encode()
            for thread in threading.enumerate()
            if thread is not threading.current_thread()
        ]
        self._fds = [fd for _, fd in moves]
        with _gil_kept():
            data = self._read_what_comes()
            self._calls.tcflow(self._probe, termios.TCOOFF)
        try:
            write_all(self._terminal, data)
            wait_writable(self._terminal)
        finally:
            with _gil_kept():
                for source, fd in moves:
                    if self._calls.dup2(source, fd) < 0:
                        failed = self._calls.errno()
                self._calls.tcflow(self._probe, termios.TCOON)
                data = self._read_what_comes(write=True)
        write_all(self._terminal, data)
        if failed:
            raise OSError(failed, os.strerror(failed))

    def _read_what_comes(self, write: bool = False) -> bytes:
        """Read until nothing comes; `write`: and write what can be written without waiting."""
        calls = self._calls
        deadline = time.monotonic() + PATIENCE
        data, in_vain = b"", 0
        while in_vain < IN_VAIN and time.monotonic() < deadline:
            is_written = self._is_being_written()  # asked before the last look
            in_vain += 1
            while (count := calls.read(self._master, self._buffer, ROOM)) > 0:
                data += self._buffer.raw[:count]
                in_vain = 0
            if data and write:
                data = data[max(0, calls.write(self._terminal, data, len(data))) :]
            if is_written is False and not (data and write):
                break
            if is_written or (data and write):
                in_vain = 0
            calls.usleep(PAUSE)
        return data

    def _is_being_written(self) -> bool | None:
        """Whether a thread of Python's may be writing to what is moved; None: nobody knows."""
        for path in self._threads:
            call = self._call_of(path)
            if call is None:
                return None
            # One that is "running" may have been in a write, and waits for a processor to go on.
            if call.startswith(b"running") or _is_write(call, self._fds):
                return True
        return False

    def _call_of(self, path: bytes) -> bytes | None:
        """The system call that a thread is in, in Linux's words."""
        calls = self._calls
        fd = calls.open(path, os.O_RDONLY | os.O_CLOEXEC)
        if fd < 0:
            return None
        count = calls.read(fd, self._words, WORDS)
        calls.close(fd)
        return bytes(self._words.raw[: max(0, count)])


class OneSwitch:
    """That of one pump, made when it is first needed. Used under the lock of the pump."""

    def __init__(self, master: int, probe: int, terminal: int) -> None:
        self._arguments = master, probe, terminal
        self._switch: Switch | None = None
        self._can_be_had = can_be_stopped(master, probe)

    def get(self) -> Switch | None:
        """The switch; None where there can be none."""
        if self._switch is None and self._can_be_had:
            try:
                self._switch = Switch(*self._arguments)
            except (AttributeError, ImportError, OSError):
                self._can_be_had = False
        return self._switch

    def close(self) -> None:
        """Close what was opened."""
        if self._switch is not None:
            self._switch.close()


def _is_write(call: bytes, fds: list[int]) -> bool:
    """Whether it has a descriptor, an address and a count: a write, or something like it."""
    words = call.split()
    if len(words) < 4:
        return False
    fd, address, count = (int(word, 16) for word in words[1:4])
    return fd in fds and address > 0xFFFF and count > 0


@contextmanager
def _gil_kept() -> Iterator[None]:
    """Nobody asks for the GIL until we give it up: the usual 5 ms could be too short."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(10 * PATIENCE)
    try:
        time.sleep(0)  # gives it up and takes it: those who wait begin to wait anew
        yield
    finally:
        sys.setswitchinterval(interval)


@cache
def _calls() -> Any:
    """Those that keep the GIL."""
    import ctypes
    from types import SimpleNamespace

    libc = ctypes.PyDLL(None, use_errno=True)
    return SimpleNamespace(
        read=libc.read,
        usleep=libc.usleep,
        write=libc.write,
        open=libc.open,
        close=libc.close,
        dup2=libc.dup2,
        tcflow=libc.tcflow,
        errno=ctypes.get_errno,
        make_buffer=ctypes.create_string_buffer,
    )


def can_be_stopped(master: int, probe: int) -> bool:
    """Whether a new pty can be stopped so that what it holds can still be read."""
    os.write(probe, b"?")
    try:
        termios.tcflow(probe, termios.TCOOFF)
        try:
            os.write(probe, b"!")
        except BlockingIOError:
            return bool(os.read(master, 2) == b"?")
        return False
    except (OSError, termios.error):
        return False
    finally:
        termios.tcflow(probe, termios.TCOON)
        try:
            os.read(master, 2)
        except OSError:
            pass
