"""The prompt thread: the one thread on which everything that asks the user runs.

Goal: the prompt stays alive whatever the eval thread does, and never touches the eval thread's
loops. So every prompt_toolkit application runs here, on an asyncio loop that belongs to this
thread alone.

Invariants:

- one question at a time: a second one waits until the first has given the terminal back, or asks
  on a level of its own, for which the first has stepped aside (`stage`);
- an answer is done only when the terminal is as it was, so whoever waits for the answer may write
  to the terminal at once;
- the thread exists only while somebody holds the prompt thread (`with prompt_thread:`) and not
  before the first question; at the last exit it is gone, with its loop and descriptors.

What does not work: `Application.run(in_thread=True)` of prompt_toolkit starts a thread for each
prompt and blocks its caller in `join()`, where neither a loop turns nor a signal is seen.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, Self, TypeVar

from ipyembed.giving_way import SeenSelector, giving_way
from ipyembed.loop_thread import LoopThread
from ipyembed.stage import Level, Stage

T = TypeVar("T")

TEARDOWN = 2.0
"""Seconds that a withdrawn question may take to give the terminal back."""


class NoShellOpenError(RuntimeError):
    """Something was to be asked, but the last shell has been closed."""


class Question(Generic[T]):
    """Something asked on the prompt thread.

    `answer` is done when the terminal has been given back: with a result, with the exception that
    the question ended with, or with `asyncio.CancelledError` after `withdraw_threadsafe()`.
    """

    def __init__(self) -> None:
        self.answer: Future[T] = Future()
        self._task: asyncio.Task[None] | None = None
        self._withdrawn = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stage: Stage | None = None
        self._level: Level | None = None

    def start(
        self,
        loop: asyncio.AbstractEventLoop,
        stage: Stage,
        level: Level,
        ask: Callable[[], Coroutine[Any, Any, T]],
        context: contextvars.Context | None = None,
    ) -> None:
        """Begin to ask on `level` of `stage`, from any thread."""
        self._loop, self._stage, self._level = loop, stage, level
        loop.call_soon_threadsafe(self._start_in_prompt_thread, level, ask, context=context)

    def _start_in_prompt_thread(
        self, level: Level, ask: Callable[[], Coroutine[Any, Any, T]]
    ) -> None:
        self._task = asyncio.get_running_loop().create_task(self._run(level, ask))
        self._task.add_done_callback(self._ended_in_prompt_thread)

    async def _run(self, level: Level, ask: Callable[[], Coroutine[Any, Any, T]]) -> None:
        try:
            async with level.turn:
                if self._withdrawn:
                    raise asyncio.CancelledError
                with level.showing(self):
                    result = await ask()
        except BaseException as error:  # every ending belongs to whoever asked
            self.answer.set_exception(error)
        else:
            self.answer.set_result(result)

    def _ended_in_prompt_thread(self, task: asyncio.Task[None]) -> None:
        if not self.answer.done():  # a task that is cancelled before its first step never runs
            self.answer.set_exception(asyncio.CancelledError())

    def withdraw_threadsafe(self) -> None:
        """Take the question back, from any thread; `answer` is done once it is gone."""
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.withdraw_in_prompt_thread)

    def withdraw_in_prompt_thread(self) -> None:
        """The same, on the prompt thread."""
        self._withdrawn = True
        if self._stage is not None and self._level is not None and self._level.question is self:
            self._stage.recall_above(self._level)
        if self._task is not None:
            self._task.cancel()

    def withdraw_and_wait(self, timeout: float = TEARDOWN) -> bool:
        """Take the question back and block until the terminal is free, at most `timeout` seconds.

        For the moments when nothing else can be done but to block: an interrupt, an interpreter
        that shuts down, a coroutine that is thrown away. Returns whether the terminal is free.
        """
        self.withdraw_threadsafe()
        try:
            self.answer.exception(timeout)
        except TimeoutError:
            return False
        return True


class PromptThread:
    """Owner of the thread and its loop; hold it with `with` as long as a shell is open.

    ==============  =======================================
    state           left by
    ==============  =======================================
    no thread       the first `ask()` while held
    thread running  the last `__exit__`
    ==============  =======================================

    A forked child starts with no thread, whatever its parent had.
    """

    def __init__(self) -> None:
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self.is_ending = False
        # The lock guards the holders' count and the start and end of the thread: shells open and
        # close on any thread. Made anew in a forked child, where it could be held for ever.
        self._lock = threading.Lock()
        self._holders = 0
        self._running: LoopThread | None = None
        self._stage = Stage()
        self._questions: set[Question[Any]] = set()

    @property
    def thread(self) -> threading.Thread | None:
        """The thread, if it is running."""
        return self._running.thread if self._running else None

    @property
    def is_held(self) -> bool:
        """Whether a shell is open, so that it may be asked."""
        return self._holders > 0

    @property
    def is_lent(self) -> bool:
        """Whether somebody has borrowed the terminal."""
        return self._stage.is_lent

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """Its loop, if it is running."""
        return self._running.loop if self._running else None

    @property
    def selector(self) -> SeenSelector | None:
        """Tells whether this thread has something to do, if it is running and that is known."""
        return self._running.selector if self._running else None

    def given_way_by(self, loop: asyncio.AbstractEventLoop) -> AbstractContextManager[None]:
        """While `loop` is turned in the block, a busy one gives this thread its turn."""
        return giving_way(loop, self.selector)

    def __enter__(self) -> Self:
        with self._lock:
            self._holders += 1
        return self

    def __exit__(self, *exc_info: object) -> None:
        with self._lock:
            # A shell that a forked child inherited leaves without ever having entered there.
            self._holders = max(0, self._holders - 1)
            if self._holders == 0:
                self._stop()

    def ask(
        self,
        ask: Callable[[], Coroutine[Any, Any, T]],
        context: contextvars.Context | None = None,
        level: Level | None = None,
    ) -> Question[T]:
        """Run the coroutine that `ask()` makes on the prompt thread; from any thread.

        It sees the context variables of `context`, or else of the caller. It waits for its turn on
        `level`, by default the current thread's. Raises NoShellOpenError.
        """
        question: Question[T] = Question()
        with self._lock:
            if not self._holders:
                raise NoShellOpenError
            if self._running is None:
                self._running = LoopThread("ipyembed-prompt")
                self._stage = Stage()
                atexit.register(self._at_exit)
            running, stage = self._running, self._stage
        self._questions.add(question)
        question.answer.add_done_callback(lambda _: self._questions.discard(question))
        question.start(running.loop, stage, level or stage.level_of_this_thread, ask, context)
        return question

    def lend(self, lent: Future[Level | None], asks: bool = False) -> Question[None]:
        """Ask for the terminal, for the current thread. See `Stage.lend`."""
        thread = threading.current_thread()
        # On a level of its own: it waits for nobody's turn but in its own way.
        return self.ask(lambda: self._stage.lend(thread, lent, asks), level=Level())

    @contextmanager
    def asking(
        self,
        ask: Callable[[], Coroutine[Any, Any, T]],
        context: contextvars.Context | None = None,
    ) -> Iterator[Question[T]]:
        """As `ask`; a question that is still open at the end of the block is taken back."""
        question = self.ask(ask, context)
        try:
            yield question
        finally:
            if not question.answer.done():
                question.withdraw_and_wait()

    def stay_if_ending(self) -> None:
        """Not go on in a daemon thread whose question was withdrawn at the interpreter's exit.

        It would close its shell while the main thread does, by ``atexit``; two threads on the
        connection of the history have crashed.
        """
        if self.is_ending and threading.current_thread() is not threading.main_thread():
            threading.Event().wait()

    def _stop(self) -> None:
        # A completer or a Prompts class of the user's may hold the thread; then it is left behind.
        if self._running is not None:
            self._withdraw_all()
            self._running.close()
            atexit.unregister(self._at_exit)
        self._running = None

    def _at_exit(self) -> None:
        """The interpreter ends, and a daemon thread vanishes then."""
        self.is_ending = True
        self._withdraw_all()

    def _withdraw_all(self) -> None:
        """The thread is about to vanish: not with a terminal in raw mode, and not before the
        terminal has told what it was asked."""
        questions = list(self._questions)
        for question in questions:
            question.withdraw_threadsafe()
        for question in questions:
            question.withdraw_and_wait()


prompt_thread = PromptThread()
"""The process's only prompt thread."""
