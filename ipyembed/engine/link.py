"""A front end's end of the wire: requests go out, what comes in is handed over.

The networking has a thread of its own, so the front end stays alive whatever the engine does. The
engine may answer late, twice, in another order, or never: a reply is for the request whose id it
carries; one that nobody waits for any more, or that nobody asked for, is dropped.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty
from typing import Any, Protocol

import zmq
from jupyter_client.asynchronous.client import AsyncKernelClient

from ipyembed.engine.directory import Found
from ipyembed.loop_thread import LoopThread

LOOK_EVERY = 1.0
"""Seconds between two looks whether the engine is still there."""
MISSES = 2
"""Looks that must fail in a row."""

Message = dict[str, Any]


class EngineGoneError(ConnectionError):
    """The engine has been closed, or its process has ended."""


class Listener(Protocol):
    """What is told of messages that are no replies. Called on the link's thread."""

    def output(self, kind: str, content: Message, request: str) -> None:
        """A cell of ours, or what it has started, has written or shown something."""

    def others(self, kind: str, content: Message) -> None:
        """A cell of somebody else's has."""

    def question(self, prompt: str, password: bool) -> None:
        """A cell of ours asks; to be answered by `Link.answer`."""

    def gone(self, error: EngineGoneError) -> None:
        """The engine is not there any more."""


class Link:
    """The connection to one engine, from construction until `close()`."""

    def __init__(self, found: Found, listener: Listener) -> None:
        self._found = found
        self._listener = listener
        self._waiting: dict[str, Future[Message]] = {}
        self._idle: dict[str, Future[None]] = {}
        self._gone: EngineGoneError | None = None
        # Made here: two threads that made it at need have made two, one of which nobody read.
        self._client: Any = AsyncKernelClient()
        self._client.load_connection_info(found.info)  # type: ignore[arg-type]
        self._thread = LoopThread("ipyembed-link")
        self._heard: Future[None] = Future()
        self._thread.submit(self._run(), None)

    # -- from any thread -----------------------------------------------------------------------

    def request(self, kind: str, content: Message, channel: str = "shell") -> Future[Message]:
        """Send a request; returns the content of its reply to come. Cancel to forget it.

        Ends with EngineGoneError if the engine goes.
        """
        return self.request_with_id(kind, content, channel)[0]

    def request_with_id(
        self, kind: str, content: Message, channel: str = "shell"
    ) -> tuple[Future[Message], str, Future[None]]:
        """The same, and the request's id, and what is done when all of its output has come."""
        reply: Future[Message] = Future()
        idle: Future[None] = Future()
        message = self._session.msg(kind, content)
        request: str = message["header"]["msg_id"]

        def send() -> None:
            if self._gone is not None:
                idle.set_result(None)
                if reply.set_running_or_notify_cancel():
                    reply.set_exception(self._gone)
                return
            self._waiting[request] = reply
            self._idle[request] = idle
            self._send(channel, message)

        self._thread.loop.call_soon_threadsafe(send)
        reply.add_done_callback(lambda _: self._forget(request))
        return reply, request, idle

    def _forget(self, request: str) -> None:
        self._waiting.pop(request, None)

    def answer(self, text: str) -> None:
        """Answer the question that was asked last."""
        message = self._session.msg("input_reply", {"value": text})
        self._thread.loop.call_soon_threadsafe(self._send, "stdin", message)

    def wait_until_heard(self, timeout: float) -> None:
        """Wait until what the engine publishes reaches us. Raises TimeoutError, EngineGoneError."""
        self._heard.result(timeout)

    def call_later(self, seconds: float, function: Callable[[], object]) -> None:
        """Have the link's thread call `function`. Link's thread."""
        self._thread.loop.call_later(seconds, function)

    def close(self) -> None:
        """Close the connection; the engine goes on."""
        self._thread.close()
        self._client.stop_channels()
        self._client.context.destroy(linger=200)

    @property
    def _session(self) -> Any:
        return self._client.session

    # -- the link's thread ---------------------------------------------------------------------

    async def _run(self) -> None:
        self._client.start_channels(hb=False)
        # A kernel of Jupyter's own may say no welcome; then the first output is a risk.
        asyncio.get_running_loop().call_later(1.0, self._done, self._heard)
        async with asyncio.TaskGroup() as tasks:
            for channel, take in (
                ("shell", self._replied),
                ("control", self._replied),
                ("iopub", self._published),
                ("stdin", self._asked),
            ):
                tasks.create_task(self._listen(channel, take))
            tasks.create_task(self._look_after())

    def _send(self, channel: str, message: Message) -> None:
        sending = getattr(self._client, f"{channel}_channel")
        sending.send(message)
        # jupyter_client 8 sends by way of a shadow of the asyncio socket. If something arrives at
        # that moment, zmq (pyzmq 26, 27) takes it in and its descriptor is quiet; the asyncio
        # socket, which waits for that, would never hear of it unless it is made to look.
        sending.socket.get(zmq.EVENTS)

    async def _listen(self, channel: str, take: Callable[[Message], None]) -> None:
        get = getattr(self._client, f"get_{channel}_msg")
        while True:
            try:
                message = await get()
            except (Empty, ValueError, TypeError, KeyError):  # not signed, or malformed
                continue
            try:
                take(message)
            except Exception:  # content that is not what it should be
                continue

    def _replied(self, message: Message) -> None:
        waiting = self._waiting.pop(message["parent_header"].get("msg_id", ""), None)
        # Whoever waits may give up at this very moment, on another thread.
        if waiting is not None and waiting.set_running_or_notify_cancel():
            waiting.set_result(message["content"])

    def _published(self, message: Message) -> None:
        kind, content, parent = message["msg_type"], message["content"], message["parent_header"]
        if kind == "iopub_welcome":
            self._done(self._heard)
        elif kind == "shutdown_reply":
            self._lose("the engine has been closed")
        elif parent.get("session") != self._session.session:
            self._listener.others(kind, content)
        elif kind == "status":
            if content.get("execution_state") == "idle":
                self._done(self._idle.pop(parent.get("msg_id", ""), None))
        else:
            self._listener.output(kind, content, parent.get("msg_id", ""))

    def _asked(self, message: Message) -> None:
        content = message["content"]
        self._listener.question(str(content["prompt"]), bool(content.get("password")))

    @staticmethod
    def _done(future: Future[None] | None) -> None:
        if future is not None and not future.done():
            future.set_result(None)

    async def _look_after(self) -> None:
        misses = 0
        while self._gone is None:
            await asyncio.sleep(LOOK_EVERY)
            is_there = await asyncio.to_thread(lambda: self._found.is_alive)
            misses = 0 if is_there else misses + 1
            if misses >= MISSES:
                self._lose("the engine's process has ended")

    def _lose(self, why: str) -> None:
        if self._gone is not None:
            return
        self._gone = EngineGoneError(why)
        for reply in list(self._waiting.values()):
            if reply.set_running_or_notify_cancel():
                reply.set_exception(self._gone)
        for idle in list(self._idle.values()):
            self._done(idle)
        self._done(self._heard)
        self._listener.gone(self._gone)
