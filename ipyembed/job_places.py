"""Where a job is now: file, line, function."""

from __future__ import annotations

import os
import sys
from types import FrameType
from typing import Any

import IPython

from ipyembed.job import Job
from ipyembed.stacks import awaited_frames
from ipyembed.whose_code import is_library, is_ours, name_of_file

_IPYTHONS = os.path.dirname(IPython.__file__) + os.sep


def place_of(job: Job) -> str:
    """The innermost place of the user's code; nothing if it has ended or not begun."""
    return "" if job.done() else _innermost(_frames_of(job))


def place_of_task(task: Any) -> str:
    """The same for any task."""
    return _innermost(_frames_of_task(task))


def stack_of(job: Job) -> list[str]:
    """All places that it has come to, innermost last."""
    if job.done():
        return []
    frames = _frames_of(job)
    # A cell that was left: what IPython has called it by is the same for all.
    begins = next((i for i, at in enumerate(frames) if not _is_ipythons(at)), 0)
    return [_place(frame) for frame in frames[begins:]]


def stack_of_task(task: Any) -> list[str]:
    """The same for any task."""
    return [_place(frame) for frame in _frames_of_task(task)]


def _innermost(frames: list[FrameType]) -> str:
    users = [frame for frame in frames if not is_library(frame.f_code.co_filename)]
    return _place((users or frames)[-1]) if frames else ""


def _frames_of(job: Job) -> list[FrameType]:
    if hasattr(job.task, "get_coro"):
        return _frames_of_task(job.task)
    at = sys._current_frames().get(job.thread_id) if job.thread_id is not None else None
    frames: list[FrameType] = []
    # In front are those of the thread and of the pool.
    while at is not None and not is_ours(at.f_code.co_filename):
        frames.append(at)
        at = at.f_back
    return frames[::-1]


def _frames_of_task(task: Any) -> list[FrameType]:
    get_coro = getattr(task, "get_coro", None)
    if get_coro is None:
        return []
    return [frame for frame in awaited_frames(get_coro()) if not is_ours(frame.f_code.co_filename)]


def _is_ipythons(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_IPYTHONS)


def _place(frame: FrameType) -> str:
    name = name_of_file(frame.f_code.co_filename)
    if name.startswith(os.getcwd() + os.sep):
        name = os.path.relpath(name)
    return f"{name}:{frame.f_lineno} {frame.f_code.co_qualname}"
