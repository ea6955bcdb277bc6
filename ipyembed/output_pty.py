"""Output above the prompt, caught at the file descriptors (policy `output` = ``fd``).

Goal: whatever is written to the terminal while a prompt is up lands above the prompt, at once,
whole and in order; who writes it and how does not matter. So the descriptors themselves, not
`sys.stdout`, lead into a pty of ours meanwhile, and the prompt loop reads that and prints above the
prompt (`output_pump`).

==============================  =========================
state                           descriptors 1 and 2
==============================  =========================
no prompt                       the terminal
a prompt is up                  the pty
the prompt lends the terminal   the terminal
a child of ours has it          the pty; the child's own are the terminal
==============================  =========================

Invariant: when the descriptors are led home, what is in the pty is older than what is written from
then on, so it is read and written first.

Somebody to whom the terminal is lent may ask a question of his own: prompts are nested, the
innermost is the one that is up.
"""

from __future__ import annotations

import asyncio
import os
import termios
import threading
import tty
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ipyembed.aside import borrower_asks
from ipyembed.attributes import attribute_replaced
from ipyembed.output_descriptors import Descriptors, close_if, duplicate, identity, out_of_the_way
from ipyembed.output_pump import Pump
from ipyembed.output_screen import CAUGHT_LESS, TerminalStream

if TYPE_CHECKING:
    from prompt_toolkit.application import Application
    from prompt_toolkit.application.current import AppSession

HALF_LINE_LOOKS = 20
"""How often a line of ours looks, every 5 ms, whether one that is being printed has ended."""


@dataclass(eq=False)
class Catch:
    """One question, while which is up output is caught."""

    session: AppSession | None = None
    is_lent: bool = False
    is_away: bool = False
    """Whether the descriptors are the terminal while it is lent."""


class OutputPty:
    """A pty in the place of one terminal, for the descriptors that are that terminal.

    Made and closed on the eval thread.
    """

    def __init__(self, terminal: int, encoding: str = "utf-8") -> None:
        """`terminal`: a descriptor of the real one. Raises OSError where no pty can be had."""
        with ExitStack() as undo:
            self.terminal = TerminalStream(duplicate(terminal), encoding)
            undo.callback(os.close, self.terminal.fileno())
            self._master, self._slave = map(out_of_the_way, os.openpty())
            undo.callback(os.close, self._slave)
            undo.callback(os.close, self._master)
            tty.setraw(self._slave)  # the terminal itself makes \r\n of \n, once
            os.set_blocking(self._master, False)
            flags = os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC
            self._probe = out_of_the_way(os.open(os.ttyname(self._slave), flags))
            undo.pop_all()
        self._master_is, self._slave_is = identity(self._master), identity(self._slave)
        self._descriptors = Descriptors(self.terminal.fileno())
        self._catches: list[Catch] = []
        self._is_open = True
        self._is_forked = False
        self.fault: str | None = None
        """Why nothing is caught any more, if so."""
        self.resized()
        self._pump = Pump(self.terminal, self._master, self._probe, self._fail)

    def is_for(self, terminal: int) -> bool:
        """Whether a descriptor is the terminal that this pty stands for."""
        return identity(terminal) in (identity(self.terminal.fileno()), self._slave_is)

    # -- around a prompt -------------------------------------------------------------------------

    @contextmanager
    def catching(self, catch: Catch, app: Application[Any], session: AppSession) -> Iterator[None]:
        """While prompts are up in `session`, with the input and output of `app`. Prompt thread.

        Raises OSError when the descriptors cannot be led into the pty.
        """
        with ExitStack() as stack:
            self.resized()
            with self.terminal.lock:
                self._pump.forward()
                self._descriptors.lead_to(self._slave)
                catch.session = session
                self._catches.append(catch)
                self._pump.serve(session)
            self._pump.listen_in_prompt_thread()
            stack.callback(self._pump.listen_in_prompt_thread)
            stack.callback(self.give_back, catch)
            stack.enter_context(attribute_replaced(app.output, "stdout", self.terminal))
            stack.enter_context(attribute_replaced(app.output, "get_size", self.terminal.get_size))
            stack.enter_context(self._lending_in_cooked_mode(app.input))
            yield

    def give_back(self, catch: Catch) -> None:
        """Lead the descriptors home, unless they are; any thread, whoever comes first."""
        with self.terminal.lock:
            if self._is_forked:
                with suppress(OSError):
                    self._descriptors.lead_home()
            if catch not in self._catches:
                return
            del self._catches[self._catches.index(catch) :]
            if self._catches:  # it has lent the terminal, or else there would be no question
                self._serve_lent(self._catches[-1])
            else:
                self._pump.serve(None)
                self._lead_home()

    def _serve_lent(self, catch: Catch) -> None:
        self._pump.serve(None)
        if catch.is_away:
            self._lead_home()
            self._pump.rest()

    def _lead_home(self) -> None:
        if not self._descriptors.are_led:
            return
        try:
            closed = self._descriptors.lead_home(self._pump.switch)
        except OSError as error:
            self._fail(f"the terminal could not be given back: {error}")
        else:
            self._say_reopened(closed)

    @contextmanager
    def _lending_in_cooked_mode(self, input_: Any) -> Iterator[None]:
        """Who is given the terminal by `run_in_terminal` (an editor) gets the real one."""
        original = input_.cooked_mode

        @contextmanager
        def cooked_mode() -> Iterator[None]:
            with self.lent(to_ask=borrower_asks.get()), original():
                yield

        with attribute_replaced(input_, "cooked_mode", cooked_mode):
            yield

    @contextmanager
    def lent(self, to_ask: bool = False) -> Iterator[None]:
        """While the prompt is erased and somebody else has the terminal. Prompt thread.

        `to_ask`: only for a question of ours, so that the descriptors can stay where they are. Who
        asks may print as soon as he has the answer, and a line must not come in two parts, one
        before the descriptors are led into the pty again and one after.
        """
        with self.terminal.lock:
            catch = self._catches[-1] if self._catches else None
            if catch is None or catch.is_lent:
                catch = None
            else:
                catch.is_lent = True
                catch.is_away = not to_ask
                self._serve_lent(catch)
        if catch is None:
            yield
            return
        self._pump.listen_in_prompt_thread()
        try:
            yield
        finally:
            catch.is_lent = catch.is_away = False
            with self.terminal.lock:
                if catch in self._catches:
                    self._take_again(catch)
            self._pump.listen_in_prompt_thread()

    @contextmanager
    def beside_child(self, listen: Callable[[], object]) -> Iterator[tuple[int | None, int | None]]:
        """While a child process has the terminal, which has been lent; on the borrower's thread.

        Yields the descriptors that the child needs for its standard output and error; None: it may
        inherit. `listen` has `listen_in_prompt_thread` called.
        """
        with self.terminal.lock:
            is_ours = self._is_open and not self.fault and not self._descriptors.are_led
            with suppress(OSError):  # then it is as without us
                if is_ours:
                    self._pump.forward()
                    self._descriptors.lead_to(self._slave)
                    self._pump.serve_child()
            is_ours = is_ours and self._descriptors.are_led
            homes = self._descriptors.home_of(1), self._descriptors.home_of(2)
        if not is_ours:
            yield None, None
            return
        listen()
        try:
            yield homes
        finally:
            with self.terminal.lock:
                if self._is_open:  # or else all is closed
                    if self._catches:
                        self._serve_lent(self._catches[-1])
                    else:
                        self._pump.serve(None)
                        self._lead_home()
            listen()

    def listen_in_prompt_thread(self) -> None:
        """Read, or not, as it is needed now."""
        self._pump.listen_in_prompt_thread()

    def _take_again(self, catch: Catch) -> None:
        if not self.fault:
            try:
                self._descriptors.lead_to(self._slave)
            except OSError as error:
                self._fail(f"the terminal could not be taken again: {error}")
        self._pump.serve(catch.session)

    @property
    def is_catching(self) -> bool:
        """Whether a prompt is up."""
        return bool(self._catches)

    async def whole_line(self) -> None:
        """Wait for the other half of a line that is being printed, but not for long."""
        for _ in range(HALF_LINE_LOOKS):
            if not self._pump.is_in_line:
                return
            await asyncio.sleep(0.005)

    def write(self, text: str) -> None:
        """Text of ours, on a row of its own, in its place among what is printed; any thread."""
        self._pump.write(text)

    def resized(self) -> None:
        """Give the pty the size that the terminal has; any thread, also in a signal handler."""
        # The kernel sends no SIGWINCH for it: the pty is nobody's controlling terminal.
        try:
            columns, rows = os.get_terminal_size(self.terminal.fileno())
            if tuple(os.get_terminal_size(self._slave)) != (columns, rows):
                termios.tcsetwinsize(self._slave, (rows, columns))
        except (OSError, termios.error):  # the terminal is gone
            pass

    def reopen(self) -> None:
        """Open what was the terminal at an earlier prompt and was closed since, and say so."""
        with self.terminal.lock:
            self._say_reopened(self._descriptors.reopen())

    def _say_reopened(self, fds: list[int]) -> None:
        for fd in fds:
            self.write(f"ipyembed: file descriptor {fd} was closed; it is the terminal again\n")

    # -- endings ---------------------------------------------------------------------------------

    def _fail(self, reason: str) -> None:
        """Nothing is caught by this pty any more."""
        with self.terminal.lock:
            if self.fault:
                return
            self.fault = reason
            with suppress(OSError):  # what is still led there is read by the stand-in
                self._descriptors.lead_home()
            self._pump.fail(f"ipyembed: {CAUGHT_LESS}: {reason}\n")

    def close(self) -> None:
        """Restore everything. What children still write into the pty is forwarded as before."""
        if not self._is_open:
            return
        self._is_open = False
        with self.terminal.lock:
            if self._catches:
                self.give_back(self._catches[0])
            self._pump.serve(None)  # a child may have the terminal
            self._lead_home()  # where that has failed before
            close_if(self._slave, self._slave_is)
            close_if(self._probe, self._slave_is)
        self._pump.close()

    @property
    def is_forwarding(self) -> bool:
        """Whether somebody can still write into it, after `close()`."""
        return self._pump.is_forwarding

    def hand_over(self) -> None:
        """At the end of the process: another one goes on forwarding what children write."""
        self.close()
        self._pump.hand_over()

    def forget_in_child(self) -> None:
        """In a forked child: the pty is the parent's, only the descriptors may lead into it."""
        self.terminal.lock = threading.RLock()
        self._is_open = False
        self._is_forked = True
        self._catches.clear()
        close_if(self._master, self._master_is)
        close_if(self._slave, self._slave_is)
        close_if(self._probe, self._slave_is)
