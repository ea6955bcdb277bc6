"""`%loops` and `juggler_state()` tell what is so, in every kind of shell."""

from __future__ import annotations

import re

import pytest

from tests.pty.conftest import Spawn

HOST = """
    import asyncio, threading
    import ipyembed

    def ask():
        state = ipyembed.juggler_state()
        print("asked:", state.doing, "| host", state.host_loop and state.host_loop.turned)

    def ask_from_a_thread():
        threading.Timer(0.2, ask).start()

    async def main(shell):
        await asyncio.sleep(0)
        result = shell()
        if result is not None:
            await result

    OPEN
    try:
        ipyembed.juggler_state()
    except RuntimeError as error:
        print("afterwards:", error)
"""

KINDS = {
    "plain": ("ipyembed.embed()", "none", "none needed so far|asyncio"),
    "awaited": (
        "asyncio.run(main(ipyembed.embed_async))",
        r"asyncio\S+, running, 1 tasks",
        "none needed so far",
    ),
    "uvloop": (
        "__import__('uvloop').run(main(ipyembed.embed_async))",
        r"uvloop\.Loop, running, 1 tasks",
        "none needed so far",
    ),
    "paused": (
        "asyncio.run(main(ipyembed.embed))",
        r"asyncio\S+, paused while the prompt waits, 1 tasks",
        "none needed so far",
    ),
    "re-entered": (
        "asyncio.run(main(lambda: ipyembed.embed(embed_in_running_loop='run')))",
        r"asyncio\S+, re-entered while the prompt waits, 1 tasks",
        "none needed so far",
    ),
    "worker": (
        "t = threading.Thread(target=lambda: ipyembed.embed(), name='worker'); t.start(); t.join()",
        "none",
        "asyncio",
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_loops(spawn: Spawn, kind: str) -> None:
    text, host, own = KINDS[kind]
    terminal = spawn(HOST.replace("OPEN", text), rows=50, cols=140)
    terminal.prompt(1)
    shown = terminal.run("%loops")
    rows = dict(re.findall(r"^(\S.*?)  +(\S.*)$", shown, re.MULTILINE))
    thread = "worker" if kind == "worker" else "MainThread"
    assert rows["shell"].startswith("opened at ")
    assert rows["eval thread"] == f"{thread}: runs a cell"
    assert re.match(host, rows["host loop"])
    assert re.match(own, rows["shell's own loop"])
    assert rows["GUI loop"].startswith("none")
    assert rows["prompt thread"] == "ipyembed-prompt"
    assert "asyncio_at_prompt" in shown
    # asked by another thread, while the prompt waits: the truth of that moment
    terminal.run("ask_from_a_thread()")
    terminal.wait_for(r"^asked: waits for the prompt")
    # live: what %config changes is what %loops shows
    terminal.run("%config LoopJuggler.stuck_after = 7.5")
    assert re.search(r"^  stuck_after +7\.5$", terminal.run("%loops"), re.MULTILINE)
    terminal.leave("^afterwards: no shell is open")


def test_calls_from_another_thread(spawn: Spawn) -> None:
    terminal = spawn(HOST.replace("OPEN", "ipyembed.embed()"))
    terminal.prompt(1)
    terminal.run("def where(): return threading.current_thread().name")
    terminal.run("def call(): print('called on', ipyembed.call_in_eval_thread(where).result(10))")
    terminal.run("threading.Timer(0.1, call).start()")
    terminal.wait_for("^called on MainThread$")
    # and while a cell awaits, which needs the call to be made
    assert terminal.run("await asyncio.to_thread(call)").startswith("called on MainThread")
    terminal.leave()
