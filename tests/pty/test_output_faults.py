"""What goes wrong while output is caught: it is said, or done another way; nothing is lost."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

#: `later(f)` calls f in a thread at SIGUSR1: when the prompt is up, and a line half typed.
HOST = r"""
    import asyncio, errno, io, os, signal, sys, threading, time
    import ipyembed
    from traitlets.config import Config

    go = threading.Event()
    signal.signal(signal.SIGUSR1, lambda *_: go.set())

    def later(function):
        def run():
            go.wait()
            go.clear()
            function()
        threading.Thread(target=run, daemon=True).start()

    def lines(name, count=1):
        for n in range(count):
            print(name, n)

    def the_pty():
        from ipyembed.output import output
        return output.pty

    FAULT
    def ends():
        fds = os.listdir("/proc/self/fd")
        return [(os.ttyname(fd), os.get_inheritable(fd)) for fd in (1, 2)], fds

    # Its database opens files, which would take the place of a descriptor that is closed.
    config = Config({"HistoryManager": {"enabled": False}})
    before = ends()
    ipyembed.embed(display_banner=False, config=config)
    after = ends()
    print("home again:", before == after, [t.name for t in threading.enumerate() if not t.daemon])
"""
SAID = r"^ipyembed: output is caught at sys.stdout and sys.stderr only: "


def start(spawn: Spawn, fault: str = "") -> Terminal:
    lines = fault.strip("\n").split("\n")
    indented = "\n".join(f"    {line}" if n else line for n, line in enumerate(lines))
    return spawn(HOST.replace("FAULT", indented), cols=200)


def half_typed(terminal: Terminal, cell: str, script: Path | None = None) -> int:
    """Enter the cell, type half a line, have what waits run; the number of that prompt."""
    n = terminal.prompt()
    terminal.line(cell)
    terminal.prompt(n + 1)
    terminal.send(f"'half{n}")
    terminal.wait_for(f"'half{n}$")
    if script is None:
        terminal.signal(signal.SIGUSR1)
    else:  # the program is a child of the terminal's
        subprocess.run(["pkill", "-USR1", "-P", str(terminal.pid), "-f", str(script)], check=True)
    return n + 1


def leave(terminal: Terminal) -> None:
    terminal.ctrl("u")
    terminal.line("exit")
    terminal.wait_for(r"^home again: True \['MainThread'\]")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


FAIL_OPENPTY = """
def openpty():
    raise OSError(errno.EMFILE, "Too many open files")
os.openpty = openpty
"""
FAIL_DUP2 = """
real_dup2 = os.dup2
def dup2(*args):
    raise OSError(errno.EBUSY, "busy")
os.dup2 = dup2
"""


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("del os.openpty", None),
        (FAIL_OPENPTY, SAID + r"\[Errno 24\] Too many open files$"),
        (FAIL_DUP2, SAID + r"\[Errno 16\] busy$"),
    ],
    ids=["no ptys", "openpty", "dup2"],
)
def test_no_pty_to_be_had(spawn: Spawn, fault: str, said: str | None) -> None:
    terminal = start(spawn, fault)
    n = half_typed(terminal, "later(lambda: lines('caught'))")
    terminal.wait_for(rf"^caught 0\nIn \[{n}\]: 'half1$")
    terminal.line("'")
    terminal.prompt(n + 1)
    assert terminal.run("1 + 1").endswith("2")
    assert terminal.screen_text().count("sys.stderr only") == bool(said)
    if said:
        terminal.wait_for(said)
    leave(terminal)


def test_the_terminal_cannot_be_given_back(spawn: Spawn) -> None:
    """The descriptors stay in the pty, and what cells print goes through it."""
    terminal = start(
        spawn,
        """
real_dup2 = os.dup2
def dup2(source, fd, *rest):
    if sys._getframe(1).f_code.co_name in ("switch", "_move"):
        raise OSError(errno.EBUSY, "busy")
    return real_dup2(source, fd, *rest)
""",
    )
    terminal.run("os.dup2 = dup2")
    assert "printed 1" in terminal.run("lines('printed', 2)")
    terminal.wait_for(SAID + r"the terminal could not be given back: \[Errno 16\] busy$")
    terminal.run("os.dup2 = real_dup2")
    assert terminal.run("lines('again', 2)") == "again 0\nagain 1"
    leave(terminal)


def test_the_reader_dies(spawn: Spawn) -> None:
    terminal = start(spawn)
    terminal.run("def dies(*_): raise ZeroDivisionError('reader')")
    n = half_typed(
        terminal,
        "reader = type(the_pty()._pump._reader); "
        "later(lambda: (setattr(reader, '_emit', dies), lines('last words', 3)))",
    )
    terminal.wait_for(SAID + "ZeroDivisionError: reader$")
    terminal.wait_for("last words 2$")
    terminal.line("'")
    terminal.prompt(n + 1)
    n = half_typed(terminal, "later(lambda: lines('caught'))")
    terminal.wait_for(rf"^caught 0\nIn \[{n}\]: 'half{n - 1}$")
    leave(terminal)


@pytest.mark.parametrize("side", ["_master", "_slave"])
def test_the_pty_is_closed(spawn: Spawn, side: str) -> None:
    terminal = start(spawn)
    n = half_typed(terminal, f"later(lambda: (os.close(the_pty().{side}), lines('after')))")
    if side == "_slave":  # descriptors 1 and 2 still lead there
        terminal.wait_for(rf"^after 0\nIn \[{n}\]: 'half1$")
    else:
        terminal.wait_for(SAID)
    terminal.line("'")
    terminal.prompt(n + 1)
    n = half_typed(terminal, "later(lambda: lines('caught'))")
    terminal.wait_for(rf"^caught 0\nIn \[{n}\]: 'half{n - 1}$")
    terminal.ctrl("u")
    terminal.line("exit")
    terminal.wait_for("^home again: True")
    assert terminal.wait_exit() == 0


def test_somebody_closes_descriptors(spawn: Spawn) -> None:
    terminal = start(spawn)
    said = "ipyembed: file descriptor {} was closed; it is the terminal again"
    # in a cell
    assert terminal.run("os.close(1); os.close(2)") == f"{said.format(1)}\n{said.format(2)}"
    assert terminal.run("lines('printed')") == "printed 0"
    # while the prompt is up, by a C library
    terminal.run("import ctypes; close = ctypes.CDLL(None).close")
    n = half_typed(terminal, "later(lambda: (close(1), os.write(2, b'closed\\n')))")
    terminal.wait_for(rf"^closed\nIn \[{n}\]: 'half{n - 1}$")
    mark = terminal.mark()
    terminal.line("'")
    terminal.wait_for_new(said.format(1), mark)
    assert terminal.run("lines('printed again')") == "printed again 0"
    leave(terminal)


def test_somebody_puts_a_file_in_the_place(spawn: Spawn) -> None:
    """What a program redirects while the prompt is up stays redirected."""
    terminal = start(spawn, "redirect = os.open('log', os.O_CREAT | os.O_WRONLY)")
    n = half_typed(
        terminal,
        "later(lambda: (os.dup2(redirect, 2), os.write(2, b'x'), os.write(1, b'done\\n')))",
    )
    terminal.wait_for(rf"^done\nIn \[{n}\]: 'half1$")
    terminal.line("'")
    terminal.prompt(n + 1)
    terminal.run("_ = os.write(2, b'y')")
    assert terminal.run("open('log').read()").endswith("'xy'")
    terminal.run("_ = os.dup2(1, 2)")
    leave(terminal)


def test_a_cell_replaces_stdout(spawn: Spawn) -> None:
    terminal = start(spawn)
    terminal.run("kept = sys.stdout, sys.stderr; sys.stdout = sys.stderr = io.StringIO()")
    n = half_typed(terminal, "later(lambda: (lines('into it'), os.write(1, b'past it\\n')))")
    terminal.wait_for(rf"^past it\nIn \[{n}\]: 'half{n - 1}$")
    terminal.line("'")
    terminal.prompt(n + 1)
    terminal.line("text, (sys.stdout, sys.stderr) = sys.stdout.getvalue(), kept")
    terminal.prompt(n + 2)
    assert "into it 0" in terminal.run("print(text)")
    # and by another that is the terminal, with a descriptor of its own
    terminal.run("sys.stdout = os.fdopen(os.dup(1), 'w', 1)")
    n = half_typed(terminal, "later(lambda: lines('by another'))")
    terminal.wait_for(rf"^by another 0\nIn \[{n}\]: 'half{n - 1}$")
    terminal.line("'")
    terminal.prompt(n + 1)
    terminal.run("sys.stdout = kept[0]")
    leave(terminal)


EAGAIN = """
real_write, failures = os.write, 0
def write(fd, data):
    global failures
    if threading.current_thread().name == "ipyembed-prompt" and failures < 40:
        failures += 1
        if failures % 2:
            raise [BlockingIOError, InterruptedError][failures // 2 % 2]
        data = bytes(data)[:7]
    return real_write(fd, data)
os.write = write
"""


@pytest.mark.parametrize("fault", [EAGAIN, "os.set_blocking(1, False)"], ids=["writes", "mode"])
def test_writes_that_fail_or_do_a_part(spawn: Spawn, fault: str) -> None:
    terminal = start(spawn, fault)
    n = half_typed(terminal, "later(lambda: lines('line', 300))")
    terminal.wait_for(rf"^line 299\nIn \[{n}\]: 'half1$")
    assert [f"line {n}" for n in range(300)] == [
        row for row in terminal.screen_text().split("\n") if row.startswith("line ")
    ]
    leave(terminal)


def test_code_on_the_prompt_thread_prints_more_than_a_pty_holds(spawn: Spawn) -> None:
    """The stand-in reads meanwhile, and the prompt is whole again afterwards."""
    terminal = start(
        spawn,
        """
talks = True
def talk(app):
    global talks
    if talks:
        talks = False
        lines("from the prompt", 5000)
""",
    )
    n = half_typed(
        terminal,
        "app = get_ipython().pt_app.app; "
        "later(lambda: (app.before_render.add_handler(talk), lines('go')))",
    )
    terminal.wait_for("^from the prompt 4999$")
    terminal.wait_for(rf"^In \[{n}\]: 'half{n - 1}$")
    terminal.prompt(n)
    found = [row for row in terminal.screen_text().split("\n") if row.startswith("from the")]
    assert found == [f"from the prompt {n}" for n in range(5000)]
    leave(terminal)


def test_a_key_keeps_the_prompt_thread_busy(spawn: Spawn) -> None:
    """What is printed meanwhile is not drawn over by what the key has changed."""
    terminal = start(
        spawn,
        """
def busy(event):
    event.current_buffer.insert_text("!")
    go.set()
    time.sleep(0.8)
""",
    )
    terminal.run("get_ipython().pt_app.key_bindings.add('c-t')(busy)")
    terminal.run("later(lambda: lines('meanwhile', 20))")
    terminal.paste("(1,\n2,\n3")
    terminal.wait_for(r"^ +\.\.\.: 3$")
    terminal.ctrl("t")
    lines = "\n".join(f"meanwhile {n}" for n in range(20))
    terminal.wait_for(rf"^{lines}\nIn \[3\]: \(1,\n +\.\.\.: 2,\n +\.\.\.: 3!$")
    assert terminal.screen_text().count("(1,") == 1
    terminal.line(")")
    terminal.prompt(4)
    leave(terminal)


def test_the_eval_thread_prints_while_the_prompt_thread_waits_for_it(spawn: Spawn) -> None:
    terminal = start(
        spawn,
        """
class Talkative:
    def __dir__(self):
        lines("from the object", 5000)
        return ["found"]
""",
    )
    terminal.run("it = Talkative()")
    n = terminal.prompt()
    terminal.send("it.f\t")
    terminal.wait_for(rf"^In \[{n}\]: it.found", timeout=30)
    terminal.wait_for("^from the object 4999$")
    leave(terminal)


CHILD = """
import subprocess
def child(seconds):
    subprocess.Popen(["sh", "-c", f"sleep {seconds}; echo the child is still there"])
"""


def test_a_child_outlives_the_prompt_the_shell_and_the_program(spawn: Spawn) -> None:
    script = spawn.path / "host.py"
    script.write_text(dedent(HOST).replace("FAULT", CHILD), encoding="utf-8")
    terminal = spawn.argv(["sh", "-c", f"{sys.executable} {script}; echo ended; read line"])
    # the prompt
    n = half_typed(terminal, "later(lambda: (child(1), lines('begun')))", script)
    terminal.wait_for("^begun 0")
    terminal.line("'")
    terminal.prompt(n + 1)
    terminal.line("time.sleep(2); print('cell done')")
    terminal.wait_for("^the child is still there\n(.*\n)*cell done")
    # the shell, and the program, which does not wait for it
    terminal.prompt(n + 2)
    mark = terminal.mark()
    half_typed(terminal, "later(lambda: (child(3), lines('begun again')))", script)
    terminal.wait_for_new("begun again 0", mark)
    terminal.ctrl("u")
    terminal.line("exit")
    terminal.wait_for_new(r"^ended\r?$", mark)
    assert "the child is still there" not in terminal.printed_since(mark)
    terminal.wait_for_new("the child is still there", mark)
    terminal.line("")
    assert terminal.wait_exit() == 0
