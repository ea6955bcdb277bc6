"""Asking for a cell, or for a yes or no: on the prompt thread, and waiting as the juggler says.

Each question is asked in two ways: blocking, for a shell whose caller waits, and awaiting, for one
that a task of the host's awaits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from ipyembed.handover import Handover
from ipyembed.hosts import Host
from ipyembed.job_table import job_table
from ipyembed.modes import modes_restored
from ipyembed.prompt_thread import Question, prompt_thread
from ipyembed.watchdog import Watch

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell

    from ipyembed.completion import EvalThreadCompleter
    from ipyembed.juggler import LoopJuggler
    from ipyembed.terminal import Terminal


class Asking:
    """What one shell asks. Used on its eval thread."""

    def __init__(
        self,
        shell: TerminalInteractiveShell,
        juggler: LoopJuggler,
        terminal: Terminal,
        before_prompt: Callable[[], object],
    ) -> None:
        """`before_prompt` is called before each prompt for a cell."""
        self._shell = shell
        self._juggler = juggler
        self._terminal = terminal
        self._before_prompt = before_prompt
        self.completer: EvalThreadCompleter | None = None
        """What completes cells; None: the prompt's own completer."""

    def cell(self) -> str:
        """The next cell; blocks, while the juggler turns what the policies say.

        Raises EOFError at Ctrl-D and at the end of the input. An interrupt from outside that
        nobody handles takes the line back and asks again; a cell that was entered while the eval
        thread was stuck is put into the new line, neither run nor lost.
        """
        self._before_prompt()
        while True:
            self._juggler.look_for_gui()
            with modes_restored(), self._asking_cell(self._juggler.watch()) as question:
                with self._asked_anew(question) as is_asked_anew:
                    try:
                        return self._wait_for_cell(question)
                    except (KeyboardInterrupt, asyncio.CancelledError) as error:
                        if not (is_asked_anew() or isinstance(error, KeyboardInterrupt)):
                            prompt_thread.stay_if_ending()
                            raise
                        if question.withdraw_and_wait() and question.answer.exception() is None:
                            shell: Any = self._shell  # IPython declares it as None
                            shell.rl_next_input = question.answer.result()
            print()

    def _wait_for_cell(self, question: Question[str]) -> str:
        while True:
            try:
                return self._juggler.wait(question)
            except KeyboardInterrupt:
                if not prompt_thread.is_lent:  # else meant for who has the terminal now
                    raise

    async def cell_async(self, host: Host) -> str:
        """The same, awaiting. A cancellation is raised once the prompt is gone."""
        self._before_prompt()
        while True:
            self._juggler.look_for_gui()
            if host.loop is not None:
                self._juggler.share_with_gui(host.loop)
            with modes_restored(), self._asking_cell(host.watch(self._juggler)) as question:
                with self._asked_anew(question, host) as is_asked_anew:
                    try:
                        return await host.wait(question)
                    except asyncio.CancelledError:
                        if not is_asked_anew() or host.is_being_cancelled:
                            prompt_thread.stay_if_ending()
                            raise
            print()

    @contextmanager
    def _asked_anew(
        self, question: Question[str], host: Host | None = None
    ) -> Iterator[Callable[[], bool]]:
        """While the question is asked, it is withdrawn at a SIGINT that the host has no use for."""
        is_asked_anew = False

        def ask_anew_threadsafe() -> None:
            nonlocal is_asked_anew
            if prompt_thread.is_lent:  # then it is meant for who has the terminal
                return
            is_asked_anew = True
            question.withdraw_threadsafe()

        if host is None and not self._terminal.is_plain:
            yield lambda: False  # the wait for the answer is interrupted
            return
        wake = partial(host.call_soon_threadsafe, _nothing) if host is not None else None
        with self._juggler.interrupts.at_prompt(ask_anew_threadsafe, wake):
            yield lambda: is_asked_anew

    @contextmanager
    def _asking_cell(self, watch: Watch | None) -> Iterator[Question[str]]:
        options = {"completer": self.completer} if self.completer else {}
        with self._terminal.asking_cell(
            self._juggler.output, self._handover(), watch, **options
        ) as question:
            with job_table.in_front():
                yield question

    def _handover(self) -> Handover:
        return Handover(self._juggler.call_in_eval_thread, self._juggler.interrupts)

    def yes_no(self, prompt: str, default: str | None = None, interrupt: str | None = None) -> bool:
        """As IPython's; asked on the prompt thread."""
        if self._shell.quiet:
            return True
        with modes_restored(), self._asking_yes_no(prompt, default, interrupt) as question:
            return self._juggler.wait(question)

    async def yes_no_async(
        self, host: Host, prompt: str, default: str | None, interrupt: str | None
    ) -> bool:
        """The same, awaiting."""
        if self._shell.quiet:
            return True
        with modes_restored(), self._asking_yes_no(prompt, default, interrupt) as question:
            return await host.wait(question)

    def _asking_yes_no(
        self, prompt: str, default: str | None, interrupt: str | None
    ) -> AbstractContextManager[Question[bool]]:
        policy = self._juggler.output
        return self._terminal.asking_yes_no(policy, self._handover(), prompt, default, interrupt)


def _nothing() -> None:
    pass
