"""An engine from its opening to its end: files, network thread, eval thread."""

from __future__ import annotations

import atexit
import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

from ipyembed.engine.directory import EngineFiles
from ipyembed.engine.evaluating import Evaluator
from ipyembed.engine.following import Following
from ipyembed.engine.network import Network
from ipyembed.engine.questions import Questions
from ipyembed.engine.requests import Requests


class Engine:
    """An open engine, from construction until `close()`. Also a context manager, sync and async.

    Made by `serve()`. Its methods may be called on any thread.

    ==========  =====================================  ==============================
    state       what is there                          left by
    ==========  =====================================  ==============================
    open        threads, sockets, files                `close()`, a client's shutdown
    used        also a shell, from the first request   likewise
    closed      nothing
    ==========  =====================================  ==============================
    """

    def __init__(self, files: EngineFiles, evaluator: Evaluator, address: tuple[str, str]) -> None:
        """`address`: transport, and the address for ``tcp``."""
        self._files = files
        self._evaluator = evaluator
        self._pid = os.getpid()
        # Guards the change from open to closed: by the host, a client, or the interpreter's exit.
        self._lock = threading.Lock()
        self._is_closed = False
        self._requests = Requests(evaluator)
        transport, ip = address
        try:
            path = files.socket_path if transport == "ipc" else ip
            self._network = Network(transport, path, self._requests)
            self._questions = Questions(self._network)
            self._following = Following(self._network)
            self._requests.open(self._network, self._questions, self._following)
            evaluator.open(
                self.name,
                self._network,
                self._questions,
                self._following,
                self._requests.cells,
                self.close,
            )
            self._network.start()
            files.write(self._network.info)
        except BaseException:
            files.remove()
            evaluator.close()
            raise
        atexit.register(self.close)

    # -- the host's ----------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What clients call it."""
        return self._files.name

    @property
    def connection_file(self) -> Path:
        """What a front end on this machine needs: its path may be given to any Jupyter client."""
        return self._files.connection_file

    @property
    def is_open(self) -> bool:
        """Whether clients can attach."""
        return not self._is_closed

    @property
    def dropped(self) -> dict[str, int]:
        """How many messages were not taken: unsigned, replayed, malformed, refused."""
        return dict(self._network.dropped)

    def __repr__(self) -> str:
        state = "open" if self.is_open else "closed"
        return (
            f"<Engine {self.name!r} (pid {self._pid}), {state}, cells in {self._evaluator.kind}, "
            f"{self.connection_file}>"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the engine: clients are told, its threads, sockets and files are gone.

        A cell that awaits is cancelled. Closing again does nothing; in a forked child, neither.
        """
        with self._lock:
            if self._is_closed or os.getpid() != self._pid:
                return
            self._is_closed = True
        atexit.unregister(self.close)
        self._files.remove()
        self._questions.close()
        self._following.close()
        self._requests.close()
        self._network.stop()
        self._evaluator.close()
