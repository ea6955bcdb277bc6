"""The magics that a threaded shell has in addition to IPython's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import Magics, line_magic, magics_class

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment


@magics_class
class LoopMagics(Magics):
    """``%loops``."""

    def __init__(self, attachment: Attachment) -> None:
        shell: Any = attachment.shell
        super().__init__(shell=shell)
        self._attachment = attachment

    @line_magic
    def loops(self, line: str = "") -> None:
        """Show the loops as they are now: which turns where, and by which policies.

        Example::

            In [1]: %loops

        `ipyembed.juggler_state()` gives the same as an object, in any thread.
        """
        from ipyembed.state import state_of

        print(state_of(self._attachment, self._attachment.where))
