"""Who reads a pty while the prompt loop cannot.

The prompt loop cannot while user code runs on it (a `Prompts` class, a key binding), and that code
may itself print more than the pty holds. Then the stand-in reads in its place: a thread that sleeps
as long as nothing is printed. It goes on after the shell has ended, until the last child process
that has inherited the pty has closed it; at the end of the interpreter, a process takes that over.
"""

from __future__ import annotations

import os
import select
import threading
from typing import TYPE_CHECKING

from ipyembed.output_source import ENOUGH

if TYPE_CHECKING:
    from ipyembed.output_pump import Pump

PATIENCE = 0.25
"""Seconds that text waits for the prompt loop before the stand-in takes it."""
SOON = 0.001
"""Seconds between two looks, whether the prompt has been drawn that just is."""
GOODBYE = 1.0
"""Seconds that closing waits for the thread, where all have closed the pty."""


class StandIn:
    """The thread.

    ===========  =============================================================================
    state        the thread
    ===========  =============================================================================
    waiting      sleeps until something is printed, and then gives the prompt loop its time
    standing in  reads and writes, until the prompt loop is back
    closing      reads until all have closed the pty, then closes our side of it and ends
    ===========  =============================================================================
    """

    def __init__(self, pump: Pump) -> None:
        self._pump = pump
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ipyembed-output", daemon=True)
        self._thread.start()

    @property
    def is_closing(self) -> bool:
        """Whether `close()` has been called."""
        return self._closing.is_set()

    @property
    def is_alive(self) -> bool:
        """Whether somebody may still write into the pty."""
        return self._thread.is_alive()

    def close(self) -> None:
        """From now on it forwards what others write."""
        self._closing.set()

    def join(self) -> None:
        """Nobody can write into the pty any more."""
        self._thread.join(GOODBYE)

    def _run(self) -> None:
        pump = self._pump
        poll = select.poll()
        poll.register(pump.source.master, select.POLLIN)
        try:
            while not self._closing.is_set():
                poll.poll()
                turns = pump.turns
                self._closing.wait(PATIENCE)
                if pump.turns == turns and poll.poll(0):
                    self._stand_in(poll, turns)
            while self._forward():
                poll.poll()
        except Exception as error:
            pump.fail_unless_closing(error)
        finally:
            if self._closing.is_set():
                pump.close_descriptors()

    def _stand_in(self, poll: select.poll, turns: int) -> None:
        pump = self._pump
        while not self._closing.is_set():
            with pump.lock:
                if pump.turns != turns or pump.is_resting:
                    return
                pump.source.read(ENOUGH)
                is_written = pump.write_in_place_of_prompt_loop()
            if is_written:
                poll.poll()
            else:
                self._closing.wait(SOON)

    def _forward(self) -> bool:
        with self._pump.lock:
            return self._pump.forward()


def hand_over(master: int, terminal: int) -> None:
    """At the end of the interpreter: a process reads on from `master` and writes to `terminal`."""
    if not hasattr(os, "posix_spawnp"):
        return
    os.set_blocking(master, True)
    actions = [
        (os.POSIX_SPAWN_DUP2, master, 0),
        (os.POSIX_SPAWN_DUP2, terminal, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    # It outlives the foreground job of the terminal; a hangup ends its writes anyway.
    command = ["sh", "-c", "trap '' HUP; exec cat"]
    os.posix_spawnp("sh", command, os.environ, file_actions=actions)
