"""Messages that answer requests, in Jupyter's words."""

from __future__ import annotations

from typing import Any

from ipyembed.engine.outgoing import Message
from ipyembed.engine.request import Request

Content = dict[str, Any]


def reply_to(request: Request, content: Content) -> Message:
    """The reply to a request, for its sender alone."""
    kind = request.kind.removesuffix("_request") + "_reply"
    metadata = {"status": content.get("status", "ok")}
    return Message(request.channel, kind, content, request.header, request.identities, metadata)


def published(request: Request, kind: str, content: Content) -> Message:
    """What all clients hear of a request."""
    return Message("iopub", kind, content, request.header)


def status(request: Request, state: str) -> Message:
    """``busy``: the request is being dealt with."""
    return published(request, "status", {"execution_state": state})


def idle(request: Request) -> Message:
    """The request has been dealt with."""
    return status(request, "idle")


def error_content(name: str, text: str) -> Content:
    """The content of a reply to what could not be done."""
    return {"status": "error", "ename": name, "evalue": text, "traceback": []}
