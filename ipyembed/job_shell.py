"""What a shell does about jobs: their loop, what is said of their end, and what at its own.

As in a POSIX shell, the end of a job is said when a prompt is there: at once above it, or else
before the next one. When many end at once, one line is for all of them.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from ipyembed import reentry
from ipyembed.job import Job
from ipyembed.job_table import job_table
from ipyembed.loops import kind_of, running_loop
from ipyembed.open_line import open_line

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment
    from ipyembed.juggler import LoopJuggler

AT_ONCE = 20
"""How many jobs that end together are told one by one."""
GATHERED = 0.05
"""Seconds in which ends of jobs are gathered."""


class ShellJobs:
    """One open shell and the jobs. Used on the eval thread, but for `ended`."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment
        # Guards what is to be told: jobs end on any thread.
        self._lock = threading.Lock()
        self._to_tell: list[Job] = []
        self._is_due = False
        self._prompts = 0
        self._warned_at = -1
        self._is_open = True

    @property
    def juggler(self) -> LoopJuggler:
        """The shell's."""
        return self._attachment.juggler

    @property
    def is_awaited(self) -> bool:
        """Whether it was opened by `await embed_async()`."""
        return self._attachment.host is not None

    @property
    def marks(self) -> bool:
        """Whether output is marked, by policy."""
        return bool(self.juggler.job_marks == "on")

    def loop(self) -> asyncio.AbstractEventLoop:
        """The loop that this shell turns. Raises RuntimeError where that is trio's."""
        host = self._attachment.host
        if host is not None:
            if host.loop is None:
                raise RuntimeError(
                    "this shell was opened by a trio task, so no loop is there that could run a "
                    "coroutine in the background; start it in a nursery"
                )
            return host.loop
        return self.juggler.host_loop or self.juggler.own_loop

    @contextmanager
    def opened(self) -> Iterator[None]:
        """While the shell is open."""
        job_table.shells.append(self)
        job_table.take_streams()
        try:
            with open_line.begun_by(self._attachment.shell.displayhook):
                yield
        finally:
            self._is_open = False
            own = self.juggler.own_loop_if_closed_with_shell
            if own is not None:
                job_table.name_tasks(own)
            job_table.shells.remove(self)
            if not job_table.shells:
                job_table.give_streams_back()

    # -- what is told ------------------------------------------------------------------------

    def ended(self, job: Job) -> None:
        """A job has ended that nobody waits for; on the thread where it has."""
        with self._lock:
            self._to_tell.append(job)
            if self._is_due:
                return
            self._is_due = True
        loop = running_loop()
        if loop is not None:
            loop.call_later(GATHERED, self._tell_if_at_prompt)
        else:
            timer = threading.Timer(GATHERED, self._tell_if_at_prompt)
            timer.daemon = True
            timer.start()

    def _tell_if_at_prompt(self) -> None:
        if self._attachment.cells.running or not self._is_open:
            with self._lock:
                self._is_due = False
        else:
            self.tell()

    def before_prompt(self) -> None:
        """A prompt is about to come up."""
        self._prompts += 1
        self._say_if_they_stand_still()
        self.tell()

    def _say_if_they_stand_still(self) -> None:
        """In a blocking shell inside a loop, where a job cannot move while the prompt waits."""
        loop = self.juggler.host_loop
        if loop is None or self.is_awaited:
            return
        if self.juggler.turns_at_prompt(loop):
            return
        if any(job.loop is loop for job in job_table.running):
            self.juggler.say_once(
                "jobs on the host's loop stand still while the prompt waits; they move while a "
                "cell awaits, or with %config LoopJuggler.embed_in_running_loop = 'run'"
                if reentry.can_reenter(loop)
                else "jobs on the host's loop stand still until the shell is left, because "
                f"{kind_of(loop)} cannot be re-entered"
            )

    def tell(self) -> None:
        """Say what has ended since the last time."""
        with self._lock:
            jobs, self._to_tell = self._to_tell, []
            self._is_due = False
        if jobs:
            open_line.write("stdout", "".join(f"{line}\n" for line in notices(jobs)))

    # -- leaving -----------------------------------------------------------------------------

    def may_leave(self) -> bool:
        """Whether the shell may end now. Not if jobs are running, unless that was said just now."""
        running = job_table.running
        was_warned = self._warned_at == self._prompts - 1
        if not running or was_warned:
            return True
        self._warned_at = self._prompts
        ends = sum(self._ends_with_shell(job) for job in running)
        count = "is 1 running job" if len(running) == 1 else f"are {len(running)} running jobs"
        print(f"There {count}{_what_happens(ends, len(running))}")
        return False

    def _ends_with_shell(self, job: Job) -> bool:
        own = self.juggler.own_loop_if_closed_with_shell
        return job.loop is not None and job.loop is own


def _what_happens(ends: int, count: int) -> str:
    if ends == count:
        return f"; to leave cancels {'it' if count == 1 else 'them'}."
    if not ends:
        return ", which will go on."
    return f"; to leave cancels {ends} of them."


def notices(jobs: list[Job]) -> list[str]:
    """The lines that tell of their end."""
    if len(jobs) <= AT_ONCE:
        return [notice(job) for job in jobs]
    states = Counter(job.state for job in jobs)
    counts = ", ".join(f"{count} {state}" for state, count in sorted(states.items()))
    failed = [job for job in jobs if job.state == "failed"][:AT_ONCE]
    lines = [f"{len(jobs)} jobs have ended: {counts} (%jobs lists them)"]
    return [*lines, *map(notice, failed)]


def notice(job: Job) -> str:
    """``[2] done fetch_all() → 17 items``"""
    text = f"[{job.id}] {job.state} {shortened(job.name, 60)}"
    if job.state == "failed":
        return f"{text}: {describe_error(job.exception())}"
    if job.state == "done":
        result = describe_result(job.result())
        return f"{text} → {result}" if result else text
    return text


def describe_error(error: BaseException | None) -> str:
    """Its class, and its message in one line."""
    try:
        message = shortened(str(error), 100)
    except Exception:  # the user's
        message = ""
    kind = type(error).__name__
    return f"{kind}: {message}" if message else kind


def describe_result(result: object) -> str:
    """A result in a few words; nothing for None."""
    if result is None:
        return ""
    if isinstance(result, list | tuple | set | frozenset | dict) and len(result) > 3:
        return f"{len(result)} items"
    try:
        return shortened(repr(result), 60)
    except Exception:  # the user's
        return f"<{type(result).__name__}>"


def shortened(text: str, width: int) -> str:
    """The first line, and no more of it than fits."""
    line, newline, _ = text.strip().partition("\n")
    return f"{line[: width - 1]}…" if newline or len(line) > width else line
