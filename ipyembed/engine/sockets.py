"""The sockets of an engine.

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
"""

from __future__ import annotations

from typing import Any

import zmq

LARGEST_FRAME = 16 * 2**20
"""Bytes; whoever sends more is disconnected."""
MESSAGES_KEPT = 1000
"""Messages that are kept for a client that does not read."""
ROUTERS = ("shell", "control", "stdin")

Sockets = dict[str, "zmq.Socket[Any]"]


def bind(context: zmq.Context[Any], transport: str, address: str) -> tuple[Sockets, dict[str, Any]]:
    """Open the sockets; returns them by channel, and where they are, as a connection file has it.

    `address`: what the names of the sockets begin with for ``ipc``, an address for ``tcp``.
    """
    sockets: Sockets = {}
    info: dict[str, Any] = {"transport": transport, "ip": address}
    kinds = {**dict.fromkeys((*ROUTERS, "hb"), zmq.ROUTER), "iopub": zmq.XPUB}
    for number, (channel, kind) in enumerate(kinds.items(), start=1):
        sock = sockets[channel] = context.socket(kind)
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
    return sockets, info


def listen(poller: zmq.Poller, sock: zmq.Socket[Any], flags: int) -> None:
    """From now on the poller looks for these; 0: not at this socket."""
    if flags:
        poller.register(sock, flags)
    elif sock in poller:
        poller.unregister(sock)


def beat(sock: zmq.Socket[Any]) -> None:
    """Echo, in C, until the context is terminated."""
    try:
        zmq.proxy(sock, sock)
    except zmq.ZMQError:
        pass
    finally:
        sock.close()
