"""Ctrl-C while a prompt has put its terminal out of raw mode for a moment.

prompt_toolkit does so to print above the prompt, to run an editor, to be suspended. Ctrl-C of that
moment is SIGINT, which is the host's while a prompt is up: under `asyncio.run()`, a key that is
pressed as a line is being logged would end the program. So for that moment a handler in C
(`sigint_in_c`) has SIGINT, and what it has heard is a key of the prompt's afterwards.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from prompt_toolkit.application import get_app_or_none
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyPress
from prompt_toolkit.keys import Keys

from ipyembed.aside import borrower_asks
from ipyembed.attributes import attribute_replaced
from ipyembed.sigint_in_c import c_handlers, sigint_in_c

PATIENCE = 2.0
"""Seconds that the main thread may take to receive a signal that has been sent."""


@contextmanager
def interrupts_are_keys(terminal: Input) -> Iterator[None]:
    """While a prompt is up on `terminal`. On the prompt thread."""
    if c_handlers() is None:
        yield
        return
    original = terminal.cooked_mode

    @contextmanager
    def cooked_mode() -> Iterator[None]:
        if borrower_asks.get():  # it stays raw: Ctrl-C is a key still
            with original():
                yield
            return
        with _listening() as heard, original():
            yield
        app = get_app_or_none()
        if heard and app is not None and app.is_running:
            app.key_processor.feed(KeyPress(Keys.ControlC))
            app.key_processor.process_keys()

    with attribute_replaced(terminal, "cooked_mode", cooked_mode):
        yield


@contextmanager
def _listening() -> Iterator[list[bytes]]:
    """SIGINT is nobody's in this block; what is yielded has an entry afterwards if it came."""
    heard: list[bytes] = []
    readable, writable = os.pipe()
    try:
        for end in (readable, writable):
            os.set_blocking(end, False)
        with os.fdopen(writable, "wb", buffering=0) as file:
            sigint_in_c.write_to(file, goes_before=True)
            try:
                yield heard
            finally:
                _wait_until_delivered()
                sigint_in_c.write_no_more_to(file)
            with suppress(BlockingIOError):
                heard.append(os.read(readable, 65536))
    finally:
        os.close(readable)


def _wait_until_delivered() -> None:
    """A SIGINT that has been sent is still to come, if the main thread has not had its turn.

    The system tells a thread only of signals that this thread blocks.
    """
    end = time.monotonic() + PATIENCE
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        while signal.SIGINT in signal.sigpending() and time.monotonic() < end:
            time.sleep(0.0005)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
