"""`Out[1]:` is written as IPython writes it."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import redirect_stdout
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShellABC
from IPython.terminal.prompts import Prompts, RichPromptDisplayHook
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import DummyInput
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import DynamicStyle, Style, style_from_pygments_dict
from pygments.token import Token  # type: ignore[import-untyped]

from ipyembed.out_prompt import out_prompt_kept


def style(colour: str) -> Style:
    return style_from_pygments_dict({Token.OutPrompt: colour, Token.OutPromptNum: "bold"})


class Shell:
    """As much of a shell as its display hook needs."""

    def __init__(self, hook: type[RichPromptDisplayHook], cache_size: int) -> None:
        self.execution_count = 7
        self.separate_out = "\n"
        self.user_ns: dict[str, Any] = {}
        self.style = style("#ff0000")
        self.pt_app: Any = PromptSession(style=DynamicStyle(lambda: self.style))
        me: Any = self
        self.prompts: Any = Prompts(me)
        self.displayhook: Any = hook(shell=self, cache_size=cache_size)


InteractiveShellABC.register(Shell)


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What is written to the terminal."""
    stream = io.StringIO()
    output = Vt100_Output(stream, lambda: Size(30, 100), term="xterm-256color")
    with create_app_session(input=DummyInput(), output=output):
        yield stream


def write(shell: Any, written: io.StringIO) -> tuple[str, bool]:
    written.seek(0)
    written.truncate()
    with redirect_stdout(written):
        shell.displayhook.write_output_prompt()
    # prompt_toolkit resets the colours once more for the empty end of its text.
    text = written.getvalue().replace("\x1b[0m\x1b[0m", "\x1b[0m")
    return text, shell.displayhook.prompt_end_newline


class TwoLines(Prompts):
    def out_prompt_tokens(self) -> list[Any]:
        return [(Token.OutPrompt, "Result:\n")]


@pytest.mark.parametrize("cache_size", [1000, 0])
def test_as_ipython(written: io.StringIO, cache_size: int) -> None:
    shell: Any = Shell(RichPromptDisplayHook, cache_size)
    seen = []
    for colour in ("#ff0000", "#0000ff"):
        shell.style = style(colour)
        theirs = write(shell, written)
        with out_prompt_kept(shell):
            assert "write_output_prompt" in vars(shell.displayhook)
            assert write(shell, written) == write(shell, written) == theirs
            shell.prompts = TwoLines(shell)
            ours = write(shell, written)
        assert "write_output_prompt" not in vars(shell.displayhook)
        assert write(shell, written) == ours
        assert ours[1]
        shell.prompts = Prompts(shell)
        seen.append(theirs)
    assert ("Out[" in seen[0][0]) == (cache_size > 0)
    assert (seen[0] != seen[1]) == (cache_size > 0)


def test_changed_colours_are_seen(written: io.StringIO) -> None:
    shell: Any = Shell(RichPromptDisplayHook, 1000)
    with out_prompt_kept(shell):
        red = write(shell, written)
        shell.style = style("#0000ff")
        assert write(shell, written) != red
        shell.style = style("#ff0000")
        assert write(shell, written) == red


def test_hook_of_the_users(written: io.StringIO) -> None:
    class Theirs(RichPromptDisplayHook):
        def write_output_prompt(self) -> None:
            print("theirs")

    shell: Any = Shell(Theirs, 1000)
    with out_prompt_kept(shell):
        assert write(shell, written)[0] == "theirs\n"
