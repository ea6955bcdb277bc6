"""Blocking `embed()` inside a running loop: it stands still, `await` works, it goes on unharmed."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn
from tests.pty.pieces import TICKING

HOST = (
    """
    import asyncio, sys
    import ipyembed
    from traitlets.config import Config

    order = []"""
    + TICKING
    + """
    async def main():
        me = asyncio.current_task()
        loop = asyncio.get_running_loop()
        background = asyncio.create_task(tick())
        await asyncio.sleep(0.05)
        lock = asyncio.Lock()
        await lock.acquire()
        server = await asyncio.start_server(lambda r, w: w.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        for n in range(5):
            loop.call_soon(order.append, n)
        before = ticks
        EMBED
        print("stood still:", ticks == before, "order:", order)
        print("same task:", asyncio.current_task() is me, me.cancelling())
        await asyncio.sleep(0.1)
        print("goes on:", ticks > before, "order:", order)
        background.cancel()
        server.close()

    RUN(main())
    print("done", sys.get_asyncgen_hooks().firstiter, sys.get_coroutine_origin_tracking_depth())
"""
)

RUNNERS = {
    "asyncio": "asyncio.run",
    "debug": "(lambda main: asyncio.run(main, debug=True))",
    "run_until_complete": "asyncio.new_event_loop().run_until_complete",
}


def host(runner: str = "asyncio.run", **settings: str) -> str:
    arguments = ", ".join(f"{name}={value!r}" for name, value in settings.items())
    return HOST.replace("RUN(", f"{runner}(").replace("EMBED", f"ipyembed.embed({arguments})")


@pytest.mark.parametrize("runner", RUNNERS)
def test_the_loop_stands_still_and_goes_on(spawn: Spawn, runner: str) -> None:
    terminal = spawn(host(RUNNERS[runner]))
    modes = terminal.tty_modes()
    terminal.prompt(1)
    assert terminal.run("1 + 1").endswith("2")
    assert terminal.run("ticks == before, order").endswith("(True, [])")
    terminal.line("exit")
    terminal.wait_for(r"^stood still: True order: \[\]$")
    terminal.wait_for(r"^same task: True 0$")
    terminal.wait_for(r"^goes on: True order: \[0, 1, 2, 3, 4\]$")
    terminal.wait_for(r"^done None 0$")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(modes)


@pytest.mark.parametrize("runner", RUNNERS)
def test_await_works_on_what_belongs_to_the_host(spawn: Spawn, runner: str) -> None:
    terminal = spawn(host(RUNNERS[runner]))
    terminal.prompt(1)
    assert terminal.run("await asyncio.sleep(0.05, 'slept'), order").endswith(
        "('slept', [0, 1, 2, 3, 4])"
    )
    assert terminal.run("ticks > before").endswith("True")  # only while the cell awaited
    terminal.run("now = ticks")
    assert terminal.run("ticks == now").endswith("True")
    assert terminal.run("asyncio.get_running_loop() is loop").endswith("True")
    terminal.run("loop.call_soon(lock.release); await lock.acquire()")
    assert terminal.run("lock.locked()").endswith("True")
    terminal.run("reader, writer = await asyncio.open_connection('127.0.0.1', port)")
    assert terminal.run("await reader.read()").endswith("b''")
    out = terminal.run("await asyncio.wait_for(asyncio.shield(background), 0.05)")
    assert "TimeoutError" in out
    assert "boom" in terminal.run("async def fail(): 1/0 # boom\n\nawait fail()")
    terminal.line("exit")
    terminal.wait_for(r"^same task: True 0$")
    terminal.wait_for(r"^goes on: True")
    assert terminal.wait_exit() == 0


def test_nested_embeds(spawn: Spawn) -> None:
    terminal = spawn(host())
    terminal.prompt(1)
    terminal.run("depth = 0")
    terminal.run(
        "async def deeper():\n    level = depth + 1\n    await asyncio.sleep(0)\n"
        "    ipyembed.embed(display_banner=False)\n    return level\n"
    )
    terminal.line("await deeper()")
    terminal.prompt(1)
    assert terminal.run("await asyncio.sleep(0.01, level)").endswith("1")
    terminal.line("print('inner is left'); exit()")
    terminal.wait_for("^inner is left$")
    terminal.prompt(4)
    assert "Out[3]: 1" in terminal.screen_text()
    assert terminal.run("await asyncio.sleep(0.01, depth)").endswith("0")
    terminal.leave(r"^goes on: True order: \[0, 1, 2, 3, 4\]$")


def test_from_a_callback_without_a_task(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, ipyembed
        loop = asyncio.new_event_loop()
        def callback():
            value = 41
            ipyembed.embed()
            loop.call_later(0.01, loop.stop)
        loop.call_soon(callback)
        loop.run_forever()
        print("stopped", asyncio._get_running_loop())
        """
    )
    terminal.prompt(1)
    assert terminal.run("await asyncio.sleep(0.01, value + 1)").endswith("42")
    terminal.leave("^stopped None$")


def test_policy_run_keeps_the_loop_turning(spawn: Spawn) -> None:
    terminal = spawn(host(embed_in_running_loop="run"))
    terminal.prompt(1)
    terminal.run("loop.call_later(0.05, lambda: print('turned', ticks > before)) and None")
    terminal.wait_for("^turned True$")
    assert terminal.run("await asyncio.sleep(0.01, 'too')").endswith("'too'")
    terminal.line("exit")
    terminal.wait_for(r"^stood still: False order: \[0, 1, 2, 3, 4\]$")
    terminal.wait_for("^same task: True 0$")
    assert terminal.wait_exit() == 0


def test_policy_error_refuses_before_anything_is_touched(spawn: Spawn) -> None:
    terminal = spawn(host(embed_in_running_loop="error"))
    modes = terminal.tty_modes()
    terminal.wait_for(r"RuntimeError: embed\(\) was called inside a running loop")
    terminal.wait_for("embed_async")
    assert terminal.wait_exit() == 1
    terminal.assert_terminal_restored(modes)
    assert "In [1]" not in terminal.screen_text()


def test_policy_thread_awaits_elsewhere(spawn: Spawn) -> None:
    terminal = spawn(host(await_in_running_loop="thread"))
    terminal.prompt(1)
    assert terminal.run("await asyncio.sleep(0.01, asyncio.get_running_loop() is loop)").endswith(
        "False"
    )
    terminal.run("await asyncio.sleep(0); task = asyncio.create_task(asyncio.sleep(0.01, 'kept'))")
    assert terminal.run("await task").endswith("'kept'")
    terminal.interrupt("await asyncio.sleep(1000)")
    terminal.prompt(5)
    terminal.leave(r"^stood still: True")


def test_policy_error_for_await_and_a_change_at_the_prompt(spawn: Spawn) -> None:
    terminal = spawn(host(await_in_running_loop="error"), cols=160)
    terminal.prompt(1)
    out = terminal.run("await asyncio.sleep(0.01)")
    assert "RuntimeError" in out
    assert "embed_async" in out
    assert terminal.run("async def quick(): return 7\n\nawait quick()").endswith("7")
    out = terminal.run("%config LoopJuggler.await_in_running_loop = 'nonsense'")
    assert "'reenter'" in out
    assert "'thread'" in out
    assert "'error'" in out
    terminal.run("%config LoopJuggler.await_in_running_loop = 'reenter'")
    assert terminal.run("await asyncio.sleep(0.01, 'now')").endswith("'now'")
    terminal.leave()


def test_a_loop_that_cannot_be_reentered_falls_back_and_says_so_once(spawn: Spawn) -> None:
    terminal = spawn(host("__import__('uvloop').run"), cols=160)
    terminal.prompt(1)
    out = terminal.run("await asyncio.sleep(0.01, 'elsewhere')")
    assert "uvloop.Loop cannot be re-entered, so `await` runs on a loop in a helper thread" in out
    assert out.endswith("'elsewhere'")
    assert terminal.run("await asyncio.sleep(0.01, 'again')") == "Out[2]: 'again'"
    terminal.line("exit")
    terminal.wait_for(r"^stood still: True order: \[\]$")
    terminal.wait_for(r"^goes on: True order: \[0, 1, 2, 3, 4\]$")
    assert terminal.wait_exit() == 0


def test_ctrl_c_ends_the_cell_only(spawn: Spawn) -> None:
    terminal = spawn(host())
    terminal.prompt(1)
    terminal.run("import time")
    for n, cell in enumerate(["await asyncio.sleep(1000)", "time.sleep(1000)"]):
        terminal.interrupt(cell)
        terminal.prompt(n + 3)
    assert terminal.run("me.cancelling(), background.done()").endswith("(0, False)")
    terminal.line("exit")
    terminal.wait_for("^same task: True 0$")
    terminal.wait_for(r"^goes on: True")
    assert terminal.wait_exit() == 0


def test_context_variables(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, contextvars, ipyembed
        var = contextvars.ContextVar("var", default="unset")
        async def main():
            var.set("host")
            ipyembed.embed()
            print("after:", var.get())
        asyncio.run(main())
        """
    )
    terminal.prompt(1)
    assert terminal.run("var.get()").endswith("'host'")
    terminal.run("token = var.set('sync')")
    assert terminal.run("await asyncio.sleep(0); var.get()").endswith("'sync'")
    terminal.run("await asyncio.sleep(0); var.reset(token)")
    assert terminal.run("var.get()").endswith("'host'")
    terminal.run("await asyncio.sleep(0); var.set('async')")
    assert terminal.run("var.get()").endswith("'async'")
    terminal.leave("^after: async$")
