"""A virtual screen for tests with real windows."""

from __future__ import annotations

import os
import select
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

DEADLINE = 20.0


@contextmanager
def virtual_screen() -> Iterator[str]:
    """Start Xvfb on a free display; yields the display's name. Raises RuntimeError without it."""
    if shutil.which("Xvfb") is None:
        raise RuntimeError("Xvfb is not installed")
    read, write = os.pipe()
    # -noreset: it would refuse clients for a moment whenever the last one has gone.
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(write), "-screen", "0", "800x600x24", "-noreset"],
        pass_fds=[write],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    os.close(write)
    try:
        number = b""
        while not number.endswith(b"\n"):
            if not select.select([read], [], [], DEADLINE)[0]:
                raise RuntimeError("Xvfb does not say which display it has taken")
            data = os.read(read, 16)
            if not data:
                raise RuntimeError(f"Xvfb has ended with {server.wait(DEADLINE)}")
            number += data
        yield f":{int(number)}"
    finally:
        os.close(read)
        server.terminate()
        server.wait(DEADLINE)
