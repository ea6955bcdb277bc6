"""The prompt thread with toy questions: its life, taking back, one question at a time."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from collections.abc import Iterator
from functools import partial

import pytest

from ipyembed.prompt_thread import PromptThread

DEADLINE = 10.0


@pytest.fixture
def prompts() -> Iterator[PromptThread]:
    thread = PromptThread()
    with thread:
        yield thread
    assert thread.thread is None


async def forever() -> None:
    await asyncio.Event().wait()


async def where() -> threading.Thread:
    return threading.current_thread()


def test_it_is_there_from_the_first_question_to_the_last_exit() -> None:
    prompts = PromptThread()
    before = threading.enumerate()
    with prompts:
        assert threading.enumerate() == before
        with prompts:
            asked_on = prompts.ask(where).answer.result(DEADLINE)
            assert asked_on is prompts.thread
            assert asked_on.daemon
        assert asked_on.is_alive()
        assert prompts.ask(where).answer.result(DEADLINE) is asked_on
    assert threading.enumerate() == before
    with prompts:
        assert prompts.ask(where).answer.result(DEADLINE) is not asked_on
    assert threading.enumerate() == before


def test_errors_are_the_asker_s(prompts: PromptThread) -> None:
    for error in (EOFError("end"), KeyboardInterrupt(), SystemExit(1), asyncio.CancelledError()):

        async def fail(error: BaseException = error) -> None:
            raise error

        assert prompts.ask(fail).answer.exception(DEADLINE) is error


def test_a_question_is_taken_back_when_it_has_cleaned_up(prompts: PromptThread) -> None:
    asked, cleaned = threading.Event(), threading.Event()

    async def question() -> None:
        asked.set()
        try:
            await forever()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    pending = prompts.ask(question)
    assert asked.wait(DEADLINE)
    pending.withdraw_threadsafe()
    assert isinstance(pending.answer.exception(DEADLINE), asyncio.CancelledError)
    assert cleaned.is_set()


def test_taken_back_before_its_turn(prompts: PromptThread) -> None:
    first = prompts.ask(forever)
    second = prompts.ask(where)
    second.withdraw_threadsafe()
    assert isinstance(second.answer.exception(DEADLINE), asyncio.CancelledError)
    assert not first.answer.done()
    assert first.withdraw_and_wait(DEADLINE)


def test_withdrawing_what_does_not_end_gives_up(prompts: PromptThread) -> None:
    begun, release = threading.Event(), threading.Event()

    async def stubborn() -> str:
        begun.set()
        while True:
            try:
                await asyncio.to_thread(release.wait, DEADLINE)
            except asyncio.CancelledError:
                continue
            return "at last"

    pending = prompts.ask(stubborn)
    assert begun.wait(DEADLINE)
    assert not pending.withdraw_and_wait(0.05)
    release.set()
    assert pending.answer.result(DEADLINE) == "at last"


def test_one_question_at_a_time(prompts: PromptThread) -> None:
    log: list[str] = []

    async def question(name: str) -> None:
        log.append(f"{name} begins")
        await asyncio.sleep(0.01)
        log.append(f"{name} ends")

    pending = [prompts.ask(partial(question, name)) for name in "abc"]
    for one in pending:
        one.answer.result(DEADLINE)
    assert log == [f"{name} {what}" for name in "abc" for what in ("begins", "ends")]


def test_the_asker_s_context_variables_are_seen(prompts: PromptThread) -> None:
    var: contextvars.ContextVar[str] = contextvars.ContextVar("var")
    var.set("the asker's")

    async def look() -> str:
        return var.get()

    assert prompts.ask(look).answer.result(DEADLINE) == "the asker's"


def test_questions_open_at_the_end_are_ended() -> None:
    prompts = PromptThread()
    with prompts:
        pending = prompts.ask(forever)
    assert isinstance(pending.answer.exception(DEADLINE), asyncio.CancelledError)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
def test_a_forked_child_starts_anew(prompts: PromptThread) -> None:
    assert prompts.ask(where).answer.result(DEADLINE)
    import warnings

    with warnings.catch_warnings():
        # Python 3.12 and later warn of a fork with threads, which is what is tested here.
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        try:
            with prompts:
                ok = prompts.ask(where).answer.result(DEADLINE) is prompts.thread
        except BaseException:
            ok = False
        os._exit(0 if ok else 1)
    assert os.waitpid(pid, 0)[1] == 0
    assert prompts.ask(where).answer.result(DEADLINE) is prompts.thread
