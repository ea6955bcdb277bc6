"""``ipyembed attach``: a terminal that talks to an engine.

It is our own terminal shell, with the same prompt on the same prompt thread, but for the cells:
those run in the engine. So this process has three threads:

=================  ===============================================================================
prompt thread      the prompt; asks the engine for completions
link's thread      the networking; prints what comes, above the prompt if that is up
main thread        waits for the prompt, or for the end of a cell; hears of Ctrl-C
=================  ===============================================================================

Ctrl-C while a cell runs asks the engine to interrupt it. If it does not end, a second Ctrl-C gives
the prompt back; what the cell prints later appears above it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any

from IPython.core.interactiveshell import ExecutionResult
from IPython.core.page import page
from prompt_toolkit.formatted_text import PygmentsTokens
from traitlets.config import Config

from ipyembed.engine.directory import Found
from ipyembed.engine.link import EngineGoneError, Link
from ipyembed.engine.remote_cell import RemoteCell
from ipyembed.engine.remote_completer import EngineCompleter
from ipyembed.engine.remote_history import RemoteHistory
from ipyembed.shell import ThreadedInteractiveShell

CONNECT = 10.0
"""Seconds that the engine gets to answer at first."""
LAST_WORDS = 1.0
"""Seconds that a cell's output gets to come after its reply, or the history after the start."""
_LEAVE = {"exit", "quit", "exit()", "quit()"}


class AttachedShell(ThreadedInteractiveShell):
    """A terminal shell whose cells run in an engine. Use it as a context manager."""

    found: Found
    """The engine, set by `attach()` before `connect()`."""
    link: Link

    def init_prompt_toolkit_cli(self) -> None:
        """See `TerminalInteractiveShell`."""
        super().init_prompt_toolkit_cli()
        self._gone: EngineGoneError | None = None
        self._question: tuple[str, bool] | None = None
        self._cell: RemoteCell | None = None

    def connect(self, found: Found) -> None:
        """Connect to the engine. Raises EngineGoneError if it does not answer."""
        self.found = found
        self.link = Link(found, self)
        try:
            self.link.wait_until_heard(CONNECT)
            info = self.link.request("kernel_info_request", {}).result(CONNECT)
        except TimeoutError:
            self.link.close()
            raise EngineGoneError(f"the engine {found.name} does not answer") from None
        except BaseException:
            self.link.close()
            raise
        assert self.attachment is not None
        # Cells, and so all that follows from them, are the engine's.
        self.run_cell = self.run_in_engine  # type: ignore[method-assign]
        self.attachment.use_completer(None)
        if self.pt_app is not None:
            self.pt_app.completer = EngineCompleter(self)
            history = RemoteHistory(self.link)
            history.wait(LAST_WORDS)
            self.pt_app.history = self.pt_app.default_buffer.history = history
        self._take_number()
        self.banner1 = (
            f"{info.get('banner', '')}Attached to {found.name}"
            + (f" on {found.machine}" if found.machine else "")
            + (f" (pid {found.pid}): {found.command}" if found.pid else "")
            + "\nCells run there. exit or Ctrl-D leaves it running.\n"
        )

    def _take_number(self) -> None:
        try:
            state = self.link.request("state_request", {}, "control").result(LAST_WORDS)
            self.execution_count = int(state["execution_count"])
        except (TimeoutError, KeyError, TypeError, ValueError):  # some other kernel
            self.execution_count = 1

    def disconnect(self) -> None:
        """Close the connection; the engine goes on."""
        self.link.close()

    # -- cells -------------------------------------------------------------------------------

    def run_in_engine(self, raw_cell: str, *args: Any, **kwargs: Any) -> ExecutionResult:
        """In place of `run_cell`: have the engine run it, and wait for its end."""
        result = ExecutionResult(None)
        if self._question is not None:  # asked by what an earlier cell has started
            self._question = None
            self.link.answer(raw_cell)
            return result
        if raw_cell.strip() in _LEAVE:  # also while the engine is busy, or gone
            self.ask_exit()
            return result
        if not raw_cell.strip():
            return result
        content = {
            "code": raw_cell,
            "silent": False,
            "store_history": True,
            "user_expressions": {},
            "allow_stdin": True,
            "stop_on_error": True,
        }
        cell = self._cell = RemoteCell(self.link)  # from now on a question may come
        try:
            with self._interrupts_heard(cell):
                reply, _, idle = self.link.request_with_id("execute_request", content)
                has_ended = cell.wait(reply)
        finally:
            self._cell = None
        if has_ended:
            self._finish(reply, idle)
        return result

    def _finish(self, done: Future[dict[str, Any]], idle: Future[None]) -> None:
        try:
            reply = done.result()
        except EngineGoneError:
            return  # said by gone()
        try:
            idle.result(LAST_WORDS)
        except TimeoutError:
            pass
        if reply.get("status") == "aborted":
            print("ipyembed: the engine has not run the cell")
        count = reply.get("execution_count")
        if isinstance(count, int):
            self.execution_count = count + 1
        for payload in reply.get("payload") or ():
            self._take_payload(payload)

    def _take_payload(self, payload: dict[str, Any]) -> None:
        source = payload.get("source")
        if source == "page":
            data = payload.get("data", {})
            page(data.get("text/plain", ""), start=int(payload.get("start", 0)))
        elif source == "set_next_input":
            self.set_next_input(str(payload.get("text", "")))
        elif source == "ask_exit":
            self.ask_exit()

    @contextmanager
    def _interrupts_heard(self, cell: RemoteCell) -> Iterator[None]:
        assert self.attachment is not None
        interrupts = self.attachment.juggler.interrupts
        interrupted = cell.interrupted_threadsafe
        with interrupts.armed(), interrupts.awaiting(interrupted, lambda function: function()):
            yield

    # -- a Listener; called on the link's thread -----------------------------------------------

    def output(self, kind: str, content: dict[str, Any], request: str) -> None:
        """See `Listener`."""
        if kind == "stream":
            stream = sys.stderr if content["name"] == "stderr" else sys.stdout
            stream.write(content["text"])
            stream.flush()
        elif kind in ("execute_result", "display_data"):
            text = content["data"].get("text/plain")
            if text is None:
                text = f"<{', '.join(content['data'])}>"
            if kind == "execute_result":
                self._show_result(content["execution_count"], text)
            else:
                print(text, flush=True)
        elif kind == "error":
            print("\n".join(content["traceback"]), flush=True)

    def _show_result(self, count: int, text: str) -> None:
        self.execution_count = count + 1
        sys.stdout.write(self.separate_out)
        self.displayhook.write_output_prompt()
        print(f"\n{text}" if "\n" in text else text, self.separate_out2, flush=True)

    def others(self, kind: str, content: dict[str, Any]) -> None:
        """See `Listener`: the number in the prompt goes on with cells of other clients."""
        if kind == "execute_input" and self._cell is None:
            self.execution_count = int(content["execution_count"]) + 1
            app = self.pt_app
            if app is not None:
                app.message = lambda: PygmentsTokens(self.prompts.in_prompt_tokens())
                app.app.invalidate()

    def question(self, prompt: str, password: bool) -> None:
        """See `Listener`."""
        cell = self._cell
        if cell is not None:
            cell.asked_threadsafe(prompt, password)
        else:
            self._question = prompt, password
            print(f"ipyembed: an earlier cell asks, your next line answers it: {prompt}")

    def gone(self, error: EngineGoneError) -> None:
        """See `Listener`."""
        self._gone = error
        self.keep_running = False
        print(f"ipyembed: {error}", file=sys.stderr, flush=True)
        self._take_prompt_down()

    def _take_prompt_down(self) -> None:
        """Again and again until the shell is left: the prompt may be just coming up."""
        app = self.pt_app.app if self.pt_app is not None else None
        loop = app.loop if app is not None else None
        if loop is not None:
            try:
                loop.call_soon_threadsafe(_end, app)
            except RuntimeError:  # the prompt thread has ended
                return
        self.link.call_later(0.1, self._take_prompt_down)

    def ask_yes_no(self, *args: Any, **kwargs: Any) -> bool:
        """See `TerminalInteractiveShell`: nothing is lost by leaving."""
        return True


def _end(app: Any) -> None:
    if app.is_running and not app.is_done:
        app.exit(exception=EOFError())


def attach(found: Found, config: Config) -> str | None:
    """Run a front end in this terminal until its user leaves it, or the engine has gone.

    Returns why, if it was the engine. Raises EngineGoneError if it does not answer at first.
    """
    config = Config(config)
    config.HistoryManager.enabled = False  # the engine's is used
    config.LoopJuggler.asyncio_at_prompt = "pause"
    config.LoopJuggler.gui = "off"
    config.TerminalInteractiveShell.confirm_exit = False
    shell = AttachedShell.instance(config=config)
    shell.connect(found)
    try:
        shell.show_banner()
        shell.mainloop()
    finally:
        shell.disconnect()
        AttachedShell.clear_instance()
    return str(shell._gone) if shell._gone is not None else None
