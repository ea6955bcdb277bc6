"""Ctrl-C under hosts that have a use of their own for SIGINT: `embed_async()` and `embed()`."""

from __future__ import annotations

import re
import signal

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, faulthandler, os, signal, socket, sys, threading, time
    import ipyembed

    heard = []
    ticks = 0

    def hear(*args):
        heard.append(args)
        print("heard", len(heard))

    async def tick():
        global ticks
        while True:
            await asyncio.sleep(0.01)
            ticks += 1

    async def never():
        await asyncio.sleep(1000)

    def spin():
        while True: pass

    class Dropped:
        def __del__(self):
            print("it", "completes")
            while not os.path.exists("dropped"): time.sleep(0.001)

    class Completes:
        def __init__(self, how):
            self.how = how
        def __dir__(self):
            self.how()
            return []

    def spins():
        print("it", "completes")
        spin()

    spins, drops = Completes(spins), Completes(Dropped)

    def hesitate():
        from ipyembed.state import _innermost
        interrupts = _innermost()[0].juggler.interrupts
        to_host = interrupts.to_host

        def to_host_later():
            del interrupts.to_host
            print("it", "hesitates")
            while not os.path.exists("dropped"): time.sleep(0.001)
            to_host()

        interrupts.to_host = to_host_later

    def receive():
        a, b = socket.socketpair()
        a.recv(1)

    def lock():
        both = threading.Lock()
        both.acquire()
        both.acquire()

    BEFORE

    def found():
        fd = signal.set_wakeup_fd(-1)
        signal.set_wakeup_fd(fd, warn_on_full_buffer=False)
        return signal.getsignal(signal.SIGINT), fd

    async def main():
        me = asyncio.current_task()
        loop = asyncio.get_running_loop()
        background = asyncio.create_task(tick())
        IN_LOOP
        before = found()

        def look():  # once the prompt is up
            loop.call_later(0.3, lambda: print("as", "before:", found() == before, len(heard)))

        OPEN
        print("left", me.cancelling(), background.done(), found() == before, len(heard))
        background.cancel()

    RUN(main())
"""

BEFORE = {
    "nothing": "",
    "handler": "signal.signal(signal.SIGINT, hear)",
    "wakeup fd": (
        "r, w = os.pipe(); os.set_blocking(w, False); os.set_blocking(r, False); "
        "signal.set_wakeup_fd(w); faulthandler.enable(); faulthandler.register(signal.SIGUSR2); "
        "signal.signal(signal.SIGINT, hear)"
    ),
    "loop handler": "",
}
RUNNERS = {
    "run": "asyncio.run",
    "run_until_complete": "asyncio.new_event_loop().run_until_complete",
    "uvloop": "__import__('uvloop').run",
    "uvloop run_until_complete": "__import__('uvloop').new_event_loop().run_until_complete",
}
AWAITED = "await ipyembed.embed_async()"

BLOCKED = ["time.sleep(1000)", "receive()", "lock()", "spin()", "input('asks')"]
AWAITING = ["await asyncio.sleep(1000)", "await asyncio.gather(never(), never())", "await child"]


def script(before: str, runner: str, shell: str = AWAITED) -> str:
    in_loop = "loop.add_signal_handler(signal.SIGINT, hear)" if before == "loop handler" else "pass"
    return (
        HOST.replace("BEFORE", BEFORE[before])
        .replace("IN_LOOP", in_loop)
        .replace("OPEN", shell)
        .replace("RUN", f"({RUNNERS[runner]})")
    )


def host_is_unharmed(terminal: Terminal) -> None:
    before = terminal.mark()
    terminal.run("then = ticks; look()")
    terminal.wait_for_new("as before: True 0", before)
    assert terminal.run("me.cancelling(), background.done(), ticks > then").endswith(
        "(0, False, True)"
    )


@pytest.mark.parametrize(
    ("before", "runner"),
    [
        ("nothing", "run"),
        ("handler", "run"),
        ("wakeup fd", "run_until_complete"),
        ("loop handler", "run"),
        ("handler", "uvloop"),
        ("loop handler", "uvloop"),
        ("nothing", "uvloop"),
    ],
)
def test_ctrl_c_is_the_cells_and_never_the_hosts(spawn: Spawn, before: str, runner: str) -> None:
    if "uvloop" in runner:
        pytest.importorskip("uvloop")
    terminal = spawn(script(before, runner))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.run("child = asyncio.create_task(never())")
    for n, cell in enumerate([*BLOCKED, *AWAITING]):
        terminal.interrupt(cell)
        terminal.prompt(n + 3)
    assert terminal.run("child.cancelled()").endswith("True")  # it was awaited; others go on
    host_is_unharmed(terminal)
    assert "ipyembed/" not in terminal.screen_text()
    terminal.send("half typed")
    terminal.wait_for("half typed$")
    terminal.ctrl("c")
    terminal.wait_for(r"In \[\d+\]:\Z")
    terminal.ctrl("c")
    host_is_unharmed(terminal)
    terminal.leave(r"^left 0 False True 0$", modes=modes)


FROM_OUTSIDE = {
    ("handler", "run"): "heard",
    ("loop handler", "run"): "heard",
    ("loop handler", "uvloop"): "heard",
    ("wakeup fd", "run_until_complete"): "heard",
    ("nothing", "run_until_complete"): "new prompt",
    ("nothing", "uvloop run_until_complete"): "new prompt",
    ("nothing", "run"): "cancelled",
}


@pytest.mark.parametrize("typed", ["half typed", "spins.\t", "drops.\t", "hesitates"])
@pytest.mark.parametrize(("before", "runner"), FROM_OUTSIDE)
def test_an_interrupt_from_outside_is_the_hosts(
    spawn: Spawn, before: str, runner: str, typed: str
) -> None:
    """Also where the eval thread completes what was typed: that ends, too, if it can.

    And where it is late: then the prompt is up, and SIGINT still with the shell.
    """
    if "uvloop" in runner:
        pytest.importorskip("uvloop")
    terminal = spawn(script(before, runner))
    modes = terminal.tty_modes()
    if typed == "hesitates":
        mark = terminal.mark()
        terminal.run("hesitate()")
        terminal.wait_for_new(r"it hesitates\s", mark)
    else:
        terminal.run("1")
        mark = terminal.mark()
        terminal.send(typed)
        terminal.wait_for_new("half typed" if "half" in typed else r"it completes\s", mark)
    mark = terminal.mark()
    terminal.signal(signal.SIGINT)
    (spawn.path / "dropped").touch()
    what = FROM_OUTSIDE[before, runner]
    if what == "cancelled":  # asyncio.run() cancels the main task, in which the shell is
        terminal.wait_for("^KeyboardInterrupt$")
        assert terminal.wait_exit() != 0
        terminal.assert_terminal_restored(modes)
        return
    if what == "heard":
        terminal.wait_for_new(r"heard 1\s", mark)
        terminal.ctrl("u")
        assert terminal.run("len(heard)").endswith("1")
    else:
        terminal.wait_for_new(r"In \[2\]: ", mark)
        terminal.wait_for(lambda t: re.search(r"\]:\s*$", t.screen.rows[t.cursor[0]]))
    terminal.prompt()
    terminal.run("then = ticks")
    assert terminal.run("await asyncio.sleep(0.05); ticks > then, me.cancelling()").endswith(
        "(True, 0)"
    )
    terminal.leave(r"^left 0 False True", modes=modes)


@pytest.mark.parametrize("policy", ["pause", "run"])
@pytest.mark.parametrize("before", ["nothing", "loop handler"])
def test_a_blocking_shell_in_a_running_loop(spawn: Spawn, before: str, policy: str) -> None:
    shell = f"ipyembed.embed(embed_in_running_loop={policy!r})"
    terminal = spawn(script(before, "run", shell))
    terminal.prompt(1)
    for n, cell in enumerate([BLOCKED[0], AWAITING[0]]):
        terminal.interrupt(cell)
        terminal.prompt(n + 2)
    if policy == "run":
        host_is_unharmed(terminal)
    assert terminal.run("len(heard), me.cancelling()").endswith("(0, 0)")
    terminal.leave(r"^left 0 False True 0$")


EDITOR = """\
trap : INT
: > is_up
while [ ! -e leave ]; do sleep 0.02; done
"""
WAITS = """\
class Waits:
    def __dir__(self):
        while not os.path.exists("is_up"): time.sleep(0.01)
        threading.Timer(0.3, open, ["passed", "w"]).start()
        return ["alpha"]
waits = Waits()
"""


def test_while_the_prompt_is_out_of_raw_mode_and_a_completion_ends(spawn: Spawn) -> None:
    """The host's handler is set again as the completion ends: not over the one of the prompt."""
    (spawn.path / "editor.sh").write_text(EDITOR)
    spawn.env["EDITOR"] = f"sh {spawn.path / 'editor.sh'}"
    terminal = spawn(script("loop handler", "run"))
    modes = terminal.tty_modes()
    terminal.run(WAITS)
    n = terminal.prompt()
    terminal.send("waits.\t")
    terminal.send("\x1bOQ")  # F2: the editor
    terminal.wait_for(lambda _: (spawn.path / "passed").exists())
    terminal.ctrl("c")
    terminal.wait_for(r"\^C")
    (spawn.path / "leave").touch()
    terminal.prompt(n)
    terminal.ctrl("u")
    assert terminal.run("len(heard)").endswith(": 0")
    host_is_unharmed(terminal)
    terminal.leave(modes=modes)


DROPS = """
    import signal, sys, time
    import ipyembed

    def print_slowly(unraisable):
        time.sleep(0.05)
        sys.__unraisablehook__(unraisable)

    sys.unraisablehook = print_slowly

    class Interrupts:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)
            print("it goes", "on")

    class Hangs:
        def __del__(self):
            time.sleep(1000)

    def drop(kind):
        it = kind()
        del it
        time.sleep(1000)

    class Asked:
        def __dir__(self):
            drop(Interrupts)

    asked = Asked()

    def hook(*_):
        shell.events.unregister("post_run_cell", hook)
        drop(Interrupts)

    ipyembed.embed()
"""


def test_in_what_drops_exceptions(spawn: Spawn) -> None:
    """It goes on, and its caller is interrupted, in a cell or in what IPython calls after one."""
    terminal = spawn(DROPS)
    terminal.prompt(1)
    for n, cell in enumerate(
        ("drop(Interrupts)", "shell = get_ipython(); shell.events.register('post_run_cell', hook)"),
        1,
    ):
        mark = terminal.mark()
        terminal.line(cell)
        terminal.wait_for_new("it goes on", mark)
        terminal.wait_for_new("KeyboardInterrupt", mark)
        terminal.prompt(n + 1)
    mark = terminal.mark()
    terminal.send("asked.\t")
    terminal.wait_for_new("it goes on", mark)
    terminal.wait_for_new(r"ipyembed: KeyboardInterrupt in a completion, in drop \(", mark)
    terminal.ctrl("u")
    assert "Exception ignored" not in terminal.screen_text()
    assert "ipyembed/" not in terminal.screen_text()
    terminal.interrupt("drop(Hangs)")  # one that takes long is interrupted itself, and its caller
    terminal.prompt(4)
    assert "Exception ignored in: <function Hangs" in terminal.screen_text()
    assert "unraisablehook" not in terminal.screen_text()
    terminal.leave()


def test_in_a_module_that_is_being_imported(spawn: Spawn) -> None:
    """One Ctrl-C is one KeyboardInterrupt, at once: nothing is lost there."""
    (spawn.path / "host.py").write_text("import ipyembed, time\nipyembed.embed()\n")
    terminal = spawn("import host")
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.paste(
        "try:\n    print('it', 'sleeps'); time.sleep(1000)\n"
        "except KeyboardInterrupt:\n    time.sleep(0.3); print('cleaned', 'up')\n"
    )
    terminal.send("\x1b\r")
    terminal.wait_for_new("it sleeps", mark)
    terminal.ctrl("c")
    terminal.wait_for_new("cleaned up|Traceback", mark)
    terminal.prompt(2)
    assert "Traceback" not in terminal.screen_text()
    terminal.leave()


OWN_WORK = """
    import signal, time
    import ipyembed

    class Header(str):
        def __format__(self, spec):
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.01)
            return "the header"

    def interrupted(method):
        def call(*args, **kwargs):
            signal.raise_signal(signal.SIGINT)
            return method(*args, **kwargs)
        return call

    try:
        ipyembed.embed(header=Header("x"))
    finally:
        print("left", signal.getsignal(signal.SIGINT) is signal.default_int_handler)
"""


def test_in_the_shells_own_work(spawn: Spawn) -> None:
    """The banner; what it does for the history, before and after a cell: nothing is broken off."""
    terminal = spawn(OWN_WORK)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "the header" in terminal.screen_text()
    terminal.run("history = get_ipython().history_manager")
    for name in ("store_inputs", "store_output"):
        terminal.run(f"history.{name} = interrupted(history.{name})")
    assert terminal.run("1 + 1").endswith(": 2")
    terminal.run("del history.store_inputs, history.store_output")
    assert "KeyboardInterrupt" not in terminal.screen_text()
    lines = "[line for _, line, _ in history.get_range(raw=True)]"
    assert terminal.run(f"{lines} == list(range(1, 7))").endswith("True")
    terminal.leave("^left True$", modes=modes)
