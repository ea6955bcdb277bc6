"""Two shells at once in one process, and what a second one is told."""

from __future__ import annotations

import re

from tests.pty.conftest import Spawn


def test_in_two_threads_the_second_waits_and_then_opens(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import threading
        from ipyembed import embed
        first_is_open = threading.Event()
        def open_shell(name):
            me = threading.get_ident()
            embed(display_banner=False, header=name)  # opened here
            print(name, "left")
        def second():
            first_is_open.wait()
            open_shell("second")
        threads = [
            threading.Thread(target=open_shell, args=["first"], name="thread one"),
            threading.Thread(target=second, name="thread two"),
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        print("both left")
        """
    )
    before = terminal.tty_modes()
    assert terminal.run("name, threading.get_ident() == me") == "Out[1]: ('first', True)"
    terminal.run("first_is_open.set()")
    said = terminal.wait_for(r"^ipyembed: the shell at (.|\n)*? to\s+end").replace("\n", "")
    place = r"\S*script0\.py:7"
    assert re.search(
        rf"shell at {place} \(thread thread two\) waits for the one opened at {place} "
        r"\(thread thread one\)",
        said,
    )
    # The first goes on as if nobody waited.
    assert terminal.run("name").endswith("Out[3]: 'first'")
    terminal.line("exit")
    terminal.wait_for("^first left")
    terminal.prompt(1)
    assert terminal.run("name, threading.get_ident() == me") == "Out[1]: ('second', True)"
    assert terminal.run("await __import__('asyncio').sleep(0, 'too')") == "Out[2]: 'too'"
    terminal.leave("^both left", modes=before)


def test_in_two_tasks_the_second_waits_and_then_opens(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio
        from ipyembed import embed_async
        async def open_shell(name):
            task = asyncio.current_task()
            await embed_async(display_banner=False)  # opened here
            print(name, "left")
        async def main():
            async with asyncio.TaskGroup() as tasks:
                for name in ("first", "second", "third", "fourth"):
                    tasks.create_task(open_shell(name), name=name)
            print("all left")
        asyncio.run(main())
        """
    )
    before = terminal.tty_modes()
    terminal.wait_for_new(r"(?s)(waits for the one opened at.* to end.*){3}", 0)
    assert terminal.run("name, asyncio.current_task() is task") == "Out[1]: ('first', True)"
    said = terminal.screen_text().replace("\n", "")
    place = r"\S*script0\.py:6"
    waits = rf"ipyembed: the shell at {place} \(.*?\) waits for the one opened at {place} "
    assert len(re.findall(waits, said)) == 3
    # The third is cancelled while it waits, and so never opens.
    terminal.run("third, = (t for t in asyncio.all_tasks() if t.get_name() == 'third')")
    assert terminal.run("third.cancel(); await asyncio.wait({third}); third.cancelled()") == (
        "Out[3]: True"
    )
    terminal.line("exit")
    terminal.wait_for("^first left")
    for name in ("second", "fourth"):
        terminal.prompt(1)
        assert terminal.run("name, await asyncio.sleep(0, 1), asyncio.current_task() is task") == (
            f"Out[1]: ('{name}', 1, True)"
        )
        terminal.line("exit")
        terminal.wait_for(f"^{name} left")
    terminal.wait_for("^all left")
    assert "third left" not in terminal.screen_text()
    assert terminal.wait_exit() == 0
    terminal.assert_terminal_restored(before)


def test_a_thread_waits_for_a_task_and_the_other_way_round(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio, threading
        from ipyembed import embed, embed_async
        def in_thread(name):
            embed(display_banner=False)
        async def main():
            name = "task"
            thread = threading.Thread(target=in_thread, args=["thread"])
            await embed_async(display_banner=False)
            await embed_async(display_banner=False)
            await asyncio.to_thread(thread.join)
        asyncio.run(main())
        """
    )
    terminal.run("thread.start()")
    terminal.wait_for(r"waits for the one opened at(.|\n)*MainThread")
    assert terminal.run("name").endswith("'task'")
    terminal.line("exit")
    terminal.wait_for(r"(?s)waits for the one.*waits for the one opened")
    terminal.prompt(1)
    assert terminal.run("name").endswith("Out[1]: 'thread'")
    terminal.line("exit")
    terminal.prompt(1)
    assert terminal.run("name").endswith("Out[1]: 'task'")
    terminal.leave()


def test_embed_in_a_task_of_a_loop_whose_prompt_is_up_is_refused(spawn: Spawn) -> None:
    terminal = spawn(
        """
        import asyncio
        from ipyembed import embed, embed_async
        async def embed_now():
            embed(display_banner=False)  # opened here
        async def main():
            await embed_async(display_banner=False)
        asyncio.run(main())
        """
    )
    terminal.run("task = asyncio.create_task(embed_now())")
    terminal.prompt(2)
    said = terminal.run("await asyncio.wait({task}); print(task.exception())").replace("\n", "")
    # It would stop the thread on which the first shell lives.
    assert re.search(r"embed\(\) at \S*script0\.py:5 .*open at \S*script0\.py:7", said)
    assert "embed_async" in said
    assert terminal.run("1 + 1") == "Out[3]: 2"
    terminal.leave()
