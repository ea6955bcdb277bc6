"""One client's cell on the eval thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from IPython.core.interactiveshell import ExecutionResult, InteractiveShell

from ipyembed.cells import Cells
from ipyembed.engine.client_output import ClientOutput, jsonable
from ipyembed.engine.following import Following
from ipyembed.engine.redirect import Redirect
from ipyembed.hosts import current_host


async def execute(
    cells: Cells,
    shell: InteractiveShell,
    redirect: Redirect,
    output: ClientOutput,
    following: Following,
) -> dict[str, Any]:
    """Run the cell that `output.request` asks for; returns the content of the reply."""
    with redirect.to(output), following.magic(shell):
        arguments = _announce(shell, output)
        result = await cells.run_awaited(host=current_host(), **arguments)
        return _reply(shell, output, result)


def execute_blocking(
    run: Callable[..., ExecutionResult],
    shell: InteractiveShell,
    redirect: Redirect,
    output: ClientOutput,
    following: Following,
) -> dict[str, Any]:
    """The same where no loop turns that could await the cell."""
    with redirect.to(output), following.magic(shell):
        return _reply(shell, output, run(**_announce(shell, output)))


def _announce(shell: InteractiveShell, output: ClientOutput) -> dict[str, Any]:
    content = output.request.content
    code, silent = str(content.get("code", "")), bool(content.get("silent", False))
    if not silent:
        output.publish("execute_input", {"code": code, "execution_count": shell.execution_count})
    return {
        "raw_cell": code,
        "silent": silent,
        "store_history": bool(content.get("store_history", not silent)) and not silent,
    }


def _reply(
    shell: InteractiveShell, output: ClientOutput, result: ExecutionResult
) -> dict[str, Any]:
    error = result.error_before_exec or result.error_in_exec
    reply: dict[str, Any] = {"execution_count": shell.execution_count - 1, "user_expressions": {}}
    if error is None:
        asked = output.request.content.get("user_expressions") or {}
        values = shell.user_expressions(asked) if isinstance(asked, dict) else {}
        reply.update(status="ok", user_expressions=values)
    else:
        traceback = getattr(shell, "_last_traceback", None) or []
        reply.update(
            status="error",
            ename=type(error).__name__,
            evalue=str(error),
            traceback=list(traceback),
        )
    payloads: Any = shell.payload_manager
    reply["payload"] = payloads.read_payload()
    cleaned: dict[str, Any] = jsonable(reply)
    return cleaned
