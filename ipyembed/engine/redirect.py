"""While a client's cell runs, what belongs to a front end is that client's.

================================  ==================================================================
of the shell                      goes to the client as
================================  ==================================================================
results (`displayhook`)           ``execute_result``
`display()` (`display_pub`)       ``display_data``, ``update_display_data``, ``clear_output``
errors (`_showtraceback`)         ``error``
the pager, `exit`, `%load`        payloads of the ``execute_reply``
`!command`                        ``stream``, for the command's output is read through a pipe
`input()`, `getpass()`            ``input_request``
`sys.stdout`, `sys.stderr`        ``stream``, also of tasks and threads that the cell starts
================================  ==================================================================

All of it is put on the shell's instance, and looks up the client when it is called. The engine's
own shell wears it all the time; one that has a terminal, too, only while it runs a client's cell.
`input` and `getpass` are the process's: while a cell awaits, the host's code may call them as well,
and is told by its context.
"""

from __future__ import annotations

import builtins
import getpass
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from IPython.core.displaypub import DisplayPublisher
from IPython.core.hooks import CommandChainDispatcher
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.payloadpage import page

from ipyembed import routing
from ipyembed.engine.client_output import ClientOutput, RoutedOutput, current_request, text_of
from ipyembed.engine.command import run_command
from ipyembed.engine.engine_shell import singleton

_MISSING: Any = object()


class _Publisher(DisplayPublisher):
    """`display()` to a client."""

    def __init__(self, output: Callable[[], ClientOutput]) -> None:
        super().__init__()
        self._output = output

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        *args: Any,
        transient: Any = None,
        update: bool = False,
        **kwargs: Any,
    ) -> None:
        """See `DisplayPublisher`."""
        self._validate_data(data, metadata)
        content = {"data": data, "metadata": metadata or {}, "transient": transient or {}}
        self._output().publish("update_display_data" if update else "display_data", content)

    def clear_output(self, wait: bool = False) -> None:
        """See `DisplayPublisher`."""
        self._output().publish("clear_output", {"wait": wait})


class Redirect:
    """One shell, and the client whose cell it runs. Eval thread.

    What is put on the shell looks up the client when it is called. So the engine's own shell wears
    it all the time, and the terminal's only while it runs a client's cell.
    """

    def __init__(self, shell: InteractiveShell) -> None:
        self._shell = shell
        self._running: ClientOutput | None = None

    @contextmanager
    def to(self, output: ClientOutput) -> Iterator[None]:
        """For the time of the block, the shell and the current context are a client's."""
        payloads: Any = self._shell.payload_manager
        payloads.clear_payload()
        self._running = output
        token = current_request.set(output)
        try:
            with (
                singleton(self._shell),
                routing.to(RoutedOutput(output)),
                _input_asked_at_clients(),
            ):
                yield
        finally:
            _reset(current_request, token)
            self._running = None
            payloads.clear_payload()

    def put_on(self, stack: ExitStack) -> None:
        """Put it on the shell, until the end of `stack`."""
        self._put_on_display(stack)
        self._put_on_errors(stack)
        self._put_on_payloads(stack)
        _set(self._shell, "system", partial(run_command, self._shell), stack)

    def _output(self) -> ClientOutput:
        """Of the code that calls, or else of the cell that is running."""
        output = current_request.get() or self._running
        if output is None:
            raise RuntimeError("no client's cell is running that could show this")
        return output

    def _put_on_display(self, stack: ExitStack) -> None:
        shell = self._shell
        _set(shell, "display_pub", _Publisher(self._output), stack)
        formatter: Any = shell.display_formatter
        if formatter.active_types != formatter.format_types:  # a terminal's: text alone
            _set(formatter, "active_types", formatter.format_types, stack)
        hook: Any = shell.displayhook

        def write_format_data(format_dict: dict[str, Any], md_dict: Any = None) -> None:
            content = {
                "execution_count": hook.prompt_count,
                "data": format_dict,
                "metadata": md_dict or {},
            }
            self._output().publish("execute_result", content)

        _set(hook, "write_output_prompt", _nothing, stack)
        _set(hook, "write_format_data", write_format_data, stack)
        _set(hook, "finish_displayhook", _nothing, stack)

    def _put_on_errors(self, stack: ExitStack) -> None:
        shell = self._shell
        usual = shell._showtraceback

        def show(etype: Any, evalue: Any, stb: list[str]) -> None:
            output = current_request.get()
            if output is None:  # at the prompt of the shell, while the cell awaits
                usual(etype, evalue, stb)
                return
            error = {"ename": etype.__name__, "evalue": text_of(evalue), "traceback": list(stb)}
            shell._last_traceback = stb  # type: ignore[attr-defined]
            output.publish("error", error)

        # IPython 9.0 to 9.18: private, but it is what ipykernel's shell overrides, too.
        _set(shell, "_showtraceback", show, stack)

    def _put_on_payloads(self, stack: ExitStack) -> None:
        shell = self._shell
        manager: Any = shell.payload_manager
        usual_exit: Any = getattr(shell, "ask_exit", _nothing)
        usual_next_input = shell.set_next_input

        def ask_exit() -> None:
            if current_request.get() is None:  # Ctrl-D at the prompt of the shell
                usual_exit()
                return
            manager.write_payload({"source": "ask_exit", "keepkernel": True})

        def set_next_input(s: str, replace: bool = False) -> None:
            if current_request.get() is None:
                usual_next_input(s, replace)
                return
            manager.write_payload({"source": "set_next_input", "text": s, "replace": replace})

        _set(shell, "ask_exit", ask_exit, stack)
        _set(shell, "set_next_input", set_next_input, stack)
        pager = CommandChainDispatcher()
        pager.add(lambda data, start=0, *args, **kwargs: page(data, start), 0)
        _set(shell.hooks, "show_in_pager", pager, stack)


@contextmanager
def _input_asked_at_clients() -> Iterator[None]:
    host_input, host_getpass = builtins.input, getpass.getpass

    def ask(prompt: object = "", /) -> str:
        __tracebackhide__ = True
        output = current_request.get()
        return host_input(prompt) if output is None else output.ask(output, str(prompt), False)

    def ask_password(prompt: str = "Password: ", *args: Any, **kwargs: Any) -> str:
        __tracebackhide__ = True
        output = current_request.get()
        if output is None:
            return host_getpass(prompt, *args, **kwargs)
        return output.ask(output, prompt, True)

    builtins.input, getpass.getpass = ask, ask_password
    try:
        yield
    finally:
        if builtins.input is ask:
            builtins.input = host_input
        if getpass.getpass is ask_password:
            getpass.getpass = host_getpass


def _set(target: Any, name: str, value: Any, stack: ExitStack) -> None:
    """Set an attribute of an instance until the end of `stack`."""
    is_trait = hasattr(target, "has_trait") and target.has_trait(name)
    # IPython's hooks are a dictionary whose items are its attributes.
    is_kept = is_trait or isinstance(target, dict)
    before = getattr(target, name) if is_kept else vars(target).get(name, _MISSING)
    setattr(target, name, value)

    def put_back() -> None:
        if before is not _MISSING:
            setattr(target, name, before)
        elif vars(target).get(name, _MISSING) is value:
            delattr(target, name)

    stack.callback(put_back)


def _reset(variable: ContextVar[Any], token: Any) -> None:
    try:
        variable.reset(token)
    except ValueError:  # the loop has changed the task's context (QtAsyncio)
        variable.set(None)


def _nothing(*args: Any, **kwargs: Any) -> None:
    pass
