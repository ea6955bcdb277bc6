"""The toolkit that one eval thread turns: by the policy `gui`, found anew at each prompt.

A program without a GUI does not pay for those that others have: what knows toolkits is imported
when one is there.
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ipyembed.gui.turn import GuiTurn

if TYPE_CHECKING:
    from ipyembed.gui.detect import Found
    from ipyembed.gui.hooks import Toolkit


_MODULES = ("PyQt5", "PyQt6", "PySide2", "PySide6", "wx", "gi", "tkinter", "pyglet")
"""One of them is imported where a toolkit of those that `detect` knows is alive."""


@dataclass
class _Shared:
    """A loop that turns the toolkit."""

    loop: asyncio.AbstractEventLoop
    strategy: str
    undo: ExitStack


class CurrentGui:
    """The toolkit of one eval thread, and the loop that turns it. Used on that thread."""

    def __init__(self) -> None:
        self.toolkit: Toolkit | None = None
        self.how = ""
        """How it was found, in words."""
        self._asked = ""
        self._turn: GuiTurn | None = None
        self._shared: _Shared | None = None

    @property
    def strategy(self) -> str | None:
        """How asyncio and the toolkit share the thread now; None if they do not."""
        return self._shared.strategy if self._shared is not None else None

    def turn(self) -> GuiTurn | None:
        """What turns the toolkit, if there is one."""
        return self._turn

    def look(self, policy: str) -> None:
        """Find the toolkit: `auto`: one that is alive on this thread; `off`: none; or by name.

        Raises `UnknownBackend` of IPython's for a name that nobody knows.
        """
        name, how = policy, "chosen by its name"
        if policy in ("auto", "off"):
            found = _alive() if policy == "auto" else None
            name, how = (found.name, found.how) if found is not None else ("", "")
        if name == self._asked and not (policy != "auto" and self._is_given_up):
            return
        self._asked, self.toolkit, self.how, self._turn = name, None, how, None
        if name:
            from ipyembed.gui import hooks

            self.toolkit = hooks.find(name)
            self._turn = GuiTurn(self.toolkit.hook)

    @property
    def _is_given_up(self) -> bool:
        return self._turn is not None and self._turn.is_given_up

    def share(self, loop: asyncio.AbstractEventLoop, policy: str) -> None:
        """Have `loop` turn the toolkit whenever it waits, from now until `leave()`.

        `policy` is that of the trait `LoopJuggler.gui_strategy`. Does nothing without a toolkit.
        """
        if self._turn is None:
            return
        from ipyembed.gui import strategy

        chosen = strategy.choose(loop, policy)
        if self._shared is not None:
            if self._shared.loop is loop and self._shared.strategy == chosen:
                return
            self.leave()
        undo = ExitStack()
        undo.enter_context(strategy.turning(loop, chosen, self.turn))
        self._shared = _Shared(loop, chosen, undo)

    def share_unless_running(self, loop: asyncio.AbstractEventLoop, policy: str) -> None:
        """The same for a loop that the host turns, unless the toolkit's own main loop is running.

        Then that is what turns the host's loop (qasync, QtAsyncio), or what is to be left alone.
        """
        if self.toolkit is None:
            return
        from ipyembed.gui.detect import main_loop_is_running

        if main_loop_is_running(self.toolkit.name):
            self.how = f"{self.how}; its own main loop is running"
            self._turn = None
            return
        self.share(loop, policy)

    def leave(self) -> None:
        """Have no loop turn the toolkit any more."""
        if self._shared is not None:
            self._shared.undo.close()
            self._shared = None

    def close(self) -> None:
        """Drop what the toolkit's hook has kept."""
        self.leave()
        if self.toolkit is not None:
            self.toolkit.release()


def _alive() -> Found | None:
    if not any(name in sys.modules for name in _MODULES):
        return None
    from ipyembed.gui.detect import alive

    return alive()
