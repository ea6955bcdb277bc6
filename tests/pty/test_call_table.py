"""The call table: each row's example, typed at each prompt for which the row claims it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.pty.conftest import Spawn
from tests.pty.terminal import DEFAULT_TIMEOUT, Terminal

PAGE = Path(__file__).resolve().parents[2] / "docs" / "call-table.md"

#: The programs whose prompts the last four columns of the table are about, by the columns' names.
SHELLS = {
    "`embed()`": """
        import ipyembed
        if __name__ == "__main__":
            ipyembed.embed(display_banner=False)
    """,
    "in a loop": """
        import asyncio, ipyembed
        async def main():
            ipyembed.embed(display_banner=False)
        if __name__ == "__main__":
            asyncio.run(main())
    """,
    "`embed_async()`": """
        import asyncio, ipyembed
        async def main():
            await ipyembed.embed_async(display_banner=False)
        if __name__ == "__main__":
            asyncio.run(main())
    """,
    "worker": """
        import ipyembed, threading
        def work():
            ipyembed.embed(display_banner=False)
        if __name__ == "__main__":
            worker = threading.Thread(target=work)
            worker.start()
            worker.join()  # when the main thread has ended, Python starts no executors any more
    """,
}
NO_GUI = "\N{EN DASH}"
MARKS = {"yes", "later", "no", NO_GUI}


@dataclass
class Cell:
    code: str
    output: str
    """What it prints, without empty lines."""


@dataclass
class Row:
    anchor: str
    marks: dict[str, str]
    """Whether it holds, by shell."""
    cells: list[Cell]

    @property
    def needs_gui(self) -> bool:
        return NO_GUI in self.marks.values()


@dataclass
class Shown:
    """Cells that were entered together print just this."""

    numbers: list[int]
    expected: str

    def __call__(self, terminal: Terminal) -> bool:
        return self.now(terminal) == self.expected

    def now(self, terminal: Terminal) -> str:
        printed = "\n".join(terminal.output(number) for number in self.numbers)
        return "\n".join(line.rstrip() for line in printed.split("\n") if line.strip())


def rows(text: str) -> list[Row]:
    """The table, with the example that each row links to."""
    examples = sections(text)
    header, *lines = re.findall(r"^\| (.+) \|$", text, re.MULTILINE)
    names = header.split(" | ")[4:]
    found = []
    for line in lines:
        how, *marks = line.split(" | ")[3:]
        link = re.search(r"\(#(.+)\)$", how)
        assert link is not None, line
        found.append(Row(link[1], dict(zip(names, marks, strict=True)), examples[link[1]]))
    return found


def sections(text: str) -> dict[str, list[Cell]]:
    """The cells of each example by the anchor of its heading; those of the preparation by ""."""
    preparation, *parts = re.split(r"^### ", text, flags=re.MULTILINE)
    by_anchor = {"": cells(preparation)}
    for part in parts:
        heading = part.split("\n", 1)[0]
        by_anchor[re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")] = cells(part)
    return by_anchor


def cells(part: str) -> list[Cell]:
    """Those of its only block; the page says what begins a cell."""
    (block,) = re.findall(r"^```python\n(.*?)^```$", part, re.MULTILINE | re.DOTALL)
    found = []
    for piece in re.split(r"\n\n(?=\S)", block.strip("\n")):
        lines = piece.split("\n")
        code = [line for line in lines if not line.startswith("# ")]
        output = [line.removeprefix("# ") for line in lines if line.startswith("# ")]
        assert lines[: len(code)] == code, f"output in the middle of a cell: {piece}"
        found.append(Cell("\n".join(code), "\n".join(output)))
    return found


TEXT = PAGE.read_text(encoding="utf-8")
ROWS = rows(TEXT)
PREPARATION = sections(TEXT)[""]


def test_the_table_and_the_examples_belong_together() -> None:
    assert sorted(["", *(row.anchor for row in ROWS)]) == sorted(sections(TEXT))
    for row in ROWS:
        assert list(row.marks) == list(SHELLS)
        assert set(row.marks.values()) <= MARKS
        assert any(cell.output for cell in row.cells), f"{row.anchor} shows nothing"


@pytest.mark.parametrize("shell", SHELLS)
def test_each_row_is_true(spawn: Spawn, shell: str) -> None:
    check(spawn(SHELLS[shell]), shell, [row for row in ROWS if not row.needs_gui])


@pytest.mark.parametrize("entry", ["command", "extension"])
def test_the_first_column_is_true_of_other_ways_in(spawn: Spawn, entry: str) -> None:
    if entry == "command":
        terminal = spawn.module("ipyembed", "--no-banner", "--no-confirm-exit")
    else:
        terminal = spawn.ipython("--ext=ipyembed")
    check(terminal, next(iter(SHELLS)), [row for row in ROWS if not row.needs_gui])


@pytest.mark.parametrize("shell", [name for name in SHELLS if name != "worker"])
def test_each_row_of_a_gui_callback_is_true(
    spawn: Spawn, display: str, toolkits: set[str], shell: str
) -> None:
    if "tk" not in toolkits:
        pytest.skip("tk is not installed for this Python")
    terminal = spawn(SHELLS[shell], env={"DISPLAY": display})
    check(terminal, shell, [row for row in ROWS if row.needs_gui])


def check(terminal: Terminal, shell: str, rows: list[Row]) -> None:
    """Type the examples at one prompt, then leave it."""
    modes = terminal.tty_modes()
    shown = [enter(terminal, cell) for cell in PREPARATION]
    # What is refused last: what asyncio says of coroutines that nobody awaits comes at any time.
    for row in sorted(rows, key=lambda row: row.marks[shell] == "no"):
        if row.marks[shell] == "no":
            numbers = [run(terminal, cell.code) for cell in row.cells]
            assert re.search(r"^\w+Error: ", Shown(numbers, "").now(terminal), re.MULTILINE), row
        elif row.marks[shell] != NO_GUI:
            shown += [enter(terminal, cell, row.marks[shell] == "later") for cell in row.cells]
    # Nor has anything come since.
    assert [entry.now(terminal) for entry in shown] == [entry.expected for entry in shown]
    terminal.leave(modes=modes)


def enter(terminal: Terminal, cell: Cell, later: bool = False) -> Shown:
    """Enter a cell and wait for its output; if that comes later, let the loop turn for it."""
    shown = Shown([run(terminal, cell.code)], cell.output)
    if later and cell.output:
        assert not shown(terminal), f"not later, but at once: {cell}"
        deadline = time.monotonic() + DEFAULT_TIMEOUT
        # Once need not be enough: a thread may ask only after the cell has ended.
        while not shown(terminal) and time.monotonic() < deadline:
            shown.numbers.append(run(terminal, "await asyncio.sleep(0.02)"))
    terminal.wait_for(shown)
    return shown


def run(terminal: Terminal, code: str) -> int:
    """Enter a cell, wait for the next prompt; the cell's number."""
    number = terminal.prompt()
    terminal.run(code)
    return number
