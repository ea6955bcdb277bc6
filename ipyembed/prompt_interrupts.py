"""SIGINT while a prompt is up: that is the host's, at whatever moment it comes.

Ctrl-C is a key then, so a SIGINT has come from outside (`kill -INT`). It reaches us all the same

- until the eval thread has given SIGINT back, which it may be late to do;
- in a host that would end: Python's own handler raises `KeyboardInterrupt` in its loop;
- while the eval thread computes a completion, which is to end, too.

The first and the last are passed on to the host; for the second a new prompt is shown.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from ipyembed.sigint import Sigint, put_back
from ipyembed.sigint_elsewhere import SigintElsewhere
from ipyembed.sigint_in_c import sigint_in_c
from ipyembed.stacks import no_place_to_raise


class PromptInterrupts:
    """What of `CellInterrupts` is about prompts. Methods run on the eval thread."""

    def __init__(self, sigint: Sigint | SigintElsewhere) -> None:
        self._sigint = sigint
        self.prompt_is_up_threadsafe: Callable[[], bool] = never
        """Whether a prompt has the terminal and is not answered yet."""
        self._ask_anew_threadsafe: Callable[[], object] | None = None
        self._is_hosts = False  # a SIGINT has come that `to_host()` is to pass on

    def to_host(self) -> None:
        """From now on SIGINT is the host's, unless all that it has is Python's own handler.

        That would end the host's loop. It stays with us in a block of `at_prompt()`.
        """
        instead = self._instead_of_end_threadsafe
        if instead is None:
            self._sigint.give_back()
        self._pass_on(instead or _send_again)

    @property
    def _instead_of_end_threadsafe(self) -> Callable[[], object] | None:
        """What a SIGINT does that would end the host's loop; None: it is not like that."""
        return self._ask_anew_threadsafe if self._is_pythons else None

    @property
    def _is_pythons(self) -> bool:
        return self._sigint.previous is signal.default_int_handler

    def _pass_on(self, how: Callable[[], object]) -> None:
        if self._is_hosts:
            self._is_hosts = False
            how()

    @contextmanager
    def at_prompt(
        self,
        ask_anew_threadsafe: Callable[[], object],
        wake_threadsafe: Callable[[], object] | None = None,
    ) -> Iterator[None]:
        """While a prompt is up: a SIGINT that is still ours calls `ask_anew_threadsafe()`.

        `wake_threadsafe()` wakes the loop that the eval thread turns, if that is the host's.
        """
        previous = self._ask_anew_threadsafe, self._sigint.wake_threadsafe
        self._ask_anew_threadsafe = ask_anew_threadsafe
        self._sigint.wake_threadsafe = wake_threadsafe
        try:
            yield
        finally:
            self._ask_anew_threadsafe, self._sigint.wake_threadsafe = previous

    @contextmanager
    def of_a_call(self, call_later: Callable[[Callable[[], object]], object]) -> Iterator[None]:
        """While the eval thread computes something for the prompt: KeyboardInterrupt, at SIGINT.

        If the prompt has been answered meanwhile, that is all. If not, the SIGINT came from outside
        (Ctrl-C is a key): `call_later` then has the eval thread deliver it to whoever had it.
        """
        previous = signal.getsignal(signal.SIGINT) if isinstance(self._sigint, Sigint) else None
        if previous is None:  # another thread, or installed from C: it could not be put back
            yield
            return
        is_over = is_from_outside = False

        def interrupt(frame: FrameType | None) -> None:
            nonlocal is_from_outside
            is_from_outside = is_from_outside or self.prompt_is_up_threadsafe()
            if is_over or (no_place_to_raise(frame) and self._sigint.in_a_moment(interrupt)):
                return
            raise KeyboardInterrupt

        try:
            sigint_in_c.set_pythons(lambda _, frame: interrupt(frame))
            yield
        finally:
            is_over = True
            put_back(previous)
            if is_from_outside:
                call_later(_deliver)

    def _heard_at_prompt(self) -> None:
        """It is the host's, unless that has no use for it; `to_host()` has yet to come."""
        if instead := self._instead_of_end_threadsafe:
            instead()
        elif isinstance(self._sigint, Sigint) and self._sigint.is_taken and not self._is_pythons:
            self._sigint.give_back()
            _send_again()
        else:
            self._is_hosts = True

    def _pass_on_what_is_left(self) -> None:
        """At the end: SIGINT is the host's for good."""
        self._pass_on(_send_again)


def _deliver() -> None:
    """What a SIGINT does now. Main thread."""
    handler = signal.getsignal(signal.SIGINT)
    if callable(handler):
        handler(signal.SIGINT, sys._getframe())
    else:
        signal.raise_signal(signal.SIGINT)


def _send_again() -> None:
    """Send the process the SIGINT that has come to us and is not ours."""
    if threading.current_thread() is threading.main_thread():
        signal.raise_signal(signal.SIGINT)
    else:  # to whom a signal of another process would go; only where there are `pthread_kill`s
        os.kill(os.getpid(), signal.SIGINT)


def never() -> bool:
    """Answers a question with no."""
    return False
