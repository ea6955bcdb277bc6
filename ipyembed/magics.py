"""The magics that a threaded shell has in addition to IPython's."""

from __future__ import annotations

from IPython.core.magic import Magics, line_magic, magics_class


@magics_class
class LoopMagics(Magics):
    """``%loops``."""

    @line_magic
    def loops(self, line: str = "") -> None:
        """Show the loops as they are now: which turns where, and by which policies.

        Example::

            In [1]: %loops

        `ipyembed.juggler_state()` gives the same as an object, in any thread.
        """
        from ipyembed.state import juggler_state

        print(juggler_state())
