"""``ipyembed engines`` and ``ipyembed attach``, the commands."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Generator
from concurrent.futures import Future
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

from traitlets import Bool, Unicode
from traitlets.config import Application

from ipyembed._version import __version__

if find_spec("jupyter_client") is None or find_spec("zmq") is None:
    raise ImportError("the engine needs more packages: pip install 'ipyembed[engine]'")

from ipyembed.engine.directory import EngineNotFoundError, Found, all_engines, find

PATIENCE = 5.0
"""Seconds that an engine gets to say what it is doing."""


ATTACH_HELP = """\
A prompt in a running program that has called ipyembed.serve(). Cells run there;
the program goes on when the prompt is left.

  ipyembed attach                  to the only engine that is open
  ipyembed attach PID | NAME       to one of those that `ipyembed engines` lists
  ipyembed attach FILE             by a connection file
  ipyembed attach --ssh=USER@HOST [PID | NAME]
                                   to one on another machine

  --ssh-ipyembed=PATH              where the ipyembed command is there
  --ssh-command='ssh -p 2222'      OpenSSH's client, and options for it
  --LoopJuggler.POLICY=VALUE       policies of the prompt, as of `ipyembed`
  --help-all                       all options
"""
ENGINES_HELP = """\
List the engines of this user that are open: pid, name, age, what keeps them
busy, command. What dead ones have left is removed.

  ipyembed engines
  ipyembed engines --json          a line of JSON, for programs: pid, name, command,
                                   started, connection_file
  --help-all                       all options
"""


class _ShortHelp(Application):
    """What ``--help`` prints is the description alone."""

    def emit_help(self, classes: bool = False) -> Generator[str, None, None]:
        """What ``--help`` prints, by lines; with `classes`, what ``--help-all`` does."""
        if classes:
            yield from super().emit_help(classes)
        else:
            yield str(self.description)


class EnginesApp(_ShortHelp):
    """``ipyembed engines``."""

    name = "ipyembed engines"
    version = __version__
    description = ENGINES_HELP
    as_json = Bool(
        help="Print one line of JSON, for programs: pid, name, command, started, connection_file."
    ).tag(config=True)
    flags = {  # noqa: RUF012  # traitlets reads it from the class
        **Application.flags,
        "json": ({"EnginesApp": {"as_json": True}}, as_json.help),
    }

    def start(self) -> None:
        """Print the list."""
        engines = all_engines()
        if self.as_json:
            print(json.dumps([_entry(engine) for engine in engines]))
            return
        if not engines:
            print("no engine is open; a program opens one by ipyembed.serve()")
            return
        rows = [("PID", "NAME", "AGE", "BUSY", "COMMAND")]
        rows += [
            (str(e.pid), e.name, age(time.time() - e.started), busy(e), e.command) for e in engines
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        for row in rows:
            cells = [f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)]
            print("  ".join([*cells, row[-1]]))


def _entry(engine: Found) -> dict[str, Any]:
    """Without the key, which is in the connection file."""
    return {
        "pid": engine.pid,
        "name": engine.name,
        "command": engine.command,
        "started": engine.started,
        "connection_file": str(engine.path),
    }


def age(seconds: float) -> str:
    """A duration in its largest unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def busy(found: Found) -> str:
    """What an engine is doing: asked, and said by its network thread."""
    from ipyembed.engine.link import EngineGoneError, Link

    link = Link(found, _Deaf())
    try:
        asked: Future[dict[str, Any]] = link.request("state_request", {}, "control")
        state = asked.result(PATIENCE)
    except (TimeoutError, EngineGoneError):
        return "does not answer"
    finally:
        link.close()
    now = state.get("busy")
    if not now:
        return "-"
    return f"{age(float(now['seconds']))} in {now['where']}"


class _Deaf:
    """Hears of nothing."""

    def output(self, kind: str, content: dict[str, Any], request: str) -> None: ...
    def others(self, kind: str, content: dict[str, Any]) -> None: ...
    def question(self, prompt: str, password: bool) -> None: ...
    def gone(self, error: Exception) -> None: ...


class AttachApp(_ShortHelp):
    """``ipyembed attach [PID | NAME | FILE]``."""

    name = "ipyembed attach"
    version = __version__
    description = ATTACH_HELP
    ssh = Unicode(
        help="The machine where the engine is: user@host, or a name from your ~/.ssh/config."
    ).tag(config=True)
    ssh_command = Unicode(
        "ssh", help="OpenSSH's client, and options for it: 'ssh -p 2222 -i KEY'."
    ).tag(config=True)
    ssh_ipyembed = Unicode(
        "ipyembed", help="The ipyembed command on that machine, if it is not in its PATH."
    ).tag(config=True)
    aliases = {  # noqa: RUF012  # traitlets reads it from the class
        **Application.aliases,
        "ssh": "AttachApp.ssh",
        "ssh-command": "AttachApp.ssh_command",
        "ssh-ipyembed": "AttachApp.ssh_ipyembed",
    }

    def start(self) -> None:
        """Attach, until the user leaves."""
        if len(self.extra_args) > 1:
            self.exit_with("one PID, NAME or FILE at most, for example: ipyembed attach server")
        from ipyembed.engine.front_end import attach
        from ipyembed.engine.link import EngineGoneError
        from ipyembed.profile_config import load_config

        try:
            with ExitStack() as stack:
                found = self._find(self.extra_args[0] if self.extra_args else None, stack)
                config = load_config()
                config.merge(self.cli_config)
                if attach(found, config) is not None:
                    self.exit(1)
        except (EngineNotFoundError, EngineGoneError, OSError, ValueError) as error:
            self.exit_with(str(error))

    def _find(self, what: str | None, stack: ExitStack) -> Found:
        if not self.ssh:
            return find(what)
        from ipyembed.engine.ssh import SshTunnel

        tunnel = SshTunnel(self.ssh, shlex.split(self.ssh_command), self.ssh_ipyembed)
        return stack.enter_context(tunnel).find(what)

    def exit_with(self, message: str) -> None:
        """Say what was wrong and end with exit code 2."""
        print(f"{self.name}: {message}")
        self.exit(2)
