"""Short requests about the namespace: completion, inspection, history, names. Eval thread.

The contents of requests and replies are those of Jupyter's messages; `names_request` is ours.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.completer import rectify_completions
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.tokenutil import token_at_cursor

from ipyembed.engine.client_output import jsonable
from ipyembed.silenced import provisional_completions

Content = dict[str, Any]
MOST_HISTORY = 10_000
"""Entries of the history that one reply may hold."""


def complete(shell: InteractiveShell, content: Content) -> Content:
    """``complete_request``."""
    code, cursor = _code_and_cursor(content)
    with provisional_completions:
        found = list(rectify_completions(code, shell.Completer.completions(code, cursor)))
    types = [
        {"start": c.start, "end": c.end, "text": c.text, "type": c.type, "signature": c.signature}
        for c in found
    ]
    return {
        "status": "ok",
        "matches": [completion.text for completion in found],
        "cursor_start": found[0].start if found else cursor,
        "cursor_end": found[0].end if found else cursor,
        "metadata": {"_jupyter_types_experimental": jsonable(types)},
    }


def inspect(shell: InteractiveShell, content: Content) -> Content:
    """``inspect_request``."""
    code, cursor = _code_and_cursor(content)
    detail = 1 if content.get("detail_level") else 0
    try:
        data = shell.object_inspect_mime(token_at_cursor(code, cursor), detail_level=detail)
    except KeyError:
        return {"status": "ok", "found": False, "data": {}, "metadata": {}}
    if not shell.enable_html_pager:
        data.pop("text/html", None)
    return {"status": "ok", "found": True, "data": jsonable(data), "metadata": {}}


def history(shell: InteractiveShell, content: Content) -> Content:
    """``history_request``."""
    manager: Any = shell.history_manager
    raw, output = bool(content.get("raw", True)), bool(content.get("output", False))
    kind = content.get("hist_access_type")
    most = min(int(content.get("n") or MOST_HISTORY), MOST_HISTORY)
    entries: Any = []
    if kind == "tail":
        entries = manager.get_tail(most, raw=raw, output=output, include_latest=True)
    elif kind == "range":
        session, start = int(content.get("session") or 0), int(content.get("start") or 0)
        entries = manager.get_range(session, start, content.get("stop"), raw=raw, output=output)
    elif kind == "search":
        entries = manager.search(
            str(content.get("pattern") or "*"),
            raw=raw,
            output=output,
            n=most,
            unique=bool(content.get("unique", False)),
        )
    return {"status": "ok", "history": jsonable(list(entries)[-MOST_HISTORY:])}


def names(shell: InteractiveShell, content: Content) -> Content:
    """``names_request``: what ``%who`` lists, with types: `{"names": {NAME: TYPE}}`."""
    hidden = shell.user_ns_hidden
    found = {
        name: type(value).__name__
        for name, value in dict(shell.user_ns).items()
        if not name.startswith("_") and value is not hidden.get(name, hidden)
    }
    return {"status": "ok", "names": dict(sorted(found.items()))}


def _code_and_cursor(content: Content) -> tuple[str, int]:
    code = str(content.get("code", ""))
    cursor = content.get("cursor_pos")
    return code, len(code) if cursor is None else max(0, min(int(cursor), len(code)))


ANSWERS: dict[str, Callable[[InteractiveShell, Content], Content]] = {
    "complete_request": complete,
    "inspect_request": inspect,
    "history_request": history,
    "names_request": names,
}

NOT_NOW: dict[str, Content] = {
    "complete_request": {"status": "ok", "matches": [], "cursor_start": 0, "cursor_end": 0},
    "inspect_request": {"status": "ok", "found": False, "data": {}},
}
"""What is answered while the eval thread is busy: nothing found; the metadata say why.

The others wait: nobody types meanwhile, and "no history" would be taken for the truth."""
