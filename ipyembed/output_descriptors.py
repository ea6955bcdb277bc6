"""The file descriptors that are the terminal, led elsewhere for a while and home again.

What comes back is the very open file that was there, with the flags that the descriptor had. What
somebody else has put there meanwhile stays.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass

STANDARD = (1, 2)

Identity = tuple[int, int, int] | None
"""What tells one file, or terminal, from another; None where nothing is open."""


Moves = list[tuple[int, int]]
"""Arguments for `dup2`: what to duplicate, and which descriptor becomes that."""


@dataclass
class _Led:
    """A descriptor that leads elsewhere now."""

    fd: int
    saved: int
    is_inheritable: bool


class Descriptors:
    """Those descriptors of the process that are one terminal. Used by one thread at a time.

    ========  ==================  =============
    state     descriptors         left by
    ========  ==================  =============
    at home   are the terminal    `lead_to`
    led       are another file    `lead_home`
    ========  ==================  =============
    """

    def __init__(self, terminal: int) -> None:
        """`terminal`: a descriptor of it that stays open, and is not among those led."""
        self._terminal = terminal
        self._home = identity(terminal)
        self._away: Identity = None
        self._led: list[_Led] = []
        self._were_home = {fd for fd in STANDARD if identity(fd) == self._home}

    @property
    def are_led(self) -> bool:
        """Whether any leads elsewhere."""
        return bool(self._led)

    def home_of(self, fd: int) -> int | None:
        """A descriptor of the open file that one of those led away has at home."""
        return next((led.saved for led in self._led if led.fd == fd), None)

    def lead_to(self, target: int) -> None:
        """Make those that are the terminal the same open file as `target`.

        Raises OSError if one cannot be; then all are at home.
        """
        self._away = identity(target)
        if self._away is None or self._away == self._home:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        try:
            for fd in _candidates():
                if identity(fd) == self._home:
                    led = _Led(fd, duplicate(fd), os.get_inheritable(fd))
                    self._led.append(led)
                    os.dup2(target, fd, led.is_inheritable)
                    if fd in STANDARD:
                        self._were_home.add(fd)
        except BaseException:
            self.lead_home()
            raise

    def lead_home(self, move: Callable[[Moves], None] | None = None) -> list[int]:
        """Give each the open file back that it had, unless somebody has put another there.

        `move` does it, by `dup2`. Returns those that somebody had closed; they are open again.
        Raises OSError if one cannot be led home; it is led still.
        """
        now = {led.fd: identity(led.fd) for led in self._led}
        ours = [led for led in self._led if now[led.fd] in (self._away, self._home, None)]
        try:
            (move or _move)([(led.saved, led.fd) for led in ours])
        finally:
            left = [led for led in ours if identity(led.fd) == self._away]
            for led in self._led:
                if led not in left:
                    if led in ours and not led.is_inheritable:
                        os.set_inheritable(led.fd, False)
                    os.close(led.saved)
            self._led = left
        return [fd for fd, file in now.items() if file is None]

    def reopen(self) -> list[int]:
        """Make those the terminal that were it at an earlier prompt and are closed now."""
        if self._led:
            return []
        closed = sorted(fd for fd in self._were_home if identity(fd) is None)
        for fd in closed:
            os.dup2(self._terminal, fd)
        return closed


def _move(moves: Moves) -> None:
    for source, fd in moves:
        os.dup2(source, fd)


def identity(fd: int) -> Identity:
    """Which file a descriptor is open on."""
    try:
        status = os.fstat(fd)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_rdev


def close_if(fd: int, file: Identity) -> None:
    """Close a descriptor, unless somebody else has, and perhaps opened another file by it."""
    if identity(fd) == file:
        os.close(fd)


def duplicate(fd: int) -> int:
    """A duplicate that no child inherits, and that is none of the standard three."""
    import fcntl

    return fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 3)


def out_of_the_way(fd: int) -> int:
    """The same open file by a descriptor of ours that is none of the standard three.

    Where one of those is closed, the next file to be opened gets its number, and whoever leads it
    home takes it away.
    """
    if fd > max(STANDARD):
        return fd
    try:
        return duplicate(fd)
    finally:
        os.close(fd)


def _candidates() -> list[int]:
    """The standard descriptors, and those of Python's streams, which may be others."""
    found = set(STANDARD)
    for stream in (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__):
        try:
            if stream is not None:
                found.add(stream.fileno())
        except Exception:  # a stream of the user's, without a descriptor or closed
            pass
    return sorted(found)
