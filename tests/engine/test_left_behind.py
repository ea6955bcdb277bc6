"""An engine changes nothing in its host: while it is open, and when it is closed."""

from __future__ import annotations

import pytest

from tests.engine.host import TIMEOUT, Client, Engines

#: Prints what has changed since the start each time that it is told to.
HOST = """
    import asyncio, atexit, builtins, faulthandler, gc, getpass, logging, os, signal, sys, threading
    import time, warnings
    from concurrent.futures import ThreadPoolExecutor

    exit_functions = []
    register, unregister = atexit.register, atexit.unregister
    def register_and_tell(function, *args, **kwargs):
        exit_functions.append(function)
        return register(function, *args, **kwargs)
    def unregister_and_tell(function):
        exit_functions[:] = [f for f in exit_functions if f != function]
        unregister(function)
    atexit.register, atexit.unregister = register_and_tell, unregister_and_tell

    def host_handler(signum, frame): pass
    signal.signal(signal.SIGUSR1, host_handler)
    logging.basicConfig(level=logging.INFO)
    logging.getLogger("host").setLevel(logging.DEBUG)
    sys.argv = ["the host", "its argument"]
    KIND = "asyncio"

    def snapshot():
        loop = asyncio._get_running_loop()
        state = {f"sys.{name}": getattr(sys, name, None) for name in (
            "excepthook", "unraisablehook", "displayhook", "breakpointhook", "argv", "path",
            "stdin", "stdout", "stderr", "ps1", "ps2", "ps3")}
        state["argv and path"] = list(sys.argv), list(sys.path)
        state |= {f"vars({name})": sorted(vars(getattr(sys, name)), key=str)
                  for name in ("stdout", "stderr")}
        state["threading"] = threading.excepthook, threading.Thread.start, ThreadPoolExecutor.submit
        state["builtins"] = dict(vars(builtins))
        state["getpass"] = getpass.getpass
        state["handlers"] = {n: signal.getsignal(n) for n in signal.valid_signals()}
        state["wakeup fd"] = signal.set_wakeup_fd(-1)
        if state["wakeup fd"] != -1:
            signal.set_wakeup_fd(state["wakeup fd"], warn_on_full_buffer=False)
        state["loop"] = loop and (loop, vars(loop).get("_selector"), loop.get_debug(),
                                  loop.get_exception_handler(), loop.get_task_factory())
        state["task"] = loop and (asyncio.current_task(), asyncio.current_task().cancelling())
        state["tasks"] = loop and sorted(t.get_name() for t in asyncio.all_tasks())
        state["policy"] = asyncio.get_event_loop_policy()
        state["asyncgen hooks"] = sys.get_asyncgen_hooks()
        state["faulthandler"] = faulthandler.is_enabled()
        state["filters"] = list(warnings.filters)
        state["gc"] = gc.isenabled(), gc.get_threshold()
        state["logging"] = {
            name: (logger.level, list(logger.handlers), logger.propagate)
            for name, logger in [("", logging.root), *logging.root.manager.loggerDict.items()]
            if isinstance(logger, logging.Logger) and not name.startswith(LIBRARIES)}
        state["streams of handlers"] = [handler.stream for handler in logging.root.handlers]
        state["main"] = sys.modules["__main__"]
        state["names"] = set(globals())
        state["environment"] = dict(os.environ)
        state["directory"] = os.getcwd()
        state["singleton"] = (
            sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None)
        return state

    def resources():
        return {
            "threads": sorted(t.name for t in threading.enumerate()),
            "descriptors": sorted(fd for fd in os.listdir("/proc/self/fd")
                                  if os.path.exists(f"/proc/self/fd/{fd}")),
            "exit functions": [f.__qualname__ for f in exit_functions],
        }

    # Loggers that the libraries make when they are imported.
    LIBRARIES = ("asyncio", "concurrent", "IPython", "parso", "jedi", "traitlets", "tornado", "zmq",
                 "prompt_toolkit", "stack_data", "PIL", "matplotlib", "pydev", "ipyembed")

    def compare(before, when):
        gc.collect()
        after = {name: value for name, value in now().items() if name in before}
        changed = [name for name in before if before[name] != after[name]]
        for name in changed:
            print("CHANGED", when, name, before[name], "->", after[name], file=sys.__stdout__)
        print(when, len(before), "things,", len(changed), "changed", flush=True)

    async def unrouted():
        # The network thread hears of the end of a cell a little after the client does.
        deadline = time.monotonic() + 10
        while sys.stdout is not sys.__stdout__ and time.monotonic() < deadline:
            await asyncio.sleep(0.01)

    def now():
        return {**snapshot(), **resources()}

    @atexit.register
    def last():
        print("the host's last word", flush=True)
    def order(n):
        print("exit function", n, flush=True)
    atexit.register(order, 1)

    import ipyembed
    async def until_told(text):
        loop = asyncio.get_running_loop()
        assert (await loop.run_in_executor(None, input)) == text

    async def main():
        await asyncio.to_thread(print, "the pool has its thread")
        # What is made once in a process, by the libraries, is made here.
        async with ipyembed.serve("warm"):
            print("warm", flush=True)
            await until_told("served")
        quiet, all_of_it = snapshot(), now()
        print("cold", flush=True)
        async with ipyembed.serve("host") as engine:
            await asyncio.sleep(0)
            compare(quiet, "opened")
            await until_told("used")
            await unrouted()
            compare(quiet, "used")
            before_close = engine.connection_file
        compare(all_of_it, "closed")
        print("its files are gone:", not before_close.parent.exists(), flush=True)
        engine.close()
        async with ipyembed.serve("host"):
            atexit.register(order, 2)
            await until_told("end")
            raise SystemExit(3)
"""

RUN = {
    "asyncio": "    asyncio.run(main())\n",
    "uvloop": "    import uvloop; uvloop.run(main())\n",
}

#: What a client may do to its own engine.
USE = (
    "1 + 1",
    "import asyncio; await asyncio.sleep(0)",
    "1/0",
    "display({'a': 1}); print(get_ipython())",
    "%who",
    "%bg print('of a job')",
    "%wait",
    "%jobs",
    "%loops",
    "!true",
    "import logging; logging.warning('from a cell')",
    "t = asyncio.create_task(asyncio.sleep(0)); await t; del t",
)


@pytest.mark.parametrize("kind", RUN)
def test_nothing_changes(engines: Engines, kind: str) -> None:
    if kind == "uvloop":
        pytest.importorskip("uvloop")
    host = engines.host(HOST + RUN[kind])
    for name, told, seen in (("warm", "served", "cold"), ("host", "used", "its files are gone")):
        client = Client(engines.found(name).path)
        for code in USE:
            assert client.run(code).reply["status"] in ("ok", "error"), code
        assert client.reply(client.raw.complete("impor"))["matches"] == ["import"]
        request = client.start("print('it', 'runs')\nwhile True: pass")
        client.heard(request, "it runs")
        client.interrupt()
        assert client.finish(request).reply["ename"] == "KeyboardInterrupt"
        client.close()
        host.say(told)
        host.wait_for(seen)
    for when in ("opened", "used", "closed"):
        host.wait_for(f"{when} ")
    host.wait_for("gone: True")
    assert "CHANGED" not in host.output
    assert host.output.count(", 0 changed") == 3
    engines.found("host")
    host.say("end")
    assert host.wait() == 3
    # Exit functions run in the order that they would have without an engine, and the engine's
    # files go although nobody has closed it.
    assert host.output.index("function 2") < host.output.index("function 1")
    assert host.output.index("function 1") < host.output.index("last word")
    assert not list(engines.runtime.iterdir())


def test_streams_are_the_host_s_when_a_cell_s_context_is_kept(engines: Engines) -> None:
    host = engines.host("""
        import ipyembed, sys
        with ipyembed.serve("host"):
            print("engine is open", flush=True)
            input()
            print("routed:", sys.stdout is not sys.__stdout__, flush=True)
        print("left:", sys.stdout is sys.__stdout__, sys.stderr is sys.__stderr__, flush=True)
    """)
    host.wait_for("engine is open")
    client = Client(engines.found().path)
    client.run("import contextvars, sys; sys.kept = contextvars.copy_context()")
    client.close()
    host.say("close")
    host.wait_for("routed: True")
    host.wait_for("left: True True")
    assert host.wait() == 0


def test_host_that_ends_without_closing_takes_its_files_along(engines: Engines) -> None:
    host = engines.host("""
        import ipyembed, threading
        engine = ipyembed.serve("host")
        print("engine is open", flush=True)
        input()
    """)
    host.wait_for("engine is open")
    client = Client(engines.found().path)
    request = client.start("print('it', 'runs'); await __import__('asyncio').sleep(600)")
    client.heard(request, "it runs")
    host.say("end")
    assert host.wait() == 0
    assert not list(engines.runtime.iterdir())
    assert client.reply(request, TIMEOUT)["status"] == "error"
    client.close()


def test_forked_child_leaves_the_engine_alone(engines: Engines) -> None:
    host = engines.host("""
        import ipyembed, os, sys, warnings
        warnings.simplefilter("ignore")
        engine = ipyembed.serve("host")
        print("engine is open", flush=True)
        while input() == "fork":
            if (child := os.fork()) == 0:
                engine.close()
                print("child", repr(engine), flush=True)
                sys.exit(0)
            print("child ended with", os.waitpid(child, 0)[1], flush=True)
    """)
    host.wait_for("engine is open")
    client = engines.client()
    client.run("x = 1")
    host.say("fork")
    host.wait_for("child ended with 0")
    assert client.run("x").value == "1"
    assert client.run("import os; os.fork() or os._exit(0); 'parent'").value == "'parent'"
    assert client.run("x").value == "1"
