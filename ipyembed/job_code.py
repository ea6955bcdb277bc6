"""Code typed at the prompt, to be run as a job: on the loop, in a thread, in a process.

As a cell, it may be anything: statements, magics, ``await``. It sees the names of the shell, and
what it assigns appears there at once. The value of a last expression is the job's result; if that
can be awaited, it is.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
from types import CodeType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from IPython.terminal.interactiveshell import TerminalInteractiveShell


class JobCode:
    """A piece of code, compiled for the shell. Made on the eval thread."""

    def __init__(self, shell: TerminalInteractiveShell, text: str) -> None:
        """Raises SyntaxError."""
        self._shell = shell
        cell = shell.transform_cell(text)
        # The cell that runs; by the version of IPython, `execution_count` is that or one more.
        number = len(shell.user_ns.get("In", ())) - 1
        self._file = shell.compile.cache(cell, max(number, 0), raw_code=text)
        tree = shell.transform_ast(shell.compile.ast_parse(cell, filename=self._file))
        *body, last = tree.body or [ast.Pass()]
        self._codes: list[CodeType] = []
        if isinstance(last, ast.Expr):
            if body:
                self._compile(ast.Module(body, []), "exec")
            self._compile(ast.Expression(last.value), "eval")
        elif tree.body:
            self._compile(tree, "exec")

    def _compile(self, node: ast.AST, mode: str) -> None:
        compiler: Any = self._shell.compile
        with compiler.extra_flags(ast.PyCF_ALLOW_TOP_LEVEL_AWAIT):
            self._codes.append(compiler(node, self._file, mode))

    async def run(self) -> Any:
        """The value. Raises what the code does, but nothing that would end the loop."""
        value: Any = None
        try:
            for code in self._codes:
                value = eval(code, self._shell.user_global_ns, self._shell.user_ns)
                if code.co_flags & inspect.CO_COROUTINE:
                    value = await value
            return await value if inspect.isawaitable(value) else value
        except (SystemExit, KeyboardInterrupt) as error:
            raise ended_by(error) from error

    def run_in_thread(self) -> Any:
        """The same, blocking; code that awaits gets a loop."""
        return asyncio.run(self.run())


def ended_by(error: BaseException) -> RuntimeError:
    """In place of what would end the loop of whoever turns it."""
    return RuntimeError(f"the job's code has raised {error!r}")
