"""A storm of Ctrl-C at random moments over prompts, completions, sync and awaiting cells.

`python -m tests.pty.storm` runs it for as long as one likes (`make storm`); `test_storm` in short.
What it did is decided by a seed, which it prints; when the keys come, by the machine.
"""

from __future__ import annotations

import random
import re
import time

from tests.pty.conftest import Spawn
from tests.pty.long_run import argument_parser, seeds, spawning
from tests.pty.terminal import Terminal

HOST = """
    import asyncio, os, signal, sqlite3, time
    import ipyembed

    class Host:
        ticks = 0
        trouble = []

    host = Host()

    def heard():
        host.trouble.append("the host's handler was called")

    async def count():
        try:
            while True:
                await asyncio.sleep(0.005)
                host.ticks += 1
        except BaseException as error:
            host.trouble.append(repr(error))
            raise

    async def chatter():
        while True:
            await asyncio.sleep(0.003)
            print("x")

    async def nap(seconds):
        await asyncio.sleep(seconds)

    async def both(seconds):
        await asyncio.gather(nap(seconds), nap(seconds))

    def spin(seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end: pass

    async def main():
        me = asyncio.current_task()
        background = asyncio.create_task(count())
        IN_LOOP
        try:
            SHELL
        except BaseException as error:
            print("LEFT by", repr(error))
            raise
        finally:
            print("trouble:", host.trouble, me.cancelling(), background.done())
            background.cancel()

    async def in_trio():
        import trio

        async def nap(seconds):
            await trio.sleep(seconds)

        async def both(seconds):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(nap, seconds)
                nursery.start_soon(nap, seconds)

        async def count():
            while True:
                await nap(0.005)
                host.ticks += 1

        async with trio.open_nursery() as nursery:
            nursery.start_soon(count)
            try:
                await ipyembed.embed_async()
            except BaseException as error:
                print("LEFT by", repr(error))
                raise
            print("trouble:", host.trouble, 0, nursery.cancel_scope.cancel_called)
            nursery.cancel_scope.cancel()

    def plain():
        try:
            ipyembed.embed()
        except BaseException as error:
            print("LEFT by", repr(error))
            raise
        finally:
            print("trouble:", host.trouble, 0, False)

    RUN
"""

AWAITED = "await ipyembed.embed_async()"
APPLICATION = "from PySide6.QtWidgets import QApplication; app = QApplication([])"
HOSTS = {
    "asyncio": (AWAITED, "pass", "asyncio.run(main())"),
    "handler": (
        AWAITED,
        "asyncio.get_running_loop().add_signal_handler(signal.SIGINT, heard)",
        "asyncio.run(main())",
    ),
    "chatter": (AWAITED, "other = asyncio.create_task(chatter())", "asyncio.run(main())"),
    "running loop": ("ipyembed.embed(embed_in_running_loop='run')", "pass", "asyncio.run(main())"),
    "own loop": ("pass", "pass", "plain()"),
    "uvloop": (AWAITED, "pass", "__import__('uvloop').run(main())"),
    "trio": ("pass", "pass", "__import__('trio').run(in_trio)"),
    "qasync": (AWAITED, "pass", f"{APPLICATION}; __import__('qasync').run(main())"),
}
#: What must be importable for some of them.
NEEDED = {
    "uvloop": ["uvloop"],
    "trio": ["trio"],
    "qasync": ["qasync", "PySide6.QtWidgets"],
}

#: Typed, with Ctrl-C soon after. `{}` becomes a time in seconds.
INPUTS = [
    "half a li",
    "os.pa\t",
    "host.\t\t",
    "import o\t",
    "time.sleep({})\r",
    "spin({})\r",
    "await nap({})\r",
    "await both({})\r",
    "1 + 1\r",
    "list(range(300))\r",
    "{{n: 'x' * n for n in range(60)}}\r",
    "1 / 0\r",
    "host.ticks\r",
    "for n in range(3): print(n)\r\r",
    "",
    "\x12spin",
    "\x1b[A",
    "'''\r",
]

_BROKEN = re.compile(
    r"LEFT by|not unique|escaped|Exception ignored|never retrieved|File .*ipyembed/"
    r"|^RuntimeError|^asyncio.*Error",
    re.MULTILINE,
)


class Storm:
    """One program, and Ctrl-C at it."""

    def __init__(self, spawn: Spawn, host: str, seed: int) -> None:
        self.random = random.Random(f"{host} {seed}")
        shell, in_loop, run = HOSTS[host]
        script = HOST.replace("SHELL", shell).replace("IN_LOOP", in_loop).replace("RUN", run)
        self.terminal: Terminal = spawn(script, cols=120, env={"QT_QPA_PLATFORM": "offscreen"})
        self.modes = self.terminal.tty_modes()
        self.terminal.prompt(1)
        if host == "own loop":
            self.terminal.run("background = asyncio.create_task(count()); await asyncio.sleep(0)")
        self.host, self.sent = host, 0

    def blow(self, count: int) -> None:
        """Send Ctrl-C that often."""
        for _ in range(count):
            seconds = round(self.random.choice([0, 0.001, 0.01, 0.05, 0.3]), 3)
            self.terminal.send(self.random.choice(INPUTS).format(seconds))
            self._pass(self.random.choice([0, 0.0005, 0.002, 0.01, 0.03, 0.1]))
            self.terminal.ctrl("c")
            self.sent += 1
            if self.random.random() < 0.2:
                self._pass(self.random.choice([0, 0.002, 0.02]))
                self.terminal.ctrl("c")
                self.sent += 1
            if self.sent % 20 == 0:
                self.calm()

    def _pass(self, seconds: float) -> None:
        self.terminal.read_for(self.random.random() * 2 * seconds)

    def calm(self) -> None:
        """The shell evaluates what is entered, and the host has gone on."""
        terminal = self.terminal
        terminal.mark()
        for attempt in range(100):  # a Ctrl-C of before may still hit what is entered here
            mark = terminal.mark()
            terminal.ctrl("c")
            terminal.ctrl("u")
            terminal.line(f"print('calm', {self.sent}, {attempt}, *host.trouble)")
            try:
                terminal.wait_for_new(rf"calm {self.sent} {attempt}\s", mark, timeout=2)
            except AssertionError:
                if terminal.is_dead():
                    raise
                continue
            break
        else:
            raise AssertionError(f"not calm after {self.sent} Ctrl-C:\n{terminal.screen_text()}")
        self.check_shown()

    def check_shown(self) -> None:
        """Nothing on the screen tells of a broken shell."""
        shown = self.terminal.screen_text()
        if bad := _BROKEN.search(shown):
            around = shown[max(0, bad.start() - 2000) : bad.end() + 3000]
            raise AssertionError(f"{bad[0]!r} after {self.sent} Ctrl-C:\n{around}")

    def end(self) -> None:
        """The last prompt works, the history is whole, and everything is as it was."""
        terminal = self.terminal
        self.calm()
        terminal.prompt()
        if self.host == "chatter":
            terminal.run("other.cancel()")
        self._says("1 + 1", ": 2")
        terminal.run("then = host.ticks; await nap(0.1)")
        self._says("host.ticks > then, host.trouble", "(True, [])")
        history = (
            "history = get_ipython().history_manager; history.writeout_cache(); "
            "lines = [line for _, line, _ in history.get_range(raw=True)]; "
            "print('history', lines == list(range(1, len(lines) + 1)), len(lines) > 1)"
        )
        self._says(history, "history True True")
        terminal.line("exit")
        # A shell's own loop cancels its tasks at exit.
        trouble = r"'CancelledError\(\)'" if self.host == "own loop" else ""
        terminal.wait_for(rf"^trouble: \[{trouble}\] 0 False$")
        assert terminal.wait_exit() == 0
        terminal.assert_terminal_restored(self.modes)

    def _says(self, cell: str, end: str) -> None:
        output = self.terminal.run(cell)
        assert output.endswith(end), f"{output}\n\n{self.terminal.screen_text()}"


def main() -> None:
    """For as long as one likes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--count", type=int, default=1000, help="Ctrl-C for each host")
    parser.add_argument("--host", choices=HOSTS, action="append")
    options = parser.parse_args()
    for seed in seeds(options):
        for host in options.host or HOSTS:
            print(f"seed {seed}, host {host}: ", end="", flush=True)
            begun = time.monotonic()
            with spawning() as spawn:
                storm = Storm(spawn, host, seed)
                storm.blow(options.count)
                storm.end()
            print(f"{storm.sent} Ctrl-C in {time.monotonic() - begun:.0f} s, all is well")


if __name__ == "__main__":
    main()
