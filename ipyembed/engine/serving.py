"""`serve()`: open an engine in this process."""

from __future__ import annotations

import atexit
import os
import sys
import threading
import warnings
from collections.abc import MutableMapping
from concurrent.futures import Future
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from traitlets.config import Config

from ipyembed.engine.answers import ANSWERS
from ipyembed.engine.directory import EngineFiles
from ipyembed.engine.engine_shell import singleton
from ipyembed.engine.following import Following
from ipyembed.engine.interrupting import EngineInterrupts
from ipyembed.engine.network import Network, Request
from ipyembed.engine.places import Place, ThreadPlace, choose
from ipyembed.engine.questions import Questions
from ipyembed.engine.redirect import ClientOutput
from ipyembed.engine.requests import Requests, Running
from ipyembed.engine.shells import AnyShell, OwnShell, TerminalShell, open_terminal_shell
from ipyembed.juggler import LoopJuggler
from ipyembed.namespaces import Caller
from ipyembed.watchdog import describe_frame

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def serve(
    name: str | None = None,
    namespace: MutableMapping[str, Any] | None = None,
    *,
    cells: str = "auto",
    transport: str | None = None,
    ip: str = "127.0.0.1",
    completion_timeout: float | None = None,
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
        `name`, `cells` or `transport` is none.
    """
    frame = sys._getframe(1)
    caller = Caller(local_ns=frame.f_globals if namespace is None else namespace)
    caller = caller.completed_from(frame)
    if cells not in ("auto", "loop", "gui", "thread"):
        raise ValueError(f"cells is 'auto', 'loop', 'gui' or 'thread', not {cells!r}")
    address = _address(transport, ip)
    files = EngineFiles(name)
    try:
        place = choose(cells)
    except BaseException:
        files.remove()
        raise
    return Engine(
        files=files,
        caller=caller,
        place=place,
        address=address,
        completion_timeout=completion_timeout,
        config=config,
        shares=namespace is None and cells in ("auto", "loop"),
    )


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

    def __init__(
        self,
        files: EngineFiles,
        caller: Caller,
        place: Place,
        address: tuple[str, str],
        completion_timeout: float | None,
        config: Config | None,
        shares: bool,
    ) -> None:
        self._files = files
        self._place = place
        self._own = OwnShell(place, caller, config)
        self._shares = shares
        # The terminal shell that clients share now, if one is open.
        self._terminal: TerminalShell | None = None
        self.completion_timeout = (
            completion_timeout
            if completion_timeout is not None
            else LoopJuggler.completion_timeout.default_value
        )
        """Seconds."""
        self._pid = os.getpid()
        # Guards the change from open to closed: by the host, a client, or the interpreter's exit.
        self._lock = threading.Lock()
        self._is_closed = False
        self._is_running_cell = False
        self._requests = Requests(self)
        transport, ip = address
        try:
            path = files.socket_path if transport == "ipc" else ip
            self._network = Network(transport, path, self._requests)
            self._questions = Questions(self._network)
            self._requests.network = self._network
            self._requests.questions = self._questions
            self._following = self._requests.following = Following(self._network)
            self._network.start()
            files.write(self._network.info)
        except BaseException:
            files.remove()
            place.close()
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
            f"<Engine {self.name!r} (pid {self._pid}), {state}, cells in {self._place.kind}, "
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
        running = self._requests.running
        if running is not None and running.interrupt is not None:
            running.interrupt()
        self._requests.close()
        self._network.stop()
        self._release()
        self._place.close()

    def _release(self) -> None:
        """Dispose of the shell, on its thread, and not under a cell that is still running."""
        if not self._own.is_made or self._is_running_cell:
            return
        thread = self._place.thread
        if thread is threading.current_thread() or not thread.is_alive():
            self._own.dispose()
            return
        done = threading.Event()

        def dispose() -> None:
            self._own.dispose()
            done.set()

        try:
            self._place.call_soon_threadsafe(dispose)
        except RuntimeError:
            self._own.dispose()
        else:
            done.wait(1.0)

    # -- what clients ask for; called on the network thread -------------------------------------

    def begin(self, running: Running) -> None:
        """See `requests.EvalThread`."""
        shell = self._shell_now()
        shell.start_threadsafe(lambda: self._run(shell, running), lambda: self.begin(running))

    def answer(self, request: Request) -> Future[dict[str, Any]]:
        """See `requests.EvalThread`."""
        answer: Future[dict[str, Any]] = Future()
        shell = self._shell_now()

        def call() -> None:
            if not answer.set_running_or_notify_cancel():
                return
            try:
                with singleton(shell.shell()):
                    content = ANSWERS[request.kind](shell.shell(), request.content)
            except BaseException as error:
                answer.set_exception(error)
            else:
                answer.set_result(content)

        shell.call_soon_threadsafe(call)
        return answer

    @property
    def execution_count(self) -> int:
        """See `requests.EvalThread`."""
        shell = self._shell_now()
        return shell.shell().execution_count if shell.is_made else 1

    def where(self) -> str:
        """See `requests.EvalThread`."""
        return describe_frame(sys._current_frames().get(self._shell_now().thread.ident or 0))

    def ask_to_close(self) -> None:
        """See `requests.EvalThread`."""
        threading.Thread(target=self.close, name="ipyembed-close", daemon=True).start()

    def _shell_now(self) -> AnyShell:
        """The terminal shell that is open, or else the engine's own."""
        if not self._shares:
            return self._own
        is_thread_of_ours = isinstance(self._place, ThreadPlace)
        attachment = open_terminal_shell(None if is_thread_of_ours else self._place.thread)
        if attachment is None:
            return self._own
        terminal = self._terminal
        if terminal is None or terminal.attachment is not attachment:
            terminal = self._terminal = TerminalShell(attachment)
            attachment.at_detach(terminal.close)
        return terminal

    # -- the eval thread -----------------------------------------------------------------------

    async def _run(self, shell: AnyShell, running: Running) -> None:
        output = ClientOutput(self._network, running.request, self._questions.ask)

        def began(interrupts: EngineInterrupts) -> None:
            running.interrupt = interrupts.request_threadsafe
            running.interrupt_again = interrupts.repeat_threadsafe
            self._requests.cell_began(running)

        self._is_running_cell = True
        try:
            reply = await shell.execute(output, self._following, began)
        except BaseException as error:
            text = str(error) or "the host has cancelled it"
            name = type(error).__name__
            reply = {"status": "error", "ename": name, "evalue": text, "traceback": []}
            self._requests.cell_ended(running, reply)
            if not isinstance(error, Exception):
                raise
        else:
            self._requests.cell_ended(running, reply)
        finally:
            self._is_running_cell = False
            if self._is_closed:
                self._own.dispose()
