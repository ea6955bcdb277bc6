"""`serve()`, importable everywhere: without its libraries, it says so when it is called."""

from __future__ import annotations

from typing import NoReturn

try:
    from ipyembed.engine.serving import serve
except ModuleNotFoundError as error:
    if (error.name or "").partition(".")[0] not in {"jupyter_client", "jupyter_core", "zmq"}:
        raise

    def serve(*_args: object, **_settings: object) -> NoReturn:  # type: ignore[misc]
        """Raises ImportError."""
        raise ImportError(
            "ipyembed.serve() needs the libraries of the extra 'engine'; "
            "pip install ipyembed[engine]"
        )


__all__ = ["serve"]
