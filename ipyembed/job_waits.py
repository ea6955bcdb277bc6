"""Waiting for jobs in a cell, by awaiting: until they have ended, or Ctrl-C, or Ctrl-Z."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import TYPE_CHECKING

from ipyembed.job import Job
from ipyembed.loops import until_done

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment


async def until_ended(
    attachment: Attachment, done: Future[None], leave: Callable[[], object]
) -> None:
    """Wait, in a cell. Ctrl-Z calls `leave()`, which has to end `done`.

    Raises KeyboardInterrupt at Ctrl-C.
    """
    __tracebackhide__ = True
    host, interrupts = attachment.host, attachment.juggler.interrupts
    with attachment.cells.leavable.waiting_in_foreground(leave):
        try:
            await (host.wait_until_done(done) if host is not None else until_done(done))
        except BaseException as error:
            if interrupts.cancelled and not isinstance(error, GeneratorExit):
                raise KeyboardInterrupt from None  # without the way to here
            raise


def finish(done: Future[None]) -> None:
    """End it, unless it has ended: it may be asked for twice at once, on any threads."""
    with suppress(InvalidStateError):
        done.set_result(None)


def all_done(jobs: list[Job]) -> Future[None]:
    """Done when all of them are."""
    done: Future[None] = Future()
    left = {job.id for job in jobs}

    def one_less(job: Job) -> None:
        left.discard(job.id)
        if not left:
            finish(done)

    if not left:
        finish(done)
    for job in jobs:
        job.add_done_callback(one_less)
    return done
