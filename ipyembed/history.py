"""The history of a shell: several threads use it, and it is saved without holding up the host.

IPython's is made for one thread. Here the prompt thread reads it, and so does the eval thread, for
``%history`` and for clients; two threads that step through one connection of sqlite get rows with
nothing in them, or an error, for which IPython begins a new database. So one uses it at a time.

IPython's has a thread that saves, too, but that holds the lock of what is to be saved while the
disk writes. The next cell waits for that lock, and so would the host's loop: for milliseconds,
and on a busy disk for much longer. Here the lock is held only while the lines are taken out.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from IPython.core.history import HistoryManager

from ipyembed.attributes import attribute_replaced

_METHODS = ("get_session_info", "new_session", "end_session", "name_session")
"""What uses the connection, besides `_run_sql` and `writeout_cache`."""


@contextmanager
def history_shared(manager: Any) -> Iterator[None]:
    """While the block lasts, the methods of a `HistoryManager` work on any thread.

    IPython's, 9.0 to 9.18; `_run_sql`, `db_input_cache` and its lock are not documented there.
    """
    using = threading.RLock()
    """Guards the connection, and what is just being written: who asks for lines finds those."""
    ours: dict[str, Callable[..., Any]] = {
        name: _locked(using, getattr(manager, name)) for name in _METHODS if hasattr(manager, name)
    }
    if hasattr(manager, "_run_sql"):
        ours["_run_sql"] = _locked(using, _listed(manager._run_sql))
    write = _Writing(manager).writeout_cache if _is_ipythons(manager) else manager.writeout_cache
    ours["writeout_cache"] = _locked(using, write)
    with ExitStack() as stack:
        for name, method in ours.items():
            stack.enter_context(attribute_replaced(manager, name, method))
        yield


def _locked(using: threading.RLock, method: Callable[..., Any]) -> Callable[..., Any]:
    def locked(*args: Any, **kwargs: Any) -> Any:
        with using:
            return method(*args, **kwargs)

    return locked


def _listed(method: Callable[..., Iterable[Any]]) -> Callable[..., list[Any]]:
    """A cursor goes back to the connection for each row."""
    return lambda *args, **kwargs: list(method(*args, **kwargs))


def _is_ipythons(manager: Any) -> bool:
    kind = type(manager)
    is_it: bool = kind.writeout_cache is HistoryManager.writeout_cache
    return is_it and hasattr(manager, "db_input_cache") and hasattr(manager, "db_input_cache_lock")


class _Writing:
    """In place of IPython's; the lock of what is to be saved is not held while the disk writes."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._original = manager.writeout_cache

    def writeout_cache(self, conn: sqlite3.Connection | None = None) -> None:
        """See `HistoryManager`. The thread that saves has a connection of its own, `conn`."""
        manager = self._manager
        if not manager.enabled:
            return
        connection: Any = manager.db if conn is None else conn
        with manager.db_input_cache_lock:
            lines, manager.db_input_cache = manager.db_input_cache, []
        rows = [(manager.session_number, *line) for line in lines]
        try:
            if rows:
                with connection:
                    connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?)", rows)
        except sqlite3.IntegrityError:  # IPython goes on in a new session
            self._put_back(lines)
            self._original(conn)
        except sqlite3.OperationalError:  # a full disk, or a slow one: at the next cell
            self._put_back(lines)
        else:
            if manager.db_output_cache:
                self._original(conn)

    def _put_back(self, lines: list[tuple[int, str, str]]) -> None:
        manager = self._manager
        with manager.db_input_cache_lock:
            manager.db_input_cache = [*lines, *manager.db_input_cache]
