"""``%load_ext ipyembed``: makes the prompt of a running IPython threaded."""

from __future__ import annotations

import threading
from typing import Any
from weakref import WeakKeyDictionary

from IPython.core.async_helpers import get_asyncio_loop
from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.interactiveshell import TerminalInteractiveShell

from ipyembed.attachment import Attachment
from ipyembed.shell import ThreadedInteractiveShell, ThreadedInteractiveShellEmbed
from ipyembed.slot import slot

_attached: WeakKeyDictionary[InteractiveShell, tuple[Attachment, Any]] = WeakKeyDictionary()


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Called by ``%load_ext ipyembed`` on the shell's thread."""
    if not isinstance(shell, TerminalInteractiveShell):
        print(
            f"ipyembed: nothing to do, {type(shell).__name__} has no terminal prompt that could "
            "run in a thread."
        )
        return
    if isinstance(shell, ThreadedInteractiveShell | ThreadedInteractiveShellEmbed):
        print("ipyembed: nothing to do, the prompt of this shell runs in a thread already.")
        return
    if shell in _attached:
        return
    # Tasks of earlier cells live on the loop that IPython keeps for the process.
    on_main_thread = threading.current_thread() is threading.main_thread()
    attachment = Attachment(shell, borrow_loop=get_asyncio_loop if on_main_thread else None)
    hold = slot.hold("the IPython that loaded ipyembed")
    hold.__enter__().attachment = attachment
    attachment.use_debugger()
    _attached[shell] = attachment, hold


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Called by ``%unload_ext ipyembed``: every attribute of the shell is as it was."""
    attachment, hold = _attached.pop(shell, (None, None))
    if attachment is not None and hold is not None:
        attachment.detach()
        hold.__exit__(None, None, None)
