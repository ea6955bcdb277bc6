"""What the loops of an open shell are doing now: `juggler_state()`, and the text of ``%loops``."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ipyembed.attachment import Attachment
from ipyembed.loops import kind_of
from ipyembed.prompt_thread import prompt_thread
from ipyembed.slot import slot
from ipyembed.watchdog import describe_frame

T = TypeVar("T")


@dataclass(frozen=True)
class LoopState:
    """An event loop at a moment."""

    kind: str
    """Its class: ``module.Class``; ``trio`` for trio's."""
    turned: str
    """Who turns it and when, in words."""
    tasks: int | None
    """The number of its unfinished tasks, where it is asyncio's."""


@dataclass(frozen=True)
class GuiState:
    """A toolkit at a moment."""

    toolkit: str
    found: str
    """How it was found, in words."""
    strategy: str | None
    """How it shares the eval thread with asyncio; None: it is not, or not only, turned by us."""


@dataclass(frozen=True)
class JugglerState:
    """The loops, threads and policies of an open shell at a moment."""

    opened: str
    """Where the shell was opened."""
    host_loop: LoopState | None
    own_loop: LoopState | None
    gui: GuiState | None
    prompt_thread: str | None
    eval_thread: str
    doing: str
    """What the eval thread is doing, in words."""
    policies: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        rows = [
            ("shell", f"opened at {self.opened}"),
            ("eval thread", f"{self.eval_thread}: {self.doing}"),
            ("host loop", _loop_text(self.host_loop) or "none"),
            ("shell's own loop", _loop_text(self.own_loop) or "none needed so far"),
            ("GUI loop", _gui_text(self.gui)),
            ("prompt thread", self.prompt_thread or "not running"),
        ]
        width = max(len(name) for name in self.policies)
        policies = [f"  {name:{width}}  {value!r}" for name, value in self.policies.items()]
        return "\n".join([*(f"{name:17} {text}" for name, text in rows), "policies", *policies])


def _loop_text(loop: LoopState | None) -> str:
    if loop is None:
        return ""
    tasks = "" if loop.tasks is None else f", {loop.tasks} tasks"
    return f"{loop.kind}, {loop.turned}{tasks}"


def _gui_text(gui: GuiState | None) -> str:
    if gui is None:
        return "none (chosen by %gui NAME, or found when it is alive on this thread)"
    how = f", strategy {gui.strategy}" if gui.strategy else ""
    return f"{gui.toolkit} ({gui.found}){how}"


def juggler_state() -> JugglerState:
    """The loops of the innermost open shell as they are now; from any thread.

    Raises RuntimeError when no shell is open.
    """
    attachment, opened = _innermost()
    juggler = attachment.juggler
    gui = juggler.current_gui
    return JugglerState(
        opened=opened.replace(os.getcwd() + os.sep, "", 1),
        host_loop=_host_loop(attachment),
        own_loop=_own_loop(attachment),
        gui=GuiState(gui.toolkit.name, gui.how, gui.strategy) if gui.toolkit else None,
        prompt_thread=_thread_text(prompt_thread.thread),
        eval_thread=_thread_text(juggler.eval_thread) or "",
        doing=_doing(attachment),
        policies=juggler.trait_values(config=True),
    )


def call_in_eval_thread(function: Callable[[], T]) -> Future[T]:
    """Have `function` called on the eval thread of the innermost open shell; from any thread.

    It is called when that thread next waits: for the prompt, or for what a cell awaits. Returns a
    future with its result or exception; cancel it to withdraw the call. It is cancelled when the
    shell is left before. Raises RuntimeError when no shell is open.
    """
    attachment, _ = _innermost()
    return attachment.juggler.call_in_eval_thread(function)


def _innermost() -> tuple[Attachment, str]:
    opened = slot.innermost
    if opened is None or opened.attachment is None:
        raise RuntimeError("no shell is open; this is about the innermost open one")
    return opened.attachment, str(opened)


def _host_loop(attachment: Attachment) -> LoopState | None:
    juggler = attachment.juggler
    if attachment.host is not None:
        return LoopState(attachment.host.kind, "running", _tasks(juggler.host_loop))
    if juggler.host_loop is None:
        return None
    turned = {
        "run": "re-entered while the prompt waits",
        "pause": "paused while the prompt waits",
        "error": "paused while the prompt waits",
    }[juggler.embed_in_running_loop]
    return LoopState(kind_of(juggler.host_loop), turned, _tasks(juggler.host_loop))


def _own_loop(attachment: Attachment) -> LoopState | None:
    juggler = attachment.juggler
    loop = juggler.own_loop_if_made
    if loop is None:
        return None
    turned = {
        "run": "running while the prompt waits and while a cell awaits",
        "pause": "running only while a cell awaits",
    }[juggler.asyncio_at_prompt]
    return LoopState(kind_of(loop), turned, _tasks(loop))


def _tasks(loop: asyncio.AbstractEventLoop | None) -> int | None:
    return len(asyncio.all_tasks(loop)) if loop is not None else None


def _thread_text(thread: threading.Thread | None) -> str | None:
    return thread.name if thread is not None else None


def _doing(attachment: Attachment) -> str:
    thread = attachment.juggler.eval_thread
    runs_a_cell = attachment.cells.running
    if thread is threading.current_thread():
        return "runs a cell" if runs_a_cell else "waits for the prompt, and runs this callback"
    what = "runs a cell" if runs_a_cell else "waits for the prompt"
    frame = sys._current_frames().get(thread.ident or 0)
    return f"{what}, in {describe_frame(frame)}"
