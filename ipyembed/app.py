"""The ``ipyembed`` command: IPython's terminal application with our shell."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

from IPython.core.profiledir import ProfileDir, ProfileDirError
from IPython.paths import get_ipython_dir
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.terminal.ipapp import TerminalIPythonApp
from traitlets import Type, Unicode, default
from traitlets.config import Application

from ipyembed._version import __version__
from ipyembed.juggler import LoopJuggler
from ipyembed.shell import ThreadedInteractiveShell

SHELL_LINE = 'c.TerminalIPythonApp.interactive_shell_class = "ipyembed.ThreadedInteractiveShell"'


GREETING = "ipyembed: tasks and windows go on while you type; see %loops, %jobs, and %bg?\n"

# A screen of 80 by 24. IPython's own is 250 lines long.
HELP = """\
IPython with its prompt in a thread: asyncio tasks, jobs and windows go on
while you type. It takes ipython's arguments and reads ipython's profiles.

  ipyembed                     a prompt
  ipyembed FILE [ARGS...]      run a script; with -i before it, a prompt follows
  ipyembed -m MODULE, -c CODE  likewise
  ipyembed install-profile [NAME]
                               from then on: ipython --profile=NAME has it, too
  ipyembed engines             the running programs that have called
                               ipyembed.serve()
  ipyembed attach [NAME]       a prompt in one of them

  --profile=NAME   --no-banner   --no-confirm-exit   --quick   --pylab   --version
  --gui=NAME                   qt, tk, wx, gtk4, ...; found by itself when alive
  --LoopJuggler.POLICY=VALUE   for example --LoopJuggler.sync_cells=inside
  --help-all                   all policies and options, with their values

In a program: ipyembed.embed(), await ipyembed.embed_async().
In an IPython that runs: %load_ext ipyembed. A tour: python -m ipyembed.demo.
"""


class InstallProfileApp(Application):
    """``ipyembed install-profile [NAME]``."""

    name = "ipyembed install-profile"
    version = __version__
    description = """Write an IPython profile whose prompt runs in a thread.

    ipyembed install-profile [NAME]   then: ipython --profile=NAME   (NAME: ipyembed by default)

    A profile that is there already keeps its settings; one line is added to its configuration."""
    ipython_dir = Unicode(help="The directory of IPython's profiles.").tag(config=True)

    @default("ipython_dir")
    def _ipython_dir_default(self) -> str:
        return str(get_ipython_dir())

    def start(self) -> None:
        """Write the profile and say where."""
        if len(self.extra_args) > 1:
            self.exit_with("one NAME at most, for example: ipyembed install-profile live")
        name = self.extra_args[0] if self.extra_args else "ipyembed"
        if not name.replace("-", "_").isidentifier():
            self.exit_with(f"{name!r} is no name for a profile; use letters, digits, _ and -")
        try:
            path, is_new = install_profile(name, self.ipython_dir)
        except OSError as error:
            self.exit_with(f"the profile could not be written: {error}")
            return
        what = "written" if is_new else "has it already, nothing changed"
        print(f"{path}: {what}; start it with: ipython --profile={name}")

    def exit_with(self, message: str) -> None:
        """Say what was wrong with the command line and end with exit code 2."""
        print(f"{self.name}: {message}")
        self.exit(2)


def install_profile(name: str, ipython_dir: str) -> tuple[Path, bool]:
    """Make IPython's profile `name` use our shell.

    Returns the configuration file's path, and whether it was changed. An existing file is kept,
    and the line added at its end unless it is there.
    """
    try:
        profile = ProfileDir.find_profile_dir_by_name(ipython_dir, name)
    except ProfileDirError:
        profile = ProfileDir.create_profile_dir_by_name(ipython_dir, name)
    path = Path(profile.location) / "ipython_config.py"
    text = path.read_text(encoding="utf-8") if path.exists() else "c = get_config()  # noqa\n"
    if SHELL_LINE in text.splitlines():
        return path, False
    comment = "# The prompt runs in a thread of its own (ipyembed)."
    path.write_text(f"{text.rstrip()}\n\n{comment}\n{SHELL_LINE}\n", encoding="utf-8")
    return path, True


class IPyEmbedApp(TerminalIPythonApp):
    """IPython's terminal application, with `ThreadedInteractiveShell`."""

    name = "ipyembed"
    version = __version__
    description = """IPython with its prompt in a thread: asyncio tasks go on while you type.

    Takes the arguments of ipython, reads its profiles, and runs scripts as it does; the policies
    of the prompt and its loops are those of LoopJuggler in --help-all."""
    # The user's IPython profiles are ours.
    config_file_name = Unicode("ipython_config.py")

    interactive_shell_class = Type(
        klass=ThreadedInteractiveShell,
        default_value=ThreadedInteractiveShell,
        help="The shell's class: ipyembed.ThreadedInteractiveShell or a subclass of it.",
    ).tag(config=True)

    subcommands = {  # noqa: RUF012  # traitlets reads it from the class
        **TerminalIPythonApp.subcommands,
        "install-profile": (
            "ipyembed.app.InstallProfileApp",
            "Write an IPython profile that uses ipyembed's shell.",
        ),
        "attach": (
            "ipyembed.engine.listing.AttachApp",
            "A prompt in a running program that has called ipyembed.serve().",
        ),
        "engines": ("ipyembed.engine.listing.EnginesApp", "List the programs to attach to."),
    }

    def emit_help(self, classes: bool = False) -> Generator[str, None, None]:
        """What ``--help`` prints, by lines; with `classes`, what ``--help-all`` does."""
        if classes:
            yield from super().emit_help(classes)
        else:
            yield HELP

    def initialize_subcommand(self, subc: str, argv: list[str] | None = None) -> None:
        """As traitlets', and says in a line which libraries a command lacks."""
        try:
            super().initialize_subcommand(subc, argv)
        except ImportError as error:
            if error.name is not None:  # not one that says what to install
                raise
            print(f"{self.name} {subc}: {error}")
            self.exit(2)

    def init_banner(self) -> None:
        """Show the banner, with a line of ours unless the profile has one there."""
        if self.shell is not None and not self.shell.banner2:
            self.shell.banner2 = GREETING
        super().init_banner()  # type: ignore[no-untyped-call]

    @default("classes")
    def _classes_default(self) -> list[Any]:
        classes: list[Any] = super()._classes_default()
        at = classes.index(TerminalInteractiveShell)
        return [*classes[: at + 1], ThreadedInteractiveShell, LoopJuggler, *classes[at + 1 :]]


def main() -> None:
    """Run the command with the arguments of the process."""
    IPyEmbedApp.launch_instance()
