"""``!cmd``, ``x = !cmd``, ``%system`` and ``%edit``: commands that do not stop what turns.

In place of the shell's `system` and `getoutput` and, unless the user has one of his own, its hook
for the editor. They behave as IPython's, but that the eval thread turns its loops meanwhile, and
that the command has Ctrl-C for itself.

In an awaited shell ``!cmd`` and ``x = !cmd`` at the top level of a cell are awaited: the call in
the cell's syntax tree becomes an ``await`` of one. This works on every loop. Elsewhere, in a
function say, they have to block, and the host's loop is run again from inside, where that can be
done.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import IPython.utils.process
from IPython.core.error import TryNext
from IPython.terminal.interactiveshell import TerminalInteractiveShell
from IPython.utils.text import LSString, SList

from ipyembed.children import Child, Interrupts, Waiting, in_thread

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment

output_of: Callable[[str], str] = vars(IPython.utils.process)["getoutput"]

MAGIC_INSTEAD = ("pip", "conda", "cd")
AWAITED = {"system": "ipyembed_system", "getoutput": "ipyembed_getoutput"}
"""The methods of the shell that are awaited, by those whose place they take."""
NO_AWAIT_IN = (
    *(ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp),
)
EDITOR_PRIORITY = 95
"""Of a hook: users' come before (50), IPython's own after (100)."""


class Commands:
    """The commands of one shell. Everything runs on the eval thread."""

    def __init__(self, attachment: Attachment) -> None:
        self._shell: Any = attachment.shell
        self._waiting = Waiting(attachment.juggler, attachment.host)

    @property
    def system_is_ipythons(self) -> bool:
        """Whether the shell's `system` is IPython's own, and works by starting a process here."""
        is_own = type(self._shell).system is TerminalInteractiveShell.system
        return os.name == "posix" and is_own and "system" not in vars(self._shell)

    # -- !cmd ------------------------------------------------------------------------------------

    def system(self, cmd: str) -> None:
        """As `InteractiveShell.system_raw`."""
        cmd = self._shell.var_expand(cmd, depth=1)
        self._ended(cmd, *self._waiting.wait(lambda: self._child(cmd).status))

    def system_awaited(self, cmd: str) -> Coroutine[Any, Any, None]:
        """The same, to be awaited."""
        return self._system_awaited(self._shell.var_expand(cmd, depth=1))

    async def _system_awaited(self, cmd: str) -> None:
        self._ended(cmd, *await self._waiting.child_awaited(lambda: self._child(cmd)))

    @staticmethod
    def _child(cmd: str) -> Child:
        words = cmd.split(maxsplit=1)
        if words and words[0] in MAGIC_INSTEAD:
            warnings.warn(
                f"!{words[0]} may not do what you expect; use the magic %{words[0]}", stacklevel=3
            )
        executable = os.environ.get("SHELL")
        return Child(
            lambda out, err: subprocess.Popen(
                cmd, shell=True, executable=executable, stdout=out, stderr=err
            )
        )

    def _ended(self, cmd: str, status: int, noted: Interrupts) -> None:
        if status > 128:  # as shells say it
            status = 128 - status
        if noted.came and status < 0:
            print("\nKeyboardInterrupt", file=sys.stderr)
        self._shell.user_ns["_exit_code"] = status
        # IPython 9.0 to 9.18: `system_raise_on_error` has come in 9.7.
        if status and getattr(self._shell, "system_raise_on_error", False):
            raise subprocess.CalledProcessError(status, cmd)

    # -- x = !cmd, %system -----------------------------------------------------------------------

    def getoutput(self, cmd: str, split: bool = True, depth: int = 0) -> SList | LSString:
        """As `InteractiveShell.getoutput`."""
        _check_foreground(cmd)
        cmd = self._shell.var_expand(cmd, depth=depth + 1)
        return _output(*self._waiting.wait(lambda: _output_of(cmd)), split)

    def getoutput_awaited(
        self, cmd: str, split: bool = True, depth: int = 0
    ) -> Coroutine[Any, Any, SList | LSString]:
        """The same, to be awaited."""
        _check_foreground(cmd)
        return self._getoutput_awaited(self._shell.var_expand(cmd, depth=depth + 1), split)

    async def _getoutput_awaited(self, cmd: str, split: bool) -> SList | LSString:
        return _output(*await self._waiting.wait_awaited(lambda: _output_of(cmd)), split)

    # -- %edit -----------------------------------------------------------------------------------

    def edit(self, filename: str, linenum: int | None = None, wait: bool = True) -> None:
        """IPython's hook for the editor. Raises TryNext for the next hook."""
        if not wait or os.name != "posix":
            raise TryNext
        editor = self._shell.editor
        if os.path.isfile(editor):
            editor = _quoted(editor)
        line = f"+{int(linenum)}" if linenum is not None else ""
        command = f"{editor} {line} {_quoted(filename)}"
        status, _ = self._waiting.wait(
            lambda: (
                Child(
                    lambda out, err: subprocess.Popen(command, shell=True, stdout=out, stderr=err)
                ).status
            )
        )
        if status:
            raise TryNext


def _output_of(cmd: str) -> Future[str]:
    return in_thread(lambda: output_of(cmd))


def _check_foreground(cmd: str) -> None:
    if cmd.rstrip().endswith("&"):
        raise OSError("Background processes not supported.")


def _output(text: str, noted: Interrupts, split: bool) -> SList | LSString:
    if noted.came:
        raise KeyboardInterrupt
    return SList(text.splitlines()) if split else LSString(text)


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path and not path.startswith('"') else path


class AwaitedCommands(ast.NodeTransformer):
    """Makes of ``get_ipython().system(…)`` an ``await``, in the next cell, where one may stand."""

    def __init__(self) -> None:
        self.is_armed = False
        """Whether the next syntax tree is that of a cell that is awaited."""

    def visit(self, node: ast.AST) -> Any:
        """See `ast.NodeTransformer`."""
        if isinstance(node, ast.Module):
            if not self.is_armed:
                return node
            self.is_armed = False
        return node if isinstance(node, NO_AWAIT_IN) else super().visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """See `ast.NodeTransformer`."""
        self.generic_visit(node)
        match node.func:
            case ast.Attribute(
                value=ast.Call(func=ast.Name(id="get_ipython"), args=[]), attr=name
            ) if name in AWAITED:
                node.func.attr = AWAITED[name]
                return ast.copy_location(ast.Await(value=node), node)
        return node
