"""`await embed_async()` in a trio task: trio turns, cells run in the caller's task."""

from __future__ import annotations

import re

import pytest

from tests.pty.conftest import Spawn

pytest.importorskip("trio", reason="trio is not installed")

HOST = """
    import contextvars, signal, threading, time, trio
    import ipyembed

    var = contextvars.ContextVar("var", default="unset")
    thread = threading.get_ident()
    ticks = 0

    async def tick():
        global ticks
        while True:
            await trio.sleep(0.01)
            ticks += 1

    async def main():
        me = trio.lowlevel.current_task()
        handler = signal.getsignal(signal.SIGINT)
        secret = 41
        async with trio.open_nursery() as host_nursery:
            host_nursery.start_soon(tick)
            await ipyembed.embed_async(header="the header", exit_msg="bye")
            print("left with", secret, var.get(), me is trio.lowlevel.current_task())
            print("handler kept", signal.getsignal(signal.SIGINT) is handler)
            before = ticks
            await trio.sleep(0.1)
            print("ticks go on", ticks > before)
            host_nursery.cancel_scope.cancel()

    trio.run(main)
"""


def test_a_session(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert "the header" in terminal.screen_text()

    # trio turns while nothing is typed: no cell awaits
    terminal.run("before = ticks; say = lambda: print('asked', ticks > before)")
    terminal.run("async def later(): await trio.sleep(0.1); say()")
    terminal.run("host_nursery.start_soon(later)")
    terminal.wait_for("^asked True$")

    # the caller's own task, its thread, inside trio
    is_me = "trio.lowlevel.current_task() is me"
    assert terminal.run(f"{is_me}, threading.get_ident() == thread").endswith("(True, True)")
    assert terminal.run(f"await trio.sleep(0.01); {is_me}").endswith("True")
    assert terminal.run("_").endswith("True")
    assert terminal.run("await trio.to_thread.run_sync(threading.get_ident) == thread").endswith(
        "False"
    )

    # context variables: sync and async cells, seen by the next and by the host afterwards
    terminal.run("token = var.set('one'); secret += 1")
    assert terminal.run("await trio.sleep(0); var.get()").endswith("'one'")
    terminal.run("await trio.sleep(0); var.set('two')")
    assert terminal.run("var.get()").endswith("'two'")
    assert terminal.run("await trio.sleep(0); var.reset(token); var.get()").endswith("'unset'")
    terminal.run("await trio.sleep(0); var.set('three')")

    terminal.line("exit")
    terminal.wait_for(r"^bye$")
    terminal.wait_for(r"^left with 42 three True$")
    terminal.wait_for(r"^handler kept True$")
    terminal.wait_for(r"^ticks go on True$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


def test_errors_in_cells(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.prompt(1)
    assert "ZeroDivisionError" in terminal.run("await trio.sleep(0); 1/0")
    assert "TooSlowError" in terminal.run(
        "with trio.fail_after(0.01):\n    await trio.sleep_forever()\n"
    )
    assert "ZeroDivisionError" in terminal.run(
        "async with trio.open_nursery() as n:\n    n.start_soon(later := lambda: 1/0)\n"
    )
    assert terminal.run("with trio.move_on_after(0.01):\n    await trio.sleep_forever()\n") == ""
    # what belongs to asyncio
    out = terminal.run("import asyncio; await asyncio.sleep(1)")
    assert "no running event loop" in out
    assert "its cells are awaited by trio" in out
    out = terminal.run("await asyncio.sleep(0)")
    assert "its cells are awaited by trio" in out
    assert "ipyembed/" not in out
    assert terminal.run("await trio.sleep(0); 'fine'").endswith("'fine'")
    terminal.leave()


def test_what_a_cell_opens_another_can_close(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.prompt(1)
    terminal.run("manager = trio.open_nursery(); nursery = await manager.__aenter__()")
    terminal.run("async def child(): await trio.sleep(0.01); print('child done')")
    terminal.run("nursery.start_soon(child)")
    terminal.wait_for("^child done$")  # also while the prompt waits
    terminal.run("scope = trio.CancelScope(); scope.__enter__(); await trio.sleep(0)")
    # Ctrl-C in between does not disturb the stack of scopes
    terminal.interrupt("await trio.sleep_forever()")
    terminal.run("await trio.sleep(0)")
    terminal.run("scope.__exit__(None, None, None)")
    terminal.run("nursery.start_soon(child)")
    terminal.run("await manager.__aexit__(None, None, None)")
    assert len(re.findall("^child done$", terminal.screen_text(), re.MULTILINE)) == 2
    terminal.leave(r"^ticks go on True$")
    assert "left a trio cancel scope" not in terminal.screen_text()


def test_a_cancelled_scope_of_a_cell_does_not_take_the_prompt_down(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.prompt(1)
    terminal.run("manager = trio.open_nursery(); nursery = await manager.__aenter__()")
    # the child fails while the prompt waits, and so the nursery is cancelled
    terminal.run("async def child(): await trio.sleep(0.05); print('fails'); 1/0")
    terminal.run("nursery.start_soon(child)")
    terminal.wait_for("^fails$")
    assert terminal.run("nursery.cancel_scope.cancel_called").endswith("True")
    out = terminal.run("await trio.sleep(1000)")
    assert "Cancelled" in out
    assert terminal.run("1 + 1").endswith("2")
    assert "ZeroDivisionError" in terminal.run("await manager.__aexit__(None, None, None)")
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    terminal.leave(r"^ticks go on True$")


def test_what_is_left_open_is_the_hosts_to_close(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import contextlib, trio, ipyembed
        async def main():
            with contextlib.ExitStack() as stack:
                await ipyembed.embed_async()
                print("deadline", trio.current_effective_deadline() < 1e12)
            await trio.sleep(0)
            print("closed")
        trio.run(main)
        """
    )
    terminal.prompt(1)
    terminal.run("scope = stack.enter_context(trio.move_on_after(1000)); await trio.sleep(0)")
    terminal.line("exit")
    terminal.wait_for("a cell has left a trio cancel scope or nursery open")
    terminal.wait_for("^closed$")
    assert terminal.wait_exit() == 0


def test_a_shell_in_a_task_that_is_not_the_main_one(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import trio, ipyembed
        async def main():
            async with trio.open_nursery() as nursery:
                nursery.start_soon(ipyembed.embed_async)
            print("all left")
        trio.run(main)
        """
    )
    terminal.interrupt("await trio.sleep(1000)")
    terminal.prompt(2)
    assert terminal.run("await trio.sleep(0.01); 'fine'").endswith("'fine'")
    terminal.leave("^all left$")


def test_in_two_tasks_the_second_waits_and_then_opens(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import trio
        from ipyembed import embed_async
        scopes = {}
        async def open_shell(name):
            task = trio.lowlevel.current_task()
            with trio.CancelScope() as scopes[name]:
                await embed_async(display_banner=False)  # opened here
                print(name, "left")
        async def main():
            async with trio.open_nursery() as nursery:
                for name in ("first", "second", "third"):
                    nursery.start_soon(open_shell, name)
                    await trio.sleep(0)
            print("all left")
        trio.run(main)
        """
    )
    before = terminal.tty_modes()
    assert terminal.run("name, trio.lowlevel.current_task() is task").endswith("('first', True)")
    said = terminal.screen_text().replace("\n", "")
    place = r"\S*script0\.py:8"
    waits = rf"ipyembed: the shell at {place} \(.*?\) waits for the one opened at {place} "
    assert len(re.findall(waits, said)) == 2
    # The second is cancelled while it waits, and so never opens.
    terminal.run("scopes['second'].cancel(); await trio.sleep(0.01)")
    terminal.line("exit")
    terminal.wait_for("^first left")
    terminal.prompt(1)
    is_mine = "trio.lowlevel.current_task() is task"
    assert terminal.run(f"name, await trio.sleep(0), {is_mine}").endswith("('third', None, True)")
    terminal.line("exit")
    terminal.wait_for("^third left")
    terminal.wait_for("^all left")
    assert "second left" not in terminal.screen_text()
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(before)


def test_a_nested_shell_in_a_cell(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.prompt(1)
    mark = terminal.mark()
    terminal.line("await ipyembed.embed_async(header='the inner shell')")
    terminal.wait_for_new("^the inner shell", mark)
    terminal.prompt(1)
    assert terminal.run("await trio.sleep(0.01); secret").endswith("41")
    terminal.interrupt("await trio.sleep(1000)")
    terminal.prompt(3)
    terminal.line("exit")
    terminal.prompt(2)
    assert terminal.run("await trio.sleep(0.01); 'outer'").endswith("'outer'")
    terminal.leave(r"^ticks go on True$")


def test_a_stuck_task_is_named(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.prompt(1)
    terminal.run("async def blocks(): await trio.sleep(0.1); time.sleep(4)")
    mark = terminal.mark()
    terminal.line("host_nursery.start_soon(blocks, name='the blocker')")
    said = terminal.wait_for_new(r"stuck for .*\s+.*the\s+prompt stays", mark)
    assert "blocks (In [1]:1)" in said
    assert re.search(r"task\s+the\s+blocker", said)
    terminal.wait_for_new("free again", mark)
    terminal.prompt(3)
    terminal.leave()


def test_completion_runs_on_trios_thread(spawn: Spawn) -> None:
    terminal = spawn(HOST)
    terminal.run(
        "class Proxy:\n    def __dir__(self):\n        global asked\n"
        "        asked = threading.get_ident() == thread\n        return ['found_it']\n"
    )
    terminal.run("p = Proxy()")
    terminal.send("p.\t")
    terminal.wait_for("p.found_it")
    terminal.ctrl("u")
    assert terminal.run("asked").endswith("True")
    terminal.leave()


# -- the blocking shell ------------------------------------------------------------------------


def test_blocking_embed_in_a_trio_task(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import trio, ipyembed
        async def main():
            ipyembed.embed()
            await trio.sleep(0.01)
            print("trio goes on")
        trio.run(main)
        """
    )
    terminal.prompt(1)
    assert terminal.run("import asyncio; await asyncio.sleep(0.01, 'asyncio')").endswith("asyncio'")
    for cell in ("await trio.sleep(0.01)", "await trio.sleep(0)"):
        out = terminal.run(cell)
        assert "RuntimeError" in out
        assert "by `await ipyembed.embed_async()`" in out
    assert terminal.run("1 + 1").endswith("2")
    terminal.leave("^trio goes on$")


def test_trio_in_a_blocking_shell_without_trio(spawn: Spawn) -> None:
    terminal = spawn("import trio, ipyembed; ipyembed.embed()")
    terminal.prompt(1)
    out = terminal.run("await trio.sleep(0.01)")
    assert "RuntimeError" in out
    assert "enter `%autoawait trio`" in out
    terminal.run("%autoawait trio")
    assert terminal.run("await trio.sleep(0.01); 'awaited'").endswith("'awaited'")
    terminal.interrupt("await trio.sleep(1000)")
    terminal.prompt(5)
    assert terminal.run("await trio.sleep(0.01); 'again'").endswith("'again'")
    terminal.run("%autoawait asyncio")
    assert "RuntimeError" in terminal.run("await trio.sleep(0.01)")
    terminal.leave()


def test_nobody_imports_trio_but_the_host(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, sys, ipyembed
        async def main():
            await ipyembed.embed_async()
            print("trio" in sys.modules, "ipyembed.hosts_trio" in sys.modules)
        asyncio.run(main())
        """
    )
    terminal.prompt(1)
    terminal.run("await asyncio.sleep(0)")
    terminal.leave("^False False$")


def test_asyncio_and_trio_in_one_process(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, trio, ipyembed
        async def main():
            await ipyembed.embed_async(header=HEADER)
        HEADER = "on asyncio"
        asyncio.run(main())
        HEADER = "on trio"
        trio.run(main)
        """
    )
    terminal.wait_for("^on asyncio$")
    assert terminal.run("await asyncio.sleep(0.01, 'a')").endswith("'a'")
    terminal.line("exit")
    terminal.wait_for("^on trio$")
    terminal.prompt(1)
    assert terminal.run("await trio.sleep(0.01); 't'").endswith("'t'")
    terminal.leave()
