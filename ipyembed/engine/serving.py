"""`serve()`: open an engine in this process."""

from __future__ import annotations

import sys
import warnings
from collections.abc import MutableMapping
from typing import Any

from traitlets.config import Config

from ipyembed.engine.directory import EngineFiles
from ipyembed.engine.engine import Engine
from ipyembed.engine.evaluating import Evaluator
from ipyembed.engine.pace import EnginePace
from ipyembed.engine.places import choose
from ipyembed.namespaces import Caller

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    name: str | None = None,
    namespace: MutableMapping[str, Any] | None = None,
    *,
    cells: str = "auto",
    transport: str | None = None,
    ip: str = "127.0.0.1",
    completion_timeout: float | None = None,
    busy_share: float | None = None,
    config: Config | None = None,
) -> Engine:
    """Open an engine in this process, for `ipyembed attach` and any Jupyter front end.

    Returns at once. Cells run on the eval thread: in the asyncio or trio loop that runs the caller;
    else, where a toolkit is alive on the calling thread, there; else on a thread of the engine's
    own. While a terminal shell is open on that thread, in that shell. They see and change the
    caller's module, or `namespace`. Nothing in the process is changed but while a client's cell
    runs, or what it has started prints.

    Parameters
    ----------
    name
        What clients call it; the program's name by default. Letters, digits, ``_``, ``.``, ``-``.
    namespace
        The names that cells see and assign, with the caller's module behind them.
    cells
        ``auto``, or where cells run: ``loop``, ``gui`` or ``thread``.
    transport
        ``ipc``: sockets in a directory of the user's; ``tcp``: ports of `ip`, with a warning if
        that is not this machine alone.
    completion_timeout
        Seconds after which a completion or inspection that has not come is answered "not now";
        that of `LoopJuggler` by default.
    busy_share
        The policy `EnginePace.busy_share`: part of the eval thread's time that clients may take
        while the host keeps that thread busy; 0.03 by default, 1 for no limit.
    config
        Configuration of the shell, instead of the user's profile.

    Raises
    ------
    ImportError
        The extra ``ipyembed[engine]`` is not installed.
    RuntimeError
        `cells` asks for what is not there.
    PermissionError
        The runtime directory is not the user's alone.
    ValueError
        `name`, `cells` or `transport` is none, or `busy_share` is not above 0 and at most 1.
    """
    frame = sys._getframe(1)
    caller = Caller(local_ns=frame.f_globals if namespace is None else namespace)
    caller = caller.completed_from(frame)
    if cells not in ("auto", "loop", "gui", "thread"):
        raise ValueError(f"cells is 'auto', 'loop', 'gui' or 'thread', not {cells!r}")
    address = _address(transport, ip)
    pace = EnginePace()
    if busy_share is not None:
        pace.set_for_good(busy_share)
    files = EngineFiles(name)
    try:
        place = choose(cells)
    except BaseException:
        files.remove()
        raise
    shares = namespace is None and cells in ("auto", "loop")
    evaluator = Evaluator(place, caller, config, pace, shares, completion_timeout)
    return Engine(files, evaluator, address)


def _address(transport: str | None, ip: str) -> tuple[str, str]:
    import socket

    import zmq

    if transport is None:
        transport = "ipc" if hasattr(socket, "AF_UNIX") and zmq.has("ipc") else "tcp"
    if transport not in ("ipc", "tcp"):
        raise ValueError(f"transport is 'ipc' or 'tcp', not {transport!r}")
    if transport == "tcp" and ip not in _LOOPBACK:
        warnings.warn(
            f"the engine listens on {ip}: whoever can reach it can read what it sends, and the "
            "messages are signed but not encrypted; use ipc or 127.0.0.1, and ssh to get there",
            stacklevel=3,
        )
    return transport, ip
