"""The pager: ``obj?``, ``obj??``, ``%page``, ``help(x)``, without stopping what turns.

What fits on the screen is printed. The rest goes to the pager that IPython (or pydoc, for `help`)
would call, as a child that has the terminal. A hook of the user's for ``show_in_pager``, and
IPython's own setting `display_page`, go first.

In a blocking shell the eval thread turns its loops until the pager is left. In an awaited shell the
cell goes on, and the pages are shown when it has ended, before the next prompt: nothing in a cell
depends on a page's having been read, and waiting by awaiting stops no loop of any kind.
"""

from __future__ import annotations

import builtins
import os
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from IPython.core import page
from IPython.core.error import TryNext
from IPython.utils.terminal import get_terminal_size

from ipyembed.children import Child, Waiting

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment

PRIORITY = 95
"""Of a hook: users' come before (50), as does `display_page` (90), IPython's own after (100)."""


@dataclass
class Page:
    """A text to be shown by a pager."""

    text: str
    command: str
    show_without: Callable[[], object]
    """Shows it where the command cannot."""

    def child(self) -> Child:
        """The pager that shows it."""

        def start(out: int | None, _: int | None) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                self.command,
                shell=True,
                stdin=subprocess.PIPE,
                stdout=out,
                stderr=subprocess.DEVNULL,
            )

        return Child(start, self.text.encode("utf-8", "backslashreplace"))

    def shown(self, status: int) -> None:
        """The pager has ended with `status`."""
        if status > 0:
            self.show_without()


class Pager:
    """The pager of one shell. Everything runs on the eval thread."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        self._waiting = Waiting(attachment.juggler, attachment.host)
        self._pages: deque[Page] = deque()

    def show(self, data: Any, start: int = 0, screen_lines: int = 0) -> None:
        """IPython's hook ``show_in_pager``. Raises TryNext for the next hook."""
        text = data["text/plain"] if isinstance(data, dict) else data
        if os.name != "posix" or not self._is_ours or _fits(text, start, screen_lines):
            raise TryNext
        command = page.get_pager_cmd()
        command = f"{command} {page.get_pager_start(command, start)}"
        lines = screen_lines if screen_lines > 0 else get_terminal_size()[1] + screen_lines
        self._show(Page(text, command, lambda: page.page_dumb(text, start, lines)))

    def help(self, original: Callable[..., object], text: str, *args: Any, **kwargs: Any) -> None:
        """In place of `pydoc.pager`."""
        command = os.environ.get("MANPAGER") or os.environ.get("PAGER") or "less"
        self._show(Page(text, command, lambda: original(text, *args, **kwargs)))

    @property
    def _is_ours(self) -> bool:
        """Whether a cell asks on the eval thread, and at a terminal."""
        attachment = self._attachment
        return (
            threading.current_thread() is attachment.eval_thread
            and attachment.cells.running
            and not attachment.terminal.is_plain
            and os.environ.get("TERM", "dumb") not in ("dumb", "emacs")
        )

    def _show(self, text: Page) -> None:
        if self._attachment.host is not None:
            self._pages.append(text)
            return
        status, _ = self._waiting.wait(lambda: text.child().status)
        text.shown(status)

    async def show_what_is_left(self) -> None:
        """Show what the last cell of an awaited shell has left to be shown."""
        while self._pages:
            text = self._pages.popleft()
            status, _ = await self._waiting.child_awaited(text.child)
            text.shown(status)

    @contextmanager
    def serves_help(self) -> Iterator[None]:
        """While the shell is open: ``help(x)`` in a cell of its comes here."""
        original = getattr(builtins, "help", None)
        if original is None:  # `python -S`
            yield
            return
        ours: Any = _Help(original, self)
        builtins.help = ours
        try:
            yield
        finally:
            if builtins.help is ours:
                builtins.help = original

    @contextmanager
    def in_place_of_pydocs(self) -> Iterator[None]:
        """While ``help(x)`` runs, on the eval thread."""
        if os.name != "posix" or not self._is_ours:
            yield
            return
        import pydoc  # costs milliseconds

        module: Any = pydoc
        original: Callable[..., object] = module.pager

        def pager(text: str, *args: Any, **kwargs: Any) -> None:
            if self._is_ours:
                self.help(original, text, *args, **kwargs)
            else:
                original(text, *args, **kwargs)

        module.pager = pager
        try:
            yield
        finally:
            # Before Python 3.13, the original puts the pager that it finds in the same place.
            if module.pager is pager:
                module.pager = original


class _Help:
    """In place of the built-in `help`."""

    def __init__(self, original: Callable[..., object], pager: Pager) -> None:
        self._original = original
        self._pager = pager

    def __repr__(self) -> str:
        return repr(self._original)

    def __call__(self, *args: Any, **kwargs: Any) -> object:
        with self._pager.in_place_of_pydocs():
            return self._original(*args, **kwargs)


def _fits(text: str, start: int, screen_lines: int) -> bool:
    """Whether IPython would print it."""
    lines = text.splitlines()[start:]
    if screen_lines <= 0:
        screen_lines += get_terminal_size()[1]
    return max(len(lines), len(text) // 80 + 1) <= screen_lines
