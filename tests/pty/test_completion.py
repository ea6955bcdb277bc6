"""Completion: on the eval thread, whatever that turns; no user's object can harm the prompt."""

from __future__ import annotations

import signal

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, os, sys, threading, time
    import ipyembed

    eval_thread = threading.current_thread()
    seen = []

    def note(where):
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            loop = None
        seen.append((where, threading.current_thread() is eval_thread, loop is host_loop))

    def wait_for_the_gate():
        print("at the gate")
        usual = sys.getswitchinterval()
        while not os.path.exists("gate"):
            time.sleep(0.005)
            if sys.getswitchinterval() < usual:
                print("switched more often")
                usual = 0

    class Has:
        alpha = 42
        def __init__(self, say):
            self.say = say
        def __dir__(self):
            self.say()
            return ["alpha_one", "alpha_two"]

    def bad(what, error):
        print(what, "is asked")
        raise error

    def spin():
        print("it spins")
        while True:
            pass

    class HasProperty:
        @property
        def noted(self):
            note("property")
            return Has(lambda: note("dir"))
        @property
        def broken(self):
            bad("broken", ValueError("by a property"))

    class HasKeys(dict):
        def _ipython_key_completions_(self):
            note("keys")
            return ["key_one", "key_two"]

    noted = Has(lambda: note("dir"))
    prints = Has(lambda: print("printed by", "dir"))
    raises = Has(lambda: bad("raises", ValueError("by dir")))
    leaves = Has(lambda: bad("leaves", SystemExit("by dir")))
    waits = Has(wait_for_the_gate)
    spins = Has(spin)
    props, keys = HasProperty(), HasKeys()

    def start():
        ENTRY

    host_loop = None
    start()
"""

_AWAITED = """
        async def main():
            global host_loop, task
            host_loop = asyncio.get_running_loop()
            task = asyncio.current_task()
            await ipyembed.embed_async()
            print("left, not cancelled:", task.cancelling() == 0)
        asyncio.run(main())
"""
_STOPPED = """
        async def main():
            global host_loop
            host_loop = asyncio.get_running_loop()
            ipyembed.embed()
        asyncio.run(main())
"""
_WORKER = """
        def work():
            global eval_thread
            eval_thread = threading.current_thread()
            ipyembed.embed()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
"""
ENTRIES = {
    "own loop": "ipyembed.embed()",
    "host loop": _AWAITED,
    "stopped loop": _STOPPED,
    "worker thread": _WORKER,
}


def start(spawn: Spawn, entry: str, *config: str) -> Terminal:
    terminal = spawn(HOST.replace("ENTRY", ENTRIES[entry].strip("\n ")))
    terminal.prompt(1)
    # What properties of one's own are is known only by asking them, which IPython has to be told.
    terminal.run("%config IPCompleter.evaluation = 'unsafe'")
    for setting in config:
        terminal.run(f"%config {setting}")
    return terminal


def complete(terminal: Terminal, text: str, *expected: str) -> None:
    """Type it, press Tab, see the menu, take both away."""
    mark = terminal.mark()
    terminal.send(f"{text}\t")
    for name in expected:
        terminal.wait_for_new(name, mark)
    clear(terminal)


def clear(terminal: Terminal) -> None:
    """An empty line, without a menu."""
    n = terminal.prompt()
    terminal.ctrl("g")
    terminal.ctrl("e")
    terminal.ctrl("u")
    terminal.wait_for(lambda t: t.screen.rows[t.cursor[0]] == f"In [{n}]:")


@pytest.mark.parametrize("entry", ENTRIES)
def test_completers_run_on_the_thread_of_the_cells(spawn: Spawn, entry: str) -> None:
    terminal = start(spawn, entry)
    complete(terminal, "noted.", "alpha_one", "alpha_two")
    complete(terminal, "props.noted.", "alpha_one", "alpha_two")
    complete(terminal, "keys['", "key_one", "key_two")
    complete(terminal, "%config LoopJ", "uggler")
    in_host_loop = "host_loop" in ENTRIES[entry]
    assert terminal.run("sorted(set(seen), key=str)").endswith(
        str([(what, True, in_host_loop) for what in ("dir", "keys", "property")])
    )


@pytest.mark.parametrize("entry", ["own loop", "host loop"])
def test_no_user_object_harms_the_prompt(spawn: Spawn, entry: str) -> None:
    terminal = start(spawn, entry)
    n = terminal.prompt()
    complete(terminal, "prints.", "alpha_one")
    terminal.wait_for("^printed by dir$")
    for bad in ("raises", "leaves", "props.broken"):
        terminal.send(f"{bad}.\t")
        terminal.wait_for(f"^{bad.split('.')[-1]} is asked$")
        terminal.prompt(n)
        complete(terminal, "; noted.", "alpha_one")  # the line goes on
    # IPython's completer shows what is no ordinary exception: above the prompt, whole
    terminal.wait_for("^SystemExit: by dir$")
    assert "[0m" not in terminal.screen_text()
    assert terminal.prompt() == n
    # somebody else's standard output is where it was
    assert terminal.run("print('six', 6)") == "six 6"
    terminal.leave()


@pytest.mark.parametrize("entry", ["own loop", "host loop"])
def test_a_late_answer_is_dropped(spawn: Spawn, entry: str) -> None:
    terminal = start(spawn, entry)
    n = terminal.prompt()
    terminal.send("waits.\t")
    terminal.wait_for("^at the gate$")
    terminal.prompt(n)
    terminal.send("not_there = 6 * 7")
    terminal.wait_for(r"waits\.not_there = 6 \* 7$")  # typed on while `__dir__` waits
    clear(terminal)
    (spawn.path / "gate").touch()
    complete(terminal, "keys['", "key_one")
    assert "alpha_" not in terminal.transcript.decode()
    complete(terminal, "waits.", "alpha_one", "alpha_two")


def test_enter_waits_for_no_completion(spawn: Spawn) -> None:
    terminal = start(spawn, "own loop")
    n = terminal.prompt()
    terminal.send("waits.alpha\t")
    terminal.wait_for("^at the gate$")
    terminal.prompt(n)
    terminal.line()
    terminal.wait_for(lambda t: t.cursor[1] == 0)  # the prompt has ended, once
    (spawn.path / "gate").touch()
    terminal.prompt(n + 1)
    assert terminal.output(n) == f"Out[{n}]: 42"
    assert "alpha_" not in terminal.transcript.decode()


def test_after_the_timeout_it_is_stuck(spawn: Spawn) -> None:
    terminal = start(spawn, "own loop")
    complete(terminal, "keys['", "key_one")  # takes its time at first
    terminal.run("%config LoopJuggler.completion_timeout = 0.5")
    n = terminal.prompt()
    terminal.send("waits.\t")
    terminal.wait_for(r"^ipyembed: the eval thread has been stuck for .* in wait_for_the_gate")
    terminal.prompt(n)
    terminal.send("x")
    terminal.wait_for(rf"^In \[{n}\]: waits\.x$")
    # What an eval thread that has no time is asked for is taken back.
    clear(terminal)
    terminal.send("noted.\t")
    terminal.wait_for(rf"^In \[{n}\]: noted\.$")
    clear(terminal)
    terminal.wait_for("^switched more often$")
    (spawn.path / "gate").touch()
    terminal.wait_for("^ipyembed: the eval thread is free again")
    terminal.prompt(n)
    complete(terminal, "keys['", "key_one")
    assert "alpha_" not in terminal.transcript.decode()
    assert terminal.run("sys.getswitchinterval()").endswith(": 0.005")
    assert terminal.run("[what for what, *_ in seen if what == 'dir']").endswith("[]")


def test_an_interrupt_of_a_completion_is_not_the_hosts(spawn: Spawn) -> None:
    terminal = start(spawn, "host loop")
    n = terminal.prompt()
    terminal.send("spins.\t")
    terminal.wait_for("^it spins$")
    terminal.prompt(n)
    terminal.ctrl("g")  # asks for no completion any more
    terminal.ctrl("u")
    terminal.send("task.cancelling()\r")
    terminal.wait_for(lambda t: t.cursor[1] == 0)
    terminal.signal(signal.SIGINT)
    terminal.prompt(n + 1)
    assert terminal.output(n).endswith(f"Out[{n}]: 0")
    terminal.leave("^left, not cancelled: True$")


def test_as_readline_does_it(spawn: Spawn) -> None:
    terminal = start(
        spawn,
        "own loop",
        "LoopJuggler.completion_timeout = 1000",
        "TerminalInteractiveShell.display_completions = 'readlinelike'",
    )
    n = terminal.prompt()
    terminal.send("noted.al\t")
    terminal.wait_for(rf"^In \[{n}\]: noted\.alpha_$")
    terminal.send("\t")
    terminal.wait_for(r"^noted\.alpha_one +noted\.alpha_two$|^alpha_one +alpha_two$")
    terminal.prompt(n)
    terminal.ctrl("u")
    terminal.send("waits.\t")
    terminal.wait_for("^at the gate$")
    terminal.prompt(n)
    terminal.send("typed_on")
    terminal.wait_for(rf"^In \[{n}\]: waits\.typed_on$")
    (spawn.path / "gate").touch()
    terminal.ctrl("u")
    terminal.send("eval_t\t")
    terminal.wait_for(rf"^In \[{n}\]: eval_thread$")
    # White space is indented by IPython's own Tab.
    terminal.ctrl("u")
    terminal.send("\tkeys")
    terminal.wait_for(rf"^In \[{n}\]:     keys$")


def test_on_the_prompt_thread_by_policy(spawn: Spawn) -> None:
    terminal = start(spawn, "host loop")
    complete(terminal, "noted.", "alpha_one")
    terminal.run("%config LoopJuggler.completion_thread = 'prompt'")
    complete(terminal, "noted.", "alpha_one")
    assert terminal.run("seen[0], seen[-1]").endswith(
        "(('dir', True, True), ('dir', False, False))"
    )
    # There while the eval thread is not.
    terminal.run("asyncio.get_running_loop().call_soon(waits.say); before = len(seen)")
    complete(terminal, "noted.", "alpha_one", "alpha_two")
    (spawn.path / "gate").touch()
    terminal.leave()
