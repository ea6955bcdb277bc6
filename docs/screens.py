"""Make the pictures in docs/images, each from a real run in a real pseudo-terminal.

Run it again whenever what they show has changed, with the Python of an environment that `make test`
has made (it needs pyte): .venv-3.11/bin/python docs/screens.py
"""

from __future__ import annotations

import os
import sys
import tempfile
import urllib.request
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.pty.terminal import Terminal  # noqa: E402  # found by the line above
from tools.screenshot import svg  # noqa: E402

IMAGES = ROOT / "docs" / "images"


def async_server(environment: dict[str, str]) -> tuple[Terminal, str]:
    """The server of the README: asked from outside, changed from inside, text half typed."""
    command = [sys.executable, "examples/async_server.py"]
    terminal = Terminal(command, rows=25, cols=92, env=environment, cwd=ROOT)
    terminal.prompt(1)
    terminal.line('await fetch("/")')
    terminal.prompt(2)
    terminal.line('settings.greeting = "hi"')
    terminal.prompt(3)
    terminal.line("task = asyncio.create_task(visit(5))")
    terminal.prompt(4)
    terminal.send("stats.most_common(")
    with urllib.request.urlopen("http://127.0.0.1:8765/from/outside", timeout=10) as answer:
        assert answer.read() == b"hi, this is /from/outside\n"
    terminal.wait_for("GET /from/outside -> 200")
    terminal.wait_for("GET /visit/3 -> 200")
    terminal.wait_for(r"^In \[4\]: stats.most_common\(")
    return terminal, "python examples/async_server.py"


def command_with(function: str, rows: int, environment: dict[str, str]) -> Terminal:
    """The `ipyembed` command at its third prompt, at which `function` is defined."""
    command = [sys.executable, "-m", "ipyembed", "--no-banner", "--no-confirm-exit"]
    terminal = Terminal(command, rows=rows, cols=92, env=environment, cwd=ROOT)
    terminal.run("import asyncio")
    terminal.run(function)
    return terminal


def stuck(environment: dict[str, str]) -> tuple[Terminal, str]:
    """A task that never gives control back: the prompt lives, and says where."""
    function = "async def spin():\n    await asyncio.sleep(1)\n    while True: pass"
    terminal = command_with(function, 14, environment)
    terminal.line("task = asyncio.create_task(spin()); await asyncio.sleep(0)")
    terminal.prompt(4)
    terminal.send("print('I can still type")
    terminal.wait_for("has been stuck")
    terminal.wait_for(r"^In \[4\]: print\('I can still type")
    return terminal, "ipyembed"


def tutorial(environment: dict[str, str]) -> tuple[Terminal, str]:
    """A job prints above a half-typed line."""
    function = (
        "async def tick(times):\n    for i in range(times):\n"
        '        print("tick", i + 1)\n        await asyncio.sleep(1)'
    )
    terminal = command_with(function, 16, environment)
    terminal.line("%bg tick(5)")
    terminal.prompt(4)
    terminal.send("answer = 6 *")
    terminal.wait_for(r"tick 4\nIn \[4\]: answer = 6 \*")
    return terminal, "ipyembed"


def main() -> None:
    pictures: list[Callable[[dict[str, str]], tuple[Terminal, str]]] = [
        async_server,
        stuck,
        tutorial,
    ]
    IMAGES.mkdir(exist_ok=True)
    for picture in pictures:
        # A profile of its own: your history would be suggested, and your colours shown.
        with tempfile.TemporaryDirectory() as ipython_dir:
            terminal, title = picture(
                {**os.environ, "TERM": "xterm-256color", "IPYTHONDIR": ipython_dir}
            )
            with terminal:
                path = IMAGES / f"{picture.__name__}.svg"
                path.write_text(svg(terminal.screen, title), encoding="utf-8")
                print(path.relative_to(ROOT))


if __name__ == "__main__":
    main()
