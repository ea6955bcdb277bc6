"""A question steps aside: off the screen, with what has been typed; and it comes back.

prompt_toolkit's `in_terminal` does that. But before it erases the question, it waits for the
terminal to tell where the cursor is; the question may be answered meanwhile, and the answer would
be erased. So we wait first, and look again. And it lets the terminal echo what is typed. That is
right for a program that reads lines, but a question of ours draws what is typed itself: it would be
seen twice. So for such a question the terminal stays raw.

All of this is for the prompt thread.
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from prompt_toolkit.input.typeahead import get_typeahead
from prompt_toolkit.renderer import CPR_Support

from ipyembed.attributes import attribute_replaced

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.input import Input

borrower_asks: contextvars.ContextVar[bool] = contextvars.ContextVar("borrower_asks", default=False)
"""Whether the terminal is lent just for a question of ours: it stays raw, and what catches output
may go on."""


def waits_for_cpr(app: Application[Any]) -> bool:
    """Whether the terminal has been asked where the cursor is, and may answer yet."""
    renderer = app.renderer
    return renderer.waiting_for_cpr and renderer.cpr_support is not CPR_Support.NOT_SUPPORTED


def _others_loan(app: Application[Any]) -> asyncio.Future[None] | None:
    # prompt_toolkit 3.0.50 to 3.0.53: private; of its own `run_in_terminal`, for an editor say.
    # Without it, `in_terminal` waits for that.
    future: asyncio.Future[None] | None = getattr(app, "_running_in_terminal_f", None)
    return future if future is not None and not future.done() else None


def can_step_aside(app: Application[Any]) -> bool:
    """Whether `in_terminal` would erase it at once."""
    return _others_loan(app) is None and not waits_for_cpr(app)


async def until_settled(app: Application[Any]) -> None:
    """Wait for something of that for which it cannot step aside."""
    loan = _others_loan(app)
    if loan is not None:
        await asyncio.wait({loan})
    else:
        await app.renderer.wait_for_cpr_responses()  # a second, if the terminal never answers


def take_typeahead(app: Application[Any]) -> None:
    """`app` is back: what came in one piece with the other question's answer is typed here."""
    if app.is_running and not app.is_done and (keys := get_typeahead(app.input)):
        app.key_processor.feed_multiple(keys)
        app.key_processor.process_keys()


@contextmanager
def raw_for_questions(terminal: Input) -> Iterator[None]:
    """While something is asked on `terminal`: it stays raw if that steps aside for a question."""
    original = terminal.cooked_mode

    @contextmanager
    def cooked_mode() -> Iterator[None]:
        if borrower_asks.get():
            yield
        else:
            with original():
                yield

    with attribute_replaced(terminal, "cooked_mode", cooked_mode):
        yield
