"""The history of an engine's shell, which is saved without holding up the host.

IPython's history has a thread that saves, but it holds the lock of what is to be saved while the
disk writes. The next cell waits for that lock, and so would the host's loop: for milliseconds,
and on a busy disk for much longer. Here the lock is held only while the lines are taken out.
"""

from __future__ import annotations

import sqlite3
import threading
from typing import Any

from IPython.core.history import HistoryManager


class EngineHistory(HistoryManager):
    """IPython's, 9.0 to 9.18; `db_input_cache` and its lock are theirs and not documented."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # Guards the database: who asks for lines finds also those that are just being written.
        self._writing = threading.RLock()
        super().__init__(*args, **kwargs)

    def writeout_cache(self, conn: sqlite3.Connection | None = None) -> None:
        """See `HistoryManager`. On the history's thread with its connection, or the shell's."""
        if not self.enabled:
            return
        connection: Any = self.db if conn is None else conn
        with self._writing:
            with self.db_input_cache_lock:
                lines, self.db_input_cache = self.db_input_cache, []
            rows = [(self.session_number, *line) for line in lines]
            try:
                with connection:
                    connection.executemany("INSERT INTO history VALUES (?, ?, ?, ?)", rows)
            except sqlite3.IntegrityError:  # IPython goes on in a new session
                self._put_back(lines)
                super().writeout_cache(conn)
            except sqlite3.OperationalError:  # a full disk, or a slow one: at the next cell
                self._put_back(lines)
            else:
                if self.db_output_cache:
                    super().writeout_cache(conn)

    def _put_back(self, lines: list[tuple[int, str, str]]) -> None:
        with self.db_input_cache_lock:
            self.db_input_cache = [*lines, *self.db_input_cache]
