"""Stepping aside, on a screen in memory: what a real terminal does only now and then."""

from __future__ import annotations

import asyncio
import contextvars
import io
import threading
from concurrent.futures import Future
from typing import Self

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.data_structures import Size
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output.vt100 import Vt100_Output

from ipyembed.aside import raw_for_questions
from ipyembed.prompt_thread import Question
from ipyembed.stage import Level, Stage
from tests.pty.screen import ScrollbackScreen

pyte = pytest.importorskip("pyte")

WHERE_AM_I = "\x1b[6n"
ROW_1 = "\x1b[1;1R"


class _Screen(io.StringIO):
    def isatty(self) -> bool:
        return True

    def rows(self) -> list[str]:
        screen = ScrollbackScreen(40, 10)
        pyte.Stream(screen).feed(self.getvalue().replace("\n", "\r\n"))
        return [row for row in screen.rows if row]


class _Asking:
    """A question, another thread that borrows the terminal, and what is on the screen."""

    def __init__(self, pipe: PipeInput) -> None:
        self.pipe = pipe
        self.screen = _Screen()
        self.output = Vt100_Output(self.screen, lambda: Size(10, 40), enable_cpr=True)
        self.stage = Stage()
        self.question: Question[str] = Question()
        self.lent: Future[Level | None] = Future()
        self.borrower: asyncio.Task[None] | None = None
        self._context = contextvars.copy_context()
        self._session = create_app_session(self.pipe, self.output)

    def __enter__(self) -> Self:
        self._context.run(self._session.__enter__)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._context.run(self._session.__exit__, None, None, None)

    async def ask(self) -> str:
        with raw_for_questions(self.pipe):
            text: str = await PromptSession[str]().prompt_async("which? ")
            return text

    async def begin(self, asks: bool) -> None:
        """The question is up, the terminal has been asked, and another thread wants it."""
        loop = asyncio.get_running_loop()
        level = self.stage.level_of_this_thread
        self.question.start(loop, self.stage, level, self.ask, self._context)
        while WHERE_AM_I not in self.screen.getvalue():
            await asyncio.sleep(0)
        self.borrower = asyncio.create_task(
            self.stage.lend(threading.Thread(name="other"), self.lent, asks)
        )
        for _ in range(10):
            await asyncio.sleep(0)
        assert not self.lent.done()

    async def borrow(self) -> None:
        level = await asyncio.wrap_future(self.lent)
        assert level is not None
        assert self.borrower is not None
        self.screen.write("borrowed\n")
        level.give_back_threadsafe()
        await self.borrower


@pytest.mark.parametrize("asks", [False, True])
def test_answered_as_it_steps_aside(asks: bool) -> None:
    """The terminal tells where the question is, then comes Enter, some turns of the loop later."""

    async def answered_after(turns: int) -> list[str]:
        with create_pipe_input() as pipe, _Asking(pipe) as asking:
            await asking.begin(asks)
            pipe.send_text(ROW_1 + "on")
            for _ in range(turns):
                await asyncio.sleep(0)
            pipe.send_text("e\r")
            await asking.borrow()
            pipe.send_text(ROW_1)
            assert await asyncio.wrap_future(asking.question.answer) == "one"
            return asking.screen.rows()

    seen = [asyncio.run(asyncio.wait_for(answered_after(turns), 20)) for turns in range(10)]
    assert all(sorted(rows) == ["borrowed", "which? one"] for rows in seen), seen


def test_the_terminal_never_tells_where_the_question_is() -> None:
    async def main() -> list[str]:
        with create_pipe_input() as pipe, _Asking(pipe) as asking:
            await asking.begin(asks=False)
            await asking.borrow()
            pipe.send_text("one\r")
            assert await asyncio.wrap_future(asking.question.answer) == "one"
            return asking.screen.rows()

    rows = asyncio.run(asyncio.wait_for(main(), 20))  # prompt_toolkit tells the user of it, too
    assert rows[0] == "borrowed"
    assert "which? one" in rows


def test_withdrawn_while_it_is_about_to_step_aside() -> None:
    """Neither waits for the other."""

    async def main() -> None:
        with create_pipe_input() as pipe, _Asking(pipe) as asking:
            await asking.begin(asks=False)
            assert asking.borrower is not None
            asking.borrower.cancel()
            await asyncio.wait({asking.borrower})
            asking.question.withdraw_in_prompt_thread()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wrap_future(asking.question.answer)

    asyncio.run(asyncio.wait_for(main(), 20))
