"""`embed()`: what it accepts and how it is left. Names and profiles have files of their own."""

from __future__ import annotations

import re

from tests.pty.conftest import Spawn

#: The arguments of one `embed()`, a cell, and what that shows.
ARGUMENTS = [
    ("", "outside", "Out[1]: 'seen'"),
    ("local_ns={'a': 41}", "a + 1", "Out[1]: 42"),
    ("local_ns={'a': 41}", "(lambda: (a, outside))()", "Out[1]: (41, 'seen')"),
    ("module=a_module", "in_module, (lambda: in_module)()", "Out[1]: ('found', 'found')"),
    ("user_ns={'a': 41}", "a + 1, 'outside' in globals()", "Out[1]: (42, False)"),
    ("user_module=a_module", "in_module, 'outside' in globals()", "Out[1]: ('found', False)"),
    ("compile_flags=annotations", "def f(a: missing): pass", ""),
    ("config=Config()", "get_ipython().colors", "Out[1]: 'neutral'"),
    ("config=Config({'A': {'b': 1}})", "get_ipython().config.A.b", "Out[1]: 1"),
    ("colors='nocolor'", "get_ipython().colors", "Out[1]: 'nocolor'"),
    ("colors='linux'", "get_ipython().colors", "Out[1]: 'linux'"),
    ("", "await asyncio.sleep(0, 'slept')", "Out[1]: 'slept'"),
    ("using='asyncio'", "await asyncio.sleep(0, 'slept')", "Out[1]: 'slept'"),
    ("autoawait=False", "await asyncio.sleep(0, 'slept')", "SyntaxError"),
    ("using='sync'", "await asyncio.sleep(0, 'slept')", "SyntaxError"),
    ("xmode='Minimal'", "1/0", "ZeroDivisionError: division by zero"),
    ("sync_cells='inside'", "asyncio.get_running_loop().is_running()", "Out[1]: True"),
    ("prompts_class=Question", "1", "1"),
]


def test_everything_that_IPython_embed_takes(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import __future__, asyncio, sys, types
        import ipyembed
        from IPython.terminal.prompts import Prompts, Token
        from traitlets.config import Config

        annotations = __future__.annotations.compiler_flag
        a_module = types.ModuleType("a_module")
        a_module.in_module = "found"
        outside = "seen"

        class Question(Prompts):
            def out_prompt_tokens(self):
                return []

        for arguments in sys.argv[1:]:
            kwargs = eval(f"dict({arguments})")
            ipyembed.embed(display_banner=False, **kwargs)
        """,
        *(arguments for arguments, _, _ in ARGUMENTS),
        rows=100,
    )
    before = terminal.tty_modes()
    for arguments, cell, shown in ARGUMENTS:
        terminal.prompt(1)
        terminal.run(cell)
        printed = terminal.output(1)
        assert shown in printed, (arguments, cell, printed)
        if shown.startswith("Out"):
            assert printed == shown
        terminal.line("exit")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(before)


def test_banner_header_and_exit_message(spawn: Spawn) -> None:
    terminal = spawn(
        """
        from ipyembed import embed
        embed(header="the header", banner1="first banner\\n", banner2="second banner",
              exit_msg="the exit message")
        embed(display_banner=False, header="unseen", exit_msg="left again")
        embed()
        print("end")
        """
    )
    terminal.prompt(1)
    assert re.search(
        r"first banner\n+second banner\n+the header\n+In \[1\]:", terminal.screen_text()
    )
    terminal.line("exit")
    terminal.wait_for(r"the exit message\n+In \[1\]:")
    assert "unseen" not in terminal.screen_text()
    mark = terminal.mark()
    terminal.line("exit()")
    terminal.wait_for_new(r"left again\r\n(.*\r\n)*IPython .*\r\n", mark)  # the usual banner
    terminal.prompt(1)
    terminal.ctrl("d")
    terminal.wait_for(r"Do you really want to exit \(\[y\]/n\)\?")
    terminal.line("n")
    terminal.prompt(1)
    terminal.ctrl("d")
    terminal.line("y")
    terminal.wait_for("^end")
    assert terminal.wait_exit() == 0
    assert "the exit message" not in terminal.printed_since(mark)
    terminal.assert_terminal_restored()


def test_cells_and_tasks_run_on_the_calling_thread_and_the_prompt_does_not(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, threading
        from ipyembed import embed
        eval_thread = threading.get_ident()
        ticked = threading.Event()
        async def tick():
            while True:
                if threading.get_ident() == eval_thread:
                    ticked.set()
                await asyncio.sleep(0.001)
        def type_when_ticked():
            # The prompt waits and takes what is typed; the task ticks meanwhile.
            ticked.wait()
            print("ticked at the prompt")
        def here():
            return threading.get_ident() == eval_thread
        async def here_async():
            await asyncio.sleep(0)
            return here()
        embed(display_banner=False)
        """
    )
    assert terminal.run("here(), threading.main_thread().ident == eval_thread") == (
        "Out[1]: (True, True)"
    )
    assert terminal.run("await here_async()") == "Out[2]: True"
    assert terminal.run("for _ in [1]:\n    print(here())") == "True"
    terminal.run("task = asyncio.create_task(tick()); await asyncio.sleep(0); ticked.clear()")
    terminal.run("threading.Thread(target=type_when_ticked).start()")
    terminal.wait_for("^ticked at the prompt")
    terminal.send("here() # typed meanwhile")
    terminal.wait_for("typed meanwhile")
    terminal.line()
    terminal.prompt(7)
    assert terminal.output(6) == "Out[6]: True"
    terminal.leave()


def test_kill_embedded_in_a_loop(spawn: Spawn) -> None:
    terminal = spawn(
        """
        from ipyembed import embed
        for n in range(100):
            embed(display_banner=False)
        print("after the loop", n)
        embed(header="another place")
        for n in range(100):
            embed(display_banner=False)
        print("after the second loop", n)
        """
    )
    terminal.prompt(1)
    terminal.line("exit")  # once is not for ever
    terminal.prompt(1)
    assert terminal.run("n") == "Out[1]: 1"
    assert "will not reactivate" in terminal.run("%kill_embedded -y")
    assert terminal.run("n") == "Out[3]: 1"  # still open
    terminal.line("exit")
    terminal.wait_for("^after the loop 99")
    terminal.wait_for("^another place")
    terminal.prompt(1)
    terminal.line("exit")
    terminal.prompt(1)
    terminal.line("%kill_embedded --exit")  # asks
    terminal.wait_for(r"\? \[y/N\]")
    terminal.line("y")
    terminal.wait_for("^after the second loop 99")
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored()


def test_exit_raise_leaves_a_loop(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import sys
        from IPython.terminal.embed import KillEmbedded
        from ipyembed import embed
        hook = sys.excepthook
        try:
            while True:
                embed(display_banner=False)
        except KillEmbedded as error:
            print("raised:", error, sys.excepthook is hook)
        embed(display_banner=False)
        print("not raised")
        embed(display_banner=False)
        """
    )
    terminal.prompt(1)
    terminal.line("%exit_raise")
    terminal.wait_for("^raised: Embedded IPython raising error, as user requested. True")
    terminal.prompt(1)
    terminal.line("exit")
    terminal.wait_for("^not raised")
    terminal.prompt(1)
    terminal.line("%exit_raise")
    assert terminal.wait_exit() == 1
    assert "\nTraceback" in terminal.screen_text()  # Python's own, uncaught
    terminal.assert_terminal_restored()


def test_in_an_except_block(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import sys
        from ipyembed import embed
        def divide(a, b):
            try:
                return a / b
            except ZeroDivisionError as error:
                embed(display_banner=False)
                raise
        try:
            divide(1, 0)
        except ZeroDivisionError as error:
            print("still raised:", error)
        """
    )
    assert terminal.run("a, b, error") == ("Out[1]: (1, 0, ZeroDivisionError('division by zero'))")
    assert terminal.run("sys.exc_info()[1] is error") == "Out[2]: True"
    assert "ZeroDivisionError: division by zero" in terminal.run("raise")
    assert "KeyError: 'other'" in terminal.run("raise KeyError('other')")
    assert terminal.run("error.__context__ is None") == "Out[5]: True"
    terminal.leave("^still raised: division by zero")


def test_an_embed_in_a_cell_of_another(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import ipyembed
        shells = []
        def inner(at):
            ipyembed.embed(header=at)
            return at
        async def inner_async(at):
            return inner(at)
        def outer():
            mine = "the outer's"
            ipyembed.embed(display_banner=False)
            print("mine is", mine)
        outer()
        """
    )
    terminal.run("shells.append(get_ipython())")
    for n, cell in enumerate(["inner('first')", "inner('then')", "await inner_async('last')"], 2):
        terminal.prompt(n)
        at, mark = cell[cell.index("'") : -1], terminal.mark()
        terminal.line(cell)
        terminal.wait_for_new(r"\n(first|then|last)\r\n(.*\r\n)*.*In \[1\]:", mark)
        assert terminal.run("at, shells[0] is get_ipython()") == f"Out[1]: ({at}, False)"
        terminal.line("exit")
        terminal.prompt(n + 1)
        assert f"\nOut[{n}]: {at}" in terminal.screen_text()
    assert terminal.run("get_ipython() is shells[0], len(In)") == "Out[5]: (True, 6)"
    terminal.run("mine = 'changed'")
    terminal.leave("^mine is changed")


def test_an_embed_typed_at_the_prompt_of_ipython(spawn: Spawn) -> None:
    terminal = spawn.ipython()
    terminal.run("import ipyembed; kept = 'kept'; shell = get_ipython(); history = In")
    terminal.run("6 * 7")
    terminal.line("ipyembed.embed(display_banner=False)")
    terminal.prompt(1)
    assert terminal.run("kept, (lambda: kept)(), get_ipython() is shell") == (
        "Out[1]: ('kept', 'kept', False)"
    )
    assert terminal.run("added = 1; kept = 'changed'; len(In), In is history") == (
        "Out[2]: (3, False)"
    )
    terminal.line("exit")
    terminal.prompt(4)
    assert terminal.run("kept, added, get_ipython() is shell") == "Out[4]: ('changed', 1, True)"
    assert terminal.run("len(In), In is history, Out[2], sorted(Out)") == (
        "Out[5]: (6, True, 42, [2, 4])"
    )
    assert terminal.run("_, __, _5 is _, _i5 == In[5]").startswith("Out[6]: ((6, True, 42, [2, 4])")
    terminal.leave()
