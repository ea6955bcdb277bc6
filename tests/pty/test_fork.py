"""`embed()` in a forked child."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

SCRIPT = """
    import asyncio, os, sys, threading, warnings
    # Python 3.12 and later: a shell that is open has threads, of which the child has none.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    from ipyembed import embed

    def fork_and_embed():
        pid = os.fork()
        if pid == 0:
            where = "child"
            embed(display_banner=False)
            print("child threads:", [t.name for t in threading.enumerate()])
            sys.stdout.flush()
            os._exit(7)
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])

    where = "parent"
    if "before" in sys.argv:
        embed(display_banner=False)
    if "cell" in sys.argv:
        embed(display_banner=False)
    else:
        print("child ended with", fork_and_embed())
    where = "parent again"
    embed(display_banner=False)
    """


@pytest.mark.parametrize("first", ["no shell", "before", "cell", "awaiting cell"])
def test_a_forked_child_has_a_shell_of_its_own(spawn: Spawn, first: str) -> None:
    terminal = spawn(SCRIPT, *first.split())
    before = terminal.tty_modes()
    if first == "before":
        assert terminal.run("where") == "Out[1]: 'parent'"
        terminal.line("exit")
    elif first == "cell":
        terminal.run("where")
        terminal.line("print('child ended with', fork_and_embed())")
    elif first == "awaiting cell":
        terminal.run("where")
        terminal.line("await asyncio.sleep(0); print('child ended with', fork_and_embed())")
    terminal.prompt(1)
    assert terminal.run("where") == "Out[1]: 'child'"
    assert terminal.run("where = await asyncio.sleep(0, 'awaited in the child'); where") == (
        "Out[2]: 'awaited in the child'"
    )
    terminal.line("exit")
    terminal.wait_for(r"^child threads: \['MainThread'\]")
    terminal.wait_for("^child ended with 7")
    if "cell" in first:
        terminal.prompt(3)
        assert terminal.run("where, await asyncio.sleep(0, 'still works')") == (
            "Out[3]: ('parent', 'still works')"
        )
        terminal.line("exit")
    terminal.prompt(1)
    assert terminal.run("where, await asyncio.sleep(0, 1)") == "Out[1]: ('parent again', 1)"
    terminal.leave(modes=before)


def test_a_child_that_never_embeds_leaves_the_parents_prompt_alone(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import os, threading, warnings
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        from ipyembed import embed
        def fork():
            pid = os.fork()
            if pid == 0:
                os._exit(3)
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        embed(display_banner=False)
        print("left")
        """
    )
    before = terminal.tty_modes()
    assert terminal.run("fork()") == "Out[1]: 3"
    # By a thread of the host's, while the prompt is up.
    terminal.run("forking = threading.Timer(0.01, lambda: print('status', fork()))")
    terminal.run("forking.start()")
    terminal.wait_for("^status 3")
    assert terminal.run("await __import__('asyncio').sleep(0, 'works')") == "Out[4]: 'works'"
    terminal.leave("^left", modes=before)
