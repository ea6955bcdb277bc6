"""After a shell nothing in the process shows that it was there, however it was left."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

#: Prints one line for each thing that a shell could leave behind, before and after.
HOST = """
    import asyncio, builtins, gc, os, signal, sys, termios, threading
    import ipyembed
    from IPython.terminal.embed import KillEmbedded
    from IPython.terminal.prompts import Prompts

    class Broken(Prompts):
        def in_prompt_tokens(self):
            raise ZeroDivisionError("broken prompt")

    def host_handler(signum, frame): pass

    def snapshot():
        loop = asyncio._get_running_loop()
        state = {f"sys.{name}": getattr(sys, name, None) for name in (
            "excepthook", "unraisablehook", "displayhook", "breakpointhook",
            "stdin", "stdout", "stderr", "ps1", "ps2", "ps3")}
        state |= {f"vars({name})": sorted(vars(getattr(sys, name)), key=str)
                  for name in ("stdout", "stderr")}
        state["threading.excepthook"] = threading.excepthook
        state["builtins"] = dict(vars(builtins))
        state["handlers"] = {n: signal.getsignal(n) for n in signal.valid_signals()}
        if threading.current_thread() is threading.main_thread():
            state["wakeup fd"] = signal.set_wakeup_fd(-1)
            signal.set_wakeup_fd(state["wakeup fd"])
        state["loop"] = loop, getattr(loop, "_selector", None)
        state["task"] = asyncio.current_task() if loop else None
        state["tasks"] = asyncio.all_tasks() if loop else None
        state["cancelling"] = state["task"].cancelling() if state["task"] else 0
        state["asyncgen hooks"] = sys.get_asyncgen_hooks()
        state["origin tracking"] = sys.get_coroutine_origin_tracking_depth()
        state["fds"] = {fd: os.readlink(f"/proc/self/fd/{fd}")
                        for fd in map(int, os.listdir("/proc/self/fd"))
                        if os.path.exists(f"/proc/self/fd/{fd}")}
        state["tty"] = termios.tcgetattr(0)
        state["threads"] = sorted(t.name for t in threading.enumerate())
        state["main"] = sys.modules["__main__"]
        state["singleton"] = __import__("IPython").get_ipython()
        state["last"] = asyncio.get_event_loop_policy()
        return state

    def compare(before):
        gc.collect()
        after = snapshot()
        changed = [name for name in before if before[name] != after[name]]
        for name in changed:
            print("CHANGED", name, before[name], "->", after[name])
        print("compared", len(before), "things,", len(changed), "changed")

    SETTINGS = {"confirm_exit": True}

    def session():
        before = snapshot()
        try:
            ipyembed.embed(**SETTINGS)
        except (KillEmbedded, ZeroDivisionError) as error:
            print("left by", type(error).__name__)
        compare(before)

    async def session_async():
        before = snapshot()
        try:
            await asyncio.wait_for(asyncio.shield(asyncio.sleep(0)), 1)
            await ipyembed.embed_async(**SETTINGS)
        except (KillEmbedded, ZeroDivisionError, asyncio.CancelledError) as error:
            print("left by", type(error).__name__)
            if asyncio.current_task().cancelling():
                asyncio.current_task().uncancel()
        compare(before)

    # What is made once in a process, by the first shell or by its libraries, is made here.
    import IPython.terminal.embed, prompt_toolkit.shortcuts, sqlite3, jedi
    RUN
    print("end")
"""

KINDS = {
    "plain": "session()",
    "custom hooks": (
        "sys.excepthook = lambda *a: None; sys.ps1 = 'mine'; sys.displayhook = lambda v: None; "
        "signal.signal(signal.SIGINT, host_handler); signal.signal(signal.SIGWINCH, host_handler); "
        "r, w = os.pipe(); os.set_blocking(w, False); signal.set_wakeup_fd(w); session()"
    ),
    "running loop": (
        "\n    async def main(): session(); await asyncio.sleep(0)\n    asyncio.run(main())"
    ),
    "awaited": "asyncio.run(session_async())",
    "awaited, host with a signal handler": (
        "\n    async def main():\n"
        "        asyncio.get_running_loop().add_signal_handler(signal.SIGINT, print, 'host')\n"
        "        await session_async()\n    asyncio.run(main())"
    ),
    "awaited, uvloop": "__import__('uvloop').run(session_async())",
    "worker": (
        "thread = threading.Thread(target=session, name='worker'); thread.start(); thread.join()"
    ),
}

LEAVING = {
    "exit": ("exit\r", ""),
    "exit()": ("exit()\r", ""),
    "quit": ("quit\r", ""),
    "%exit_raise": ("%exit_raise\r", "left by KillEmbedded"),
    "ctrl-d": ("\x04", ""),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("leaving", ["exit", "ctrl-d"])
def test_every_kind_of_embed(spawn: Spawn, kind: str, leaving: str) -> None:
    keys, _ = LEAVING[leaving]
    terminal = spawn(HOST.replace("RUN", KINDS[kind]), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    # a bit of everything: output, an error, an await, a task that is left, a printed result
    terminal.run("1/0")
    terminal.run("await asyncio.sleep(0.01); left = asyncio.create_task(asyncio.sleep(0.2))")
    terminal.run("await left, print('printed')")
    terminal.run("import sys; sys.stdout.write('written\\n')")
    terminal.send("os.pa\t")
    terminal.wait_for("path")
    terminal.ctrl("c")
    terminal.prompt(5)
    terminal.ctrl("u")
    terminal.send(keys)
    if leaving == "ctrl-d":
        terminal.wait_for(r"Do you really want to exit \(\[y\]/n\)\?")
        terminal.line("y")
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    terminal.wait_for("^end$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("kind", ["plain", "running loop", "awaited"])
@pytest.mark.parametrize("leaving", [name for name in LEAVING if name not in ("exit", "ctrl-d")])
def test_every_way_to_leave(spawn: Spawn, kind: str, leaving: str) -> None:
    keys, said = LEAVING[leaving]
    terminal = spawn(HOST.replace("RUN", KINDS[kind]), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    terminal.send(keys)
    terminal.wait_for(f"^{said}$")
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("kind", ["plain", "running loop", "awaited"])
def test_left_by_an_exception_of_a_prompts_class(spawn: Spawn, kind: str) -> None:
    run = f"SETTINGS['prompts_class'] = Broken; {KINDS[kind]}"
    terminal = spawn(HOST.replace("RUN", run), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.wait_for("^left by ZeroDivisionError$")
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("moment", ["prompt", "await asyncio.sleep(1000)\r"])
def test_left_by_cancellation(spawn: Spawn, moment: str) -> None:
    run = """
    async def main():
        def cancel():
            os.read(trigger, 1)
            loop.remove_reader(trigger)
            task.cancel()
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        trigger = os.open("trigger", os.O_RDWR)
        loop.add_reader(trigger, cancel)
        await session_async()
    os.mkfifo("trigger")
    asyncio.run(main())"""
    terminal = spawn(HOST.replace("RUN", run), rows=60, cols=200)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    if moment != "prompt":
        mark = terminal.mark()
        terminal.send(f"print('begun'); {moment}")
        terminal.wait_for_new(r"begun\r?\n", mark)
    (spawn.path / "trigger").write_text("x")
    terminal.wait_for("^left by CancelledError$")
    terminal.wait_for(r"^compared \d+ things, 0 changed$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_the_prompt_thread_is_not_there_before_the_first_prompt(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import threading
        import ipyembed
        names = lambda: [t.name for t in threading.enumerate()]
        print("before:", names())
        shell = ipyembed.ThreadedInteractiveShellEmbed()
        print("made:", [n for n in names() if "ipyembed" in n])
        shell()
        print("after:", [n for n in names() if "ipyembed" in n])
        """
    )
    terminal.wait_for(r"^before: \['MainThread'\]$")
    terminal.wait_for(r"^made: \[\]$")
    terminal.prompt(1)
    assert terminal.run("names()").find("ipyembed-prompt") > 0
    terminal.leave(r"^after: \[\]$")
