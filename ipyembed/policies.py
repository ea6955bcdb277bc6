"""The policies: traits of `LoopJuggler`, here on a class of their own to be read as one list.

In a profile ``c.LoopJuggler.NAME = VALUE``, on the command line ``--LoopJuggler.NAME=VALUE``, for a
call ``embed(NAME=VALUE)``, live ``%config LoopJuggler.NAME = VALUE``. A change takes effect at the
next prompt.
"""

from __future__ import annotations

from typing import Any

from IPython.terminal import pt_inputhooks
from traitlets import Enum, Float, TraitError, Unicode, validate
from traitlets.config import Configurable


class Policies(Configurable):
    """What `LoopJuggler` decides by."""

    asyncio_at_prompt = Enum(
        ("run", "pause"),
        "run",
        help="""Whether the shell's own asyncio loop turns while the prompt waits.
        'run': tasks made in cells go on while you type.
        'pause': they go on only while a cell awaits, as in IPython.""",
    ).tag(config=True)

    embed_in_running_loop = Enum(
        ("pause", "run", "error"),
        "pause",
        help="""What a blocking embed() does to the loop that is executing its caller.
        'pause': the loop stands still while the prompt waits, as at a breakpoint.
        'run': the loop is re-entered, so the host's other tasks go on.
        'error': embed() refuses; for programs in which nobody may stop the loop.""",
    ).tag(config=True)

    await_in_running_loop = Enum(
        ("reenter", "thread", "error"),
        "reenter",
        help="""How a blocking embed() in a running loop evaluates `await`.
        'reenter': on that loop, run again from inside; what belongs to it can be awaited.
        'thread': on another loop in a helper thread; also what 'reenter' falls back to, and
        says so, where the loop cannot be re-entered (uvloop).
        'error': `await` ends with a RuntimeError.""",
    ).tag(config=True)

    sync_cells = Enum(
        ("outside", "inside"),
        "outside",
        help="""Whether a cell without `await` runs outside the shell's own loop or inside it.
        'outside': asyncio.run() works in it, as in IPython.
        'inside': asyncio.create_task() works in it, as in `python -m asyncio`.""",
    ).tag(config=True)

    gui = Unicode(
        "auto",
        help="""The GUI toolkit whose loop the eval thread turns while it waits.
        'auto': one that is alive in the process and belongs to that thread.
        'off': none.
        'NAME': that toolkit, as for %gui ('qt', 'tk', 'wx', 'gtk3', 'gtk4', 'pyglet', …), or a hook
        registered with IPython.terminal.pt_inputhooks.register. %gui sets this.""",
    ).tag(config=True)

    gui_strategy = Enum(
        ("auto", "select", "thread", "slice"),
        "auto",
        help="""How asyncio and the toolkit share the eval thread.
        'auto': the first of these that the loop is capable of.
        'select': the toolkit's loop turns where asyncio would sleep.
        'thread': likewise, but a thread waits for asyncio's descriptors.
        'slice': the loop gives the toolkit short turns; for loops that hide their wait, as
        uvloop does.""",
    ).tag(config=True)

    completion_thread = Enum(
        ("eval", "prompt"),
        "eval",
        help="""The thread on which completers touch your objects.
        'eval': the one on which cells run. While it is busy there are no completions.
        'prompt': the prompt's; always there, but your objects are used on a second thread.""",
    ).tag(config=True)

    completion_timeout = Float(
        5.0,
        help="""Seconds after which completions that have not come are given up.""",
    ).tag(config=True)

    output = Enum(
        ("fd", "sys", "off"),
        "fd",
        help="""What is caught and printed above the prompt while it is up.
        'fd': whatever is written to the terminal, by C code and child processes too. Where there
        is no pty for it, 'sys'.
        'sys': what is written to sys.stdout and sys.stderr, and by logging handlers that hold them.
        'off': nothing.""",
    ).tag(config=True)

    job_marks = Enum(
        ("on", "off"),
        "on",
        help="""Whether each line that a job prints is marked with its number, as in '[2] …'.
        'on': by whole lines, so that jobs that print at once can be told apart.
        'off': what a job prints is shown as it comes.""",
    ).tag(config=True)

    stuck_after = Float(
        1.0,
        help="""Seconds after which the prompt reports that the eval thread is stuck, and where.""",
    ).tag(config=True)

    @validate("gui")
    def _known_gui(self, proposal: Any) -> str:
        name = str(proposal["value"]).lower()
        if name not in ("auto", "off") and name not in known_names():
            raise TraitError(
                f"LoopJuggler.gui is 'auto', 'off' or one of {', '.join(known_names())}; "
                f"not {name!r}"
            )
        return name

    @validate("completion_timeout", "stuck_after")
    def _positive(self, proposal: Any) -> float:
        value = float(proposal["value"])
        if not value > 0:
            raise TraitError(
                f"LoopJuggler.{proposal['trait'].name} is a number of seconds above 0, not {value}"
            )
        return value


def known_names() -> list[str]:
    """The names that the policy `gui` takes, besides `auto` and `off`."""
    return sorted({*pt_inputhooks.backends, *pt_inputhooks.registered})
