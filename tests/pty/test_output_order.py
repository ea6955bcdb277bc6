"""Threads print without a pause while cells are entered: no line is lost, torn or out of order."""

from __future__ import annotations

import os
import re
from itertools import pairwise

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

#: Three threads that print numbered lines. Unbuffered, print() would write its newline by itself.
HOST = """
    import os, sys, threading, time
    import ipyembed

    stop = threading.Event()

    def lines(name, write):
        n = 0
        while not stop.is_set():
            write(f"<{name} {n}>\\n")
            n += 1
            if PAUSE:
                time.sleep(PAUSE)

    def start():
        for name, write in {
            "print": lambda line: print(line, end=""),
            "write": lambda line: os.write(1, line.encode()),
            "error": lambda line: os.write(2, line.encode()),
        }.items():
            threads.append(threading.Thread(target=lines, args=(name, write)))
            threads[-1].start()

    threads = []
    ipyembed.embed(display_banner=False, output="OUTPUT")
    stop.set()
    for thread in threads:
        thread.join()
    print("<end>")
"""
_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class _NoScreen(Terminal):
    """Nothing is drawn, which would be too slow; a question for the cursor is answered anyhow."""

    def _read_available(self, everything: bool = False) -> None:
        for _ in range(100):
            try:
                data = os.read(self._master, 1 << 16)
            except BlockingIOError:
                return
            self._transcript += data
            if b"\x1b[6n" in data:
                os.write(self._master, b"\x1b[1;1R")


def _around(text: str, line: str) -> str:
    at = text.index(line)
    return text[max(0, at - 500) : at + 500]


def _check_order(spawn: Spawn, host: str, unbuffered: str | None) -> None:
    terminal = spawn(host, env={"PYTHONUNBUFFERED": unbuffered})
    terminal.wait_for(lambda t: b"]: " in t.transcript)
    for n in range(8):
        mark = terminal.mark()
        terminal.line("start()" if n == 0 else f"n = {n}")
        # What is typed before the prompt is there, the terminal echoes into the midst of a line.
        terminal.wait_for_new(rf"In \[{n + 2}\]: ", mark)
    terminal.line("exit")
    terminal.wait_for(lambda t: b"<end>" in t.transcript[-10_000:])
    assert terminal.wait_exit() == 0
    text = _ESCAPE.sub("", terminal.transcript.decode())
    for name in ("print", "write", "error"):
        numbers = [int(n) for n in re.findall(rf"<{name} (\d+)>\r*\n", text)]
        assert len(numbers) > 10
        for a, b in pairwise(numbers):
            assert b == a + 1, _around(text, f"<{name} {a}>")


@pytest.mark.parametrize("pause", [0, 0.001], ids=["flood", "many"])
def test_lines_stay_in_order(spawn: Spawn, monkeypatch: pytest.MonkeyPatch, pause: float) -> None:
    monkeypatch.setattr("tests.pty.conftest.Terminal", _NoScreen)
    host = HOST.replace("PAUSE", str(pause)).replace("OUTPUT", "fd")
    _check_order(spawn, host, unbuffered=None)


def test_those_caught_at_the_streams_do_too(spawn: Spawn, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in `python -u`, if a line is one write; that of a `print()` is two."""
    monkeypatch.setattr("tests.pty.conftest.Terminal", _NoScreen)
    host = HOST.replace("PAUSE", "0.001").replace("OUTPUT", "sys")
    for fd, stream in ((1, "sys.stdout"), (2, "sys.stderr")):
        host = host.replace(f"os.write({fd}, line.encode())", f"{stream}.write(line)")
    _check_order(spawn, host, unbuffered="1")
