"""What is kept while a program has the screen, without such a program."""

from __future__ import annotations

import os
import termios
import threading
import time
import tty
from collections.abc import Iterator

import pytest

from ipyembed import output_beside
from ipyembed.output_beside import BesideChild
from ipyembed.output_screen import TerminalStream


class _Terminal:
    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        self.lines = termios.tcgetattr(self.slave)
        self.seen = bytearray()
        self._ended = threading.Event()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while not self._ended.is_set():
            try:
                self.seen += os.read(self.master, 65536)
            except OSError:  # the other side is closed
                return

    def mode_for_lines(self) -> None:
        termios.tcsetattr(self.slave, termios.TCSANOW, self.lines)

    def wait_for(self, data: bytes) -> None:
        end = time.monotonic() + 15
        while not self.seen.endswith(data):
            assert time.monotonic() < end, self.seen[-200:]
            time.sleep(0.01)


@pytest.fixture
def terminal() -> Iterator[_Terminal]:
    terminal = _Terminal()
    yield terminal
    os.close(terminal.slave)
    os.close(terminal.master)


def test_much_is_kept_in_a_file(terminal: _Terminal) -> None:
    """Nobody waits, and all of it comes in the end."""
    beside = BesideChild(TerminalStream(terminal.slave))
    beside.write(b"before|")
    terminal.wait_for(b"before|")
    tty.setraw(terminal.slave)
    line = b"x" * 1023 + b"|"
    for _ in range(3000):
        beside.write(line)
    beside.write(b"end|")
    assert beside.has_kept
    assert terminal.seen == b"before|"
    beside.show()
    terminal.wait_for(b"end|")
    assert terminal.seen == b"before|" + 3000 * line + b"end|"
    assert not beside.has_kept


def test_shown_when_the_program_has_left_the_screen(
    terminal: _Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment after it has set the mode for lines, which it may do first of all."""
    beside = BesideChild(TerminalStream(terminal.slave))
    tty.setraw(terminal.slave)
    beside.write(b"one|")
    monkeypatch.setattr(output_beside, "SETTLED", 1000.0)
    terminal.mode_for_lines()
    beside.write(b"two|")
    assert terminal.seen == b""
    monkeypatch.setattr(output_beside, "SETTLED", 0.0)
    beside.look()
    beside.write(b"three|")
    terminal.wait_for(b"one|two|three|")


def test_more_than_can_be_kept(terminal: _Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not lost: it comes onto the screen."""
    beside = BesideChild(TerminalStream(terminal.slave))
    tty.setraw(terminal.slave)
    monkeypatch.setattr(output_beside, "MOST_KEPT", 8)
    beside.write(b"kept|")
    beside.write(b"shown|")
    terminal.wait_for(b"shown|")
    beside.show()
    terminal.wait_for(b"shown|kept|")
