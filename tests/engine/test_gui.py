"""Clients of a program in which a toolkit's own main loop runs, and no asyncio."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.host import Engines
from tests.gui.required import require

ROOT = Path(__file__).parents[2]

HOST = """
    import sys, threading, time
    from tests.gui.windows import WINDOWS
    import ipyembed

    window = WINDOWS[sys.argv[1]]()
    window.make()
    ticks = 0
    def tick():
        global ticks
        ticks += 1
    window.every(10, tick)
    window.post(1, lambda: print("the window lives", flush=True))
    engine = ipyembed.serve("host")
    print(engine, flush=True)
    window.main_loop()
    engine.close()
    names = {t.name for t in threading.enumerate()} - {"MainThread", "asyncio_0"}
    print("left", sorted(names))
"""

TOOLKITS = ["PySide6", "PyQt6", "PyQt5", "tk", "wx", "gtk3", "gtk4"]


@pytest.mark.parametrize("toolkit", TOOLKITS)
def test_cells_run_on_the_thread_of_the_window(
    engines: Engines, display: str, toolkit: str
) -> None:
    require(toolkit)
    host = engines.host(HOST, toolkit, env={"DISPLAY": display, "PYTHONPATH": str(ROOT)})
    host.wait_for("the window lives")
    assert "cells in the main loop of" in host.output
    client = engines.client()
    assert client.run("threading.current_thread() is threading.main_thread()").value == "True"

    # asyncio is there, and the window lives on while a cell awaits.
    code = "import asyncio; before = ticks; await asyncio.sleep(0.3); ticks > before + 5"
    assert client.run(code).value == "True"
    # Tasks go on when their cell has ended, and those that GUI callbacks make begin at once.
    request = client.start(
        "async def count():\n"
        "    for n in range(3): await asyncio.sleep(0.05); print('counted', n)\n"
        "loop = asyncio.get_running_loop(); done = asyncio.Event()\n"
        "window.post(1, lambda: tasks.append(loop.create_task(count())) or done.set())\n"
        "tasks = []; await done.wait()\n"
    )
    assert client.finish(request).reply["status"] == "ok"
    assert client.run("await asyncio.wait_for(tasks[0], 20); 'all'").value == "'all'"
    # Sockets and threads of asyncio.
    code = "await asyncio.to_thread(threading.current_thread) is not threading.main_thread()"
    assert client.run(code).value == "True"
    # A busy loop does not hold the window.
    code = """
async def spin():
    while True: await asyncio.sleep(0)
busy = asyncio.create_task(spin()); before = ticks
for _ in range(200): await asyncio.sleep(0.01)
busy.cancel(); ticks > before + 20"""
    assert client.run(code).value == "True"

    blocking = ("await asyncio.sleep(60)", "time.sleep(60)", "input()", "window.open_dialog()")
    for blocked in blocking * 2:
        request = client.start(f"print('it', 'runs'); {blocked}")
        client.heard(request, "it runs")
        client.interrupt()
        assert client.finish(request).reply["ename"] == "KeyboardInterrupt", blocked
    result = client.run("window.post(1, lambda: 1/0); await asyncio.sleep(.05); 'lives'")
    assert result.value == "'lives'"
    client.run("left_over = asyncio.create_task(asyncio.sleep(600)); window.post(50, window.quit)")
    host.wait_for("left []")
    assert host.wait() == 0
