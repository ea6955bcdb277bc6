"""The magics about jobs: ``%bg``, ``%%bg``, ``%fg``, ``%jobs``, ``%cancel``, ``%wait``.

``%fg`` and ``%wait`` have to wait. On a line of their own they are awaited, as if ``await`` stood
before them: so they work also where the loop cannot be turned from inside, and Ctrl-C and Ctrl-Z
end them as they do any cell that awaits. `awaited_magics` puts the ``await`` there, as IPython
transforms the cell. Elsewhere, as in a function, they are `run_in_foreground()`.
"""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import traceback
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import TYPE_CHECKING, Any

import IPython
from IPython.core.error import UsageError
from IPython.core.magic import Magics, line_cell_magic, line_magic, magics_class, no_var_expand

from ipyembed.foreground import run_in_foreground
from ipyembed.job import Job
from ipyembed.job_code import JobCode
from ipyembed.job_list import show_jobs
from ipyembed.job_table import job_table
from ipyembed.job_waits import all_done, finish, until_ended
from ipyembed.jobs import run_in_background
from ipyembed.whose_code import is_ours

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment

_AWAITED = "--awaited"
_IPYTHONS = os.path.dirname(IPython.__file__) + os.sep
# As IPython (9) transforms a magic on a line of its own, or assigned to a name.
_WAITS = re.compile(r"^([\w., ]+ = )?(get_ipython\(\)\.run_line_magic\('(?:fg|wait)', ')")


@magics_class
class JobMagics(Magics):
    """The magics of one shell."""

    def __init__(self, attachment: Attachment) -> None:
        super().__init__(shell=attachment.shell)
        self._attachment = attachment

    # -- starting ----------------------------------------------------------------------------

    @no_var_expand
    @line_cell_magic
    def bg(self, line: str, cell: str | None = None) -> Job:
        """Run code in the background, as a job.

        ``%bg [OPTIONS] CODE`` runs what stands on the line, ``%%bg [OPTIONS] [NAME]`` the cell. The
        code may contain ``await``. It sees the names of the shell, and what it assigns appears
        there. A last expression is the job's result; if that can be awaited, it is.

        Options::

            --thread       in a thread, not on the loop
            --process      in a process: what it assigns stays there
            --name=NAME    what to call it

        Examples::

            In [1]: %bg fetch_all()

            In [2]: %bg --thread time.sleep(5)

            In [3]: %%bg download
               ...: pages = [await fetch(url) for url in urls]
               ...: len(pages)
        """
        options, rest = _options(line, "thread", "process", "name")
        text = rest if cell is None else cell
        if not text.strip():
            raise UsageError("%bg CODE, or %%bg [NAME] and the code below")
        name = options.get("name") or (rest.strip() if cell is not None else "")
        name = name or text.strip().partition("\n")[0]
        code = JobCode(self._attachment.shell, text)
        if "process" in options:
            import multiprocessing  # would take its time at each start

            if multiprocessing.get_start_method() != "fork":
                raise UsageError(
                    "%bg --process needs processes that are forked, and here they are not; use "
                    "run_in_background(FUNCTION, ..., process=True)"
                )
            return run_in_background(code.run_in_thread, name=name, process=True)
        if "thread" in options:
            return run_in_background(code.run_in_thread, name=name)
        coroutine = code.run()
        try:
            return run_in_background(coroutine, name=name)
        except RuntimeError:  # no loop for it
            coroutine.close()
            raise

    # -- waiting -----------------------------------------------------------------------------

    @line_magic
    def fg(self, line: str = "") -> Any:
        """Bring a job to the foreground: show what it prints, wait for it, return its result.

        ``%fg [ID]``; without ID it is the job that was started last. Ctrl-C and Ctrl-Z come back to
        the prompt and leave it in the background.

        Example::

            In [5]: result = %fg 2
        """
        awaited, words = _words(line)
        if len(words) > 1:
            raise UsageError("%fg takes one ID at most")
        job = _job(words[0]) if words else _last()
        print(f"{job}" if not job.done() else f"{job} {job.state}")
        if awaited:
            return self._foreground(job)
        return run_in_foreground(job)

    async def _foreground(self, job: Job) -> Any:
        __tracebackhide__ = True
        try:
            with job.awaited(), job.in_foreground():
                await self._until_done([job])
            if job.done():
                return job.result()
        finally:
            if not job.done():
                print(f"\n{job} goes on in the background")
        return None

    @line_magic
    def wait(self, line: str = "") -> Any:
        """Wait until jobs have ended; the rest goes on meanwhile.

        ``%wait [ID…]``; without ID for all that are running. Ctrl-C and Ctrl-Z come back to the
        prompt.

        Example::

            In [5]: %wait 2 3
        """
        awaited, words = _words(line)
        jobs = [_job(word) for word in words] or job_table.running
        if awaited:
            return self._until_done(jobs)
        run_in_foreground(all_done(jobs))
        return None

    async def _until_done(self, jobs: list[Job]) -> None:
        """Wait for all, or until Ctrl-Z."""
        __tracebackhide__ = True
        done = all_done(jobs)
        await until_ended(self._attachment, done, partial(finish, done))

    # -- ending ------------------------------------------------------------------------------

    @line_magic
    def cancel(self, line: str = "") -> None:
        """Cancel jobs: ``%cancel ID…``, ``%cancel --all``.

        A coroutine is cancelled at what it awaits; a process is killed. A function that has begun
        in a thread cannot be ended.

        Example::

            In [5]: %cancel 2
        """
        options, rest = _options(line, "all")
        jobs = job_table.running if "all" in options else [_job(word) for word in rest.split()]
        if not jobs and "all" not in options:
            raise UsageError("%cancel ID…, or %cancel --all")
        for job in jobs:
            if not job.cancel() and not job.done():
                print(f"{job} runs in a thread, which cannot be cancelled")

    # -- looking -----------------------------------------------------------------------------

    @line_magic
    def jobs(self, line: str = "") -> None:
        """Show the jobs: number, name, state, age, and where they are now.

        Options::

            -v       with all places on the way there
            --all    also the tasks of the loops that are no jobs
            -o ID    what the job has printed, the last 1,000 lines
            -e ID    the traceback of the job that has failed
            -c       forget the jobs that have ended

        Example::

            In [5]: %jobs -v
        """
        options, rest = _options(line, "v", "all", "o", "e", "c")
        if "c" in options:
            job_table.forget_ended()
        elif "o" in options:
            _show(_job(rest or options["o"]).output)
        elif "e" in options:
            self._show_error(_job(rest or options["e"]))
        elif rest:
            raise UsageError(f"%jobs does not know what {rest!r} is; see %jobs?")
        else:
            text = show_jobs(self._loops() if "all" in options else [], "v" in options)
            _show(text or "no jobs")

    def _show_error(self, job: Job) -> None:
        error = job.exception()
        if error is None:
            print(f"{job} {job.state}: no exception")
            return
        shell: Any = self.shell
        tb = error.__traceback__
        while tb is not None and tb.tb_next is not None and _is_not_the_jobs(tb.tb_frame):
            tb = tb.tb_next
        try:
            stb = shell.InteractiveTB.structured_traceback(type(error), error, tb)
            text = shell.InteractiveTB.stb2text(stb)
        except Exception:  # an exception of the user's that cannot be shown
            text = "".join(traceback.format_exception(error))
        _show(text)

    def _loops(self) -> list[asyncio.AbstractEventLoop]:
        juggler = self._attachment.juggler
        loops = [juggler.host_loop, juggler.own_loop_if_made]
        return [loop for loop in dict.fromkeys(loops) if loop is not None]


def _is_not_the_jobs(frame: FrameType) -> bool:
    """Whether that is what has called the job's code."""
    filename = frame.f_code.co_filename
    return is_ours(filename) or filename.startswith(_IPYTHONS)


def _show(text: str) -> None:
    from IPython.core.page import page

    page(text.rstrip("\n"))


def _options(line: str, *known: str) -> tuple[dict[str, str], str]:
    """The options that `line` begins with, and its rest."""
    options: dict[str, str] = {}
    rest = line.strip()
    while match := re.match(r"--?([a-z]+)(?:=(\S+))?(?:\s+|$)", rest):
        if match[1] not in known:
            raise UsageError(f"unknown option {match[0].strip()}; there are: {', '.join(known)}")
        options[match[1]] = match[2] or ""
        rest = rest[match.end() :]
    return options, rest


def _words(line: str) -> tuple[bool, list[str]]:
    words = shlex.split(line)
    awaited = _AWAITED in words
    return awaited, [word for word in words if word != _AWAITED]


def _job(word: str) -> Job:
    number = word.strip().lstrip("%").strip("[]")  # a shell's user writes %2
    try:
        return job_table.get(int(number))
    except (KeyError, ValueError):
        raise UsageError(f"no such job: {word.strip() or 'ID is missing'}") from None


def _last() -> Job:
    running = job_table.running
    if not running:
        raise UsageError("no job is running")
    return running[-1]


def awaited_magics(attachment: Attachment) -> Callable[[list[str]], list[str]]:
    """For `input_transformers_post` of the shell: the ``await`` before what waits."""
    shell: Any = attachment.shell
    ours = attachment.juggler.run_coroutine
    return awaited_magics_if(lambda: shell.autoawait and shell.loop_runner == ours)


def awaited_magics_if(is_wanted: Callable[[], bool]) -> Callable[[list[str]], list[str]]:
    """The same for a shell that says by itself when."""

    def transform(lines: list[str]) -> list[str]:
        if not is_wanted():
            return lines
        return [_WAITS.sub(rf"\1await \2{_AWAITED} ", line) for line in lines]

    transform.has_side_effects = False  # type: ignore[attr-defined]
    return transform
