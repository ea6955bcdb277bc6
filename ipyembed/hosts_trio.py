"""A trio task that has asked for a shell. Imported only where trio is running.

Cancellation in trio belongs to scopes, which are a stack, and a cell may leave a scope or a nursery
open that a later cell closes. Two things follow, and both are about not standing in that stack: how
Ctrl-C ends what a cell awaits (`trio_waits`), and what is cancelled by a scope that is left open.

A timeout or a crashed child in what a cell has left open is no reason to take the prompt down; and
to leave embed_async() through a scope that nobody will close would end the host with a corrupted
stack. So the task is in those scopes only while a cell runs, and at the prompt in the host's. Trio
has no public way to say that: `_Scopes` uses `Task._cancel_status` and
`Task._activate_cancel_status` (in 0.22 to 0.35); without them such a cancellation ends the shell.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, TypeVar

import trio
from trio.lowlevel import Task

from ipyembed.blocking import frames
from ipyembed.detach import Detachable
from ipyembed.detach_trio import InTriosTask
from ipyembed.giving_way_trio import trio_giving_way
from ipyembed.hosts import Host
from ipyembed.interrupts import CellInterrupts
from ipyembed.juggler import LoopJuggler
from ipyembed.prompt_thread import TEARDOWN, Question, prompt_thread
from ipyembed.trio_waits import InterruptibleWaits
from ipyembed.watchdog import Watch
from ipyembed.whose_code import is_ours

T = TypeVar("T")


class TrioHost(Host):
    """A task of trio's."""

    kind = f"trio {trio.__version__}"
    cancellation = trio.Cancelled

    def __init__(self) -> None:
        """Raises RuntimeError outside of a trio task."""
        self.task = trio.lowlevel.current_task()
        self._token = trio.lowlevel.current_trio_token()
        self._root = trio.lowlevel.current_root_task()
        self._scopes = _Scopes(self.task)
        self._driven: InterruptibleWaits[Any] | None = None

    def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
        """See `Host`."""
        self._token.run_sync_soon(function)

    @contextmanager
    def opened(self, juggler: LoopJuggler) -> Iterator[None]:
        """See `Host`."""

        def run_pending() -> None:
            # Trio crashes if this raises; and whoever asked for the call has got the error.
            with suppress(BaseException):
                juggler.calls.run_pending()

        interrupts = juggler.interrupts
        interrupts.roots = set(frames(sys._getframe()))
        interrupts.is_hosts_nursery = True
        interrupts.name_task = partial(_name_of_task, self._root)
        waker = juggler.calls.woken_by(lambda: self.call_soon_threadsafe(run_pending))
        with waker, self._scopes.handed_back():
            yield

    def watch(self, juggler: LoopJuggler) -> Watch:
        """See `Host`."""
        ident = juggler.eval_thread.ident
        assert ident is not None
        return _TrioWatch(
            ident,
            juggler.stuck_after,
            self.call_soon_threadsafe,
            is_excused=juggler.is_excused,
            interrupt_threadsafe=juggler.interrupts.interrupt_stuck_threadsafe,
            root=self._root,
        )

    async def wait_until_done(self, future: Future[Any]) -> None:
        """See `Host`."""
        done = trio.Event()
        abandoned = False

        def wake() -> None:
            if not abandoned:
                done.set()

        def wake_threadsafe(_: Future[Any]) -> None:
            with suppress(trio.RunFinishedError):
                self.call_soon_threadsafe(wake)

        future.add_done_callback(wake_threadsafe)
        try:
            with trio_giving_way(prompt_thread.selector):
                await done.wait()
        except GeneratorExit:  # thrown away by hand: trio must not reschedule the task for it
            abandoned = True
            raise

    async def take_back(self, question: Question[Any]) -> None:
        """See `Host`."""
        question.withdraw_threadsafe()
        try:
            with trio.CancelScope(deadline=trio.current_time() + TEARDOWN, shield=True):
                await self.wait_until_done(question.answer)
        except KeyboardInterrupt:  # no more patience
            question.withdraw_and_wait()

    @property
    def is_being_cancelled(self) -> bool:
        """See `Host`."""
        return self._scopes.hosts_are_cancelled

    async def raise_if_cancelled(self) -> None:
        """See `Host`."""
        await trio.lowlevel.checkpoint_if_cancelled()

    def detachable(self, coroutine: Coroutine[Any, Any, T]) -> Detachable[T]:
        """See `Host`.

        A task for each cell from the start is no way to leave it: what a cell leaves open on the
        stack of scopes would not be there for the next one.
        """
        return InTriosTask(coroutine, self._interrupt, self.call_soon_threadsafe)

    def _interrupt(self) -> None:
        if self._driven is not None:
            self._driven.interrupt()

    async def run_cell(self, cell: Coroutine[Any, Any, T], interrupts: CellInterrupts) -> T:
        """See `Host`. Where trio defers an interrupt, so do we, to the cell's next wait."""
        around = self._driven
        driven = InterruptibleWaits(cell)
        self._driven = driven
        waiting = interrupts.awaiting(
            driven.interrupt,
            self.call_soon_threadsafe,
            is_critical=_is_critical,
        )
        try:
            with self._scopes.of_cells(), waiting:
                return await driven
        finally:
            self._driven = around


_CORE = os.path.join(os.path.dirname(trio.__file__), "_core") + os.sep


def _is_critical() -> bool:
    """Whether code is running, on this thread, that is not to be left by an interrupt.

    Not only what trio protects: `Nursery.start_soon()`, if left in its middle, has added a child
    that never begins, so that the nursery never ends (trio 0.22 to 0.35).
    """
    files = (frame.f_code.co_filename for frame in frames(sys._getframe()))
    interrupted = next((file for file in files if not is_ours(file)), "")
    return interrupted.startswith(_CORE) or trio.lowlevel.currently_ki_protected()


class _Scopes:
    """The cancel scopes around one task: those of the host, and those that cells have left open.

    ==================  ========================
    the task is in      when
    ==================  ========================
    the host's          the prompt waits
    the cells'          a cell runs or awaits
    the cells'          the shell has ended
    ==================  ========================

    All methods run in the task.
    """

    def __init__(self, task: Task) -> None:
        self._task: Any = task
        self._hosts: Any = getattr(task, "_cancel_status", None)
        known = ("effectively_cancelled", "encloses")
        if not hasattr(task, "_activate_cancel_status") or not all(
            hasattr(self._hosts, name) for name in known
        ):
            self._hosts = None
        self._cells = self._hosts

    @property
    def hosts_are_cancelled(self) -> bool:
        if self._hosts is None:
            return trio.current_effective_deadline() == -math.inf
        return bool(self._hosts.effectively_cancelled)

    @contextmanager
    def of_cells(self) -> Iterator[None]:
        """While a cell runs."""
        if self._hosts is None:
            yield
            return
        self._task._activate_cancel_status(self._cells)
        try:
            yield
        finally:
            self._cells = self._task._cancel_status
            if not self._hosts.encloses(self._cells):  # a cell has closed a scope of the host's
                self._hosts = self._cells
            self._task._activate_cancel_status(self._hosts)

    @contextmanager
    def handed_back(self) -> Iterator[None]:
        """While the shell is open; afterwards what is left open is the host's to close."""
        try:
            yield
        finally:
            if self._cells is not self._hosts:
                print(
                    "ipyembed: a cell has left a trio cancel scope or nursery open; unless the "
                    "program closes it, trio will say that its stack is corrupted",
                    file=sys.stderr,
                )
                self._task._activate_cancel_status(self._cells)


@dataclass
class _TrioWatch(Watch):
    """Names trio's tasks."""

    root: Task | None = None

    def _task_name(self) -> str:
        name = _name_of_task(self.root, sys._current_frames().get(self.thread_id))
        return f", task {name}" if name else ""


def _name_of_task(root: Task | None, frame: FrameType | None) -> str | None:
    """The task that the stack of `frame` belongs to. Runs on the prompt thread.

    Trio keeps the current task in a variable of its thread, but the tree of all tasks is public.
    """
    stack = set()
    while frame is not None:
        stack.add(frame)
        frame = frame.f_back
    tasks = [root] if root else []
    try:
        while tasks:
            task = tasks.pop()
            if getattr(task.coro, "cr_frame", None) in stack:
                return task.name
            for nursery in task.child_nurseries:
                tasks.extend(nursery.child_tasks)
    except RuntimeError:  # not stuck at all: a set of tasks has changed while we looked
        pass
    return None
