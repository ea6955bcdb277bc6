"""The toolkit's loop as something that waits for a descriptor.

A toolkit's hook (IPython's inputhook protocol) should run its loop until a descriptor is readable.
Hooks are other people's code too, so this is where they are kept in check:

- one that returns early (its application has quit, its last window is closed) is called again
  later and later, and the descriptor is waited for without it in between: it cannot spin;
- one that raises has its traceback shown and counts as having returned early; one that keeps
  raising is given up;
- one that does not return, because a modal dialog is open in it, keeps this thread: then asyncio
  stands still until the dialog is closed, and the prompt says that the thread is stuck, and where.
"""

from __future__ import annotations

import select
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass

FIRST_PAUSE = 0.001
LAST_PAUSE = 1.0
"""Seconds for which a hook that returned early is left alone, at first and at last."""
FAILURES = 10
"""Times in a row that a hook may raise before it is given up."""


@dataclass
class HookContext:
    """What a hook is given: the descriptor to watch."""

    fd: int
    has_turned: bool = False
    """Whether the hook has asked already, as a polling hook does before each turn of its own."""

    def fileno(self) -> int:
        """The descriptor; the hook returns when it is readable."""
        return self.fd

    def input_is_ready(self) -> bool:
        """Whether it is readable. At first it is not, so that every hook makes one turn."""
        if not self.has_turned:
            self.has_turned = True
            return False
        return is_readable(self.fd, 0)


class GuiTurn:
    """Runs one toolkit's hook. Used on the toolkit's thread."""

    def __init__(self, hook: Callable[[HookContext], None]) -> None:
        self.hook = hook
        self._pause = 0.0
        self._failures = 0

    @property
    def is_given_up(self) -> bool:
        """Whether the hook has raised too often."""
        return self._failures >= FAILURES

    def run_until_readable(self, fd: int) -> None:
        """Turn the toolkit's loop, once at least, until `fd` is readable.

        Raises KeyboardInterrupt and SystemExit as the toolkit's callbacks do.
        """
        while True:
            if not self.is_given_up:
                self._run_hook(fd)
            if is_readable(fd, 0):
                self._pause = 0.0
                return
            # The hook came back for nothing.
            self._pause = min(max(2 * self._pause, FIRST_PAUSE), LAST_PAUSE)
            if is_readable(fd, None if self.is_given_up else self._pause):
                return

    def _run_hook(self, fd: int) -> None:
        try:
            self.hook(HookContext(fd))
        except Exception:
            self._failures += 1
            traceback.print_exc()
            if self.is_given_up:
                print(
                    f"ipyembed: the hook of the GUI has failed {FAILURES} times in a row; its "
                    "windows stand still from now on (choose it again with %gui NAME)",
                    file=sys.stderr,
                )
        else:
            self._failures = 0


def is_readable(fd: int, timeout: float | None) -> bool:
    """Whether `fd` is readable within `timeout` seconds (None: for ever, so yes)."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(fd, select.POLLIN)
        return bool(poll.poll(None if timeout is None else timeout * 1000))
    return bool(select.select([fd], [], [], timeout)[0])
