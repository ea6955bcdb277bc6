"""What an engine does on the eval thread, and how the network thread has it done there."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any

from traitlets.config import Config

from ipyembed.engine.answers import ANSWERS
from ipyembed.engine.cell_queue import CellQueue
from ipyembed.engine.client_output import ClientOutput
from ipyembed.engine.engine_shell import singleton
from ipyembed.engine.eval_thread import Running
from ipyembed.engine.following import Following
from ipyembed.engine.interrupting import EngineInterrupts
from ipyembed.engine.network import Network
from ipyembed.engine.pace import EnginePace
from ipyembed.engine.places import Place, ThreadPlace
from ipyembed.engine.questions import Questions
from ipyembed.engine.request import Request
from ipyembed.engine.shells import AnyShell, OwnShell, TerminalShell, open_terminal_shell
from ipyembed.juggler import LoopJuggler
from ipyembed.namespaces import Caller
from ipyembed.watchdog import describe_frame


class Evaluator:
    """Runs cells and short requests. An `EvalThread`, from `open()` until `close()`."""

    def __init__(
        self,
        place: Place,
        caller: Caller,
        config: Config | None,
        pace: EnginePace,
        shares: bool,
        completion_timeout: float | None,
    ) -> None:
        """`shares`: whether clients share a terminal shell that is open."""
        self._place = place
        self._own = OwnShell(place, caller, config, self.describe)
        self.pace = pace
        self._shares = shares
        # The terminal shell that clients share now, if one is open.
        self._terminal: TerminalShell | None = None
        self.completion_timeout = (
            completion_timeout
            if completion_timeout is not None
            else LoopJuggler.completion_timeout.default_value
        )
        """Seconds."""
        self._is_closed = False
        self._is_running_cell = False

    def open(
        self,
        name: str,
        network: Network,
        questions: Questions,
        following: Following,
        cells: CellQueue,
        close: Callable[[], object],
    ) -> None:
        """Clients may come now. `close` closes the engine."""
        self.name = name
        self._network = network
        self._questions = questions
        self._following = following
        self._cells = cells
        self._close = close
        self._place.give_way_to(network.seen)

    @property
    def kind(self) -> str:
        """Where cells run, for people."""
        return self._place.kind

    def describe(self) -> str:
        """Where cells run, what turns there, and how busy the program is, in lines."""
        place = self._place
        loop = getattr(place, "loop", None)
        tasks = "" if loop is None else f", {len(asyncio.all_tasks(loop))} tasks"
        share = f"clients get {self.pace.busy_share:.0%} of it"
        pace = f"busy: {share}" if self.pace.host_is_busy else f"not busy (else {share})"
        rows = [
            ("engine", f"{self.name}, pid {os.getpid()}"),
            ("cells run in", f"{place.kind}{tasks}"),
            ("eval thread", f"{place.thread.name}, {pace}"),
            ("network thread", self._network.thread.name),
        ]
        return "\n".join(f"{name:17} {text}" for name, text in rows)

    # -- the network thread's; see `EvalThread` ------------------------------------------------

    def begin(self, running: Running) -> None:
        """See `EvalThread`."""
        shell = self._shell_now()
        drive = self.pace.drive
        shell.start_threadsafe(
            lambda: drive(self._run(shell, running)), lambda: self.begin(running)
        )

    def answer(self, request: Request) -> Future[dict[str, Any]]:
        """See `EvalThread`."""
        answer: Future[dict[str, Any]] = Future()
        shell = self._shell_now()

        def call() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                with self.pace.timed(), singleton(shell.shell()):
                    content = ANSWERS[request.kind](shell.shell(), request.content)
            except BaseException as error:
                answer.set_exception(error)
            else:
                answer.set_result(content)

        shell.call_soon_threadsafe(call, answer.cancel)
        return answer

    @property
    def execution_count(self) -> int:
        """See `EvalThread`."""
        shell = self._shell_now()
        return shell.shell().execution_count if shell.is_made else 1

    def where(self) -> str:
        """See `EvalThread`."""
        return describe_frame(sys._current_frames().get(self._shell_now().thread.ident or 0))

    def ask_to_close(self) -> None:
        """See `EvalThread`."""
        with suppress(RuntimeError):  # the interpreter is about to end, and closes it as well
            # No daemon: the interpreter waits for it. Else both would dispose of the shell, and
            # sqlite crashes where one thread closes a connection that another is using.
            threading.Thread(target=self._close, name="ipyembed-close", daemon=False).start()

    def _shell_now(self) -> AnyShell:
        """The terminal shell that is open, or else the engine's own."""
        if not self._shares:
            return self._own
        is_thread_of_ours = isinstance(self._place, ThreadPlace)
        attachment = open_terminal_shell(None if is_thread_of_ours else self._place.thread)
        if attachment is None:
            return self._own
        terminal = self._terminal
        if terminal is None or terminal.attachment is not attachment:
            terminal = self._terminal = TerminalShell(attachment)
            attachment.at_detach(terminal.close)
        return terminal

    # -- the eval thread -----------------------------------------------------------------------

    async def _run(self, shell: AnyShell, running: Running) -> None:
        def began(interrupts: EngineInterrupts) -> None:
            self.pace.configure_once(shell.shell().config)
            running.interrupt_again = interrupts.repeat_threadsafe
            running.withdraw = interrupts.withdraw_threadsafe
            running.interrupt = interrupts.request_threadsafe
            self._cells.began(running)

        self._is_running_cell = True
        try:
            # Nothing here holds the output: with its last holder, streams are routed no longer.
            reply = await shell.execute(
                ClientOutput(self._network, running.request, self._questions.ask),
                self._following,
                began,
            )
        except BaseException as error:
            text = str(error) or "the host has cancelled it"
            name = type(error).__name__
            reply = {"status": "error", "ename": name, "evalue": text, "traceback": []}
            self._cells.ended(running, reply)
            if not isinstance(error, Exception):
                raise
        else:
            self._cells.ended(running, reply)
        finally:
            self._is_running_cell = False
            if self._is_closed:
                self._own.dispose()

    # -- the end -------------------------------------------------------------------------------

    def close(self) -> None:
        """Nothing is run any more, and what the place has started ends. Any thread."""
        self._is_closed = True
        self._release()
        self._place.close()

    def _release(self) -> None:
        """Dispose of the shell, on its thread, and not under a cell that is still running."""
        if not self._own.is_made or self._is_running_cell:
            return
        thread = self._place.thread
        if thread is threading.current_thread() or not thread.is_alive():
            self._own.dispose()
            return
        done = threading.Event()

        def dispose() -> None:
            self._own.dispose()
            done.set()

        try:
            self._place.call_soon_threadsafe(dispose)
        except RuntimeError:
            self._own.dispose()
        else:
            done.wait(1.0)
