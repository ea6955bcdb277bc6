"""Make docs/images/qt_window.png: a real window beside a real terminal, on a virtual screen.

Run it with a Python that has PySide6; it needs Xvfb, xterm, xdotool and ImageMagick's import:
python docs/gui_screen.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from tests.xvfb import virtual_screen  # noqa: E402  # found by the line above

PICTURE = ROOT / "docs" / "images" / "qt_window.png"
DEADLINE = 30.0


def main() -> None:
    with virtual_screen() as display, tempfile.TemporaryDirectory() as ipython_dir:
        env = {**os.environ, "DISPLAY": display, "IPYTHONDIR": ipython_dir, "PYTHONPATH": str(ROOT)}
        log = Path(ipython_dir) / "typescript"
        command = [sys.executable, "examples/qt_window.py"]
        font = ["-fa", "DejaVu Sans Mono", "-fs", "9", "-bg", "#1e1e2e", "-fg", "#cdd6f4"]
        terminal = subprocess.Popen(
            ["xterm", "-geometry", "100x36+20+20", *font, "-l", "-lf", str(log), "-e", *command],
            env=env,
            cwd=ROOT,
        )
        try:
            _wait_for(log, "In [1]:")
            _type(env, "%loops\n")
            _wait_for(log, "In [2]:")
            _type(env, "await asyncio.sleep(1, 'the clock goes on')\n")
            _wait_for(log, "In [3]:")
            _type(env, "label.text()")
            window = _run(env, "xdotool", "search", "--name", "a Qt window").split()[-1]
            _run(env, "xdotool", "windowmove", window, "460", "420")
            time.sleep(1)  # until both have drawn what they have to; nothing tells when
            _run(env, "import", "-window", "root", "-crop", "790x590+10+10", str(PICTURE))
        finally:
            terminal.terminate()
            terminal.wait(DEADLINE)
    print(PICTURE.relative_to(ROOT))


def _run(env: dict[str, str], *command: str) -> str:
    result = subprocess.run(
        command, env=env, check=True, timeout=DEADLINE, stdout=subprocess.PIPE, text=True
    )
    return result.stdout


def _type(env: dict[str, str], text: str) -> None:
    window = _run(env, "xdotool", "search", "--class", "xterm").split()[-1]
    _run(env, "xdotool", "windowfocus", window)
    for part in text.splitlines(keepends=True):
        _run(env, "xdotool", "type", "--delay", "20", part.rstrip("\n"))
        if part.endswith("\n"):
            _run(env, "xdotool", "key", "Return")


def _wait_for(log: Path, text: str) -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        if log.exists() and text in _plain(log.read_bytes().decode(errors="replace")):
            return
        time.sleep(0.05)
    raise TimeoutError(f"waited {DEADLINE:.0f} s for {text!r}")


def _plain(text: str) -> str:
    import re

    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


if __name__ == "__main__":
    main()
