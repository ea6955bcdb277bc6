"""A terminal in which a shell with IPython's prompts runs."""

from __future__ import annotations

import re
from typing import Any

from tests.pty.pseudo_terminal import DEFAULT_TIMEOUT, PseudoTerminal
from tests.pty.restored import left_behind

__all__ = ["DEFAULT_TIMEOUT", "Terminal"]

_PROMPT = re.compile(r"^In \[(\d+)\]:(?: |$)")
#: Rows of a cell's echo after its first: another line of code, or a wrapped one.
_CONTINUATION = re.compile(r"^ *(?:\S+ +)?\.\.\.:(?: |$)|^ +\N{VERTICAL ELLIPSIS}(?: |$)")


class Terminal(PseudoTerminal):
    """What a person at an IPython prompt does: enter cells, read what they print, leave."""

    def prompt(self, n: int | None = None, timeout: float = DEFAULT_TIMEOUT) -> int:
        """Wait for an `In [n]:` prompt that has the cursor and is ready for input; its number.

        Give `n` after anything was typed: the prompt that it was typed at is still on the screen.
        """
        found = self._wait(
            lambda: self._at_prompt(n), "the prompt" if n is None else f"prompt In [{n}]:", timeout
        )
        assert found is not None
        return found

    def run(self, code: str, timeout: float = DEFAULT_TIMEOUT) -> str:
        """Enter one cell at the prompt, wait for the next prompt, return what is between.

        What was printed above the next prompt while that was shown counts as well.
        """
        n = self.prompt(timeout=timeout)
        if "\n" in code:
            # Alt-Enter: run whatever is there.  Enter would only open another line of a block.
            self.paste(code)
            self.send("\x1b\r")
        else:
            self.line(code)
        self.prompt(n + 1, timeout)
        return self.output(n)

    def interrupt(self, cell: str, timeout: float = DEFAULT_TIMEOUT) -> None:
        """Enter a cell that blocks or awaits, press Ctrl-C in it, wait for its KeyboardInterrupt.

        The key comes when the cell has been blocked for a moment, which another thread says: a
        signal that comes between Python's last look for signals and a blocking system call is
        noticed only after that call.
        """
        mark = self.mark()
        says = "__import__('threading').Timer(0.1, print, ['it is', 'blocked']).start()"
        self.line(f"{says}; {cell}")
        self.wait_for_new("it is blocked", mark, timeout)
        self.ctrl("c")
        self.wait_for_new("KeyboardInterrupt", mark, timeout)

    def output(self, n: int) -> str:
        """What is between the input of `In [n]` and the next prompt (or the end)."""
        lines = self.screen.text.split("\n")
        prompts = {int(m[1]): y for y, line in enumerate(lines) if (m := _PROMPT.match(line))}
        if n not in prompts:
            raise self._failure(f"no prompt In [{n}]: to take the output of")
        start = prompts[n] + 1
        end = min((y for y in prompts.values() if y >= start), default=len(lines))
        while start < end and _CONTINUATION.match(lines[start]):
            start += 1
        return "\n".join(lines[start:end]).strip("\n")

    def leave(self, farewell: str = "", modes: list[Any] | None = None) -> None:
        """`exit`: the program ends well, says `farewell`, and leaves the terminal as it was.

        `farewell`: a pattern. `modes`: the terminal's when the program had not begun.
        """
        self.line("exit")
        if (status := self.wait_exit()) != 0:
            raise self._failure(f"ended with exit status {status}")
        if farewell:
            self.wait_for(farewell)
        self.assert_terminal_restored(modes)

    # What is checked

    def assert_terminal_restored(self, modes_before: list[Any] | None = None) -> None:
        """The program has undone all that it did to the terminal."""
        self._read_available()
        problems = left_behind(self.transcript)
        if self.screen.margins is not None:
            problems.append(f"scroll region was left at {self.screen.margins}")
        if self.screen.cursor.attrs != self.screen.default_char:
            problems.append(f"text attributes were left at {self.screen.cursor.attrs}")
        if modes_before is not None and modes_before != self.tty_modes():
            problems.append(f"tty modes were {modes_before}\n           now are {self.tty_modes()}")
        if problems:
            raise self._failure("the terminal was not restored:\n  " + "\n  ".join(problems))

    def _at_prompt(self, n: int | None) -> int | None:
        cursor = self.screen.cursor
        # prompt_toolkit hides the cursor while it draws: a visible one means that it is done.
        if cursor.hidden:
            return None
        match = _PROMPT.match(self.screen.rows[cursor.y])
        if match is None or any(_PROMPT.match(row) for row in self.screen.rows[cursor.y + 1 :]):
            return None
        found = int(match[1])
        return found if n in (None, found) else None
