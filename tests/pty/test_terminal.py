"""The harness itself, with programs whose behaviour is known."""

from __future__ import annotations

import os
import re
import signal

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal


def test_ipython_cell_output(spawn: Spawn) -> None:
    terminal = spawn.ipython()
    assert terminal.run("1+1") == "Out[1]: 2"
    assert terminal.run("print('a'); print('b')") == "a\nb"
    assert terminal.run("for i in range(2):\n    print(i)") == "0\n1"
    assert terminal.run("x = 1") == ""
    assert "ZeroDivisionError" in terminal.run("1/0")
    assert terminal.prompt() == 6


def test_ipython_long_output_is_kept_in_the_scrollback(spawn: Spawn) -> None:
    terminal = spawn.ipython()
    assert terminal.run("for i in range(200): print(i)").split() == [str(i) for i in range(200)]


def test_ipython_echo_of_a_wrapped_line_is_not_output(spawn: Spawn) -> None:
    terminal = spawn.ipython()
    assert terminal.run("x = '" + "a" * 250 + "'; print(len(x))") == "250"


def test_ipython_leaves_the_terminal_as_it_was(spawn: Spawn) -> None:
    terminal = spawn.ipython()
    before = terminal.tty_modes()
    terminal.prompt(1)
    assert terminal.tty_modes() != before  # raw while the prompt is up
    terminal.leave(modes=before)


def test_ctrl_c_at_the_prompt_and_in_a_cell(spawn: Spawn) -> None:
    terminal = spawn.ipython()
    terminal.prompt(1)
    terminal.send("half a ")
    terminal.wait_for("half a")
    terminal.ctrl("c")  # IPython empties the line
    terminal.wait_for(r"^In \[1\]:$")
    terminal.line("import time; print('sleep' + 'ing'); time.sleep(100)")
    terminal.wait_for("^sleeping")
    terminal.ctrl("c")
    terminal.prompt(2)
    assert "KeyboardInterrupt" in terminal.output(1)


def test_cursor_position_request_is_answered(spawn: Spawn) -> None:
    terminal = spawn(
        r"""
        import sys, tty
        tty.setraw(0)
        sys.stdout.write("\n\n\rabc\x1b[6n")
        sys.stdout.flush()
        reply = ""
        while not reply.endswith("R"):
            reply += sys.stdin.read(1)
        print("\r\nreply", reply[1:])
        """
    )
    terminal.wait_for(r"^reply \[3;4R")


def test_failed_wait_shows_screen_and_transcript(spawn: Spawn) -> None:
    terminal = spawn(r"print('\x1b[1mshown'); input()")
    terminal.wait_for("shown")
    with pytest.raises(AssertionError) as info:
        terminal.wait_for("missing", timeout=0.1)
    message = str(info.value)
    assert "waited 0.1 s for 'missing'" in message
    assert "still running" in message
    assert "\nshown\n" in message
    assert r"\x1b[1mshown" in message


def test_wait_ends_early_when_the_program_has_died(spawn: Spawn) -> None:
    terminal = spawn("raise SystemExit('out of paper')")
    with pytest.raises(AssertionError, match=r"(?s)exit status 1.*out of paper"):
        terminal.wait_for("never printed", timeout=1000)


def test_what_a_program_printed_before_its_death_is_seen(spawn: Spawn) -> None:
    terminal = spawn("for i in range(5000): print(i)")
    assert terminal.wait_exit() == 0
    assert terminal.screen_text().split() == [str(i) for i in range(5000)]


def test_mark_separates_old_from_new(spawn: Spawn) -> None:
    terminal = spawn("while True: print('got', input().upper())")
    terminal.line("one")
    terminal.wait_for("^got ONE")
    mark = terminal.mark()
    with pytest.raises(AssertionError):
        terminal.wait_for_new("ONE", mark, timeout=0.1)
    terminal.line("two")
    assert terminal.wait_for_new("^got .*O", mark) == "got TWO"


def test_resize_reaches_program_and_screen(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import os, signal
        def tell(word):
            # In one write: a print() that a signal interrupts would mix with the handler's.
            os.write(1, "{} {} {}\\n".format(word, *os.get_terminal_size()).encode())
        signal.signal(signal.SIGWINCH, lambda *_: tell("size"))
        tell("ready")
        while True:
            signal.pause()
        """
    )
    terminal.wait_for("^ready 100 30")
    terminal.resize(10, 40)
    terminal.wait_for("^size 40 10")
    assert (terminal.screen.lines, terminal.screen.columns) == (10, 40)
    assert terminal.cursor == (2, 0)


def test_shrinking_keeps_the_cursor_on_its_line(spawn: Spawn) -> None:
    terminal = spawn("for i in range(8): print(i)\ninput('ask: ')")
    terminal.wait_for("ask:")
    terminal.resize(4, 100)
    assert terminal.screen.rows == ["5", "6", "7", "ask:"]
    assert terminal.cursor == (3, 5)
    assert terminal.screen_text().split("\n") == [*map(str, range(8)), "ask:"]


def test_signals_and_exit_status(spawn: Spawn) -> None:
    script = "print('ready')\nimport signal\nsignal.pause()"
    for number in (signal.SIGTERM, signal.SIGUSR1):
        terminal = spawn(script)
        terminal.wait_for("ready")
        terminal.signal(number)
        assert terminal.wait_exit() == -number
    terminal = spawn(script)
    terminal.wait_for("ready")
    assert terminal.terminate() == -signal.SIGTERM


def test_program_owns_the_terminal(spawn: Spawn) -> None:
    terminal = spawn("import os; print(os.getsid(0), os.tcgetpgrp(0), open('/dev/tty')); input()")
    terminal.wait_for(rf"^{terminal.pid} {terminal.pid} .*/dev/tty")
    assert terminal.foreground_process_group == terminal.pid


def test_close_ends_a_program_that_ignores_signals(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import signal
        for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        print("ready")
        while True:
            signal.pause()
        """
    )
    terminal.wait_for("ready")
    terminal.close()
    with pytest.raises(ProcessLookupError):
        os.kill(terminal.pid, 0)


def test_alternate_screen_hides_and_gives_back_the_main_one(spawn: Spawn) -> None:
    terminal = spawn(r"input('main\n'); input('\x1b[?1049h\x1b[Hother '); input('\x1b[?1049lback')")
    terminal.wait_for("^main")
    terminal.line()
    terminal.wait_for("^other")
    assert "main" not in terminal.screen_text()
    terminal.line()
    terminal.wait_for("back")
    assert terminal.screen.rows[0] == "main"
    assert "other" not in terminal.screen_text()


def test_characters_of_no_width_do_not_hide_what_follows(spawn: Spawn) -> None:
    terminal = spawn(r"print('a\u200db \u65e5\u672c e\u0301 end')")
    terminal.wait_for("ab \u65e5\u672c \u00e9 end$")


@pytest.mark.parametrize(
    ("printed", "problem"),
    [
        (r"\x1b[?2004h", "2004 (bracketed paste) was left on"),
        (r"\x1b[?25l", "25 (visible cursor) was left off"),
        (r"\x1b[?1000;1006h\x1b[?1006l", "1000 (mouse: clicks) was left on"),
        (r"\x1b[?1049h", "1049 (alternate screen) was left on"),
        (r"\x1b[5 q", "cursor shape"),
        (r"\x1b=", "keypad mode"),
        (r"\x1b[31m", "text attributes"),
        (r"\x1b[2;5r", "scroll region"),
    ],
)
def test_what_was_not_restored_is_named(spawn: Spawn, printed: str, problem: str) -> None:
    terminal = spawn(f"print('{printed}', end='')")
    terminal.wait_exit()
    with pytest.raises(AssertionError, match=re.escape(problem)):
        terminal.assert_terminal_restored()


def test_tty_modes_that_were_not_restored_are_named(spawn: Spawn) -> None:
    terminal = spawn("import tty; input(); tty.setraw(0)")
    before = terminal.tty_modes()
    terminal.line()
    terminal.wait_exit()
    with pytest.raises(AssertionError, match="tty modes were"):
        terminal.assert_terminal_restored(before)


def test_environment_and_arguments(spawn: Spawn) -> None:
    script = "import os, sys; print(sys.argv[1:], [os.environ.get(n) for n in ('A', 'TERM')])"
    terminal: Terminal = spawn(script, "x", env={"A": "1", "TERM": None})
    terminal.wait_for(re.escape("['x'] ['1', None]"))
