"""``input()``, ``getpass()`` and reads of `sys.stdin`, while a shell is open.

Whoever calls one of these while a prompt is up would share the keyboard with it. So as long as a
shell is open, wrappers are in their places:

==============================  ================================================================
call                            what happens
==============================  ================================================================
`input`, `sys.stdin.readline`,  the prompt steps aside; the question is asked on the prompt
`getpass.getpass`               thread, where Ctrl-C and Ctrl-D are keys, and answered to the
                                asker
`sys.stdin.read`, `readlines`,  the prompt steps aside, and the call itself reads the terminal
`cmd.Cmd.cmdloop` (`pdb`)
==============================  ================================================================

The methods of `sys.stdin` are attributes of that object, so who holds the object is served as well.
What does not go through Python (a C library that reads descriptor 0), ``for line in sys.stdin``,
`sys.stdin.buffer`, and a read that was under way when the shell was opened, cannot be caught.
Where input or output is no terminal, all of them do what they do without a shell.
"""

from __future__ import annotations

import builtins
import cmd
import getpass
import io
import sys
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any

from prompt_toolkit import PromptSession
from prompt_toolkit.formatted_text import ANSI
from prompt_toolkit.history import DummyHistory, InMemoryHistory
from prompt_toolkit.layout.processors import Processor, Transformation, TransformationInput

from ipyembed.lent import terminal_lent
from ipyembed.prompt_thread import NoShellOpenError
from ipyembed.questions import ask_and_wait, open_attachment, waiter_of_this_thread
from ipyembed.terminal import is_terminal

_history = InMemoryHistory()
"""What has been answered to ``input()``, for the arrow keys."""


class _Hidden(Processor):
    """Shows nothing of what is typed, not even its length."""

    def apply_transformation(self, transformation_input: TransformationInput) -> Transformation:
        """See `Processor`."""
        return Transformation([], source_to_display=lambda _: 0, display_to_source=lambda _: 0)


def ask_line(prompt: str, hidden: bool = False) -> str | None:
    """The line that the user types, or None where the caller has to read it itself.

    Blocks; see `questions` for what turns meanwhile. Raises EOFError at Ctrl-D and
    KeyboardInterrupt at Ctrl-C. `hidden`: show nothing of it.
    """
    attachment = open_attachment()
    if attachment is None or not is_terminal():
        return None

    def make_session() -> PromptSession[str]:
        if hidden:
            return PromptSession(history=DummyHistory(), input_processors=[_Hidden()])
        return PromptSession(history=_history)

    output = attachment.juggler.output
    try:
        return ask_and_wait(
            lambda: attachment.terminal.asking_with(make_session, output, message=ANSI(prompt)),
            waiter_of_this_thread(attachment),
        )
    except EOFError:
        raise EOFError("EOF when reading a line") from None
    except KeyboardInterrupt:
        raise KeyboardInterrupt from None
    except NoShellOpenError:
        return None


# Guards the count and what is in place: shells open and close on any thread.
_lock = threading.Lock()
_users = 0
_in_place = ExitStack()


@contextmanager
def input_calls_served() -> Iterator[None]:
    """While a shell is open: the wrappers are in place."""
    global _users
    with _lock:
        _users += 1
        if _users == 1:
            _put_in_place()
    try:
        yield
    finally:
        with _lock:
            _users -= 1
            if _users == 0:
                _in_place.close()


def _put_in_place() -> None:
    _replace(builtins, "input", _input_of(builtins.input))
    _replace(getpass, "getpass", _getpass_of(getpass.getpass))
    # For who imported the function earlier. CPython 3.11 to 3.14: private, on POSIX only.
    if hasattr(getpass, "_raw_input"):
        _replace(getpass, "_raw_input", _raw_input_of(getpass._raw_input))
    _replace(cmd.Cmd, "cmdloop", _cmdloop_of(cmd.Cmd.cmdloop))
    stdin = sys.stdin
    if isinstance(stdin, io.TextIOBase) and hasattr(stdin, "__dict__"):
        _replace(stdin, "readline", _readline_of(stdin, stdin.readline))
        for name in ("read", "readlines"):
            _replace(stdin, name, _read_of(stdin, getattr(stdin, name)))


def _replace(owner: Any, name: str, value: Callable[..., Any]) -> None:
    """Set an attribute, until the last shell is closed or somebody else sets it."""
    before = vars(owner).get(name)

    def put_back() -> None:
        if vars(owner).get(name) is not value:
            return
        if before is None:  # an attribute of the stream's class
            delattr(owner, name)
        else:
            setattr(owner, name, before)

    setattr(owner, name, value)
    _in_place.callback(put_back)


def _input_of(original: Callable[..., str]) -> Callable[..., str]:
    @wraps(original)
    def input(prompt: object = "", /) -> str:  # noqa: A001 - it takes the place of that one
        text = str(prompt)
        line = ask_line(text)
        if line is None:
            with _lent_if_terminal():
                return original(prompt)
        sys.audit("builtins.input", text)
        sys.audit("builtins.input/result", line)
        return line

    return input


def _getpass_of(original: Callable[..., str]) -> Callable[..., str]:
    @wraps(original)
    def getpass(prompt: str = "Password: ", stream: Any = None, **options: Any) -> str:
        line = ask_line(prompt, hidden=True) if stream is None else None
        if line is not None:
            return line
        with _lent_if_terminal():
            return original(prompt, stream, **options)

    return getpass


def _raw_input_of(original: Callable[..., str]) -> Callable[..., str]:
    @wraps(original)
    def _raw_input(prompt: str = "", stream: Any = None, *args: Any, **options: Any) -> str:
        if open_attachment() is None or not _is_tty(stream):
            return original(prompt, stream, *args, **options)
        with ExitStack() as stack:
            stack.enter_context(terminal_lent(asks=True))
            line = ask_line(prompt, hidden=True)
            if line is None:
                return original(prompt, stream, *args, **options)
            # What has called this then sets the terminal's modes, which throws away what has been
            # typed and what the terminal has answered. The prompt comes back when that has ended,
            # and with it what it has opened.
            opened = options.get("input")
            if opened not in (None, sys.stdin):
                weakref.finalize(opened, stack.pop_all().close).atexit = False
            return line

    return _raw_input


def _readline_of(stdin: io.TextIOBase, original: Callable[..., str]) -> Callable[..., str]:
    rest = ""  # of a line of which only so many characters were wanted
    reading = threading.Lock()  # guards `rest`

    @wraps(original)
    def readline(size: int | None = -1, /) -> str:
        nonlocal rest
        if stdin is not sys.stdin:
            return original(size)
        with reading:
            if not rest:
                try:
                    line = ask_line("")
                except EOFError:
                    return ""
                if line is None:
                    return original(size)
                rest = line + "\n"
            end = len(rest) if size is None or size < 0 else size
            line, rest = rest[:end], rest[end:]
            return line

    return readline


def _read_of(stdin: io.TextIOBase, original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def read(*args: Any) -> Any:
        if stdin is not sys.stdin:
            return original(*args)
        with _lent_if_terminal():
            return original(*args)

    return read


def _cmdloop_of(original: Callable[..., None]) -> Callable[..., None]:
    @wraps(original)
    def cmdloop(self: cmd.Cmd, *args: Any, **kwargs: Any) -> None:
        # The loop as a whole: what is typed ahead is meant for it, too.
        if self.use_rawinput and self.stdin is sys.stdin:
            with _lent_if_terminal():
                original(self, *args, **kwargs)
        else:
            original(self, *args, **kwargs)

    return cmdloop


@contextmanager
def _lent_if_terminal() -> Iterator[None]:
    if open_attachment() is None or not _is_tty(sys.stdin):
        yield
        return
    with terminal_lent():
        yield


def _is_tty(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # None, without isatty, or closed
        return False
