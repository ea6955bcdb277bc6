"""A cell that awaits is left behind, and goes on as a job.

What can be left is the cell's code, `run_ast_nodes` of IPython's: its `run_cell_async`, which has
called it, ends as for any other cell. So the cell is in the history, and the next one has a number
of its own.

What IPython does for the code later is the job's: an error is the job's error, shown as such; the
value of a last expression is the job's result, not an ``Out``. IPython hands that to
`sys.displayhook`, which is somebody else's by then; so while such jobs run, ours is in front.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

from ipyembed import routing
from ipyembed.blocking import frames
from ipyembed.detach import Detachable, Detached
from ipyembed.job import Job, current_job
from ipyembed.job_code import ended_by
from ipyembed.job_table import job_table

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

Kind = Callable[[Coroutine[Any, Any, Any]], Detachable[Any]]


@dataclass(eq=False)
class _Cell:
    """A cell that can be left."""

    kind: Kind
    relay: routing.Relay
    running: Detachable[Any] | None = None
    is_asked: bool = False
    """Whether it is to be left, and the loop has not come to that."""
    has_refused: bool = False
    """Whether the last Ctrl-Z has said that it cannot be."""
    job: Job | None = None
    """What it has become."""
    value: object = None
    """That of its last expression, once it is a job."""
    names: tuple[Any, Any] = (None, None)
    """Where it finds its names: module, and locals."""


class LeavableCells:
    """The cells of one shell. On the eval thread, but for what the name says."""

    def __init__(self, shell: TerminalInteractiveShell) -> None:
        self._shell = shell
        self._run_ast_nodes = shell.run_ast_nodes
        self._cell: _Cell | None = None
        self._left: dict[Job, _Cell] = {}
        self._hooks: list[tuple[Any, str, Any]] = []
        self._leave_wait: Callable[[], object] | None = None
        self.was_left = False
        """Whether the last cell was left."""

    @contextmanager
    def by(self, kind: Kind | None, relay: routing.Relay) -> Iterator[None]:
        """While a cell runs that can be left in this way; its output goes through `relay`."""
        self.was_left = False
        cell = self._cell = _Cell(kind, relay) if kind is not None else None
        try:
            yield
        finally:
            self._cell = None
            if cell is not None and cell.job is not None:
                # Not before: until here, the shell's own output goes through it as well.
                relay.target = cell.job

    async def run_ast_nodes(self, nodelist: list[Any], *args: Any, **kwargs: Any) -> bool:
        """In place of the shell's; whether the code has raised."""
        code = self._run_ast_nodes(nodelist, *args, **kwargs)
        cell = self._cell
        if cell is None or cell.running is not None:  # what a cell has IPython run is a part of it
            raised: bool = await code
            return raised
        excepthook = sys.excepthook
        result = kwargs.get("result")
        cell.running = cell.kind(self._run(cell, code, result))
        try:
            return bool(await cell.running.wait())
        except Detached as left:
            sys.excepthook = excepthook  # run_code would put it back at its end
            self._leave(cell, left, getattr(result, "info", None))
            return False

    async def _run(self, cell: _Cell, code: Coroutine[Any, Any, bool], result: Any) -> Any:
        raised = await code
        if cell.job is None:
            return raised
        error = result.error_before_exec or result.error_in_exec
        if isinstance(error, SystemExit | KeyboardInterrupt):  # these would leave the loop
            raise ended_by(error) from error
        if error is not None:
            raise error
        return cell.value

    # -- leaving -----------------------------------------------------------------------------

    def leave_threadsafe(self) -> bool:
        """Leave the cell when it next awaits; from any thread or signal handler.

        False if it never does, or never can be, or if that has been asked and has not come to pass.
        """
        return self._leave_threadsafe(is_interrupted=True)

    def suspend_threadsafe(self) -> bool:
        """The same for Ctrl-Z, which says why where it cannot be, and then suspends the process."""
        cell = self._cell
        if cell is not None and cell.has_refused:
            cell.has_refused = False
            return False
        return self._leave_threadsafe(is_interrupted=False)

    def _leave_threadsafe(self, is_interrupted: bool) -> bool:
        if self._leave_wait is not None:
            self._leave_wait()
            return True
        cell = self._cell
        if cell is None or cell.running is None or cell.is_asked:
            return False

        def refuse(why: str) -> None:
            cell.is_asked, cell.has_refused = False, not is_interrupted
            hint = "" if is_interrupted else " (Ctrl-Z again suspends the program)"
            text = f"\nipyembed: this cell cannot go to the background: {why}{hint}"
            with routing.to(None):
                print(text, file=sys.stderr)

        cell.is_asked = True
        if not is_interrupted:
            cell.running.detach_threadsafe(refuse)
        elif not cell.running.leave_threadsafe(refuse):
            cell.is_asked = False
            return False
        return True

    @contextmanager
    def waiting_in_foreground(self, leave_threadsafe: Callable[[], object]) -> Iterator[None]:
        """While the cell only waits for a job: to leave it is not to wait any longer."""
        self._leave_wait = leave_threadsafe
        try:
            yield
        finally:
            self._leave_wait = None

    def _leave(self, cell: _Cell, left: Detached, info: Any) -> None:
        self.was_left = True
        text = str(getattr(info, "raw_cell", None) or "cell").strip()
        job = cell.job = job_table.adopt(left.task, text.partition("\n")[0])
        job.kill = left.cancel_threadsafe
        cell.names = self._shell.user_module, self._shell.user_ns
        self._left[job] = cell
        self._take_hooks()
        job.add_done_callback(self._forget)
        print(f"\n{job}")

    def outlive(self) -> None:
        """The shell is left. IPython's code for what runs on still finds its names there.

        And it shows tracebacks by the shell, but they are the jobs'.
        """
        if not self._left:
            return
        shell: Any = self._shell
        shell.user_module, shell.user_ns = next(iter(self._left.values())).names
        shell.left_cells = self  # to be called again when the shell has been disposed of
        shell.showtraceback = self._show_unless_left

    def _show_unless_left(self, *args: Any, **kwargs: Any) -> None:
        if not self.is_left():
            type(self._shell).showtraceback(self._shell, *args, **kwargs)

    def is_left(self) -> bool:
        """Whether the code that calls this is that of a cell that was left."""
        return bool(self._left) and current_job() in self._left

    # -- the values of expressions -----------------------------------------------------------

    def _take_hooks(self) -> None:
        if self._hooks:
            return
        # IPython 8 and 9: `hook` is in place in a cell, as now, and `old_hook` again afterwards.
        trap = self._shell.display_trap
        for name in ("hook", "old_hook"):
            hook = getattr(trap, name)
            self._hooks.append((trap, name, hook))
            setattr(trap, name, _Displayed(self._left, hook))

    def _forget(self, job: Job) -> None:
        """Runs on the loop of the cells."""
        del self._left[job]
        if self._left:
            return
        if vars(self._shell).get("showtraceback") == self._show_unless_left:
            del self._shell.showtraceback
        for place, name, hook in self._hooks:
            if isinstance(getattr(place, name), _Displayed):
                setattr(place, name, hook)
        if isinstance(sys.displayhook, _Displayed):
            sys.displayhook = sys.displayhook.hook
        self._hooks.clear()


def runs_left_cell(frame: FrameType | None) -> bool:
    """Whether the code of a cell that was left is being executed. From any thread.

    Told by the stack: the context variables are those of this thread, and say nothing while what it
    prints is on its way to the terminal.
    """
    return any(
        at.f_code is _RUNS_LEAVABLE and at.f_locals["cell"].job is not None for at in frames(frame)
    )


_RUNS_LEAVABLE = LeavableCells._run.__code__


class _Displayed:
    """Stands in for a displayhook: the values of jobs are kept, all others are its."""

    def __init__(self, left: dict[Job, _Cell], hook: Any) -> None:
        self._left = left
        self.hook = hook

    def __call__(self, value: object) -> None:
        job = current_job() if self._left else None
        if job is not None and job in self._left:
            self._left[job].value = value
        else:
            self.hook(value)
