"""Raises KeyboardInterrupt in code that blocks a loop, and keeps it from ending that loop.

Goal: `except KeyboardInterrupt` and `finally` in the code see what they would see in a script; the
task or callback ends; the loop, the GUI and all other tasks go on.

What does not work: asyncio, uvloop and qasync end their loop when a KeyboardInterrupt leaves a task
or callback (any other exception only ends the task). An exception of another kind would not be
seen by the code's own `except KeyboardInterrupt`. And nothing of ours is on the stack between that
code and the host's loop that could catch it.

What we do: find the outermost frame of the task or callback, raise KeyboardInterrupt, and have a
trace function on that one frame replace it by `Interrupted` when it leaves. Where another trace
function is set (a debugger, coverage), `Interrupted` is raised at once.
"""

from __future__ import annotations

import asyncio
import opcode
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from types import CodeType, FrameType, TracebackType
from typing import Any, NoReturn

from ipyembed.tracebacks import without_ours
from ipyembed.whose_code import is_ours

# Python 3.11 to 3.13: what calls every callback of an asyncio loop that is written in Python, and
# what calls that.
_CALLS_BACK = asyncio.Handle._run.__code__
_LOOP: frozenset[CodeType] = frozenset(
    getattr(asyncio.BaseEventLoop, name).__code__
    for name in ("_run_once", "run_forever", "run_until_complete")
    if hasattr(asyncio.BaseEventLoop, name)
)


_TOOLKITS = frozenset(("tkinter", "wx", "gi", "pyglet", "PySide6", "PySide2", "PyQt6", "PyQt5"))


class Interrupted(BaseException):
    """What a task or callback ends with that Ctrl-C has ended, so that its loop goes on."""

    undo: Callable[[], object] | None = None


@dataclass(frozen=True)
class Activity:
    """A task or callback that is being executed."""

    frame: FrameType | None
    """Its outermost frame; None where it is a C function, which has none."""
    name: str
    """For people."""
    task: asyncio.Task[Any] | None = None
    """The task, if it is one."""


def frames(frame: FrameType | None) -> Iterator[FrameType]:
    """`frame` and those that it was called from."""
    while frame is not None:
        yield frame
        frame = frame.f_back


def passes_callback(tb: TracebackType | None) -> bool:
    """Whether an exception that has left a loop comes from a task or callback of it.

    Of a loop that is not written in Python, always.
    """
    codes = set()
    while tb is not None:
        codes.add(tb.tb_frame.f_code)
        tb = tb.tb_next
    return _CALLS_BACK in codes or not _LOOP & codes


def find_activity(
    frame: FrameType | None,
    roots: frozenset[FrameType] | set[FrameType],
    loop: asyncio.AbstractEventLoop | None = None,
) -> Activity | None:
    """The task or callback that `frame` belongs to; None if that is the loop's own code.

    `roots` are frames that turn loops; those of our own package are such in any case. A toolkit's
    binding that has called the callback does not belong to it, and may catch what leaves it.
    """
    outermost: FrameType | None = None
    of_toolkit: FrameType | None = None
    for at in frames(frame):
        code = at.f_code
        if code is _CALLS_BACK:
            callback = at.f_locals["self"]._callback
            name = getattr(callback, "__qualname__", None) or repr(callback)
            # It is asked for by another thread, too.
            return _activity(outermost, name, loop or getattr(at.f_locals["self"], "_loop", None))
        if code in _LOOP or at in roots or is_ours(code.co_filename):
            break
        if at.f_globals.get("__name__", "").partition(".")[0] in _TOOLKITS:
            of_toolkit = at
        else:
            outermost = at
    outermost = outermost or of_toolkit
    if outermost is None or _is_waiting(outermost):
        return None
    return _activity(outermost, outermost.f_code.co_qualname, loop)


def _is_waiting(frame: FrameType) -> bool:
    """Whether the loop itself has called this, to wait."""
    return frame.f_code.co_name == "select" and frame.f_globals.get("__name__") == "selectors"


def _activity(
    outermost: FrameType | None, callback: str, loop: asyncio.AbstractEventLoop | None
) -> Activity:
    try:
        task = asyncio.current_task(loop)
    except RuntimeError:  # not in a loop: the callback is a toolkit's
        task = None
    name = f"callback {callback}" if task is None else f"task {task.get_name()}"
    return Activity(outermost, name, task)


def say(activity: Activity, place: str) -> str:
    """Print what is interrupted; what is printed."""
    said = _said(activity, place)
    print(said, file=sys.stderr)
    return said


def _said(activity: Activity, place: str) -> str:
    return f"ipyembed: KeyboardInterrupt in {activity.name}, in {place}"


class _InActivity(KeyboardInterrupt):
    """What is raised in an activity. Code in that sees a `KeyboardInterrupt`, by its name, too."""

    __module__ = "builtins"

    def __init__(self, said: str) -> None:
        super().__init__()
        self.said = said
        self.undo: Callable[[], object] | None = None

    def replacement(self, tb: TracebackType | None) -> Interrupted:
        replacement = Interrupted(self.said).with_traceback(tb)
        replacement.undo = self.undo
        return replacement

    def show(self, tb: TracebackType | None) -> None:
        text = "".join(traceback.format_exception(KeyboardInterrupt, self, without_ours(tb)))
        print(f"{self.said}\n{text}", end="", file=sys.stderr)


_InActivity.__name__ = _InActivity.__qualname__ = "KeyboardInterrupt"


def is_shown(error: BaseException, tb: TracebackType | None) -> bool:
    """Whether it is an interrupt of an activity that has left a toolkit's callback inside of that.

    Then it is shown here, and is nothing to end a loop for.
    """
    if not isinstance(error, _InActivity | Interrupted):
        return False
    if isinstance(error, _InActivity):
        error.show(tb)
    if error.undo is not None:
        error.undo()
    return True


def interrupt(activity: Activity, place: str, as_returned: bool = False) -> NoReturn:
    """Raise KeyboardInterrupt in `activity`, in which the caller was called by a signal.

    `place` says where that is. When it has ended the activity, its traceback is shown.
    `as_returned`: the activity is a coroutine, and its loop is to take it for one that has
    returned.
    """
    raise _to_raise(activity, place, as_returned)


def raised_in_thread(
    find: Callable[[FrameType], Activity | None], describe: Callable[[FrameType], str]
) -> type[BaseException]:
    """What to raise by `PyThreadState_SetAsyncExc` in a thread, in the activity that is `find`'s.

    Since Python 3.12 the class is called there, as it is raised. So that is where the thread's
    trace function is set, and what the class makes is not one of its instances.
    """
    if sys.version_info < (3, 12):
        return Interrupted

    class Raised(BaseException):
        def __new__(cls) -> Any:
            frame = sys._getframe(1)
            activity = find(frame)
            if activity is None:  # it has gone on meanwhile
                return Interrupted()
            return _to_raise(activity, describe(frame), as_returned=False)

    return Raised


def _to_raise(activity: Activity, place: str, as_returned: bool) -> BaseException:
    error = _InActivity(_said(activity, place))
    undo = error.undo = _let_nobody_else_say_it(activity, error)
    if activity.frame is None or sys.gettrace() is not None:
        return Interrupted(say(activity, place))
    _replace_at_exit(activity.frame, error, undo, as_returned)
    return error


def _replace_at_exit(
    outermost: FrameType,
    error: _InActivity,
    undo: Callable[[], object],
    as_returned: bool,
) -> None:
    tb: TracebackType | None = None

    def trace(frame: FrameType, event: str, value: Any) -> Any:
        nonlocal tb
        if event == "exception" and frame is outermost and value[1] is error:
            tb = value[2]  # before 3.12, `error` itself has it only when somebody has caught it
        if event != "return" or frame is not outermost:
            return trace
        # It ends, or waits: in either case it blocks no more.
        sys.settrace(None)
        outermost.f_trace = None
        if not _is_unwinding(frame):
            undo()
            return None
        error.show(tb)
        if as_returned:
            if sys.version_info >= (3, 12):
                raise StopIteration
            _take_for_returned(outermost.f_back, error)
            return None
        raise error.replacement(tb) from None

    outermost.f_trace = trace
    outermost.f_trace_lines = False
    sys.settrace(lambda *_: None)


def interrupt_when_it_goes_on(activity: Activity, place: str, caller: FrameType) -> None:
    """The same in `caller`, a frame of `activity`, as soon as what it has called comes back.

    A trace function that raises is gone, so it is a profile function that replaces the interrupt.
    """
    outermost = activity.frame
    if outermost is None or sys.getprofile() is not None:
        return
    error = _InActivity(_said(activity, place))
    undo = error.undo = _let_nobody_else_say_it(activity, error)
    tb: TracebackType | None = None

    def profile(frame: FrameType, event: str, _: Any) -> None:
        if event != "return" or frame is not outermost:
            return
        sys.setprofile(None)
        if not _is_unwinding(frame):
            undo()
            return
        error.show(tb)
        raise error.replacement(tb) from None

    def begin() -> BaseException:
        nonlocal tb
        for at in frames(caller):
            tb = TracebackType(tb, at, max(at.f_lasti, 0), at.f_lineno)
            if at is outermost:
                break
        sys.setprofile(profile)
        return error

    raise_when_it_goes_on(caller, begin)


def raise_when_it_goes_on(caller: FrameType, make: Callable[[], BaseException]) -> None:
    """Raise what `make()` returns in `caller` as soon as what that has called comes back."""
    if sys.gettrace() is not None:
        return
    waiting = set(frames(caller))

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        if frame not in waiting or event not in ("opcode", "line", "return"):
            return trace
        sys.settrace(None)
        for at in waiting:
            at.f_trace, at.f_trace_opcodes = None, False
        waiting.clear()
        raise make()

    for at in waiting:
        at.f_trace, at.f_trace_opcodes = trace, True
    sys.settrace(lambda *_: None)


def _take_for_returned(caller: FrameType | None, error: KeyboardInterrupt) -> None:
    """Have `caller`, which runs a coroutine, see a StopIteration in place of `error`.

    Called by a trace function. Before Python 3.12, for which this is, a StopIteration that leaves a
    coroutine becomes a RuntimeError. So it is raised where the exception arrives.
    """
    if caller is None:
        return

    def trace(frame: FrameType, event: str, value: Any) -> Any:
        if frame is not caller or event != "exception":
            return trace
        sys.settrace(None)
        caller.f_trace = None
        caller.f_trace_lines = True
        if value[1] is error:
            raise StopIteration
        return None

    caller.f_trace = trace
    caller.f_trace_lines = False
    sys.settrace(lambda *_: None)


def _let_nobody_else_say_it(activity: Activity, error: KeyboardInterrupt) -> Callable[[], object]:
    """Once, since it is shown here: by asyncio, or by a toolkit's binding (PyQt would abort).

    Code that catches `error` and shows it in its own way shows nothing of us. Returns what undoes
    it.
    """
    undo = ExitStack()
    if activity.task is not None:
        activity.task.add_done_callback(_look_at_result)
        return undo.close
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        undo.callback(loop.set_exception_handler, loop.get_exception_handler())

        def handle(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            undo.close()
            if not isinstance(context.get("exception"), Interrupted):
                loop.call_exception_handler(context)

        loop.set_exception_handler(handle)
    hook = sys.excepthook
    if "GuardedCallbacks" in getattr(hook, "__qualname__", ""):  # it knows by itself
        return undo.close

    def report(
        kind: type[BaseException], value: BaseException, traceback: TracebackType | None
    ) -> None:
        undo.close()
        if value is error:
            traceback = without_ours(traceback)
        if not isinstance(value, Interrupted):
            hook(kind, value, traceback)

    def put_back() -> None:
        if sys.excepthook is report:
            sys.excepthook = hook

    undo.callback(put_back)
    sys.excepthook = report
    return undo.close


def _look_at_result(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _is_unwinding(frame: FrameType) -> bool:
    """Whether a frame that returns, for a trace function, is being left by an exception.

    Python (3.11 to 3.13) reports both alike. The instruction tells: one that returns or yields has
    done so, any other has failed. 3.13 has gone past the yield already.
    """
    code, at = frame.f_code.co_code, frame.f_lasti
    name = opcode.opname[code[at]]
    if name == "RESUME":
        return code[at + 1] & 3 == 0
    return not name.endswith(("RETURN_VALUE", "RETURN_CONST", "YIELD_VALUE", "RETURN_GENERATOR"))
