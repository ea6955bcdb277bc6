"""The thread that talks to clients.

Goal: heartbeats, interrupts and "not now" are answered while user code holds the eval thread, and
no client can make the host pay for what it sends, or does not read.

=========  =========  ====================================================================
channel    socket     what comes
=========  =========  ====================================================================
shell      ROUTER     requests
control    ROUTER     requests that overtake: interrupt, shutdown, state
stdin      ROUTER     answers to `input()`
iopub      XPUB       nothing but subscriptions; what goes out is heard by all clients
hb         ROUTER     heartbeats; echoed by a thread that runs in C, so that it beats also while
                      some C code holds the interpreter's lock
=========  =========  ====================================================================

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
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

import zmq
from jupyter_client.session import Session, extract_header
from zmq.utils.monitor import recv_monitor_message

from ipyembed.doorbell import Doorbell
from ipyembed.engine.outgoing import Message, Outgoing

MESSAGES_A_SECOND = 2000
BURST = 500
"""Messages that may come at once."""
LARGEST_FRAME = 16 * 2**20
"""Bytes."""
MESSAGES_KEPT = 1000
STALL = 1.0
LOSSY = 60.0
"""Seconds for which nobody waits for a client that did not read."""
PACE = 0.01
"""Seconds in which output is gathered before it is sent."""
MESSAGES_A_PACE = 20
"""What is sent in that time while a full queue loses messages: others must not come to that."""

_NAMES = ("msg_id", "msg_type")
_ROUTERS = ("shell", "control", "stdin")


@dataclass
class Request:
    """A message of a client's."""

    channel: str
    kind: str
    content: dict[str, Any]
    header: dict[str, Any]
    identities: list[bytes] = field(repr=False)

    @property
    def client(self) -> bytes:
        """Who sent it: the identity of his sockets."""
        return self.identities[0] if self.identities else b""


class Receiver(Protocol):
    """What the network thread hands over to. All methods run there, and must not block."""

    def received(self, request: Request) -> None:
        """A request has come."""

    def client_left(self, client: bytes) -> None:
        """A client has closed its connection, or died."""

    def turned(self) -> float | None:
        """Called at each turn; returns the seconds until it must be called again, if any."""


class _Session(Session):  # type: ignore[misc,unused-ignore]
    """Checks the signature before it remembers it: the unsigned cannot fill the memory of it."""

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> Any:
        """See `Session`. Raises ValueError for whatever is wrong with the message."""
        if len(msg_list) < 5 or not msg_list[0]:
            raise ValueError("unsigned" if msg_list and not msg_list[0] else "malformed")
        if self.auth is None or msg_list[0] in self.digest_history:
            raise ValueError("replayed")
        if not _equal(self.sign(msg_list[1:5]), msg_list[0]):
            raise ValueError("unsigned")
        try:
            message = super().deserialize(msg_list, content=content, copy=copy)
        except Exception:
            raise ValueError("malformed") from None
        header = message["header"]
        are_dicts = isinstance(message["content"], dict) and isinstance(header, dict)
        if not are_dicts or not all(isinstance(header.get(name), str) for name in _NAMES):
            raise ValueError("malformed")
        return message


def _equal(one: bytes, other: bytes) -> bool:
    from hmac import compare_digest

    return compare_digest(one, bytes(other))


class Network:
    """The sockets of one engine and the thread that serves them."""

    def __init__(self, transport: str, address: str, receiver: Receiver) -> None:
        """Opens the sockets. `address`: a path for ``ipc``, an address for ``tcp``."""
        self._receiver = receiver
        self.dropped: Counter[str] = Counter()
        """How many messages were not taken, by why: unsigned, replayed, malformed, refused."""
        self.session = _Session(key=_random_key(), username="ipyembed", check_pid=False)
        self._context: zmq.Context[Any] = zmq.Context()
        self._bell = Doorbell()
        self._bell.__enter__()
        self.outgoing = Outgoing(self._bell.ring_threadsafe)
        self._sockets: dict[str, zmq.Socket[Any]] = {}
        self._clients: dict[int, bytes] = {}
        self._stalled_since: float | None = None
        self._lossy_until: float | None = None
        self._last_text = 0.0
        self._last_lossy = 0.0
        self._allowance = float(BURST)
        self._allowed_at = time.monotonic()
        self._is_stopping = False
        self._calls: list[Callable[[], object]] = []
        try:
            self.info = self._bind(transport, address)
        except BaseException:
            self._context.destroy(linger=0)
            self._bell.__exit__()
            raise
        self.thread = threading.Thread(target=self._run, name="ipyembed-engine", daemon=True)
        self._heart = threading.Thread(
            target=_beat, args=(self._sockets.pop("hb"),), name="ipyembed-heartbeat", daemon=True
        )

    def start(self) -> None:
        """Serve from now on."""
        self._heart.start()
        self.thread.start()

    def _bind(self, transport: str, address: str) -> dict[str, Any]:
        info: dict[str, Any] = {
            "transport": transport,
            "ip": address,
            "key": self.session.key.decode("ascii"),
            "signature_scheme": "hmac-sha256",
        }
        kinds = {**dict.fromkeys((*_ROUTERS, "hb"), zmq.ROUTER), "iopub": zmq.XPUB}
        for number, (channel, kind) in enumerate(kinds.items(), start=1):
            sock = self._sockets[channel] = self._context.socket(kind)
            sock.linger = 500
            sock.maxmsgsize = LARGEST_FRAME
            sock.rcvhwm = sock.sndhwm = MESSAGES_KEPT
            if kind == zmq.XPUB:
                sock.setsockopt(zmq.XPUB_NODROP, 1)
                sock.setsockopt(zmq.XPUB_VERBOSE, 1)  # hear of each subscription
            if transport == "ipc":
                sock.bind(f"ipc://{address}-{number}")
                info[f"{channel}_port"] = number
            else:
                info[f"{channel}_port"] = sock.bind_to_random_port(f"tcp://{address}")
        return info

    # -- from any thread -----------------------------------------------------------------------

    def send(self, message: Message) -> None:
        """Send `message` soon."""
        self.outgoing.put(message)

    def call_soon_threadsafe(self, function: Callable[[], object]) -> None:
        """Have the network thread call `function`; also from a finalizer."""
        self._calls.append(function)
        self._bell.ring_threadsafe()

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
        try:
            while not self._is_stopping or self.outgoing:
                ready = dict(poller.poll(self._patience(poller)))
                if self._bell.fileno() in ready:
                    self._bell.clear()
                self._make_calls()
                self._receive(ready)
                if monitor in ready:
                    self._hear_of_clients(monitor)
                self._send_what_waits()
                if self._is_stopping and self._stalled_since is not None:
                    break
        finally:
            self.outgoing.close()
            self._sockets["shell"].disable_monitor()
            monitor.close()
            for sock in self._sockets.values():
                sock.close()
            # Ends the thread of the heartbeat, which closes its own socket.
            self._context.term()
            self._bell.__exit__()

    def _patience(self, poller: zmq.Poller) -> int | None:
        """Choose what to listen to; returns how long, in milliseconds."""
        now = time.monotonic()
        waits = [self._receiver.turned()]
        self._allowance = min(BURST, self._allowance + (now - self._allowed_at) * MESSAGES_A_SECOND)
        self._allowed_at = now
        is_open = self._allowance >= 1 and not self._is_stopping
        if not is_open:
            waits.append((1 - self._allowance) / MESSAGES_A_SECOND)
        for name in _ROUTERS:
            _listen(poller, self._sockets[name], zmq.POLLIN if is_open else 0)
        is_stalled = self._stalled_since is not None
        flags = zmq.POLLIN | (zmq.POLLOUT if is_stalled else 0)
        _listen(poller, self._sockets["iopub"], flags)
        if is_stalled:
            waits.append(0.05)
        elif self.outgoing and self._lossy_until is not None:
            waits.append(self._last_lossy + PACE - now)
        elif self.outgoing:
            waits.append(0 if self.outgoing.is_urgent else self._text_is_due() - now)
        known = [seconds for seconds in waits if seconds is not None]
        return math.ceil(max(0.0, min(known)) * 1000) if known else None

    def _make_calls(self) -> None:
        while self._calls:
            with suppress(Exception):
                self._calls.pop(0)()

    def _receive(self, ready: dict[Any, int]) -> None:
        for name in _ROUTERS:
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


def _listen(poller: zmq.Poller, sock: zmq.Socket[Any], flags: int) -> None:
    if flags:
        poller.register(sock, flags)
    elif sock in poller:
        poller.unregister(sock)


def _beat(sock: zmq.Socket[Any]) -> None:
    """Echo, in C, until the context is terminated."""
    try:
        zmq.proxy(sock, sock)
    except zmq.ZMQError:
        pass
    finally:
        sock.close()


def _random_key() -> bytes:
    import secrets

    return secrets.token_hex(32).encode()
