"""``!command`` in a client's cell: what the command prints goes to the client as it comes.

IPython's own ways are to let the command write to the process's terminal, which is the host's, or
to fork a pseudo-terminal, which a process with threads had better not.
"""

from __future__ import annotations

import codecs
import os
import signal
import subprocess
import sys
from typing import Any


def run_command(shell: Any, command: str) -> None:
    """In place of the shell's `system`. Sets ``_exit_code``, as that does."""
    process = subprocess.Popen(
        shell.var_expand(command, depth=1),
        shell=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        executable=os.environ.get("SHELL") if os.name == "posix" else None,
    )
    assert process.stdout is not None
    decode = codecs.getincrementaldecoder("utf-8")("replace").decode
    try:
        while piece := os.read(process.stdout.fileno(), 65536):
            sys.stdout.write(decode(piece))
    except BaseException:
        _end(process)
        raise
    finally:
        process.stdout.close()
        code = process.wait()
    shell.user_ns["_exit_code"] = code


def _end(process: subprocess.Popen[bytes]) -> None:
    try:
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGTERM)
        else:
            process.terminate()
    except OSError:
        pass
