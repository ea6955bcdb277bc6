"""Jobs at the prompt, in each kind of shell."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, threading, time
    import ipyembed
    from ipyembed import run_in_background, run_in_foreground

    async def ticker(n, delay=0.02, name="tick"):
        for i in range(n):
            print(name, i)
            await asyncio.sleep(delay)
        return list(range(n))

    async def forever(name="tock"):
        while True:
            print(name)
            await asyncio.sleep(0.05)

    async def fails():
        await asyncio.sleep(0.01)
        raise LookupError("of the job")

    async def main(shell):
        await asyncio.sleep(0)
        result = shell()
        if result is not None:
            await result
        print("the host goes on")

    OPEN
    print("the end")
"""

BLOCKING = "ipyembed.embed(embed_in_running_loop='run')"
KINDS = {
    "own": "ipyembed.embed()",
    "awaited": "asyncio.run(main(ipyembed.embed_async))",
    "uvloop": "__import__('uvloop').run(main(ipyembed.embed_async))",
    "re-entered": f"asyncio.run(main(lambda: {BLOCKING}))",
    "not re-entered": "__import__('uvloop').run(main(lambda: ipyembed.embed()))",
    "worker": "t = threading.Thread(target=lambda: ipyembed.embed()); t.start(); t.join()",
    "worker, awaited": "t = threading.Thread(target=lambda: asyncio.run(main("
    "ipyembed.embed_async))); t.start(); t.join()",
}


def opened(spawn: Spawn, kind: str, **policies: str) -> Terminal:
    text = KINDS[kind]
    if "uvloop" in text:
        pytest.importorskip("uvloop")
    terminal = spawn(HOST.replace("OPEN", text), rows=60, cols=120)
    terminal.prompt(1)
    return terminal


def shown(terminal: Terminal, cell: str) -> str:
    """What a cell shows, without what jobs have printed meanwhile."""
    lines = terminal.run(cell).split("\n")
    return "\n".join(line for line in lines if not line.endswith("tock")).strip("\n")


def leave(terminal: Terminal) -> None:
    terminal.line("exit")
    terminal.wait_for("^the end$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "not re-entered"])
def test_a_session(spawn: Spawn, kind: str) -> None:
    """Start, see, wait for, cancel; and how they end."""
    terminal = opened(spawn, kind)
    # output and end above the prompt, while nothing is typed
    assert "<Job [1] ticker() running>" in terminal.run("run_in_background(ticker(5))")
    terminal.wait_for(r"^\[1\] done ticker\(\) → 5 items$")
    for i in range(5):
        terminal.wait_for(rf"^\[1\] tick {i}$")
    # in a thread, from one, and a failure
    terminal.run("def later(): print('thread'); run_in_background(ticker, 1, name='inner')")
    terminal.run("outer = run_in_background(later)")
    terminal.wait_for(r"^\[2\] thread$")
    terminal.wait_for(r"^\[3\] tick 0$")
    terminal.wait_for(r"^\[3\] done inner → \[0\]$")
    terminal.run("run_in_background(fails())")
    terminal.wait_for(r"^\[4\] failed fails\(\): LookupError: of the job$")
    # code
    terminal.run("%bg x = await asyncio.sleep(0.01, 'assigned'); x.upper()")
    terminal.wait_for(r"^\[5\] done x = await asyncio.sleep.* → 'ASSIGNED'$")
    assert terminal.run("x").endswith("'assigned'")
    terminal.run("%%bg long\nfor i in range(2):\n    await asyncio.sleep(0.01)\n    print('i', i)")
    terminal.wait_for(r"^\[6\] i 1$")
    terminal.wait_for(r"^\[6\] done long$")
    # the table, with those that run first
    terminal.run("job = run_in_background(forever())")
    rows = shown(terminal, "%jobs").split("\n")
    assert re.match(r"\[7\] +forever\(\) +running +\S+s +\S+:\d+ forever", rows[1]), rows
    everything = shown(terminal, "%jobs --all -v")
    assert re.search(r"^ +\S*script0.py:\d+ forever$", everything, re.MULTILINE), everything
    if kind not in ("own", "worker"):  # the host's own task, and where that is
        assert re.search(r"^- +Task-1 +running +\S", everything, re.MULTILINE), everything
    assert any(re.match(r"\[1\] +ticker\(\) +done +\S+s +→ 5 items", row) for row in rows), rows
    # in the foreground
    assert "[0, 1]" in shown(terminal, "run_in_foreground(ticker(2))")
    mark = terminal.mark()
    terminal.run("%bg ticker(20)")
    terminal.line("result = %fg")
    terminal.wait_for_new(r"^tick 19\r?$", mark)
    terminal.prompt()
    assert shown(terminal, "len(result)").endswith("20")
    assert "[8] done" not in terminal.printed_since(mark)
    # its end
    terminal.run("%cancel 7")
    terminal.wait_for(r"^\[7\] cancelled forever\(\)$")
    assert terminal.run("job.state, len(job.output) > 3").endswith("('cancelled', True)")
    assert terminal.run("%wait") == ""
    leave(terminal)
    assert "never retrieved" not in terminal.screen_text()


@pytest.mark.parametrize("kind", KINDS)
def test_run_in_foreground(spawn: Spawn, kind: str) -> None:
    """In cells without `await`, whatever the loop."""
    terminal = opened(spawn, kind)
    moves = kind != "not re-entered"  # else the host's loop stands still
    terminal.run(
        "n = [0]\nasync def counts():\n    while True:\n        n[0] += 1; await asyncio.sleep(0)\n"
    )
    terminal.run("job = run_in_background(counts(), name='counts')")
    if moves:
        for seconds, steps in (("0.2", "9 < n[0] - m"), ("0", "0 < n[0] - m < 9")):
            cell = f"m = n[0]; run_in_foreground(asyncio.sleep({seconds})); {steps}"
            assert terminal.run(cell).endswith("True")
    assert terminal.run("[run_in_foreground(t) for t in (ticker(2),)]").endswith("[[0, 1]]")
    assert terminal.run("x = run_in_foreground(lambda: 'called'); x").endswith("'called'")
    assert "LookupError: of the job" in terminal.run("run_in_foreground(fails())")
    out = terminal.run("run_in_foreground(asyncio.sleep(1, 'later'), timeout=0.05)")
    assert "TimeoutError: job [2] sleep() has not ended in 0.05 s and goes on" in out
    terminal.wait_for(r"^\[2\] done sleep\(\) → 'later'$")
    # Ctrl-C and Ctrl-Z leave it in the background
    for number, key in ((3, "c"), (4, "z")):
        mark = terminal.mark()
        terminal.line("run_in_foreground(forever())")
        terminal.wait_for_new(r"^tock\r*\n(.*\n)*tock", mark)
        terminal.ctrl(key)
        terminal.wait_for_new("KeyboardInterrupt", mark)
        terminal.wait_for_new(rf"\[{number}\] tock", mark)
        terminal.run(f"%cancel {number}")
        terminal.wait_for(rf"^\[{number}\] cancelled forever\(\)$")
    if moves:
        terminal.interrupt("run_in_foreground(job)")
        assert terminal.run("job.state").endswith("'running'")
        terminal.run("%cancel 1")
        terminal.wait_for(r"^\[1\] cancelled counts$")
    else:
        assert "which cannot be turned" in terminal.run("run_in_foreground(job)")
        terminal.run("job.cancel(); exit()")
    leave(terminal)


@pytest.mark.parametrize("kind", KINDS)
def test_ctrl_z(spawn: Spawn, kind: str) -> None:
    """A cell that awaits goes to the background and comes back."""
    terminal = opened(spawn, kind)
    mark = terminal.mark()
    terminal.line("y = await ticker(60); print('over'); len(y)")
    terminal.wait_for_new("^tick 3", mark)
    terminal.ctrl("z")
    terminal.wait_for(r"^\[1\] y = await ticker\(60\); print")
    terminal.prompt(2)
    terminal.wait_for_new(r"\[1\] tick \d+", mark)
    # another cell meanwhile, with a number and a value of its own
    terminal.run("1 + 2")
    mark = terminal.mark()
    terminal.line("%fg")
    terminal.wait_for_new(r"^tick \d+", mark)
    terminal.wait_for_new(r"^over", mark)
    terminal.wait_for(r"^Out\[3\]: 60$")
    assert terminal.run("len(y), _2").endswith("(60, 3)")
    # its error is the job's, and told once
    mark = terminal.mark()
    terminal.line("await asyncio.sleep(0); print('be' + 'gun'); await asyncio.sleep(0.5); 1/0")
    terminal.wait_for("^begun$")
    terminal.ctrl("z")
    terminal.wait_for(r"^\[2\] failed await .*: ZeroDivisionError: division")
    terminal.prompt(6)
    assert "Traceback" not in terminal.printed_since(mark)
    error = terminal.run("%jobs -e 2")
    assert "ZeroDivisionError: division by zero" in error
    assert "ipyembed" not in error
    # and again in the foreground: Ctrl-Z and Ctrl-C leave it where it was
    mark = terminal.mark()
    terminal.line("await forever()")
    terminal.wait_for_new(r"^tock\r*\n", mark)
    terminal.ctrl("z")
    terminal.wait_for_new(r"\[3\] tock", mark)
    for key in "zc":
        mark = terminal.mark()
        terminal.line("%fg")
        terminal.wait_for_new(r"^tock\r*\n(.*\n)*tock", mark)
        terminal.ctrl(key)
        left = r"\[3\] await forever\(\) goes on in the background"
        terminal.wait_for_new(rf"{left}(.*\n)*.*\[3\] tock", mark)
        assert ("KeyboardInterrupt:" in terminal.printed_since(mark)) == (key == "c")
    stack = shown(terminal, "%jobs -v")
    assert re.search(r"In \[\d+\]:1 <module>", stack)
    assert "IPython" not in stack
    assert "hosts.py" not in terminal.printed_since(mark)
    assert "[3]  await forever()" in shown(terminal, "%jobs")
    terminal.run("%cancel 3")
    terminal.wait_for(r"^\[3\] cancelled await forever\(\)$")
    leave(terminal)
    assert "never retrieved" not in terminal.screen_text()


def test_ctrl_c_as_a_job_that_was_a_cell_prints(spawn: Spawn) -> None:
    """It ends the wait for the job, and not the job, wherever that is just then."""
    terminal = opened(spawn, "awaited")
    terminal.run("import signal; from ipyembed import routing")
    terminal.run(
        "def printing():\n"
        "    with routing.to(None): signal.raise_signal(signal.SIGINT)\n"  # as in print()
    )
    terminal.run("go = asyncio.Event()")
    mark = terminal.mark()
    terminal.line("print('be' + 'gun'); await go.wait(); printing(); print('sur' + 'vived')")
    terminal.wait_for_new("^begun", mark)
    terminal.ctrl("z")
    terminal.wait_for_new(r"^\[1\] print", mark)
    terminal.run("later = asyncio.get_running_loop().call_later(0.5, go.set)")
    mark = terminal.mark()
    terminal.line("%fg")
    terminal.wait_for_new("KeyboardInterrupt", mark)
    terminal.wait_for_new("survived", mark)
    terminal.wait_for(r"^\[1\] done print")
    leave(terminal)


def test_a_loop_that_stands_still(spawn: Spawn) -> None:
    """In a blocking shell inside a loop, jobs on that wait, and the user is told; once."""
    terminal = spawn(HOST.replace("OPEN", "asyncio.run(main(ipyembed.embed))"), cols=120)
    terminal.prompt(1)
    out = terminal.run("job = run_in_background(ticker(1000, 0.001))")
    assert out.startswith("ipyembed: jobs on the host's loop stand still while the prompt waits")
    assert terminal.run("'said', len(job.output)") == "Out[2]: ('said', 0)"
    assert "stand still" not in terminal.run("await asyncio.sleep(0.1)")
    before = terminal.run("print(len(job.output))").split("\n")[-1]
    assert int(before) > 0
    assert terminal.run("print(len(job.output))").endswith(before)
    terminal.run("%config LoopJuggler.embed_in_running_loop = 'run'")
    terminal.wait_for(r"^\[1\] done ticker\(\) → 1000 items$")
    leave(terminal)


def test_a_loop_that_cannot_be_re_entered(spawn: Spawn) -> None:
    terminal = opened(spawn, "not re-entered")
    out = terminal.run("job = run_in_background(ticker(2))")
    assert "stand still until the shell is left, because uvloop.Loop cannot be re-entered" in out
    assert "There is 1 running job, which will go on." in terminal.run("exit")
    leave(terminal)


@pytest.mark.parametrize("kind", ["own", "awaited", "uvloop"])
def test_ctrl_z_with_a_timeout_and_a_group_open(spawn: Spawn, kind: str) -> None:
    """They end the job when its time has come, and not the host's task."""
    terminal = opened(spawn, kind)
    terminal.run(
        "async def overdue():\n"
        "    async with asyncio.timeout(1), asyncio.TaskGroup() as group:\n"
        "        group.create_task(forever())\n"
        "        print('in' + 'side')\n"
        "        await asyncio.sleep(60)\n"
    )
    terminal.line("await overdue()")
    terminal.wait_for("^inside$")
    terminal.ctrl("z")
    terminal.wait_for(r"^\[1\] await overdue\(\)$")
    terminal.prompt(3)
    terminal.wait_for(r"^\[1\] tock$")
    terminal.wait_for(r"^\[1\] failed await overdue\(\): TimeoutError$")
    assert terminal.run("await asyncio.sleep(0, 'alive')").endswith("'alive'")
    leave(terminal)


BASH = ["bash", "--norc", "--noprofile", "-i"]
TRIO = "import trio; trio.run(ipyembed.embed_async)"
BLOCKS = "print('blo' + 'cks'); time.sleep(0.5); print('goes ' + 'on')"
SUSPENDED = [
    *((kind, BLOCKS, "") for kind in ("own", "awaited", "worker", "worker, awaited")),
    (
        "awaited",
        "with Scope(): print('blo' + 'cks'); await asyncio.sleep(0.5); print('goes ' + 'on')",
        "it has a Scope open, which is bound to the task that awaits it",
    ),
    (
        "trio",
        (
            "e = trio.Event(); soon = trio.lowlevel.current_trio_token().run_sync_soon; "
            "__import__('threading').Timer(0.5, soon, [e.set]).start(); "
            "print('blo' + 'cks'); await e.wait(); print('goes ' + 'on')"
        ),
        "under trio, what it waits for belongs to the program's own task",
    ),
    # a child of the cell, although that awaits it
    ("worker, awaited", "!echo 'blo''cks'; sleep 0.5; echo goes on", ""),
]


@pytest.mark.parametrize(("kind", "cell", "why"), SUSPENDED)
def test_ctrl_z_in_what_cannot_be_left_suspends(
    spawn: Spawn, kind: str, cell: str, why: str
) -> None:
    """Under a shell with job control, which is told that the process has stopped.

    A cell that awaits says first why it stays; the next Ctrl-Z suspends.
    """
    path = spawn.path / "host.py"
    if kind == "trio":
        pytest.importorskip("trio")
    if "uvloop" in KINDS.get(kind, ""):
        pytest.importorskip("uvloop")
    source = HOST.replace("OPEN", KINDS.get(kind, TRIO))
    path.write_text("\n".join(line.removeprefix("    ") for line in source.split("\n")))
    terminal = spawn.argv(BASH, env={"PS1": "sh> "}, cols=160)
    terminal.wait_for("^sh>$")
    terminal.line(f"{sys.executable} {path}")
    terminal.run(
        "class Scope:\n"
        "    def __enter__(self): self.task = asyncio.current_task()\n"
        "    def __exit__(self, *exc_info): pass\n"
    )
    for number in (2, 3):
        mark = terminal.mark()
        terminal.line(cell)
        terminal.wait_for_new("^blocks\r*$", mark)
        terminal.ctrl("z")
        if why:
            says = f"ipyembed: this cell cannot go to the background: {why}"
            terminal.wait_for_new(re.escape(says), mark)
            terminal.ctrl("z")
        terminal.wait_for_new("Stopped", mark)
        mark = terminal.mark()
        terminal.line("fg")
        terminal.wait_for_new("^goes on\r*$", mark)
        terminal.prompt(number + 1)
    terminal.line("exit")
    terminal.wait_for("^the end$")
    terminal.line("exit")
    terminal.wait_exit()


@pytest.mark.parametrize("kind", ["own", "awaited", "uvloop", "worker"])
def test_leaving(spawn: Spawn, kind: str) -> None:
    """The user is told of jobs once; those in the host's loop live on."""
    terminal = opened(spawn, kind)
    terminal.run("%bg forever()")
    terminal.run("go = threading.Event(); run_in_background(go.wait)")
    has_own_loop = kind in ("own", "worker")
    own = "; to leave cancels 1 of them." if has_own_loop else ", which will go on."
    assert f"There are 2 running jobs{own}" in terminal.run("exit")
    terminal.run("go.set()")  # something else: so it is told again
    terminal.wait_for(r"^\[2\] done")
    own = "; to leave cancels it." if has_own_loop else ", which will go on."
    terminal.ctrl("d")
    terminal.wait_for(r"Do you really want to exit")
    terminal.line("y")
    terminal.wait_for(f"There is 1 running job{re.escape(own)}")
    terminal.prompt(5)
    mark = terminal.mark()
    terminal.line("exit")
    terminal.wait_for("^the end$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()
    assert "There" not in terminal.printed_since(mark)


def test_what_does_not_let_itself_be_cancelled_is_named(spawn: Spawn) -> None:
    terminal = opened(spawn, "own")
    terminal.run(
        "async def stubborn():\n"
        "    while True:\n"
        "        try: await asyncio.sleep(10)\n"
        "        except asyncio.CancelledError: pass\n"
    )
    terminal.run("%bg stubborn()")
    terminal.run("exit")
    terminal.line("exit")
    terminal.wait_for(r"did not end within 2 s: \[1\] stubborn\(\)")
    assert terminal.wait_exit() == 0


@pytest.mark.parametrize("kind", ["own", "awaited", "uvloop", "worker"])
def test_a_cell_in_the_background_that_outlives_the_shell(spawn: Spawn, kind: str) -> None:
    """It finds its names, and keeps what it has to say of its end to itself."""
    source = HOST.replace('print("the host goes on")', "await asyncio.sleep(1)")
    terminal = spawn(source.replace("OPEN", KINDS[kind]), rows=60, cols=120)
    terminal.prompt(1)
    for cell in (
        "print('be' + 'gun'); await asyncio.sleep(0.5); mine = ticker; print('still', mine)",
        "print('al' + 'so'); await asyncio.sleep(60)",
    ):
        mark = terminal.mark()
        terminal.line(cell)
        terminal.wait_for_new("^(begun|also)", mark)
        terminal.ctrl("z")
        terminal.wait_for_new(r"\n\[\d\] print", mark)
    terminal.line("exit")
    terminal.wait_for("^There")
    terminal.line("exit")
    if kind in ("awaited", "uvloop"):
        terminal.wait_for(r"^(\[1\] )?still <function ticker")
    terminal.wait_for("^the end$")
    assert terminal.wait_exit() == 0
    for word in ("Traceback", "Cancelled", "NameError", "never retrieved"):
        assert word not in terminal.screen_text()


def test_jobs_that_live_on_print_as_the_host_does(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, sys
        import ipyembed
        stdout = sys.stdout
        async def ticks():
            for i in range(40):
                print("tick", i, flush=True)
                await asyncio.sleep(0.02)
        async def main():
            await ipyembed.embed_async()
            print("left", sys.stdout is stdout, flush=True)
            await job
            print("end", flush=True)
        asyncio.run(main())
        """
    )
    terminal.prompt(1)
    terminal.run("globals()['job'] = ipyembed.run_in_background(ticks())")
    terminal.run("exit")
    terminal.line("exit")
    terminal.wait_for("^left True$")
    terminal.wait_for("^tick 39$")
    assert terminal.wait_exit() == 0
    assert "[1] tick 39" not in terminal.screen_text()


@pytest.mark.parametrize("kind", ["own", "awaited", "uvloop", "worker"])
def test_marks_and_two_that_print_at_once(spawn: Spawn, kind: str) -> None:
    terminal = opened(spawn, kind)
    terminal.run(
        "async def parts(name):\n"
        "    for i in range(3):\n"
        "        for part in (name, str(i), '\\n'):\n"
        "            print(part, end=''); await asyncio.sleep(0.005)\n"
        "        asyncio.create_task(asyncio.to_thread(print, 'thread of', name))\n"
        "    __import__('logging').warning('logged by %s', name)\n"
    )
    terminal.run("for name in 'ab': run_in_background(parts(name))")
    for n, name in ((1, "a"), (2, "b")):
        for i in range(3):
            terminal.wait_for(rf"^\[{n}\] {name}{i}$")
        terminal.wait_for(rf"^\[{n}\] thread of {name}$")
        terminal.wait_for(rf"^\[{n}\] WARNING:root:logged by {name}$")
        terminal.wait_for(rf"^\[{n}\] done parts\(\)$")
    terminal.run('%config LoopJuggler.job_marks = "off"')
    terminal.run("run_in_background(ticker(2, name='plain'))")
    terminal.wait_for("^plain 1$")
    terminal.wait_for(r"^\[3\] done ")
    assert "plain 0\nplain 1" in terminal.run("%jobs -o 3")
    leave(terminal)


def test_a_line_that_a_cell_prints_in_parts_stays_whole(spawn: Spawn) -> None:
    """A job on a thread prints meanwhile; a line that does not end is not waited for."""
    terminal = opened(spawn, "own")
    terminal.run("go = threading.Event()")
    terminal.run("def chatter():\n    while not go.wait(5e-3): print('x')\n")
    terminal.run("job = run_in_background(chatter)")
    terminal.wait_for(r"^\[1\] x$")
    terminal.run("for i in range(50): print('be', end=''); time.sleep(2e-3); print('gun', i)")
    terminal.run("print('open', end=''); time.sleep(0.3); print(' line')")
    terminal.run("'a value'")
    terminal.run("go.set()")
    terminal.wait_for(r"^\[1\] done")
    # while the value is made that comes after Out[n]
    terminal.run("go.clear(); said = threading.Event()")
    terminal.run("job = run_in_background(lambda: (go.wait(), print('between'), said.set()))")
    terminal.run("class V:\n    def __repr__(self): go.set(); said.wait(); return 'shown'\n")
    assert terminal.run("V()").startswith("Out[11]: shown\n[2] between\n")
    leave(terminal)
    lines = set(terminal.printed_since(0).replace("\r", "").split("\n"))
    assert {*(f"begun {i}" for i in range(50)), "open", " line", "Out[6]: 'a value'"} <= lines


def test_thousands(spawn: Spawn) -> None:
    """Many that end at once are told together, `%jobs` pages, and the prompt is as ever."""
    terminal = spawn(
        HOST.replace("OPEN", KINDS["awaited"]), rows=60, cols=120, env={"PAGER": "tail -n 2"}
    )
    terminal.prompt(1)
    terminal.run("go = asyncio.Event()")
    terminal.run("jobs = [run_in_background(go.wait(), name='w') for _ in range(10_000)]")
    assert "[10000]  w" in terminal.run("%jobs")
    terminal.run("go.set()")
    # together, or in few groups where the machine is slow
    terminal.wait_for(r"^\d+ jobs have ended: \d+ done \(%jobs lists them\)$", 60)
    terminal.run("%bg fails()")
    terminal.wait_for(r"^\[10001\] failed fails\(\): LookupError")
    assert "… and " in terminal.run("%jobs")
    terminal.run("%jobs -c")
    assert terminal.run("%jobs") == "no jobs"
    leave(terminal)


def test_in_threads_and_processes(spawn: Spawn) -> None:
    terminal = opened(spawn, "own")
    terminal.run("%bg --thread t = time.sleep(0.1); await asyncio.sleep(0.1); print('th'); 7")
    terminal.wait_for(r"^\[1\] th$")
    terminal.wait_for(r"^\[1\] done .*→ 7$")
    terminal.run("def work(n): print('process'); return n * 2")
    terminal.run("%bg --process --name=mine work(21)")
    terminal.wait_for(r"^\[2\] process$")
    terminal.wait_for(r"^\[2\] done mine → 42$")
    terminal.run("%bg --process time.sleep(60)")
    # Ctrl-Z and Ctrl-C are signals to it as well, but not meant for it
    for key in "zc":
        mark = terminal.mark()
        terminal.line(f"print('for ' + '{key}'); await asyncio.sleep(1 if '{key}' == 'z' else 60)")
        terminal.wait_for_new(f"^for {key}\r*$", mark)
        terminal.ctrl(key)
        terminal.prompt()
        terminal.wait_for_new(r"KeyboardInterrupt|\[4\] done", mark)
    terminal.run("import multiprocessing; pid = multiprocessing.active_children()[0].pid")
    assert terminal.run("open(f'/proc/{pid}/stat').read().split()[2]").endswith("'S'")
    terminal.run("%cancel 3")
    terminal.wait_for(r"^\[3\] cancelled time.sleep\(60\)$")
    terminal.run("event = threading.Event()")
    terminal.run("%bg --thread event.wait()")
    assert "[5] event.wait() runs in a thread" in terminal.run("%cancel 5")
    terminal.run("event.set()")
    terminal.wait_for(r"^\[5\] done event.wait\(\) → True$")
    leave(terminal)


def test_under_trio(spawn: Spawn) -> None:
    """Threads are jobs there, and are waited for by trio; coroutines of asyncio have no loop."""
    pytest.importorskip("trio")
    open_it = (
        "import trio\n    async def opens(): await ipyembed.embed_async()\n    trio.run(opens)"
    )
    terminal = spawn(HOST.replace("OPEN", open_it))
    terminal.prompt(1)
    terminal.run("%bg --thread time.sleep(0.05); print('thread'); 7")
    terminal.wait_for(r"^\[1\] thread$")
    terminal.wait_for(r"^\[1\] done .* → 7$")
    terminal.run("go = threading.Event(); job = run_in_background(go.wait)")
    terminal.interrupt("await trio.sleep(60)")
    terminal.run("threading.Timer(1, go.set).start()")
    assert terminal.run("%fg").endswith("True")
    terminal.run("go.clear(); job = run_in_background(go.wait)")
    terminal.interrupt("run_in_foreground(job)")
    terminal.run("async def sets(): await trio.sleep(0.5); go.set()")
    terminal.run("await trio.sleep(0); task = trio.lowlevel.spawn_system_task(sets)")
    assert terminal.run("run_in_foreground(job, timeout=60)").endswith("True")  # trio turns
    assert "opened by a trio task" in terminal.run("%bg fails()")
    leave(terminal)
    assert "never awaited" not in terminal.screen_text()


def test_the_extension(spawn: Spawn) -> None:
    """It brings the magics, and takes all of it away."""
    terminal = spawn.ipython()
    terminal.prompt(1)
    terminal.run("%load_ext ipyembed")
    terminal.run("import asyncio, sys; out = sys.stdout")
    terminal.run("%bg await asyncio.sleep(0.1); print('printed')")
    terminal.wait_for(r"^\[1\] printed$")
    terminal.wait_for(r"^\[1\] done ")
    terminal.run("%bg asyncio.sleep(60)")
    assert "There is 1 running job, which will go on." in terminal.run("exit")
    terminal.run("%cancel 2")
    terminal.run("%unload_ext ipyembed")
    assert "not found" in terminal.run("%jobs")
    assert terminal.run("sys.stdout is out").endswith("True")
    terminal.line("exit")
    assert terminal.wait_exit() == 0


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("%bg", "%bg CODE, or %%bg"),
        ("%bg --fast x", "unknown option --fast"),
        ("%bg 1 +", "SyntaxError"),
        ("%fg", "no job is running"),
        ("%fg 7", "no such job: 7"),
        ("%fg 1 2", "%fg takes one ID at most"),
        ("%wait x", "no such job: x"),
        ("%cancel", "%cancel ID"),
        ("%jobs 3", "does not know what '3' is"),
        ("%jobs -o", "no such job: ID is missing"),
    ],
)
def test_mistakes(shell_of_mistakes: Terminal, line: str, says: str) -> None:
    assert says in shell_of_mistakes.run(line)


@pytest.fixture(scope="module")
def shell_of_mistakes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    path = tmp_path_factory.mktemp("jobs")
    spawn = Spawn(path, path)
    terminal = spawn("import ipyembed; ipyembed.embed()")
    terminal.prompt(1)
    yield terminal
    spawn.close()
