"""Which messages are taken: those that are signed with the engine's key, once each."""

from __future__ import annotations

import secrets
from hmac import compare_digest
from typing import Any

from jupyter_client.session import Session

_NAMES = ("msg_id", "msg_type")


class SignedSession(Session):  # type: ignore[misc,unused-ignore]
    """`jupyter_client`'s, with a random key.

    Checks the signature before it remembers it: the unsigned cannot fill the memory of it.
    """

    def __init__(self) -> None:
        key = secrets.token_hex(32).encode()
        super().__init__(key=key, username="ipyembed", check_pid=False)

    def deserialize(self, msg_list: Any, content: bool = True, copy: bool = True) -> Any:
        """See `Session`. Raises ValueError for whatever is wrong with the message."""
        if len(msg_list) < 5 or not msg_list[0]:
            raise ValueError("unsigned" if msg_list and not msg_list[0] else "malformed")
        if self.auth is None or msg_list[0] in self.digest_history:
            raise ValueError("replayed")
        if not compare_digest(self.sign(msg_list[1:5]), bytes(msg_list[0])):
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
