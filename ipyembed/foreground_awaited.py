"""`run_in_foreground()` in a cell of an awaited shell, on a loop that cannot be turned from inside.

uvloop's, one that Qt turns, and trio's are such. But to turn the loop until something is done is
what ``await`` does there. So at the top level of a cell the call becomes one, in the cell's syntax
tree, as `system` does with commands; nothing blocks, and the job may belong to that very loop. In a
function that the cell calls, there is no such way.
"""

from __future__ import annotations

import ast
import asyncio
import inspect
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from ipyembed import reentry
from ipyembed.foreground import Foreground, run_in_foreground
from ipyembed.job import name_of_coroutine
from ipyembed.job_waits import finish, until_ended
from ipyembed.jobs import as_coroutine
from ipyembed.system import AwaitedCommands

if TYPE_CHECKING:
    from ipyembed.attachment import Attachment

NAME = run_in_foreground.__name__
METHOD = "ipyembed_foreground"
"""The method of the shell that is awaited in its place."""


class AwaitedForeground(AwaitedCommands):
    """Makes an ``await`` of each call of that name, in the next cell, where one may stand."""

    def visit_Call(self, node: ast.Call) -> ast.AST:  # noqa: N802
        """See `ast.NodeTransformer`."""
        self.generic_visit(node)
        match node.func:
            case ast.Name(id=name) | ast.Attribute(attr=name) if name == NAME:
                shell = ast.Call(ast.Name("get_ipython", ast.Load()), [], [])
                method = ast.Attribute(shell, METHOD, ast.Load())
                call = ast.Call(method, [node.func, *node.args], node.keywords)
                return ast.fix_missing_locations(ast.copy_location(ast.Await(call), node))
        return node


class ForegroundOfCells:
    """What is awaited. Of one awaited shell, on its eval thread."""

    def __init__(self, attachment: Attachment) -> None:
        self._attachment = attachment

    @property
    def is_needed(self) -> bool:
        """Whether that is the only way here: the loop cannot be run again from inside."""
        host = self._attachment.host
        return host is not None and (host.loop is None or not reentry.can_reenter(host.loop))

    async def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """The call of ours that stood in the cell; or of another function of that name.

        By policy, to run the loop again may be forbidden, or a thread may be wanted instead.
        """
        __tracebackhide__ = True
        is_wanted = self._attachment.juggler.await_in_running_loop == "reenter"
        if function is not run_in_foreground or not is_wanted:
            return function(*args, **kwargs)
        bound = inspect.signature(function).bind(*args, **kwargs).arguments
        return await _Awaited(self._attachment, bound.get("timeout")).run_awaited(bound["target"])


class _Awaited(Foreground):
    """One call."""

    def __init__(self, attachment: Attachment, timeout: float | None) -> None:
        super().__init__(timeout)
        self._attachment = attachment

    async def run_awaited(self, target: Any) -> Any:
        __tracebackhide__ = True
        what = self._started(target)
        if not what.done():
            with self._in_front(what):
                await self._wait(what)
        return self._outcome(what)

    def _start_awaitable(self, target: Awaitable[Any]) -> Any:
        if self._running is None:  # trio's turns no coroutine of asyncio's
            return super()._start_awaitable(target)
        coroutine = as_coroutine(target)
        self._name = name_of_coroutine(coroutine)
        return self._running.create_task(coroutine, context=self._context)

    async def _wait(self, what: Any) -> None:
        __tracebackhide__ = True
        done: Future[None] = Future()

        def end(_: object) -> None:
            finish(done)

        def leave() -> None:
            self._is_interrupted = True
            finish(done)

        with ExitStack() as stack:
            if isinstance(what, asyncio.Future):
                what.get_loop().call_soon_threadsafe(what.add_done_callback, end)
            else:
                what.add_done_callback(end)
            if self._timeout is not None:
                timer = threading.Timer(self._timeout, end, [None])
                timer.start()
                stack.callback(timer.cancel)
            try:
                await until_ended(self._attachment, done, leave)
            except KeyboardInterrupt:
                self._is_interrupted = True
