"""`input()` of a client's cell, asked at that client.

The cell's thread waits, as `input()` does anywhere. It ends with the answer, with `EOFError` when
the client is gone, or with `KeyboardInterrupt` when the client interrupts.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future

from IPython.core.error import StdinNotImplementedError

from ipyembed.engine.client_output import ClientOutput
from ipyembed.engine.network import Network
from ipyembed.engine.outgoing import Message

END_OF_INPUT = "\x04"
"""What Jupyter's front ends answer at Ctrl-D."""


class Questions:
    """The questions that cells are waiting with."""

    def __init__(self, network: Network) -> None:
        self._network = network
        # Guards the list: asked on any thread, answered on the network thread.
        self._lock = threading.Lock()
        self._open: list[tuple[bytes, Future[str]]] = []
        self._is_closed = False

    def ask(self, output: ClientOutput, prompt: str, password: bool) -> str:
        """Ask, and wait for the answer. Raises EOFError, KeyboardInterrupt, or IPython's
        StdinNotImplementedError where the client does not take questions."""
        __tracebackhide__ = True
        request = output.request
        if not request.content.get("allow_stdin", True):
            raise StdinNotImplementedError("this front end does not answer input()")
        answer: Future[str] = Future()
        entry = (request.client, answer)
        with self._lock:
            if self._is_closed:
                raise EOFError("the engine is closed")
            self._open.append(entry)
        try:
            self._network.send(
                Message(
                    "stdin",
                    "input_request",
                    {"prompt": prompt, "password": password},
                    request.header,
                    request.identities,
                )
            )
            return answer.result()
        except (EOFError, KeyboardInterrupt) as error:
            raise type(error)(*error.args) from None  # without the way to here
        finally:
            with self._lock:
                if entry in self._open:
                    self._open.remove(entry)

    def answered(self, client: bytes, text: str) -> None:
        """An answer has come; the question asked last at that client gets it."""
        answer = self._take_last(client)
        if answer is None:
            return
        if text == END_OF_INPUT:
            answer.set_exception(EOFError())
        else:
            answer.set_result(text)

    def interrupt(self, client: bytes) -> bool:
        """Interrupt the question asked last at that client; whether there is one."""
        answer = self._take_last(client)
        if answer is not None:
            answer.set_exception(KeyboardInterrupt())
        return answer is not None

    def client_left(self, client: bytes) -> None:
        """Nobody will answer."""
        while (answer := self._take_last(client)) is not None:
            answer.set_exception(EOFError("the front end that was asked is gone"))

    def close(self) -> None:
        """The engine ends: nobody will answer any question."""
        with self._lock:
            self._is_closed = True
            clients = {client for client, _ in self._open}
        for client in clients:
            self.client_left(client)

    def _take_last(self, client: bytes) -> Future[str] | None:
        with self._lock:
            for entry in reversed(self._open):
                if entry[0] == client:
                    self._open.remove(entry)
                    return entry[1]
        return None
