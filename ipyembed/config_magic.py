"""``%config`` for shells whose class is derived from IPython's.

IPython looks for the exact class: of a shell that is derived from `TerminalInteractiveShell`,
``%config TerminalInteractiveShell.colors`` is an error there, though setting it works.
"""

from __future__ import annotations

import re
from typing import Any

from IPython.core.magic import line_magic, magics_class
from IPython.core.magics.config import ConfigMagics

_NAME = re.compile(r"\s*(\w+)(?=\s*$|\.\w+\s*$)")


# Their annotations fit methods without arguments only.
_line_magic: Any = line_magic
_their_config: Any = ConfigMagics.config


@magics_class
class ConfigByParents(ConfigMagics):
    """IPython's ``%config``; the shell is also known by the names of its parent classes."""

    @_line_magic("config")  # type: ignore[untyped-decorator]
    def config_by_parents(self, s: str) -> Any:
        """See `ConfigMagics.config`."""
        kind = type(self.shell)
        asked = _NAME.match(s)
        if asked and asked[1] in (parent.__name__ for parent in kind.__mro__):
            s = kind.__name__ + s[asked.end() :]
        return _their_config(self, s)

    config_by_parents.__doc__ = _their_config.__doc__
