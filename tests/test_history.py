"""The history of a shell, used by several threads, and saved without holding up the host."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from IPython.core.history import HistoryManager
from IPython.core.interactiveshell import InteractiveShellABC

from ipyembed.history import history_shared
from ipyembed.shell import close_history

TIMEOUT = 30.0
"""Seconds."""


class Shell:
    """As much of a shell as a history needs."""

    def push(self, variables: dict[str, Any], interactive: bool = True) -> None:
        """See `InteractiveShell`."""


InteractiveShellABC.register(Shell)


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Makes a history; keyword arguments are those of the connections."""
    made: list[Any] = []

    def make(kind: type[HistoryManager] = HistoryManager, **options: Any) -> Any:
        options = {"check_same_thread": False, **options}
        file = str(tmp_path / "history.sqlite")
        history = kind(shell=Shell(), hist_file=file, connection_options=options)  # type: ignore[arg-type]
        made.append(history)
        return history

    yield make
    for history in made:
        close_history(history)


def saved(path: Path) -> list[str]:
    """What another process would find."""
    with closing(sqlite3.connect(path)) as db:
        return [line for (line,) in db.execute("SELECT source FROM history ORDER BY session, line")]


def test_threads_read_while_others_write(make: Callable[..., Any]) -> None:
    history = make()
    lines = [f"line {n}" for n in range(1, 31)]
    for n, line in enumerate(lines, 1):
        history.store_inputs(n, line)

    def read() -> None:
        for _ in range(400):
            found = [line for _, _, line in history.get_tail(1000, include_latest=True)]
            assert found[:30] == lines
            assert len(list(history.search("line *"))) >= 30
            assert history.get_session_info(0)[0] == history.session_number

    with history_shared(history), ThreadPoolExecutor(4) as pool:
        readers = [pool.submit(read) for _ in range(4)]
        number = len(lines)
        while not all(reader.done() for reader in readers):
            if number < 500:
                number += 1
                history.store_inputs(number, f"line {number}")
            wait(readers, 0.005)
        for reader in readers:
            reader.result()
        history.writeout_cache()
        assert saved(history.hist_file) == [f"line {n}" for n in range(1, number + 1)]
    assert history.hist_file != ":memory:"


class Held(sqlite3.Connection):
    """A disk that writes when it is told to."""

    writes = threading.Event()
    begun = threading.Event()

    def __exit__(self, *exc_info: object) -> Any:
        self.begun.set()
        assert self.writes.wait(TIMEOUT)
        return super().__exit__(*exc_info)  # type: ignore[arg-type]


def test_slow_disk_does_not_hold_up_the_next_cell(make: Callable[..., Any]) -> None:
    Held.writes.set()
    history = make(factory=Held)
    with history_shared(history):
        Held.writes.clear()
        Held.begun.clear()
        history.store_inputs(1, "first")
        assert Held.begun.wait(TIMEOUT)
        storing = threading.Thread(target=lambda: history.store_inputs(2, "second"), daemon=True)
        storing.start()
        storing.join(TIMEOUT)
        assert not storing.is_alive()
        with ThreadPoolExecutor(1) as pool:
            tail = pool.submit(history.get_tail, 10, include_latest=True)
            Held.writes.set()
            assert [line for _, _, line in tail.result(TIMEOUT)] == ["first", "second"]


def test_what_could_not_be_written_is_written_later(make: Callable[..., Any]) -> None:
    history = make(timeout=0.01)
    with history_shared(history):
        history.using_thread = False
        with closing(sqlite3.connect(history.hist_file)) as other:
            other.execute("BEGIN EXCLUSIVE")
            history.store_inputs(1, "kept")
            history.writeout_cache()
            assert len(history.db_input_cache) == 1
            other.rollback()
        history.store_inputs(2, "next")
        history.writeout_cache()
        assert saved(history.hist_file) == ["kept", "next"]


def test_numbers_that_are_taken(make: Callable[..., Any], capsys: Any) -> None:
    """Another process has written in our session; as IPython, we go on in a new one."""
    history = make()
    with history_shared(history):
        history.using_thread = False
        session = history.session_number
        with closing(sqlite3.connect(history.hist_file)) as other, other:
            other.execute("INSERT INTO history VALUES (?, 1, 'theirs', 'theirs')", (session,))
        history.store_inputs(1, "ours")
        history.writeout_cache()
        assert history.session_number != session
        assert saved(history.hist_file) == ["theirs", "ours"]
    assert "new session" in capsys.readouterr().out


def test_put_back(make: Callable[..., Any]) -> None:
    history = make()
    before = dict(vars(history))
    with history_shared(history), history_shared(history):
        assert vars(history).keys() != before.keys()
        history.store_inputs(1, "a line")
        history.writeout_cache()
    assert vars(history).keys() == before.keys()
    assert [line for _, _, line in history.get_tail(include_latest=True)] == ["a line"]


def test_history_of_the_users(make: Callable[..., Any]) -> None:
    """A class that saves in a way of its own goes on doing so."""
    written = []

    class Theirs(HistoryManager):
        def writeout_cache(self, conn: Any = None) -> None:
            written.append(conn)
            super().writeout_cache(conn)

    history = make(Theirs)
    with history_shared(history):
        history.store_inputs(1, "a line")
        assert [line for _, _, line in history.get_tail(include_latest=True)] == ["a line"]
    assert written
