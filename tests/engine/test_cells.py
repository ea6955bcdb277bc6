"""A client's cells in the loops of hosts."""

from __future__ import annotations

import os
import re

import pytest

from tests.engine.host import TIMEOUT, Client, Engines

#: The same program in each kind of host: a counter goes on, and cells see it.
HEAD = """
    import asyncio, os, sys, threading, time
    import ipyembed
    ticks = 0
    settings = {"greeting": "hello"}

    async def tick(sleep):
        global ticks
        while True:
            ticks += 1
            await sleep(0.005)
"""
HOSTS = {
    "asyncio": """
    async def main():
        async with ipyembed.serve("host") as engine:
            print("engine is open", engine, flush=True)
            await tick(asyncio.sleep)
    asyncio.run(main())
""",
    "uvloop": """
    import uvloop
    async def main():
        async with ipyembed.serve("host") as engine:
            print("engine is open", engine, flush=True)
            await tick(asyncio.sleep)
    uvloop.run(main())
""",
    "trio": """
    import trio
    async def main():
        async with ipyembed.serve("host") as engine:
            print("engine is open", engine, flush=True)
            await tick(trio.sleep)
    trio.run(main)
""",
    "thread": """
    with ipyembed.serve("host") as engine:
        print("engine is open", engine, flush=True)
        while True:
            ticks += 1
            time.sleep(0.005)
""",
}


@pytest.fixture(params=HOSTS)
def kind(request: pytest.FixtureRequest) -> str:
    kind: str = request.param
    if kind in ("uvloop", "trio") and not os.environ.get("CI"):
        pytest.importorskip(kind)
    return kind


def test_session_of_a_client(engines: Engines, kind: str) -> None:
    host = engines.host(HEAD + HOSTS[kind])
    host.wait_for("engine is open")
    client = engines.client()

    result = client.run("1 + 1")
    assert result.value == "2"
    assert result.reply["status"] == "ok"
    assert result.of("execute_input") == [{"code": "1 + 1", "execution_count": 1}]
    assert result.of("execute_result")[0]["execution_count"] == 1
    states = [c["execution_state"] for c in result.of("status")]
    assert states == ["busy", "idle"]

    result = client.run("import sys; print('out'); print('err', file=sys.stderr)")
    assert (result.text, result.errors) == ("out\n", "err\n")

    # Cells see the host's names, change them, and run on its thread.
    assert client.run("settings['greeting'] = 'hi'; settings").value == "{'greeting': 'hi'}"
    on_main = client.run("threading.current_thread() is threading.main_thread()").value
    assert on_main == str(kind != "thread")

    # The host goes on while a cell awaits.
    sleep = "import trio; await trio.sleep(.1)" if kind == "trio" else "await asyncio.sleep(.1)"
    assert client.run(f"before = ticks; {sleep}; ticks > before").value == "True"

    result = client.run("1 / 0")
    assert result.reply["status"] == "error"
    assert result.reply["ename"] == "ZeroDivisionError"
    assert result.of("error")[0]["ename"] == "ZeroDivisionError"
    assert any("1 / 0" in strip(line) for line in result.of("error")[0]["traceback"])

    # What follows is answered by request, not by cell.
    completed = client.reply(client.raw.complete("setti"))
    assert completed["matches"] == ["settings"]
    assert (completed["cursor_start"], completed["cursor_end"]) == (0, 5)
    inspected = client.reply(client.raw.inspect("tick"))
    assert "Signature" in strip(inspected["data"]["text/plain"])
    assert client.reply(client.raw.inspect("nothing_of_that_name"))["found"] is False
    assert client.reply(client.raw.is_complete("for i in x:")) == {
        "status": "incomplete",
        "indent": "    ",
    }
    history = client.reply(client.raw.history(hist_access_type="tail", n=2))["history"]
    assert history[-1][2] == "1 / 0"
    names = client.ask("names_request")["names"]
    assert names["ticks"] == "int"
    assert names["tick"] == "function"
    assert "In" not in names

    assert "settings" in client.run("%who").text.split()

    result = client.run("settings?")
    assert "Type:" in strip(result.reply["payload"][0]["data"]["text/plain"])
    assert "one line" in client.run("!echo one line").text
    assert client.run("exit").reply["payload"][0]["source"] == "ask_exit"
    assert client.run("6 * 7").value == "42"
    assert "out\n" not in host.output

    # Jobs are the client's, as are their ends.
    assert "cells run in" in client.run("%loops").text
    prints_later(client, "%bg --thread print('of', 'a job') or 6 * 7", "of a job\n")
    assert client.run("%fg 1").reply["status"] == "ok"
    if kind == "trio":
        refused = client.run("%bg await trio.sleep(0)").reply
        assert "a trio task is running here" in refused["evalue"]
    else:
        failed = "[2] failed await asyncio.sleep(0.01); 1 / 0: ZeroDivisionError"
        prints_later(client, "%bg await asyncio.sleep(0.01); 1 / 0", failed)
        assert client.run("%wait").reply["status"] == "ok"
        shown = client.run("%jobs").reply["payload"][0]["data"]["text/plain"]
        assert "[2]" in shown
    assert "job" not in host.output


def prints_later(client: Client, code: str, text: str) -> None:
    """Run a cell; what it has started writes `text`, before its end or after it."""
    request = client.start(code)
    if text not in client.finish(request).text:
        client.heard(request, text)


def strip(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


def test_interrupts(engines: Engines, kind: str) -> None:
    engines.host(HEAD + HOSTS[kind]).wait_for("engine is open")
    client, other = engines.client(), engines.client()
    sleep = "import trio; await trio.sleep(60)" if kind == "trio" else "await asyncio.sleep(60)"
    blocking = "[time.sleep(.01) for _ in range(6000)]" if kind == "thread" else "time.sleep(60)"
    for code in (sleep, blocking, "while True: pass", "input('?')"):
        request = client.start(f"print('it', 'runs'); {code}".replace("; while", "\nwhile"))
        client.heard(request, "it runs")
        assert other.interrupt()["ename"] == "NotYours"
        assert client.interrupt()["status"] == "ok"
        result = client.finish(request)
        assert result.reply["ename"] == "KeyboardInterrupt", code
        shown = strip("\n".join(result.of("error")[0]["traceback"]))
        assert "ipyembed" not in shown
        assert "_base.py" not in shown
    assert client.run("1 + 1").value == "2"
    assert client.interrupt()["status"] == "ok"  # nothing runs: no harm
    assert client.run("1 + 1").value == "2"


def test_input_is_asked_at_the_client_whose_cell_asks(engines: Engines) -> None:
    host = engines.host(HEAD + HOSTS["asyncio"])
    host.wait_for("engine is open")
    client, other = engines.client(), engines.client()

    request = client.start("import getpass; (input('who? '), getpass.getpass('secret: '))")
    for prompt, password, answer in (("who? ", False, "me"), ("secret: ", True, "pst")):
        asked = client.raw.get_stdin_msg(timeout=TIMEOUT)
        assert asked["content"] == {"prompt": prompt, "password": password}
        assert asked["parent_header"]["msg_id"] == request
        other.raw.input("not asked")
        client.raw.input(answer)
    assert client.finish(request).value == "('me', 'pst')"

    request = client.start("input()")
    client.raw.get_stdin_msg(timeout=TIMEOUT)
    client.raw.input("\x04")
    assert client.finish(request).reply["ename"] == "EOFError"

    # A client that is gone does not keep the host waiting.
    request = client.start("settings['answer'] = repr(input())")
    client.raw.get_stdin_msg(timeout=TIMEOUT)
    client.close()
    assert other.run("'answer' in settings").value == "False"
    assert other.run("import builtins; builtins.input.__module__").value is not None

    request = other.start("input()", allow_stdin=False)
    assert other.finish(request).reply["ename"] == "StdinNotImplementedError"


def test_each_client_gets_the_output_of_its_own_cells(engines: Engines) -> None:
    """Also that of tasks and threads that these start, after the cell's end."""
    host = engines.host(HEAD + HOSTS["asyncio"])
    host.wait_for("engine is open")
    clients = {name: engines.client() for name in ("one", "two")}
    code = """
        async def task_of_NAME():
            await go.wait()
            print("task of NAME")
        def thread_of_NAME():
            ready.wait()
            print("thread of NAME")
        tasks.append(asyncio.create_task(task_of_NAME()))
        threading.Thread(target=thread_of_NAME).start()
    """
    first = clients["one"].run("go, ready, tasks = asyncio.Event(), threading.Event(), []")
    assert first.reply["status"] == "ok"
    requests = {}
    for name, client in clients.items():
        requests[name] = client.start("if True:" + code.replace("NAME", name))
        assert client.finish(requests[name]).reply["status"] == "ok"
    clients["one"].run("ready.set(); go.set(); await asyncio.gather(*tasks); print('and more')")
    for name, client in clients.items():
        client.heard(requests[name], f"task of {name}")
        client.heard(requests[name], f"thread of {name}")
    assert "of one" not in host.output
    assert "of two" not in host.output
    result = clients["two"].run("tasks.clear(); sys.__stdout__.write('of the host\\n')")
    host.wait_for("of the host")
    assert "of the host" not in result.text


def test_cells_are_run_in_order_and_a_failure_aborts_what_the_client_sent_after(
    engines: Engines,
) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client, other = engines.client(), engines.client()
    client.run("order = []")
    begin = client.start("await asyncio.sleep(.2)")
    requests = [client.start(f"order.append({n})") for n in range(3)]
    failing = client.start("1/0")
    aborted = client.start("order.append('aborted')")
    others = other.start("order.append('other')")
    for request in (begin, *requests):
        assert client.finish(request).reply["status"] == "ok"
    assert client.finish(failing).reply["status"] == "error"
    assert client.finish(aborted).reply["status"] == "aborted"
    assert other.finish(others).reply["status"] == "ok"
    order = client.run("order.remove('other'); order").value
    assert order == "[0, 1, 2]"


def test_context_variables_and_names_live_on(engines: Engines) -> None:
    engines.host(HEAD + HOSTS["asyncio"]).wait_for("engine is open")
    client = engines.client()
    client.run("import contextvars; v = contextvars.ContextVar('v', default=0); v.set(1)")
    assert client.run("v.get()").value == "1"
    client.run("await asyncio.sleep(0); v.set(2)")
    assert client.run("v.get(), sys.modules['__main__'].v is v").value == "(2, True)"


def test_cells_on_a_thread_of_their_own_where_that_is_asked_for(engines: Engines) -> None:
    script = HEAD + HOSTS["asyncio"].replace('("host")', '("host", cells="thread")')
    engines.host(script).wait_for("a thread of its own")
    client = engines.client()
    assert client.run("threading.current_thread().name").value == "'ipyembed-cells'"
    # A cell that blocks there does not hold the host's loop.
    assert client.run("before = ticks; time.sleep(0.3); ticks > before").value == "True"
    assert client.run("await asyncio.sleep(0, 'awaited')").value == "'awaited'"
    request = client.start("print('it', 'runs'); await asyncio.sleep(60)")
    client.heard(request, "it runs")
    client.interrupt()
    assert client.finish(request).reply["ename"] == "KeyboardInterrupt"


def test_shutdown_ends_the_engine_and_not_the_host(engines: Engines) -> None:
    script = (
        HEAD
        + """
    async def main():
        engine = ipyembed.serve("host")
        print("engine is open", flush=True)
        while engine.is_open or os.listdir(os.environ["IPYEMBED_RUNTIME_DIR"]):
            await asyncio.sleep(.01)
        print("closed", engine, os.listdir(os.environ["IPYEMBED_RUNTIME_DIR"]), flush=True)
    asyncio.run(main())
    """
    )
    host = engines.host(script)
    host.wait_for("engine is open")
    client = Client(engines.found().path)
    client.run("1")
    assert client.ask("shutdown_request", {"restart": True}, "control")["restart"] is False
    assert "closed []" not in host.output
    host.wait_for("closed <Engine 'host'")
    client.close()
    assert host.wait() == 0, host.output
    assert "[]" in host.output


def test_the_interpreter_does_not_end_while_the_engine_does(engines: Engines) -> None:
    """Closed by a client, here. Both disposed of the shell, and crashed in sqlite now and then."""
    script = (
        HEAD
        + """
    import zmq
    end = zmq.Context.term
    def end_slowly(context):
        time.sleep(0.5)
        end(context)
        print("zmq has ended", flush=True)
    zmq.Context.term = end_slowly
    async def main():
        engine = ipyembed.serve("host")
        print("engine is open", flush=True)
        while engine.is_open:
            await asyncio.sleep(.01)
    asyncio.run(main())
    """
    )
    host = engines.host(script)
    host.wait_for("engine is open")
    client = Client(engines.found().path)
    client.ask("shutdown_request", {"restart": False}, "control")
    client.close()
    host.wait_for("zmq has ended")
    assert host.wait() == 0
