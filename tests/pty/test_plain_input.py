"""Input that is no terminal, and terminals for which prompt_toolkit is too much."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn

DEADLINE = 30.0

HOSTS = {
    "embed": """
        import asyncio, sys
        from ipyembed import embed
        host = "the host's"
        embed(display_banner=False)
        print("the host goes on,", host)
        """,
    "embed_async": """
        import asyncio, sys
        from ipyembed import embed_async
        async def main():
            host = "the host's"
            await embed_async(display_banner=False)
            print("the host goes on,", host)
        asyncio.run(main())
        """,
    "command": """
        import sys
        from ipyembed.app import main
        sys.argv[1:] = ["--no-banner"]
        main()
        """,
}

LINES = """\
import asyncio
host = 'changed'
print('product', 6 * 7)
await asyncio.sleep(0, 'awaited')
for i in range(2):
    print('loop', i)

def f():
    if True:
        return 'from a function'

print(f())
1/0
print('after an error')
class C:
    def last(self):
        return 'at the end'
    value = print('no blank line', last(None))"""


@pytest.fixture(params=HOSTS)
def host(request: pytest.FixtureRequest, tmp_path: Path, ipython_dir: Path) -> Path:
    """A program that opens a shell, each of those in `HOSTS`. Its name is that of the way."""
    path = tmp_path / f"{request.param}.py"
    path.write_text(dedent(HOSTS[request.param]), encoding="utf-8")
    return path


@pytest.mark.parametrize("source", ["pipe", "file", "file of the same as stdout"])
def test_lines_are_run(host: Path, tmp_path: Path, source: str) -> None:
    argv = [sys.executable, str(host)]
    if source == "pipe":
        done = subprocess.run(
            argv, input=LINES, capture_output=True, text=True, timeout=DEADLINE, check=False
        )
        output = done.stdout
    else:
        (tmp_path / "in").write_text(LINES)
        with open(tmp_path / "in") as stdin, open(tmp_path / "out", "w") as stdout:
            done = subprocess.run(
                argv, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, text=True,
                timeout=DEADLINE, check=False,
            )  # fmt: skip
        output = (tmp_path / "out").read_text()
    assert done.returncode == 0
    assert done.stderr == ""
    expected = [
        "product 42",
        "Out[4]: 'awaited'",
        "loop 0\nloop 1\n",
        "from a function",
        "ZeroDivisionError",
        "after an error",
        "no blank line at the end",
    ]
    positions = [output.index(text) for text in expected]
    assert positions == sorted(positions)
    assert "\x1b[?" not in output
    if host.stem != "command":
        assert output.rstrip().endswith("the host goes on, changed")


@pytest.mark.parametrize("source", ["/dev/null", "empty pipe", "closed", "exit", "no newline"])
def test_the_end_of_the_input_is_the_end_of_the_shell(host: Path, source: str) -> None:
    argv = [sys.executable, str(host)]
    if source == "closed":
        argv = ["sh", "-c", 'exec "$@" <&-', "sh", *argv]
    text = {"empty pipe": "", "exit": "exit\nprint('not' 'run')", "no newline": "print(6 * 7)"}
    done = subprocess.run(
        argv,
        input=text.get(source),
        stdin=None if source in text else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "notrun" not in done.stdout
    assert "Traceback" not in done.stdout
    assert ("42" in done.stdout) is (source == "no newline")
    if host.stem != "command":
        assert "the host goes on, the host's" in done.stdout


@pytest.mark.parametrize("host", ["embed", "embed_async"], indirect=True)
def test_a_daemon_without_any_streams(host: Path) -> None:
    argv = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, str(host)]
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, timeout=DEADLINE, check=False)
    assert done.returncode == 0


@contextmanager
def talking_to(argv: list[str]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.kill()


def read_until(process: subprocess.Popen[bytes], text: str, deadline: float = DEADLINE) -> str:
    """What the program prints, until `text` is in it or the time is over; never blocks longer."""
    assert process.stdout is not None
    output = b""
    end = time.monotonic() + deadline
    while text.encode() not in output and (left := end - time.monotonic()) > 0:
        if select.select([process.stdout], [], [], left)[0]:
            data = os.read(process.stdout.fileno(), 65536)
            if not data:
                break
            output += data
    return output.decode()


def test_an_open_pipe_that_is_idle_costs_nothing_and_tasks_tick(host: Path) -> None:
    with talking_to([sys.executable, str(host)]) as process:
        assert process.stdin is not None

        def type_line(line: str) -> None:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n".encode())
            process.stdin.flush()

        for line in (
            "import asyncio, time",
            "async def tick(): await asyncio.sleep(0.05); print('tick' + 'ed', flush=True)",
            "",
            "task = asyncio.create_task(tick()); await asyncio.sleep(0)",
            "print('rea' + 'dy', flush=True); used = time.process_time()",
        ):
            type_line(line)
        # Nothing more is typed: what is printed now, a task has printed while a line is awaited.
        printed = read_until(process, "ticked")
        assert "ticked" in printed
        assert "Error" not in printed
        # Stay idle for a second; nothing comes.
        assert read_until(process, "never", deadline=1.0).strip() in ("", "In [6]:", "In [5]:")
        type_line("print('used', time.process_time() - used, 'seconds', flush=True)")
        used = read_until(process, "seconds").split("used ")[1].split()[0]
        assert float(used) < 0.1
        process.stdin.close()
        assert process.wait(DEADLINE) == 0


def test_a_dumb_terminal(spawn: Spawn, host: Path) -> None:
    terminal = spawn(host, env={"TERM": "dumb"})
    before = terminal.tty_modes()
    terminal.prompt(1)
    terminal.line("import asyncio; print('product', 6 * 7)")
    terminal.wait_for("^product 42")
    terminal.prompt(2)
    terminal.line("await asyncio.sleep(0, 'awaited')")
    terminal.wait_for(r"Out\[2\]: 'awaited'")
    terminal.prompt(3)
    terminal.line("async def tick(): await asyncio.sleep(0.01); print('ticked', 6 * 7)")
    if "In [4]" not in terminal.screen_text():
        terminal.line()
    terminal.prompt(4)
    terminal.line("task = asyncio.create_task(tick()); await asyncio.sleep(0)")
    terminal.wait_for(r"ticked 42")
    terminal.leave()
    moves = re.findall(rb"\x1b\[[\d;]*[ABCDEFGHJKSTf]", terminal.transcript)
    assert moves == []
    terminal.assert_terminal_restored(before)


@pytest.mark.parametrize("how", ["embed", "embed_async", "command"])
def test_simple_prompt(spawn: Spawn, how: str) -> None:
    script = {
        "embed": HOSTS["embed"].replace("embed(d", "embed(simple_prompt=True, d"),
        "embed_async": HOSTS["embed_async"].replace("_async(d", "_async(simple_prompt=True, d"),
        "command": HOSTS["command"].replace("-banner", '-banner", "--simple-prompt'),
    }[how]
    terminal = spawn(script)
    before = terminal.tty_modes()
    for n, line in enumerate(
        [
            "import asyncio",
            "await asyncio.sleep(0, 'awaited')",
            "async def tick(): await asyncio.sleep(0.01); print('ticked', 6 * 7)\r",
            "task = asyncio.create_task(tick()); await asyncio.sleep(0)",
        ],
        1,
    ):
        terminal.prompt(n)
        terminal.line(line)
    terminal.wait_for(r"Out\[2\]: 'awaited'")
    terminal.wait_for("ticked 42")
    terminal.wait_for(r"In \[5\]: ")  # what is typed before is echoed before
    assert terminal.tty_modes() == before  # line by line, with the terminal's own editing
    terminal.line("half\x15print('whole')")
    terminal.wait_for("^whole")
    terminal.prompt(6)
    terminal.ctrl("d")
    terminal.wait_for(r"Do you really want to exit \(\[y\]/n\)\?")
    terminal.line("n")
    terminal.prompt(6)
    terminal.leave()
    assert b"\x1b[?" not in terminal.transcript
    terminal.assert_terminal_restored(before)
