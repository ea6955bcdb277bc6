"""A host in a process of its own, whose output a test can wait for; and a client of its engine."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from textwrap import dedent
from typing import Any

from jupyter_client.blocking.client import BlockingKernelClient

from ipyembed.engine.directory import Found, read

TIMEOUT = 30.0
"""Seconds; for what takes milliseconds on a machine that is not busy."""


class Host:
    """A script that runs, and what it has printed (stdout and stderr)."""

    def __init__(self, script: str, path: Path, env: Mapping[str, str], *args: str) -> None:
        file = path / f"host{time.monotonic_ns()}.py"
        file.write_text(dedent(script), encoding="utf-8")
        self.process = subprocess.Popen(
            [sys.executable, "-X", "faulthandler", "-u", str(file), *args],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **env},
            text=True,
            encoding="utf-8",
        )
        self._changed = threading.Condition()
        self._output = ""
        self._is_at_end = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as stream:
            while piece := os.read(stream.fileno(), 65536):
                with self._changed:
                    self._output += piece.decode("utf-8", "replace")
                    self._changed.notify_all()
        with self._changed:
            self._is_at_end = True
            self._changed.notify_all()

    @property
    def output(self) -> str:
        with self._changed:
            return self._output

    def wait_for(self, text: str, timeout: float = TIMEOUT) -> str:
        """Wait until the host has printed `text`; returns all that it has printed."""
        with self._changed:
            found = self._changed.wait_for(lambda: text in self._output or self._is_at_end, timeout)
            if not found or text not in self._output:
                raise AssertionError(f"the host did not print {text!r}, but:\n{self._output}")
            return self._output

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def wait(self, timeout: float = TIMEOUT) -> int:
        """Wait until it has ended; returns its exit code."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"the host did not end:\n{self.output}") from None

    def close(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(OSError):
                self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        if self.process.stdin is not None:
            with contextlib.suppress(OSError):
                self.process.stdin.close()
        self._reader.join(5)  # a child of the host's may have its output open for longer


@dataclass
class Result:
    """What came of one cell."""

    reply: dict[str, Any]
    messages: list[dict[str, Any]] = field(default_factory=list)
    """What came on iopub, from the first to ``idle``."""

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The contents of the messages of a type."""
        return [m["content"] for m in self.messages if m["msg_type"] == kind]

    @property
    def text(self) -> str:
        """What was written to its stdout."""
        return "".join(c["text"] for c in self.of("stream") if c["name"] == "stdout")

    @property
    def errors(self) -> str:
        """What was written to its stderr."""
        return "".join(c["text"] for c in self.of("stream") if c["name"] == "stderr")

    @property
    def value(self) -> str | None:
        """The result, as text."""
        results = self.of("execute_result")
        return results[-1]["data"]["text/plain"] if results else None


class Client:
    """A plain client of Jupyter's."""

    def __init__(self, file: Path | str) -> None:
        self.raw: Any = BlockingKernelClient()
        self.raw.load_connection_file(str(file))
        self.raw.start_channels(hb=False)
        self.others: list[dict[str, Any]] = []
        """What came on iopub and belongs to no cell that was waited for."""
        self._wait_until_heard()

    def _wait_until_heard(self) -> None:
        """What is published before the subscription has arrived is not heard."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            message = self.iopub(deadline)
            if message["msg_type"] == "iopub_welcome":
                return

    def iopub(self, deadline: float) -> dict[str, Any]:
        try:
            message: dict[str, Any] = self.raw.get_iopub_msg(
                timeout=max(0.01, deadline - time.monotonic())
            )
        except Empty:
            raise AssertionError("no message came on iopub") from None
        return message

    def start(self, code: str, **kwargs: Any) -> str:
        """Have a cell run; returns its id."""
        return str(self.raw.execute(code, **kwargs))

    def finish(self, request: str, timeout: float = TIMEOUT) -> Result:
        """What came of it."""
        deadline = time.monotonic() + timeout
        result = Result({})
        kept, self.others = self.others, []
        while True:
            message = kept.pop(0) if kept else self.iopub(deadline)
            if message["parent_header"].get("msg_id") != request:
                self.others.append(message)
                continue
            result.messages.append(message)
            if message["content"].get("execution_state") == "idle":
                self.others += kept
                result.reply = self.reply(request, timeout)
                return result

    def read_on(self) -> None:
        """Read what others are told, and forget it, as a front end does that is not busy."""
        while self.raw.iopub_channel.socket.poll(0):
            self.raw.get_iopub_msg(timeout=1)

    def run(self, code: str, timeout: float = TIMEOUT, **kwargs: Any) -> Result:
        """Run a cell to its end."""
        return self.finish(self.start(code, **kwargs), timeout)

    def heard(self, request: str, text: str, timeout: float = TIMEOUT) -> str:
        """Wait until the cell has written `text`; returns what it has written to its streams."""
        deadline = time.monotonic() + timeout
        while True:
            written = "".join(
                m["content"]["text"]
                for m in self.others
                if m["msg_type"] == "stream" and m["parent_header"].get("msg_id") == request
            )
            if text in written:
                return written
            self.others.append(self.iopub(deadline))

    def reply(self, request: str, timeout: float = TIMEOUT, channel: str = "shell") -> Any:
        """The content of the reply to a request."""
        return self.raw._recv_reply(request, timeout=timeout, channel=channel)["content"]

    def send(self, kind: str, content: dict[str, Any] | None = None, channel: str = "shell") -> str:
        """Send any request; returns its id, for `reply`."""
        message = self.raw.session.msg(kind, content or {})
        getattr(self.raw, f"{channel}_channel").send(message)
        request: str = message["header"]["msg_id"]
        return request

    def ask(self, kind: str, content: dict[str, Any] | None = None, channel: str = "shell") -> Any:
        """The same; returns the content of its reply."""
        return self.reply(self.send(kind, content, channel), channel=channel)

    def interrupt(self, **content: Any) -> Any:
        return self.ask("interrupt_request", content, "control")

    def close(self) -> None:
        self.raw.stop_channels()


class Engines:
    """Hosts with engines, and clients of theirs; all gone after the test."""

    def __init__(self, path: Path, runtime: Path, env: Mapping[str, str]) -> None:
        self.path = path
        self.runtime = runtime
        self.env = {"IPYEMBED_RUNTIME_DIR": str(runtime), **env}
        self._closing = contextlib.ExitStack()

    def host(self, script: str, *args: str, env: Mapping[str, str] | None = None) -> Host:
        """Start a script."""
        host = Host(script, self.path, {**self.env, **(env or {})}, *args)
        self._closing.callback(host.close)
        return host

    def found(self, name: str = "*", timeout: float = TIMEOUT) -> Found:
        """The engine that is opened, or soon will be."""
        deadline = time.monotonic() + timeout
        while True:
            paths = sorted(self.runtime.glob(f"{name}-*/connection.json"))
            if paths:
                return read(paths[0])
            if time.monotonic() > deadline:
                raise AssertionError(f"no engine {name} came")
            time.sleep(0.01)

    def client(self, name: str = "*") -> Client:
        """Attach to an engine."""
        client = Client(self.found(name).path)
        self._closing.callback(client.close)
        return client

    def close(self) -> None:
        self._closing.close()


@contextlib.contextmanager
def engines_in(path: Path, env: Mapping[str, str]) -> Iterator[Engines]:
    import tempfile

    # Not below the test's own path, which can be too long for a socket's name.
    with tempfile.TemporaryDirectory(prefix="ie-") as runtime:
        engines = Engines(path, Path(runtime), env)
        try:
            yield engines
        finally:
            engines.close()
