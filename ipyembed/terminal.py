"""What is asked on the terminal: a cell, a yes or no; with prompt_toolkit or without.

Each ``asking_…`` yields a `Question` of the prompt thread. Where input is no terminal, or the user
wants the simple prompt, lines are read without prompt_toolkit: a blocking read cannot be taken
back, so it happens in a short-lived thread, and a read whose question was withdrawn serves the
next one instead of swallowing a line.
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session

from ipyembed.aside import raw_for_questions
from ipyembed.handover import CtrlCKeys, Handover
from ipyembed.highlighting import LexerOfText
from ipyembed.output import above_prompt, drained, terminal_reopened
from ipyembed.prompt_thread import Question, prompt_thread
from ipyembed.resize import resize_heard
from ipyembed.stopping import stops_at_once

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell
    from prompt_toolkit.application import Application

    from ipyembed.watchdog import Watch


T = TypeVar("T")


def is_terminal() -> bool:
    """Whether stdin and stdout are a terminal now (a closed or replaced stream is none)."""
    return _is_terminal(sys.stdin) and _is_terminal(sys.stdout)


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except (AttributeError, ValueError):  # None, without isatty, or closed
        return False


class LineReader:
    """Lines from `input()`, read in a thread, at most one read at a time in the process."""

    def __init__(self) -> None:
        self._pending: Future[str] | None = None

    async def read_line(self, prompt: str) -> str:
        """The next line, without its newline. Runs on the prompt thread. Raises EOFError."""
        pending = self._pending
        if pending is None:
            pending = self._pending = Future()
            threading.Thread(
                target=self._read, args=(pending, prompt), name="ipyembed-input", daemon=True
            ).start()
        else:
            print(prompt, end="", flush=True)
        await asyncio.wait({asyncio.wrap_future(_copy(pending))})
        if self._pending is pending:
            self._pending = None
        return pending.result()

    @staticmethod
    def _read(pending: Future[str], prompt: str) -> None:
        try:
            line = input(prompt)
        except (EOFError, OSError, RuntimeError, ValueError):
            # RuntimeError: sys.stdin is None. ValueError: it is closed. OSError: its descriptor is
            # gone, or the terminal hung up. Nothing more will come from any of them.
            pending.set_exception(EOFError())
        except BaseException as error:
            pending.set_exception(error)
        else:
            pending.set_result(line)


def _copy(future: Future[str]) -> Future[None]:
    """A future that is done when `future` is, and may be cancelled without harm to it."""
    done: Future[None] = Future()

    def finish(_: Future[str]) -> None:
        if done.set_running_or_notify_cancel():
            done.set_result(None)

    future.add_done_callback(finish)
    return done


_line_reader = LineReader()


class Terminal:
    """The questions that one shell asks."""

    def __init__(self, shell: TerminalInteractiveShell) -> None:
        self.shell = shell
        self._ctrl_c = CtrlCKeys()

    @property
    def is_plain(self) -> bool:
        """Whether lines are read without prompt_toolkit."""
        session = self.shell.pt_app
        if self.shell.simple_prompt or session is None:
            return True
        # Not sys.stdout: a cell may have replaced it, and the prompt is still on the terminal.
        stdout = getattr(session.app.output, "stdout", sys.stdout)
        return not (_is_terminal(sys.stdin) and _is_terminal(stdout))

    @contextmanager
    def asking_cell(
        self, output: str, handover: Handover, watch: Watch | None, **options: Any
    ) -> Iterator[Question[str]]:
        """Ask for a cell; for the time of the block, others' output lands above the prompt.

        Use on the eval thread: making a prompt calls the user's `Prompts`. `output` is the policy
        of that name; `handover` is about SIGINT; `watch` runs beside the prompt; `options` are
        prompt_toolkit's, over those of the shell. The answer ends with EOFError at Ctrl-D and at
        the end of the input.
        """
        shell = self.shell
        terminal_reopened()
        default = shell.rl_next_input or ""
        if default:
            shell.rl_next_input = None
        session = shell.pt_app
        if session is None or self.is_plain:
            first = _text(shell.prompts.in_prompt_tokens())
            rest = _text(shell.prompts.continuation_prompt_tokens())
            with (
                handover.without_raw_mode(is_terminal()),
                prompt_thread.asking(lambda: self._read_cell(first, rest)) as question,
            ):
                yield question
            return
        # IPython 9.0 to 9.18: private, but all of the prompt's looks come from there.
        options = {**shell._extra_prompt_options(), **options}
        lexer = options["lexer"] = LexerOfText(options["lexer"])

        async def prompt() -> str:
            async with (
                _watching(session, watch, self._ctrl_c),
                handover.to_host(session.app, watch),
            ):
                with lexer.ready_once_painted(session.app):
                    text: str = await session.prompt_async(default=default, **options)
            return text

        with resize_heard(session.app), _asking(session.app, output, handover, prompt) as question:
            yield question

    async def _read_cell(self, first: str, rest: str) -> str:
        lines: list[str] = []
        while True:
            try:
                lines.append(await _line_reader.read_line(rest if lines else first))
            except EOFError:
                if lines:  # the last block of a file needs no blank line after it
                    return "\n".join(lines)
                raise
            if self.shell.check_complete("\n".join(lines))[0] != "incomplete":
                return "\n".join(lines)

    @contextmanager
    def asking_yes_no(
        self,
        output: str,
        handover: Handover,
        prompt: str,
        default: str | None,
        interrupt: str | None,
    ) -> Iterator[Question[bool]]:
        """As IPython's `ask_yes_no`, asked on the prompt thread. `output` is that policy."""
        session = self.shell.pt_app
        if session is None or self.is_plain:
            read = partial(_line_reader.read_line, prompt + " ")
            with (
                handover.without_raw_mode(is_terminal()),
                prompt_thread.asking(partial(_yes_or_no, read, default, interrupt)) as question,
            ):
                yield question
            return

        async def ask() -> bool:
            # Made in the question's AppSession, so it reads and writes where the prompt does.
            short: PromptSession[str] = PromptSession()
            read = partial(short.prompt_async, prompt + " ")
            async with handover.to_host(short.app, None):
                return await _yes_or_no(read, default, interrupt)

        with _asking(session.app, output, handover, ask) as question:
            yield question

    @contextmanager
    def asking_with(
        self,
        make_session: Callable[[], PromptSession[str]],
        output: str,
        **options: Any,
    ) -> Iterator[Question[str]]:
        """Ask for a line with a session that `make_session()` makes on the prompt thread.

        Not where `is_plain`. `output` is the policy of that name, `options` are prompt_toolkit's.
        """
        app = self._app()

        async def ask() -> str:
            # Made in the question's AppSession, so it reads and writes where the prompt does.
            try:
                line: str = await make_session().prompt_async(**options)
            finally:
                await drained()
            return line

        with _asking(app, output, None, ask) as question:
            yield question

    def _app(self) -> Application[str]:
        session = self.shell.pt_app
        assert session is not None
        app: Application[str] = session.app
        return app


@asynccontextmanager
async def _watching(
    session: PromptSession[str], watch: Watch | None, ctrl_c: CtrlCKeys
) -> AsyncIterator[None]:
    """While the prompt is up, `watch` runs beside it, and hears of each key."""
    try:
        if watch is None:
            yield
            return
        keys = session.app.key_processor.after_key_press
        watching = asyncio.create_task(watch.run())
        keys += watch.key_pressed
        try:
            with ctrl_c.bound(session, watch):
                yield
        finally:
            keys -= watch.key_pressed
            watching.cancel()
    finally:
        await drained()


async def _yes_or_no(
    read: Callable[[], Coroutine[Any, Any, str]], default: str | None, interrupt: str | None
) -> bool:
    answers = {"y": True, "yes": True, "n": False, "no": False}
    while True:
        try:
            answer = (await read()).strip().lower() or default or ""
        except KeyboardInterrupt:
            answer = interrupt or ""
        except EOFError:
            print()
            if default is None:
                raise
            answer = default
        if answer in answers:
            return answers[answer]


@contextmanager
def _asking(
    app: Application[str],
    output: str,
    handover: Handover | None,
    ask: Callable[[], Coroutine[Any, Any, T]],
) -> Iterator[Question[T]]:
    """Ask in an AppSession of its own, on the terminal of `app`."""
    context = contextvars.copy_context()
    app_session = create_app_session(app.input, app.output)
    context.run(app_session.__enter__)
    try:
        with above_prompt(output, app, context) as catching:
            asking = partial(_asking_raw, app, catching(ask))
            with prompt_thread.asking(asking, context) as question:
                yield question
    finally:
        if handover is not None:
            handover.close()
        context.run(app_session.__exit__, None, None, None)


async def _asking_raw(app: Application[str], ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
    with raw_for_questions(app.input), stops_at_once(app):
        return await ask()


def _text(tokens: list[tuple[Any, str]]) -> str:
    return "".join(text for _, text in tokens)
