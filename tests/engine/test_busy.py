"""What is answered while user code holds the eval thread, or the interpreter itself."""

from __future__ import annotations

import time

import pytest
import zmq

from tests.engine.host import TIMEOUT, Engines
from tests.engine.test_cells import HEAD, HOSTS


def test_busy_engine_says_not_now(engines: Engines) -> None:
    script = HEAD + HOSTS["asyncio"].replace('("host")', '("host", completion_timeout=0.2)')
    engines.host(script).wait_for("engine is open")
    client, other = engines.client(), engines.client()
    request = client.start("print('it', 'runs'); time.sleep(60)")
    client.heard(request, "it runs")
    asked = time.monotonic()
    reply = other.reply(other.raw.complete("setti"))
    assert reply["matches"] == []
    assert "In [1]" in reply["metadata"]["ipyembed_busy"]
    assert other.reply(other.raw.inspect("settings"))["found"] is False
    assert time.monotonic() - asked < 30
    assert "In [1]" in other.ask("state_request", channel="control")["busy"]["where"]
    assert other.reply(other.raw.kernel_info())["language_info"]["name"] == "python"
    # An empty history would be taken for the truth: this waits.
    history = [other.raw.history(hist_access_type="tail", n=1, raw=True) for _ in range(2)]
    names = other.send("names_request")
    assert not other.raw.shell_channel.socket.poll(500)  # longer than `completion_timeout`
    client.interrupt()
    assert client.finish(request).reply["ename"] == "KeyboardInterrupt"
    for asked in history:
        assert "time.sleep(60)" in other.reply(asked)["history"][0][2]
    assert "settings" in other.reply(names)["names"]
    assert other.reply(other.raw.complete("setti"))["matches"] == ["settings"]

    request = client.start("print('it', 'waits'); await asyncio.sleep(60)")
    client.heard(request, "it waits")
    assert other.reply(other.raw.complete("setti"))["matches"] == ["settings"]
    client.interrupt()
    client.finish(request)


def test_heart_beats_while_code_holds_the_interpreter(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    found, client = engines.found(), engines.client()
    context = zmq.Context()
    heart = context.socket(zmq.REQ)
    heart.linger = 0
    try:
        heart.connect(f"ipc://{found.info['ip']}-{found.info['hb_port']}")
        # PyDLL keeps the lock: no other thread runs any Python, ours neither.
        code = "import ctypes; print('it', 'runs'); time.sleep(.2); ctypes.PyDLL(None).sleep(4)"
        request = client.start(code + "; print('it', 'is over')")
        client.heard(request, "it runs")
        time.sleep(1)  # until it has the lock
        heart.send(b"are you there?")
        assert heart.poll(int(TIMEOUT) * 1000)
        assert heart.recv() == b"are you there?"
        assert not client.raw.iopub_channel.socket.poll(0)
        assert "it is over" in client.finish(request).text
    finally:
        context.destroy(linger=0)


SIMULATE = """
    async def simulate(sleep):
        global ticks
        while True:
            ticks += 1
            end = time.perf_counter() + 0.00005
            while time.perf_counter() < end: pass
            await sleep(0)
"""


@pytest.mark.parametrize("kind", ["asyncio", "uvloop", "trio"])
def test_host_whose_loop_never_waits(engines: Engines, kind: str) -> None:
    """Such a loop hardly lets other threads run, if it does not mean to."""
    if kind != "asyncio":
        pytest.importorskip(kind)
    script = HEAD + SIMULATE + HOSTS[kind].replace("tick(", "simulate(")
    engines.host(script).wait_for("engine is open")
    client = engines.client()
    begun = time.monotonic()
    for n in range(10):
        assert client.run(f"{n}").value == f"{n}"
        assert client.reply(client.raw.complete("asyn"))["matches"]
    assert time.monotonic() - begun < 10
    client.run("then = ticks")
    assert client.run("ticks > then").value == "True"
