"""What to do about an error that has its cause in which loop a cell runs in."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ipyembed.hosts import Host

CREATE_TASK = """\
A cell without `await` runs outside the shell's loop. Put an `await asyncio.sleep(0)` in it,
or run all cells inside the loop from now on: %config LoopJuggler.sync_cells = 'inside'"""

ASYNCIO_UNDER_TRIO = """\
This shell was opened by a trio task, so its cells are awaited by trio, which cannot await what
belongs to asyncio."""

TRIO_UNDER_ASYNCIO = """\
A cell's `await` runs on asyncio here, which cannot await what belongs to trio. Open the shell in a
trio task, by `await ipyembed.embed_async()`; or, where no trio runs yet, enter `%autoawait trio`:
each cell is then a trio program of its own."""

# The messages are those of CPython 3.11 to 3.13 and of trio 0.22 to 0.35. Where they are others,
# there is no hint.
_NO_LOOP = "no running event loop"
_NO_TRIO = "must be called from async context"
_TRIOS_MESSAGE = "Task got bad yield: WaitTaskRescheduled("
_TRIOS_CHECKPOINT = "CancelShieldedCheckpoint"
_NOT_TRIOS_MESSAGE = "trio.run received unrecognized yield message"


def hint_for(error: RuntimeError | TypeError, host: Host | None) -> str | None:
    """What helps, if the error is one of those. `host`: the awaiting task, if there is one."""
    text = str(error)
    in_trio = host is not None and host.kind.startswith("trio")
    if in_trio:
        is_asyncios = text == _NO_LOOP or text.startswith(_NOT_TRIOS_MESSAGE)
        return ASYNCIO_UNDER_TRIO if is_asyncios else None
    if text == _NO_LOOP:
        return CREATE_TASK if host is None else None
    if text == _NO_TRIO or text.startswith(_TRIOS_MESSAGE) or _TRIOS_CHECKPOINT in text:
        return TRIO_UNDER_ASYNCIO
    return None
