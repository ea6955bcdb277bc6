"""A live IPython prompt in any running program, and nothing in it stops for it.

The prompt runs in a thread of its own; cells run on the thread that asked for the shell; a loop
juggler turns the loops of that thread while the prompt waits. File by file:

====================== ===========================================================================
``embedding``          `embed()`, `embed_async()`: the ways into a shell from a program
``extension``          ``%load_ext ipyembed`` on a running IPython
``app``                the ``ipyembed`` command
``importing``          all of this is imported without the garbage collector going through it
``shell``              the two shell classes, wiring only
``attachment``         what makes a terminal shell threaded, and undoes it
``asking``             asking for a cell, or for a yes or no, while the juggler turns what it may
``cells``              how one cell is run: its context, its interrupts, its result
``cell_errors``        how a cell's error is shown
``hints``              what to do about an error that a cell's loop has caused
``namespaces``         the caller's names in an embedded shell
``frame_variables``    a function's variables: to read, and to assign, from outside
``juggler``            which loop the eval thread turns while it waits
``turning``            how a loop is turned until something is done
``own_loops``          the loops that a shell makes for itself
``policies``           the settings by which it decides
``hosts``              waiting for the prompt from inside somebody else's loop
``hosts_trio``         the same where that loop is trio's
``trio_waits``         Ctrl-C in a cell that trio awaits
``trio_given_over``    which waits, and what else, another task of trio's can take over
``reentry``            running a running asyncio loop again
``loop_thread``        an asyncio loop and what ends with it
``giving_way``         a loop that never waits gives the prompt's thread its turn
``giving_way_trio``    the same for trio
``standing_in``        taking the place of an asyncio loop's selector
``loops``              small things about asyncio's loops that several modules need
``gui``                toolkits: their loops, turned beside asyncio's
``doorbell``           a descriptor that any thread can make readable
``eval_calls``         calls that other threads ask the eval thread to make
``prompt_thread``      the thread on which everything that asks the user runs
``stage``              who is on the terminal, and for whom a prompt has stepped aside
``aside``              how a prompt steps aside
``lent``               borrowing the terminal
``questions``          asking for a line, from any thread
``history``            a shell's history, used by several threads
``input_calls``        ``input()``, ``getpass()`` and reads of `sys.stdin` while a shell is open
``breakpoints``        ``breakpoint()``, `set_trace()`: the ways into the debugger
``debugger``           IPython's debugger, with its prompt on the prompt thread
``attributes``         one object has another attribute for a while
``stopping``           Ctrl-Z at the prompt
``modes``              the terminal's modes, as they were found
``children``           child processes that have the terminal
``system``             ``!cmd``, ``x = !cmd``, ``%edit``
``pager``              ``obj?``, ``%page``, ``help(x)``
``terminal``           what is asked there: a cell, a yes or no; input that is no terminal
``highlighting``       the colours of what is typed, ready when the first prompt is on the screen
``completion``         completions, computed on the eval thread
``filter_memory``      what prompt_toolkit remembers of a shell that is over
``out_prompt``         ``Out[1]:``, quickly
``output``             what others print lands above the prompt
``output_pty``         caught at the file descriptors
``output_descriptors`` these are led elsewhere, and home again
``output_pump``        from the pty to the terminal
``output_reader``      the prompt loop reads the pty, and says when to write
``output_source``      what is read from the pty
``output_stand_in``    who reads it while the prompt thread cannot
``output_beside``      what is printed while a child process has the terminal
``output_screen``      how text gets onto the screen above a prompt
``output_cursor``      where text has left the cursor
``output_switch``      from the pty back to the terminal
``output_sys``         caught at Python's streams
``routing``            output goes where the code that prints it belongs
``sinks``              where that is: a context variable, inherited by tasks and threads
``open_line``          a line that a cell prints in parts is not broken by what jobs print
``detach``             a coroutine is left by whoever awaits it, and goes on
``detach_task``        the same where it is awaited in the caller's task
``detach_trio``        the same where that task is trio's
``task_bound``         what it has open there: timeouts, task groups
``kept_context``       context variables on loops that lose them
``jobs``               `run_in_background()`
``job``                `Job`
``job_table``          the jobs of the process, and how they are started
``foreground``         `run_in_foreground()`
``foreground_awaited`` the same in a cell, on a loop that cannot be turned from inside
``thread_loop``        the loop of a thread that has jobs and no shell
``job_waits``          waiting for jobs in a cell
``job_output``         what a job prints: marked, and kept
``job_processes``      jobs in processes
``job_shell``          what a shell does about jobs: says when they end, and when it does
``job_cells``          a cell that awaits becomes a job
``job_suspend``        Ctrl-Z
``job_magics``         ``%bg``, ``%fg``, ``%jobs``, ``%cancel``, ``%wait``
``job_code``           code that ``%bg`` runs
``job_list``           what ``%jobs`` shows
``job_places``         where a job is now
``resize``             the prompt hears of the terminal's new size
``state``              what all of this is doing now: `juggler_state()`, ``%loops``
``magics``             the magics
``surroundings``       what has to step aside while a shell is open
``pytest_plugin``      pytest's capturing does so
``config_magic``       ``%config`` for shells whose class is derived from IPython's
``engine``             attach from another process: `serve()`, ``ipyembed attach``
``watchdog``           says when the eval thread is stuck, and in what
``interrupts``         who gets Ctrl-C while a cell runs
``prompt_interrupts``  SIGINT that comes from outside while a prompt is up
``stacks``             whose code it has interrupted
``put_off``            not where what is raised would be lost
``sigint``             taking SIGINT from the host, and giving it back
``sigint_elsewhere``   the same for a shell that is not on the main thread
``silenced``           warnings of others that say nothing for a time
``sigint_in_c``        SIGINT without any code of Python's hearing of it
``wakeup_fd``          given back to whoever had it
``handover``           no gap between the host's SIGINT and the shell's
``nudge``              the main thread does something at once
``blocking``           ``KeyboardInterrupt`` in code that blocks a loop
``cooked``             Ctrl-C while a prompt is out of raw mode for a moment
``whose_code``         the user's code, a library's, or ours; and what its file is called
``tracebacks``         our own frames are cut off what is shown of it
``deadly_signals``     SIGTERM and SIGHUP while a prompt has the terminal
``demo``               a tour: ``python -m ipyembed.demo``
``slot``               one shell at a time owns the terminal
``profile_config``     the user's profile, read without touching the host's logging
``process_state``      what a shell must leave as it found it
====================== ===========================================================================

Names resolve lazily: importing this package imports neither IPython nor asyncio, so a program
that never opens a shell pays nothing for being able to.
"""

from __future__ import annotations

from ipyembed._version import __version__

TYPE_CHECKING = False  # type checkers know the name; importing `typing` would cost milliseconds
if TYPE_CHECKING:
    from ipyembed.breakpoints import set_trace
    from ipyembed.embedding import embed, embed_async
    from ipyembed.engine.serving import serve
    from ipyembed.extension import load_ipython_extension, unload_ipython_extension
    from ipyembed.foreground import run_in_foreground
    from ipyembed.job import Job
    from ipyembed.jobs import run_in_background
    from ipyembed.juggler import LoopJuggler
    from ipyembed.shell import ThreadedInteractiveShell, ThreadedInteractiveShellEmbed
    from ipyembed.state import call_in_eval_thread, juggler_state

_HOME = {
    "embed": "ipyembed.embedding",
    "embed_async": "ipyembed.embedding",
    "load_ipython_extension": "ipyembed.extension",
    "unload_ipython_extension": "ipyembed.extension",
    "Job": "ipyembed.job",
    "LoopJuggler": "ipyembed.juggler",
    "call_in_eval_thread": "ipyembed.state",
    "juggler_state": "ipyembed.state",
    "run_in_background": "ipyembed.jobs",
    "run_in_foreground": "ipyembed.foreground",
    "serve": "ipyembed.engine.optional",
    "set_trace": "ipyembed.breakpoints",
    "ThreadedInteractiveShell": "ipyembed.shell",
    "ThreadedInteractiveShellEmbed": "ipyembed.shell",
}

__all__ = [
    "Job",
    "LoopJuggler",
    "ThreadedInteractiveShell",
    "ThreadedInteractiveShellEmbed",
    "__version__",
    "call_in_eval_thread",
    "embed",
    "embed_async",
    "juggler_state",
    "load_ipython_extension",
    "run_in_background",
    "run_in_foreground",
    "serve",
    "set_trace",
    "unload_ipython_extension",
]


def __getattr__(name: str) -> object:
    try:
        home = _HOME[name]
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    from ipyembed.importing import imported

    value = getattr(imported(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
