"""The magics of the engine's own shell, in addition to IPython's: jobs, and ``%loops``.

``%follow`` is there only while a client's cell runs, in whatever shell; see `following`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

from IPython.core.magic import Magics, line_magic, magics_class

from ipyembed.cells import Cells
from ipyembed.hosts import Host, current_host
from ipyembed.interrupts import CellInterrupts
from ipyembed.job_magics import JobMagics, awaited_magics_if


class EngineContext:
    """What the magics about jobs need of the shell they are in."""

    own_loop_if_made = None

    def __init__(
        self,
        shell: Any,
        cells: Cells,
        interrupts: CellInterrupts,
        loop: asyncio.AbstractEventLoop | None,
    ) -> None:
        self.shell = shell
        self.cells = cells
        self.interrupts = interrupts
        self.host_loop = loop

    @property
    def juggler(self) -> Self:
        """Loops and interrupts, which in a terminal shell the juggler has."""
        return self

    @property
    def host(self) -> Host:
        """That of the cell which is running."""
        return current_host()


@magics_class
class EngineMagics(Magics):
    """``%loops`` of an engine."""

    def __init__(self, shell: Any, describe: Callable[[], str]) -> None:
        super().__init__(shell=shell)
        self._describe = describe

    @line_magic
    def loops(self, line: str = "") -> None:
        """Show where cells run, what turns there, and how busy the program is.

        Example::

            In [1]: %loops
        """
        print(self._describe())


def add_magics(context: EngineContext, describe: Callable[[], str]) -> None:
    """Register them with the shell, for good."""
    shell = context.shell
    shell.register_magics(JobMagics(context))  # type: ignore[arg-type]
    shell.register_magics(EngineMagics(shell, describe))
    shell.input_transformers_post.append(awaited_magics_if(lambda: bool(shell.autoawait)))
