"""`embed()` and `embed_async()`: the ways into a shell from a program.

The module is not named after the function: importing a submodule sets it as an attribute of the
package, where it would hide the function.
"""

from __future__ import annotations

import copy
import inspect
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from IPython.core.interactiveshell import InteractiveShell
from IPython.terminal.embed import InteractiveShellEmbed
from traitlets.config import Config

from ipyembed.filter_memory import combinations_forgotten
from ipyembed.juggler import LoopJuggler
from ipyembed.namespaces import Caller
from ipyembed.process_state import hooks_preserved
from ipyembed.profile_config import load_config
from ipyembed.shell import ThreadedInteractiveShellEmbed, location_of
from ipyembed.slot import slot
from ipyembed.surroundings import all_aside


def embed(
    *,
    header: str = "",
    local_ns: dict[str, Any] | None = None,
    module: Any = None,
    compile_flags: int | None = None,
    **kwargs: Any,
) -> None:
    """Open a live prompt here and block until the user leaves it.

    Takes what `IPython.embed` takes and behaves like it, except that ``await`` works in cells,
    colours come from the user's configuration, and the prompt runs in a thread of its own. Cells
    run on the calling thread, and see and change the caller's variables. Works on any thread, and
    also in a coroutine: the running loop stands still meanwhile (`LoopJuggler` has the policies);
    `embed_async` keeps it running.

    Parameters
    ----------
    header
        Text to show below the banner.
    local_ns, module, compile_flags
        The names that cells see, and the compiler flags of the code; the caller's by default.
    **kwargs
        Policies of `LoopJuggler` by their names; ``using`` as in `IPython.embed` (``"sync"`` turns
        ``await`` off); ``config``, a `traitlets.config.Config` instead of the user's profile; the
        rest goes to the shell's constructor.

    Raises
    ------
    TraitError
        A policy or setting has a value that does not exist.
    TypeError
        There is no such policy, setting or argument.
    RuntimeError
        The policy `embed_in_running_loop` forbids it, or another shell's prompt is up on this
        thread.
    IPython.terminal.embed.KillEmbedded
        The user left by ``%exit_raise``.
    """
    frame = sys._getframe(1)
    location = location_of(frame)
    caller = _caller(frame, local_ns, module, compile_flags, kwargs)
    del frame
    if _is_killed(location):
        return
    with slot.hold(location) as opened, all_aside(), _shell(location, kwargs) as shell:
        shell.run(caller, opened, header)


def embed_async(
    *,
    header: str = "",
    local_ns: dict[str, Any] | None = None,
    module: Any = None,
    compile_flags: int | None = None,
    **kwargs: Any,
) -> Coroutine[Any, Any, None]:
    """Open a live prompt here, to be awaited; the host's asyncio loop goes on meanwhile.

    Parameters and errors are those of `embed`. Cells run in the loop, a cell with ``await`` in the
    caller's own task: a timeout or task group that is opened in one cell can be closed in another.
    Cancelling the task takes the prompt down at once, puts the terminal back and raises
    `CancelledError`.
    """
    # A plain function, because a coroutine that is wrapped in a task has no caller to look at.
    frame = sys._getframe(1)
    location = location_of(frame)
    caller = _caller(frame, local_ns, module, compile_flags, kwargs)
    return _embed_async(location, caller, header, kwargs)


async def _embed_async(location: str, caller: Caller, header: str, kwargs: dict[str, Any]) -> None:
    if _is_killed(location):
        return
    async with slot.hold_async(location) as opened:
        with all_aside(), _shell(location, kwargs) as shell:
            await shell.run_async(caller, opened, header)


if sys.version_info >= (3, 12):
    inspect.markcoroutinefunction(embed_async)


def _caller(
    frame: Any,
    local_ns: dict[str, Any] | None,
    module: Any,
    compile_flags: int | None,
    kwargs: dict[str, Any],
) -> Caller:
    caller = Caller(local_ns, module, compile_flags)
    if "user_ns" in kwargs or "user_module" in kwargs:
        return caller  # the shell is given its names by its constructor, as in IPython
    return caller.completed_from(frame)


def _is_killed(location: str) -> bool:
    # IPython 9.0 to 9.18: private; without it, the shell is made just to find that it is off.
    return location in getattr(InteractiveShellEmbed, "_inactive_locations", ())


@contextmanager
def _shell(location: str, kwargs: dict[str, Any]) -> Iterator[ThreadedInteractiveShellEmbed]:
    """A new shell, IPython's singleton for its time; afterwards nothing is left of it."""
    settings = _settings(kwargs)
    with hooks_preserved(), singleton_replaced(), combinations_forgotten():
        shell = ThreadedInteractiveShellEmbed.instance(_init_location_id=location, **settings)
        shell._call_location_id = location
        try:
            yield shell
        finally:
            shell.dispose()


def _settings(kwargs: dict[str, Any]) -> dict[str, Any]:
    """The constructor's arguments: the user's configuration, with `kwargs` put in."""
    settings = dict(kwargs)
    given = settings.pop("config", None)
    config = load_config() if given is None else copy.deepcopy(Config(given))
    using = settings.pop("using", None)
    if using is not None:
        config.TerminalInteractiveShell.loop_runner = using
        config.TerminalInteractiveShell.autoawait = using != "sync"
    policies = LoopJuggler.class_trait_names(config=True)
    for name in policies:
        if name in settings:
            config.LoopJuggler[name] = settings.pop(name)
    _check_names(settings, policies)
    return {**settings, "config": config}


def _check_names(settings: dict[str, Any], policies: list[str]) -> None:
    """Raises TypeError for a setting that does not exist; traitlets ignores it."""
    shell = ThreadedInteractiveShellEmbed
    known = {*shell.class_trait_names(), *inspect.signature(InteractiveShell.__init__).parameters}
    for name in settings.keys() - known:
        import difflib

        near = difflib.get_close_matches(name, [*policies, *known, "using", "header"], n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"the policies are: {', '.join(policies)}"
        raise TypeError(f"embed() got an unknown argument {name!r}; {hint}")


@contextmanager
def singleton_replaced(shell: InteractiveShell | None = None) -> Iterator[None]:
    """Let `shell`, or one that is to be made, be what `get_ipython()` returns; then what is now."""
    saved = InteractiveShell._instance
    if saved is not None:
        type(saved).clear_instance()
    if shell is not None:
        _make_singleton(shell)
    try:
        yield
    finally:
        ThreadedInteractiveShellEmbed.clear_instance()
        if saved is not None:
            _make_singleton(saved)


def _make_singleton(shell: InteractiveShell) -> None:
    for parent in type(shell)._walk_mro():
        parent._instance = shell  # type: ignore[assignment]
