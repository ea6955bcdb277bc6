"""`embed()` and `embed_async()` on a worker thread, while the main thread goes on."""

from __future__ import annotations

import sys

import pytest

from tests.pty.conftest import Spawn

HOST = """
    import asyncio, threading, time
    import ipyembed

    done = threading.Event()
    ticks = 0

    def work():
        mine = "local"
        try:
            EMBED
        finally:
            print("worker left with", mine)
            done.set()

    worker = threading.Thread(target=work, name="worker", daemon=DAEMON)
    worker.start()
    while not done.wait(0.005):
        ticks += 1
        if ticks == until:
            print("main goes on")
    worker.join()
    print("main ends")
"""


def host(embed: str, daemon: bool = False) -> str:
    script = HOST.replace("EMBED", embed).replace("DAEMON", str(daemon))
    return script.replace("ticks = 0\n", "ticks = 0\n    until = 10\n")


@pytest.mark.parametrize("entry", ["embed", "embed_async"])
def test_a_session_on_a_worker(spawn: Spawn, entry: str) -> None:
    call = "ipyembed.embed()" if entry == "embed" else "asyncio.run(ipyembed.embed_async())"
    terminal = spawn(host(call))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.wait_for("^main goes on$")
    assert terminal.run("threading.current_thread() is worker").endswith("True")
    assert terminal.run("await asyncio.sleep(0.01, threading.current_thread() is worker)").endswith(
        "True"
    )
    assert terminal.run("await asyncio.to_thread(lambda: mine)").endswith("'local'")
    terminal.run("async def later(): await asyncio.sleep(0.05); print('ticked')")
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(later())")
    terminal.wait_for("^ticked$")
    terminal.run("mine = 'changed'")
    terminal.line("exit")
    terminal.wait_for("^worker left with changed$")
    terminal.wait_for("^main ends$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_the_interpreter_ends_while_the_prompt_is_up(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import pathlib, threading, time
        import ipyembed
        threading.Thread(target=ipyembed.embed, daemon=True).start()
        while not pathlib.Path("end").exists():
            time.sleep(0.005)
        """
    )
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.send("half-typed")
    terminal.wait_for("half-typed")
    (spawn.path / "end").touch()
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


INTERRUPTED = [
    "spin()",
    "await asyncio.sleep(1000)",
    "await asyncio.gather(asyncio.sleep(1000), asyncio.sleep(1000))",
    "naps()",
]

INTERRUPTED_HOST = """
import asyncio, signal, threading, time
import ipyembed

done = threading.Event()
heard = []

def hear(*args):
    heard.append(args)
    print("main has", "heard")

def spin():
    while True: pass

def naps():
    while True: time.sleep(0.01)
"""

RUN = """
def work():
    try:
        {call}
    finally:
        done.set()

worker = threading.Thread(target=work, name="worker")
worker.start()
try:
    {main}()
except KeyboardInterrupt:
    print("main has", "heard")
    done.wait()
worker.join()
print("main ends")
"""

#: What the main thread does meanwhile, and what it must not hear.
MAIN_THREADS = """
def waits():
    while not done.wait(0.005): pass

def joins():
    worker.join()

def sleeps():
    while not done.is_set():
        begun = time.monotonic()
        time.sleep(0.5)
        if time.monotonic() - begun < 0.5: print("main has", "heard")

def loop():
    async def main():
        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, hear)
        await asyncio.to_thread(done.wait)
    asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("entry", "main"),
    [("embed", "waits"), ("embed_async", "joins"), ("embed_async", "sleeps"), ("embed", "loop")],
)
def test_ctrl_c_ends_the_cell_and_not_the_main_thread(spawn: Spawn, entry: str, main: str) -> None:
    call = "ipyembed.embed()" if entry == "embed" else "asyncio.run(ipyembed.embed_async())"
    terminal = spawn(INTERRUPTED_HOST + MAIN_THREADS + RUN.format(call=call, main=main))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("before = signal.getsignal(signal.SIGINT)")
    for n, cell in enumerate(INTERRUPTED):
        terminal.interrupt(cell)
        terminal.prompt(n + 3)
    assert "ipyembed/" not in terminal.screen_text()
    # a key at the prompt, with nothing typed and with something
    terminal.ctrl("c")
    terminal.send("half typed")
    terminal.wait_for("half typed$")
    terminal.ctrl("c")
    terminal.wait_for(r"In \[6\]:\Z")
    assert terminal.run("before is signal.getsignal(signal.SIGINT), heard").endswith("(True, [])")
    terminal.line("exit")
    terminal.wait_for("^main ends$")
    assert "main has heard" not in terminal.screen_text()
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


STUCK = """
async def hang():
    await asyncio.sleep(0.2)
    try:
        naps()
    except BaseException as error:
        print("ended", "by", type(error).__name__)
        raise
"""


@pytest.mark.parametrize("entry", ["embed", "embed_async"])
def test_ctrl_c_at_the_prompt_ends_a_task_that_blocks(spawn: Spawn, entry: str) -> None:
    """Before Python 3.12, all that can be done in another thread is to raise."""
    call = "ipyembed.embed()" if entry == "embed" else "asyncio.run(ipyembed.embed_async())"
    terminal = spawn(
        INTERRUPTED_HOST + STUCK + MAIN_THREADS + RUN.format(call=call, main="joins"), cols=250
    )
    modes = terminal.tty_modes()
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.run("hung = asyncio.create_task(hang(), name='hung'); await asyncio.sleep(0)")
    terminal.wait_for("the eval thread has been stuck for .*, task hung")
    terminal.ctrl("c")
    kind = "KeyboardInterrupt" if sys.version_info >= (3, 12) else "Interrupted"
    terminal.wait_for_new(f"ended by {kind}", mark)
    terminal.wait_for_new("ipyembed: KeyboardInterrupt in task hung, in naps", mark)
    terminal.wait_for_new("the eval thread is free again", mark)
    terminal.prompt(2)
    assert terminal.run("await asyncio.sleep(0.01, hung.done())").endswith("True")
    assert "Interrupted" in terminal.run("type(hung.exception()).__name__")
    assert "ipyembed/" not in terminal.screen_text()
    terminal.line("exit")
    terminal.wait_for("^main ends$")
    assert "main has heard" not in terminal.screen_text()
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)
