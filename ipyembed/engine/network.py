"""The thread that talks to clients.

Goal: heartbeats, interrupts and "not now" are answered while user code holds the eval thread, and
no client can make the host pay for what it sends, or does not read.

Every message must be signed with the engine's key, and is taken once. What is not is counted and
forgotten: nothing is logged, because whoever sends rubbish would fill the host's log with it.

Limits:

- `MESSAGES_A_SECOND`: what comes faster waits in the socket, and then in the sender;
- `LARGEST_FRAME`: whoever sends more is disconnected;
- what a client does not read is kept for it up to `MESSAGES_KEPT`. A full one holds up the others
  for `STALL` seconds at most; then it loses messages, and they do not.
"""

from __future__ import annotations

import math
import selectors
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from functools import partial
from typing import Any

import zmq
from jupyter_client.session import extract_header
from zmq.utils.monitor import recv_monitor_message

from ipyembed.doorbell import Doorbell
from ipyembed.engine.outgoing import Message, Outgoing
from ipyembed.engine.request import Receiver, Request
from ipyembed.engine.signing import SignedSession
from ipyembed.engine.sockets import ROUTERS, beat, bind, listen
from ipyembed.giving_way import SeenSelector

MESSAGES_A_SECOND = 2000
BURST = 500
"""Messages that may come at once."""
STALL = 1.0
LOSSY = 60.0
"""Seconds for which nobody waits for a client that did not read."""
PACE = 0.01
"""Seconds in which output is gathered before it is sent."""
LOOK = 0.005
"""Seconds after a cell has begun in which its first messages may wait for the next ones."""
MESSAGES_A_PACE = 20
"""What is sent in that time while a full queue loses messages: others must not come to that."""


class Network:
    """The sockets of one engine and the thread that serves them."""

    def __init__(self, transport: str, address: str, receiver: Receiver) -> None:
        """Opens the sockets; see `sockets.bind`."""
        self._receiver = receiver
        self.dropped: Counter[str] = Counter()
        """How many messages were not taken, by why: unsigned, replayed, malformed, refused."""
        self.session = SignedSession()
        self._context: zmq.Context[Any] = zmq.Context()
        self._bell = Doorbell()
        self._bell.__enter__()
        self.outgoing = Outgoing(self._wake, self._will_look_soon)
        self._clients: dict[int, bytes] = {}
        self._stalled_since: float | None = None
        self._lossy_until: float | None = None
        self._last_text = 0.0
        self._last_lossy = 0.0
        self._allowance = float(BURST)
        self._allowed_at = time.monotonic()
        self._is_stopping = False
        self._is_rung = False
        self._looks_at = 0.0
        self._calls: list[Callable[[], object]] = []
        self._held: set[ExitStack] = set()
        self.seen = SeenSelector()
        """Tells whether the network thread has something to do."""
        self.seen.register(self._bell, selectors.EVENT_READ)
        try:
            self._sockets, info = bind(self._context, transport, address)
        except BaseException:
            self._context.destroy(linger=0)
            self.seen.close()
            self._bell.__exit__()
            raise
        self.info = {**info, "key": self.session.key.decode(), "signature_scheme": "hmac-sha256"}
        """What the connection file says."""
        self.thread = threading.Thread(target=self._run, name="ipyembed-engine", daemon=True)
        self._heart = threading.Thread(
            target=beat, args=(self._sockets.pop("hb"),), name="ipyembed-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Serve from now on."""
        self._heart.start()
        self.thread.start()

    # -- from any thread -----------------------------------------------------------------------

    def send(self, *messages: Message) -> None:
        """Send `messages` soon."""
        if messages:
            self.outgoing.put(*messages)

    def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
        """Have the network thread call `function`; also from a finalizer."""
        self._calls.append(function)
        self._wake()

    def hold(self, stack: ExitStack) -> None:
        """Close `stack` on the network thread: when it is let go, or when the thread ends."""
        self._held.add(stack)

    def let_go_threadsafe(self, stack: ExitStack) -> None:
        """Have it closed soon; also from a finalizer."""
        self.call_soon_threadsafe(partial(self._close_held, stack))

    def _close_held(self, stack: ExitStack) -> None:
        self._held.discard(stack)
        stack.close()

    def _wake(self) -> None:
        """To wake it costs the caller more than what it has to tell: so once is enough."""
        if not self._is_rung and threading.get_ident() != self.thread.ident:
            self._is_rung = True
            self._bell.ring_threadsafe()

    def _will_look_soon(self) -> bool:
        return time.monotonic() < self._looks_at

    def stop(self, timeout: float = 2.0) -> None:
        """Send what waits, close the sockets and end the threads."""
        self._is_stopping = True
        self.outgoing.close()
        self._bell.ring_threadsafe()
        if threading.current_thread() is not self.thread:
            self.thread.join(timeout)
            self._heart.join(timeout)

    # -- the network thread --------------------------------------------------------------------

    def _run(self) -> None:
        poller = zmq.Poller()
        poller.register(self._bell.fileno(), zmq.POLLIN)
        monitor = self._sockets["shell"].get_monitor_socket(zmq.EVENT_DISCONNECTED)
        poller.register(monitor, zmq.POLLIN)
        for sock in (*self._sockets.values(), monitor):
            self.seen.register(int(sock.getsockopt(zmq.FD)), selectors.EVENT_READ)
        try:
            while not self._is_stopping or self.outgoing:
                patience = self._patience(poller)
                # A descriptor of zmq's tells of what zmq has not seen yet: look, wait, look again.
                ready = dict(poller.poll(0))
                if not ready and patience != 0:
                    self.seen.select(patience)
                    ready = dict(poller.poll(0))
                if self._bell.fileno() in ready:
                    self._bell.clear()
                    self._is_rung = False  # before it looks at what there is
                self._make_calls()
                self._receive(ready)
                if monitor in ready:
                    self._hear_of_clients(monitor)
                self._send_what_waits()
                if self._is_stopping and self._stalled_since is not None:
                    break
        finally:
            self.seen.close_for_good()
            self.outgoing.close()
            for stack in tuple(self._held):
                self._close_held(stack)
            self._sockets["shell"].disable_monitor()
            monitor.close()
            for sock in self._sockets.values():
                sock.close()
            # Ends the thread of the heartbeat, which closes its own socket.
            self._context.term()
            self._bell.__exit__()

    def _patience(self, poller: zmq.Poller) -> float | None:
        """Choose what to listen to; returns how long, in seconds."""
        now = time.monotonic()
        waits = [self._receiver.turned()]
        self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * MESSAGES_A_SECOND)
        self._allowed_at = now
        is_open = self._allowance >= 1 and not self._is_stopping
        if not is_open:
            waits.append((1 - self._allowance) / MESSAGES_A_SECOND)
        for name in ROUTERS:
            listen(poller, self._sockets[name], zmq.POLLIN if is_open else 0)
        if self._looks_at > now:
            waits.append(self._looks_at - now)
        is_stalled = self._stalled_since is not None
        flags = zmq.POLLIN | (zmq.POLLOUT if is_stalled else 0)
        listen(poller, self._sockets["iopub"], flags)
        if is_stalled:
            waits.append(0.05)
        elif self.outgoing and self._lossy_until is not None:
            waits.append(self._last_lossy + PACE - now)
        elif self.outgoing:
            waits.append(0 if self.outgoing.is_urgent else self._text_is_due() - now)
        if self._calls:  # asked for here, since they were made: nobody rings for that
            waits.append(0.0)
        known = [seconds for seconds in waits if seconds is not None]
        return max(0.0, min(known)) if known else None

    def look_soon(self) -> None:
        """Look what there is to send in `LOOK` seconds, without being woken for it."""
        self._looks_at = time.monotonic() + LOOK

    def _make_calls(self) -> None:
        while self._calls:
            with suppress(Exception):
                self._calls.pop(0)()

    def _receive(self, ready: dict[Any, int]) -> None:
        for name in ROUTERS:
            sock = self._sockets[name]
            if not ready.get(sock, 0) & zmq.POLLIN:
                continue
            for _ in range(max(1, min(100, int(self._allowance)))):
                try:
                    frames = sock.recv_multipart(zmq.NOBLOCK, copy=False)
                except zmq.Again:
                    break
                self._allowance -= 1
                self._take(name, frames)
        if ready.get(self._sockets["iopub"], 0) & zmq.POLLIN:
            self._hear_of_subscriptions()

    def _take(self, channel: str, frames: list[zmq.Frame]) -> None:
        try:
            identities, rest = self.session.feed_identities([bytes(f.buffer) for f in frames])
            message = self.session.deserialize(rest)
        except ValueError as error:
            reason = str(error)
            self.dropped[reason if reason in ("unsigned", "replayed") else "malformed"] += 1
            return
        header = extract_header(message)
        request = Request(channel, header["msg_type"], message["content"], header, identities)
        if channel == "shell":
            with suppress(zmq.ZMQError, TypeError):
                self._clients[int(frames[0].get(zmq.SRCFD))] = request.client
        try:
            self._receiver.received(request)
        except Exception:  # content that is not what it should be
            self.dropped["malformed"] += 1

    def _hear_of_clients(self, monitor: zmq.Socket[Any]) -> None:
        while monitor.poll(0):
            event = recv_monitor_message(monitor)
            client = self._clients.pop(int(event["value"]), None)
            if client is not None and client not in self._clients.values():
                self._receiver.client_left(client)

    def _hear_of_subscriptions(self) -> None:
        iopub = self._sockets["iopub"]
        while True:
            try:
                frame = iopub.recv(zmq.NOBLOCK)
            except zmq.Again:
                return
            if frame[:1] == b"\x01":  # somebody new: what is sent from now on reaches him
                topic = frame[1:]
                self.send(
                    Message(
                        "iopub",
                        "iopub_welcome",
                        {"subscription": topic.decode("utf-8", "replace")},
                        {},
                        [topic],
                    )
                )

    def _send_what_waits(self) -> None:
        now = time.monotonic()
        if self._lossy_until is not None and now > self._lossy_until:
            self._lossy_until = None
            self._sockets["iopub"].setsockopt(zmq.XPUB_NODROP, 1)
        if not self.outgoing.is_urgent and now < self._text_is_due():
            return
        allowed = MESSAGES_A_PACE if self._lossy_until is not None else math.inf
        if allowed < math.inf and now < self._last_lossy + PACE:
            return
        self._last_lossy = now
        while allowed > 0 and (message := self.outgoing.first()) is not None:
            if not self._send(message):
                return
            self.outgoing.sent()
            allowed -= 1
            if message.kind == "stream":
                self._last_text = now

    def _text_is_due(self) -> float:
        return max(self._last_text, self.outgoing.half_since) + PACE

    def _send(self, message: Message) -> bool:
        """Hand over to the socket. False: a client's queue is full, try again."""
        identities = message.identities
        if message.channel == "iopub" and not identities:
            identities = [message.kind.encode()]
        whole = self.session.msg(
            message.kind, message.content, parent=message.parent, metadata=message.metadata
        )
        try:
            frames = self.session.serialize(whole, identities)
            self._sockets[message.channel].send_multipart(frames, zmq.NOBLOCK)
        except zmq.Again:
            self._stall()
            return False
        except (zmq.ZMQError, TypeError, ValueError):  # the client is gone; or it is no JSON
            pass
        self._stalled_since = None
        return True

    def _stall(self) -> None:
        """A client has a full queue. Wait for it, for a time; then let it lose messages."""
        now = time.monotonic()
        if self._stalled_since is None:
            self._stalled_since = now
        elif now - self._stalled_since > STALL:
            self._sockets["iopub"].setsockopt(zmq.XPUB_NODROP, 0)
            self._lossy_until = now + LOSSY
