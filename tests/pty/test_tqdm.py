"""Real progress bars above the prompt: of a task, of a thread, one within the other."""

from __future__ import annotations

import pytest

from tests.pty.conftest import Spawn

HOST = """
    import asyncio, threading, time
    from pathlib import Path
    import ipyembed
    from tqdm import tqdm

    def go_on(n):
        return Path("half typed" if n >= 30 else "begin").exists()

    async def fetch():
        while not go_on(0): await asyncio.sleep(0.002)
        for n in tqdm(range(60), desc="fetched", mininterval=0.002):
            while not go_on(n): await asyncio.sleep(0.002)
            await asyncio.sleep(0.005)

    def compute():
        while not go_on(0): time.sleep(0.002)
        for n in tqdm(range(60), desc="computed", mininterval=0.002):
            while not go_on(n): time.sleep(0.002)
            time.sleep(0.005)

    def nested():
        while not go_on(0): time.sleep(0.002)
        for n in tqdm(range(3), desc="outer"):
            for m in tqdm(range(20), desc="inner", leave=False, mininterval=0.002):
                while not go_on(20 * n + m): time.sleep(0.002)
                time.sleep(0.005)
            tqdm.write(f"round {n} is over")

    async def main():
        await ipyembed.embed_async(output=OUTPUT)

    asyncio.run(main())
"""
"""The bars begin while the prompt is up: each keeps the stream that it finds, and the policy `sys`
catches no other. Something is typed, and they go on."""


@pytest.mark.parametrize("output", ["fd", "sys"])
@pytest.mark.parametrize(
    ("begin", "bar"),
    [
        ("task = asyncio.create_task(fetch())", "fetched"),
        ("threading.Thread(target=compute).start()", "computed"),
        ("threading.Thread(target=nested).start()", "outer"),
    ],
    ids=["task", "thread", "nested"],
)
def test_a_bar_is_redrawn_above_the_prompt(spawn: Spawn, output: str, begin: str, bar: str) -> None:
    terminal = spawn(HOST.replace("OUTPUT", repr(output)))
    terminal.prompt(1)
    terminal.line(begin)
    terminal.prompt(2)
    mark = terminal.mark()
    (spawn.path / "begin").touch()
    terminal.wait_for_new(r"\d\d?%", mark)
    terminal.send("half = 'ty")
    terminal.wait_for(r"^In \[2\]: half = 'ty$")
    (spawn.path / "half typed").touch()
    terminal.wait_for(rf"^{bar}: 100%")
    terminal.wait_for(r"^In \[2\]: half = 'ty$")
    terminal.line("ped'")
    terminal.prompt(3)
    assert terminal.run("half").endswith("'typed'")
    drawn = [row for row in terminal.screen.rows if row.startswith(f"{bar}:")]
    assert len(drawn) == 1, terminal.screen_text()
    assert "100%" in drawn[0]
    if "nested" in begin:
        assert [row for row in terminal.screen.rows if row.startswith("round")] == [
            f"round {n} is over" for n in range(3)
        ]
        assert "inner" not in terminal.screen_text()
    terminal.leave()
