"""Whoever prints while the prompt is up: it lands above the prompt, whole, in order."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

#: `later(f)` calls f in a thread at SIGUSR1: when the prompt is up, and a line half typed.
HOST = r"""
    import asyncio, ctypes, logging, os, shutil, signal, subprocess, sys, threading, time, warnings
    import ipyembed

    logging.basicConfig(format="%(message)s", level=logging.INFO)  # it holds the old stderr
    libc = ctypes.CDLL(None)
    go = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: go.set())

    def later(function):
        def run():
            go.wait()
            go.clear()
            function()
        threading.Thread(target=run).start()

    def sh(command):
        subprocess.run(command, shell=True)

    def soon(write):  # when what came before is on the screen
        time.sleep(0.1)
        write()

    def all_ways():
        print("by print")
        logging.info("by an old handler")
        os.write(1, b"by os.write\n")
        libc.puts(b"by libc")
        libc.fflush(None)
        sh("echo by a child; echo to its stderr >&2")
        sys.__stderr__.write("by the old stream\n")
        warnings.warn("a warning")
        print("done")

    def terminals():
        print(os.isatty(1), os.isatty(2), sys.stdout.isatty(), sys.stderr.isatty(), flush=True)
        print(*os.get_terminal_size(1), *shutil.get_terminal_size(), flush=True)
        sh("stty size <&1")

    def bar():
        for n in range(31):
            os.write(2, b"\r%d%%|%s|" % (n, b"#" * n))
            time.sleep(0.002)

    def two_bars():
        for n in range(31):
            os.write(2, b"\router %d" % n)
            os.write(2, b"\n\rinner %d\x1b[A" % n)
            time.sleep(0.002)
        os.write(2, b"\n\n")

    def full_row():
        print("x" * 99, end="", flush=True)
        soon(lambda: print("y", end="", flush=True))
        soon(lambda: print("z", flush=True))

    def all_kinds():
        print("\x1b[31mred", end="", flush=True)
        soon(lambda: print(" still red\x1b[0m plain"))
        print("日本", end="", flush=True)
        soon(lambda: print("語 e\u0301", end="", flush=True))
        soon(lambda: print("|"))
        os.write(1, "日".encode()[:1])
        time.sleep(0.001)
        os.write(1, "日".encode()[1:] + b"\n")
        os.write(1, b"in\xff\xfevalid\r\n")
        os.write(1, b"\x1b[3")
        time.sleep(0.001)
        os.write(1, b"2mgreen\x1b[m\n")
        print("done")

    def fails():
        {}["lost"]

    OPEN
    print("home again:", os.ttyname(1) == os.ttyname(0) == os.ttyname(2))
"""
EMBED = "ipyembed.embed(display_banner=False)"
AWAITED = "asyncio.run(ipyembed.embed_async(display_banner=False))"


def start(spawn: Spawn, opened: str = EMBED) -> Terminal:
    return spawn(HOST.replace("OPEN", opened))


def printed_above(terminal: Terminal, function: str, until: str) -> list[str]:
    """The rows that `function` prints above a half-typed line, which stays as it is."""
    n = terminal.prompt()
    terminal.line(f"later({function})")
    terminal.prompt(n + 1)
    half_typed = f"'half-typed {n}"
    terminal.send(half_typed)
    terminal.wait_for(f"{half_typed}$")
    terminal.signal(signal.SIGUSR1)
    terminal.wait_for(until)
    terminal.prompt(n + 1)
    rows = terminal.screen.rows
    prompts = [y for y, row in enumerate(rows) if row.startswith("In [")]
    assert rows[prompts[-1]] == f"In [{n + 1}]: {half_typed}", terminal.screen_text()
    assert terminal.cursor == (prompts[-1], len(rows[prompts[-1]])), terminal.screen_text()
    terminal.line("'")
    terminal.prompt(n + 2)
    return [row for row in rows[prompts[-2] + 1 : prompts[-1]] if row]


@pytest.mark.parametrize("opened", [EMBED, AWAITED])
def test_whoever_prints(spawn: Spawn, opened: str) -> None:
    terminal = start(spawn, opened)
    rows = printed_above(terminal, "all_ways", "^done")
    assert [row for row in rows if "arn" not in row] == [
        "by print",
        "by an old handler",
        "by os.write",
        "by libc",
        "by a child",
        "to its stderr",
        "by the old stream",
        "done",
    ]
    assert any("a warning" in row for row in rows)
    terminal.leave("^home again: True")


def test_unhandled_errors(spawn: Spawn) -> None:
    terminal = start(spawn)
    rows = printed_above(terminal, "lambda: 1/0", "^ZeroDivisionError")
    assert rows[0].startswith("Exception in thread")
    terminal.run("loop = asyncio.get_running_loop(); await asyncio.sleep(0)")
    rows = printed_above(terminal, "lambda: loop.call_soon_threadsafe(fails)", "^KeyError: 'lost'$")
    assert rows[0].startswith("Exception in callback fails()")


def test_the_streams_are_terminals_of_the_right_size(spawn: Spawn) -> None:
    terminal = start(spawn)
    rows = printed_above(terminal, "terminals", "^30 100$")
    assert rows == ["True True True True", "100 30 100 30", "30 100"]
    terminal.resize(20, 80)
    rows = printed_above(terminal, "terminals", "^20 80$")
    assert rows == ["True True True True", "80 20 80 20", "20 80"]


def test_in_a_cell_the_descriptors_are_the_terminal(spawn: Spawn) -> None:
    terminal = start(spawn)
    names = "print(*(os.ttyname(fd) == os.ttyname(0) for fd in (1, 2)))"
    assert terminal.run(names) == "True True"
    terminal.run("def names():\n    " + names + "\n")
    assert printed_above(terminal, "names", "^False") == ["False False"]
    assert terminal.run(names) == "True True"


def test_a_flood_waits_and_the_keyboard_does_not(spawn: Spawn, tmp_path: Path) -> None:
    """Nobody reads the terminal: what is printed is not held in memory, who prints it waits."""
    terminal = start(spawn)
    terminal.prompt(1)
    terminal.run(
        "def flood():\n"
        "    line = b'x' * 97 + b'\\n'\n"
        "    for flood.lines in range(20_000): os.write(1, line)\n"
    )
    terminal.run(
        "def tell():\n"
        "    seen = -1\n"
        "    while seen != flood.lines: seen = flood.lines; time.sleep(0.5)\n"
        "    open('it waits', 'w').write(str(seen))\n"
    )
    terminal.line("flood.lines = 0; later(flood); threading.Thread(target=tell).start(); go.set()")
    deadline = time.monotonic() + 30
    while not (tmp_path / "it waits").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert 0 < 98 * int((tmp_path / "it waits").read_text() or 0) < 1_500_000
    mark = terminal.mark()
    terminal.send("print('it is', 40 + 2)\r")
    terminal.wait_for_new(r"it is 42", mark, timeout=60)
    terminal.run("flood.lines")
    terminal.line("exit")
    terminal.wait_for("^home again: True", timeout=60)
    assert terminal.wait_exit() == 0


def test_unfinished_lines(spawn: Spawn) -> None:
    terminal = start(spawn)
    assert printed_above(terminal, "bar", r"^30%\|#{30}\|$") == ["30%|" + "#" * 30 + "|"]
    assert printed_above(terminal, "full_row", "^z$") == ["x" * 99 + "y", "z"]
    assert printed_above(terminal, "two_bars", "^inner 30") == ["outer 30", "inner 30"]


@pytest.mark.parametrize("output", ["fd", "sys"])
def test_the_prompt_has_a_row_of_its_own(spawn: Spawn, output: str) -> None:
    """Whatever a cell, or who printed while it ran, has left of a line."""
    terminal = start(spawn, f"ipyembed.embed(display_banner=False, output={output!r})")
    terminal.prompt(1)
    for left, rows in ((r"half a line", ["half a line"]), (r"one\n\rtwo\x1b[A", ["one"])):
        n = terminal.prompt()
        terminal.line(f"os.write(1, b'{left}'); None")
        terminal.prompt(n + 1)
        shown = [row for row in terminal.screen.rows if row]
        assert shown[-1 - len(rows) :] == [*rows, f"In [{n + 1}]:"], terminal.screen_text()


def test_text_of_all_kinds(spawn: Spawn) -> None:
    terminal = start(spawn)
    rows = printed_above(terminal, "all_kinds", "^done")
    assert rows == [
        "red still red plain",
        "日本語 é|",
        "日",
        "in\ufffd\ufffdvalid",
        "green",
        "done",
    ]
    y = terminal.screen.rows.index("red still red plain")
    assert [terminal.screen.buffer[y][x].fg for x in (0, 4, 14)] == ["red", "red", "default"]


@pytest.mark.parametrize("redirected", [1, 2])
def test_what_is_redirected_stays_redirected(spawn: Spawn, redirected: int) -> None:
    path = spawn.path / "redirected"
    script = spawn.path / "host.py"
    script.write_text(
        "import os, sys, threading, ipyembed\n"
        "def both():\n"
        "    for fd, name in (1, 'stdout'), (2, 'stderr'):\n"
        "        os.write(fd, f'to {name}\\n'.encode())\n"
        "        print('to', name, file=getattr(sys, name), flush=True)\n"
        "ipyembed.embed(display_banner=False)\n",
        encoding="utf-8",
    )
    terminal = spawn.argv(["sh", "-c", f"exec {sys.executable} {script} {redirected}>{path}"])
    if redirected == 2:
        terminal.prompt(1)
    terminal.line("threading.Timer(0.1, both).start()")
    kept, other = ("stderr", "stdout") if redirected == 1 else ("stdout", "stderr")
    terminal.wait_for(f"^to {kept}\n+to {kept}$")
    terminal.leave()
    assert f"to {other}" not in terminal.screen_text()
    assert path.read_text().count(f"to {other}\n") == 2


def test_a_line_of_ours_has_a_row_of_its_own(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, signal, time, ipyembed

        def block():
            print("half", end="", flush=True)
            time.sleep(3)
            print("the other half")

        async def main():
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, block)
            await ipyembed.embed_async(stuck_after=0.3, display_banner=False)

        asyncio.run(main())
        """
    )
    terminal.prompt(1)
    terminal.signal(signal.SIGUSR1)
    terminal.wait_for("^half$")
    terminal.send("1")  # somebody is there to be told
    terminal.wait_for("^ipyembed: the eval thread has been stuck")
    terminal.wait_for("^the other half$")
    terminal.line("")
    terminal.wait_for(r"^Out\[1\]: 1$")
    terminal.leave()
