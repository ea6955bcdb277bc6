"""What of a trio task can be given over to another: some waits, and what it has open.

==================================  ==============================================================
a wait                              goes along with
==================================  ==============================================================
of a nursery for its children       the nursery, and its `_parent_task`, whom it wakes
`trio.to_thread.run_sync()`         its list `task_register`, in which it keeps whom it wakes
`trio.sleep()`, `sleep_forever()`   the scope around it, which is all that ends it
any other                           nothing: somebody whom we do not know holds the task
==================================  ==============================================================

Of what the task has open, cancel scopes are cut off from those around them and continue those of
the new task; nurseries get the new one for a parent. A lock or a limiter of trio's that the
coroutine holds still belongs to the old one, and cannot be released by the new.

All of this is trio's own (0.22 to 0.35) and none of it public: `Task._cancel_status`,
`_activate_cancel_status`, `_child_nurseries`, `_next_send_fn`; `CancelStatus.parent`, `encloses`
and `effectively_cancelled`; and what is in the table. Where something is missing, `TaskParts.of`
knows nothing of a task, or the wait is any other.

Everything here runs on trio's thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from trio.lowlevel import Task

from ipyembed.stacks import awaited_frames

_OUTER_CLOSED = "it has closed a trio cancel scope or nursery that an earlier cell has opened"
_OF_A_TASK = ("_cancel_status", "_activate_cancel_status", "_child_nurseries", "_next_send_fn")
_OF_A_STATUS = ("parent", "encloses", "effectively_cancelled")


@dataclass(frozen=True)
class TaskParts:
    """What a task has open since a certain moment: the scopes and nurseries of its coroutine."""

    task: Any
    _around: Any
    """The innermost cancel status that the coroutine has found."""
    _nurseries: int
    """How many nurseries it has found."""
    _coroutine: Any

    @classmethod
    def of(cls, task: Task, coroutine: object) -> TaskParts | None:
        """From now on; None for a version of trio that is not known."""
        status = getattr(task, "_cancel_status", None)
        if not all(hasattr(task, name) for name in _OF_A_TASK):
            return None
        if not all(hasattr(status, name) for name in _OF_A_STATUS):
            return None
        return cls(task, status, len(task.child_nurseries), coroutine)

    @property
    def is_waiting(self) -> bool:
        """Whether nobody has woken the task."""
        return self.task._next_send_fn is None

    @property
    def is_cancelled(self) -> bool:
        """Whether the task is being cancelled from around the coroutine."""
        return bool(self._around.effectively_cancelled)

    @property
    def nurseries(self) -> list[Any]:
        """Those that are open, innermost last."""
        return self.task.child_nurseries[self._nurseries :]  # type: ignore[no-any-return]

    @property
    def threads(self) -> list[list[Task]]:
        """For each `trio.to_thread.run_sync()` in which the coroutine is: whom its end wakes."""
        registers = [
            frame.f_locals.get("task_register")
            for frame in awaited_frames(self._coroutine)
            if frame.f_globals.get("__name__") == "trio._threads"
        ]
        return [register for register in registers if register and register[0] is self.task]

    def why_stays(self) -> str:
        """Why nothing can be given over; nothing if it can be."""
        return "" if self._around.encloses(self.task._cancel_status) else _OUTER_CLOSED

    def give_over(self, new: Any, it_waits: bool) -> None:
        """Have all that be open in `new`.

        If the task waits, it is in a scope that is not the coroutine's (`InterruptibleWaits`), and
        stays in that.
        """
        old: Any = self.task
        for register in self.threads:
            register[0] = new
        for nursery in self.nurseries:
            nursery._parent_task = new
            new._child_nurseries.append(nursery)
        del old._child_nurseries[self._nurseries :]
        inner = old._cancel_status.parent if it_waits else old._cancel_status
        if inner is self._around:
            return
        outermost = inner
        while outermost.parent is not self._around:
            outermost = outermost.parent
        if it_waits:
            old._cancel_status.parent = self._around
        else:
            old._activate_cancel_status(self._around)
        outermost.parent = new._cancel_status
        new._activate_cancel_status(inner)


def goes_along(message: Any, parts: TaskParts) -> bool:
    """Whether the wait that `message` has begun goes to the task to which `parts` are given.

    Then that has to wait in the same way.
    """
    abort: Any = getattr(message, "abort_func", None)
    if parts.is_cancelled:
        return False
    if any(getattr(nursery, "_parent_waiting_in_aexit", False) for nursery in parts.nurseries[-1:]):
        return abort is not None
    name = f"{getattr(abort, '__module__', '')}.{getattr(abort, '__qualname__', '')}"
    if name == "trio._threads.to_thread_run_sync.<locals>.abort":
        return bool(parts.threads)
    return name == "trio._timeouts.sleep_forever.<locals>.<lambda>"
