"""Somebody types without a pause while threads ask and print: where does each character go?

Every character is typed once. So it has to be received once, by a question or by a prompt, in the
order in which it was typed. And it has to be on the screen once, where that asks; unless a cell
ran, during which a terminal echoes what is typed.

`python -m tests.pty.typing_storm` runs it for as long as one likes; `test_storm` in short.
"""

from __future__ import annotations

import json
import random
import re
import time
from collections import Counter

from tests.pty.conftest import Spawn
from tests.pty.long_run import argument_parser, seeds, spawning
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, json, os, random, sys, threading, time
    import ipyembed

    received, printed, asked = [], [], []
    stop = threading.Event()
    going = threading.Event()

    def ask(n):
        going.wait()
        chance = random.Random(f"{sys.argv[1]} {n}")
        while not stop.is_set():
            time.sleep(chance.choice([0, 0.001, 0.01, 0.03]))
            received.append(input("which? "))

    def chat(n):
        going.wait()
        chance = random.Random(f"{sys.argv[1]} {n}")
        while not stop.is_set():
            time.sleep(chance.choice([0.001, 0.01, 0.03]))
            line = f"{n} says <{len(printed)}>"
            printed.append(line)
            sys.stdout.write(line + "\\n")

    threads = [threading.Thread(target=ask, args=n) for n in "ab"]
    threads += [threading.Thread(target=chat, args=n) for n in "xy"]

    def watch():
        while not os.path.exists("stop"):
            time.sleep(0.01)
        stop.set()
        for thread in threads: thread.join()
        print("all is said")

    def leave(event):
        received.append(event.current_buffer.text)
        event.app.exit(exception=EOFError)

    def cells(lines):
        return lines if "".join(lines).strip() == "exit" else ["pass"]

    def cell(info):
        received.append(info.raw_cell)

    def begin(run):
        shell = get_ipython()
        if run:
            shell.input_transformer_manager.cleanup_transforms.append(cells)
        else:
            shell.pt_app.key_bindings.add("enter")(lambda e: e.current_buffer.insert_text("\\n"))
            shell.pt_app.key_bindings.add("c-d")(leave)
        shell.events.register("pre_run_cell", cell)
        for thread in threads: thread.start()
        threading.Thread(target=watch).start()
        threading.Timer(0.2, going.set).start()

    async def beat():
        while True:
            await asyncio.sleep(0.005)

    async def main():
        background = asyncio.create_task(beat())
        await ipyembed.embed_async(SETTINGS)
        background.cancel()

    RUN
    with open("received", "w") as file:
        json.dump({"received": received, "printed": printed}, file)
    print("left")
"""

HOSTS = {"plain": "ipyembed.embed(SETTINGS)", "asyncio": "asyncio.run(main())"}

#: Each is one column wide, and typed once.
CHARACTERS = [chr(n) for n in (*range(0xC0, 0x24F), *range(0x400, 0x482)) if chr(n).isalpha()]

_ASKS = re.compile(r"^(?:which\?|In \[\d+\]:| +\.\.\.:| +\N{VERTICAL ELLIPSIS})(?: |$)")


class TypingStorm:
    """One program, and somebody who types."""

    def __init__(self, spawn: Spawn, host: str, seed: int, settings: str = "") -> None:
        self.random = random.Random(f"{host} {seed}")
        script = HOST.replace("RUN", HOSTS[host]).replace("SETTINGS", settings)
        self.folder = spawn.path
        self.terminal: Terminal = spawn(script, str(seed), rows=150, cols=500)
        self.modes = self.terminal.tty_modes()
        self.typed = ""

    def blow(self, cells: bool, count: int = len(CHARACTERS)) -> None:
        """Type so many characters, some of them followed by Enter.

        `cells`: which, at the prompt, enters a cell; or else it only begins another line of one.
        """
        terminal = self.terminal
        terminal.prompt(1)
        mark = terminal.mark()
        terminal.line(f"begin({cells})")
        terminal.wait_for_new(r"which\?", mark)
        left = CHARACTERS[:count]
        while left:
            size = self.random.choice([1, 1, 2, 3, 8])
            piece, left = "".join(left[:size]), left[size:]
            self.typed += piece
            if self.random.random() < 0.2:
                at = self.random.randrange(len(piece) + 1)
                piece = f"{piece[:at]}\r{piece[at:]}"
            terminal.send(piece)
            self._pass(self.random.choice([0, 0, 0.0005, 0.002, 0.01, 0.03]))
        self._stop(cells)

    def _pass(self, seconds: float) -> None:
        self.terminal.read_for(self.random.random() * 2 * seconds)

    def _stop(self, cells: bool) -> None:
        """Answer what is still asked, leave, and look where everything has gone."""
        terminal = self.terminal
        (self.folder / "stop").touch()
        deadline = time.monotonic() + 60
        while "all is said" not in terminal.screen_text():
            terminal.send("\r")
            self._pass(0.05)
            assert time.monotonic() < deadline, terminal.screen_text()
        mark = terminal.mark()
        terminal.send("\rend")
        terminal.wait_for_new("end", mark, timeout=60)
        shown = terminal.screen_text()
        if cells:
            terminal.send("\r")
            terminal.wait_for_new(r"In \[\d+\]: ", mark)
            terminal.line("exit")
        else:
            terminal.ctrl("d")
            terminal.wait_for_new("really want to exit", mark)
            terminal.line("y")
        terminal.wait_for("^left$")
        assert terminal.wait_exit() == 0
        terminal.assert_terminal_restored(self.modes)
        seen = json.loads((self.folder / "received").read_text())
        self._check_received(seen["received"])
        self._check_lines(seen["printed"], shown.split("\n"))
        if not cells:
            self._check_shown(shown.split("\n"))

    def _check_received(self, received: list[str]) -> None:
        received = [text for text in received if text not in ("exit", "end", "begin(True)")]
        counts = Counter("".join(received).removesuffix("end").replace("\n", ""))
        lost = [letter for letter in self.typed if not counts[letter]]
        twice = [letter for letter, n in counts.items() if n > 1]
        assert not lost, f"lost {lost}\n{received}\n{self.terminal.screen_text()}"
        assert not twice, f"twice {twice}\n{received}\n{self.terminal.screen_text()}"
        for text in received:
            at = [self.typed.index(letter) for letter in text if letter in self.typed]
            assert at == sorted(at), (
                f"not as typed: {text!r}\n{received}\n{self.terminal.screen_text()}"
            )

    def _check_lines(self, printed: list[str], rows: list[str]) -> None:
        # What the terminal echoes during a cell may stand before it.
        torn = [line for line in printed if sum(row.endswith(line) for row in rows) != 1]
        assert not torn, f"not on the screen as one line: {torn}\n" + "\n".join(rows)

    def _check_shown(self, rows: list[str]) -> None:
        text = "\n".join(rows)
        counts = Counter(letter for letter in text if letter in self.typed)
        wrong = {letter: counts[letter] for letter in self.typed if counts[letter] != 1}
        assert not wrong, f"on the screen so often: {wrong}\n{text}"
        at_nothing = [row for row in rows if set(row) & set(self.typed) and not _ASKS.match(row)]
        assert not at_nothing, f"typed at nothing: {at_nothing}\n{text}"


def main() -> None:
    """For as long as one likes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--host", choices=HOSTS, action="append")
    parser.add_argument("--settings", default="", help="of the shell, as in Python")
    parser.add_argument("--cells", action="store_true", help="Enter runs a cell")
    options = parser.parse_args()
    for seed in seeds(options):
        for host in options.host or HOSTS:
            print(f"seed {seed}, host {host}: ", end="", flush=True)
            with spawning() as spawn:
                storm = TypingStorm(spawn, host, seed, options.settings)
                storm.blow(options.cells)
            print("all is well")


if __name__ == "__main__":
    main()
