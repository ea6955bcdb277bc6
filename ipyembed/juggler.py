"""The loop juggler: which loop the eval thread turns while it waits, and the policies.

While the prompt is up, the eval thread has nothing to do but wait for the answer. A plain program
would sleep until it is there. But then every loop of that thread would stand still with it, as a
loop moves only while its thread is in the function that goes round in it (`turning` says more). So
the thread waits in one of two ways:

- It turns an asyncio loop until the answer is there, and everything on that loop goes on.
- It sleeps, on a descriptor that the answer makes readable, and turns the toolkit's loop at most.

Which loop, if any, depends on where the shell was opened:

==============================  ===========================  ===============================
the shell was opened            the eval thread turns        an ``await`` in a cell runs in
==============================  ===========================  ===============================
where no loop is running        the shell's own loop         that same loop
from code that a running loop   nothing (or that loop, by    that loop, re-entered (or a loop
is executing, by `embed()`      `embed_in_running_loop`)     in a helper thread, by policy)
by ``await embed_async()``      the host loop                the caller's own task
==============================  ===========================  ===============================

The first two rows are here; the third is in `hosts`, because it waits by awaiting. What is decided
here is done in `turning`, in `reentry` (a loop that is running already is turned from inside) and
in `gui` (a toolkit's loop is turned where asyncio would sleep).
"""

from __future__ import annotations

import asyncio
import contextvars
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

from ipyembed import reentry
from ipyembed.doorbell import Doorbell
from ipyembed.eval_calls import EvalCalls
from ipyembed.gui.current import CurrentGui
from ipyembed.gui.turn import GuiTurn
from ipyembed.interrupts import CellInterrupts
from ipyembed.loop_thread import GRACE
from ipyembed.loops import kind_of, running_loop
from ipyembed.own_loops import OwnLoops
from ipyembed.policies import Policies
from ipyembed.prompt_thread import Question, prompt_thread
from ipyembed.turning import Turning
from ipyembed.watchdog import Watch

T = TypeVar("T")

_FORBIDDEN = (
    "`await` in a shell that was opened inside a running loop is forbidden by "
    "LoopJuggler.await_in_running_loop = 'error'; set it to 'reenter' or 'thread', "
    "or open the shell with `await ipyembed.embed_async()`"
)


class LoopJuggler(Policies):
    """Decides what the eval thread turns while it waits for the prompt.

    Belongs to one shell and one eval thread. Its traits are the policies (`policies`).
    """

    def __init__(
        self,
        interrupts: CellInterrupts,
        borrow_loop: Callable[[], asyncio.AbstractEventLoop] | None = None,
        **kwargs: Any,
    ) -> None:
        """Belongs to the thread that makes it.

        `borrow_loop`: gives the loop to turn where the host runs none; it will not be closed.
        Without it, a loop is made at first use and closed by `close()`.
        """
        super().__init__(**kwargs)
        self.eval_thread = threading.current_thread()
        self.host_loop = running_loop()
        """The asyncio loop that is executing the code that opened the shell, if any."""
        self.interrupts = interrupts
        self.current_gui = CurrentGui()
        self._calls = EvalCalls()
        self._own = OwnLoops(borrow_loop)
        self._turning = Turning(self.current_gui, self._calls)
        self._said: set[str] = set()
        self._completion: Future[Any] | None = None

    def check_may_block(self) -> None:
        """Raises RuntimeError where a blocking shell may not be opened here."""
        running = running_loop()
        if running is not None and self.embed_in_running_loop == "error":
            raise RuntimeError(
                f"embed() was called inside a running loop ({kind_of(running)}), which "
                "LoopJuggler.embed_in_running_loop = 'error' forbids; use `await "
                "ipyembed.embed_async()`, or set it to 'pause' or 'run'"
            )

    # -- the toolkit ---------------------------------------------------------------------------

    def look_for_gui(self) -> None:
        """Find the toolkit to turn from now on, by the policy `gui`. At each prompt."""
        self.current_gui.look(self.gui)

    def share_with_gui(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have the host's `loop`, turned by the host on this thread, turn the toolkit too."""
        self.current_gui.share_unless_running(loop, self.gui_strategy)

    # -- waiting for the prompt --------------------------------------------------------------

    def wait(self, question: Question[T]) -> T:
        """The answer to `question`; meanwhile turn what the policies say. Eval thread, blocking.

        Raises whatever the question ended with, and KeyboardInterrupt when SIGINT came from
        outside and the host leaves it to Python; the question is then still being asked.
        """
        self._wait(question.answer, self._loop_to_turn())
        return question.answer.result()

    def wait_apart(self, answer: Future[T], reenter: bool = False) -> T:
        """The same for any future, also in a callback that comes while a prompt is waited for.

        `reenter`: turn a running loop, whatever the policy.
        """
        with self._calls.apart():
            self._wait(answer, self._loop_to_turn(reenter))
        return answer.result()

    def _wait(self, answer: Future[Any], loop: asyncio.AbstractEventLoop | None) -> None:
        if loop is None:
            self._wait_still(answer)
        else:
            self._wait_turning(loop, answer)

    def _loop_to_turn(self, reenter: bool = False) -> asyncio.AbstractEventLoop | None:
        running = running_loop()
        if running is None:
            if reenter:
                self.say_once("the host's loop cannot be re-entered, so it stands still meanwhile")
            return self.own_loop if self.asyncio_at_prompt == "run" else None
        if self.embed_in_running_loop != "run" and not reenter:
            return None
        if not reentry.can_reenter(running):
            self.say_once(f"{kind_of(running)} cannot be re-entered, so it stands still meanwhile")
            return None
        return running

    def turns_at_prompt(self, running: asyncio.AbstractEventLoop) -> bool:
        """Whether a blocking shell turns the loop that is running here while the prompt waits."""
        return self.embed_in_running_loop == "run" and reentry.can_reenter(running)

    def _wait_still(self, answer: Future[Any]) -> None:
        """Turn no asyncio loop; make the calls that others ask for, and turn the toolkit's loop."""
        with Doorbell() as bell, self._calls.woken_by(bell.ring_threadsafe):
            answer.add_done_callback(lambda _: bell.ring_threadsafe())
            while not answer.done():
                turn = self._gui_to_turn_still()
                if turn is not None:
                    turn.run_until_readable(bell.fileno())
                else:
                    bell.wait()
                bell.clear()
                self._calls.run_pending()

    def _gui_to_turn_still(self) -> GuiTurn | None:
        """What turns the toolkit, unless that turns the loop which is to stand still, too."""
        running = running_loop()
        if running is not None and reentry.is_turned_by_another(running):
            return None
        return self.current_gui.turn()

    def _wait_turning(self, loop: asyncio.AbstractEventLoop, answer: Future[Any]) -> None:
        is_ours = loop is self._own.loop_if_made
        self._turning.until_answered(loop, self.gui_strategy, answer, is_ours)

    def watch(self) -> Watch | None:
        """What watches the eval thread while the prompt is up, if a loop turns there."""
        loop = self._loop_to_turn()
        if loop is not None:
            return self.watch_loop(loop)
        if self._gui_to_turn_still() is not None:
            return self._watched_by(self._calls.call, None)
        return None

    def watch_loop(self, loop: asyncio.AbstractEventLoop) -> Watch:
        """The same for a loop that somebody else turns on the eval thread."""
        return self._watched_by(loop.call_soon_threadsafe, loop)

    def _watched_by(
        self,
        call_soon_threadsafe: Callable[[Callable[[], object]], object],
        loop: asyncio.AbstractEventLoop | None,
    ) -> Watch:
        ident = self.eval_thread.ident
        assert ident is not None
        return Watch(
            ident,
            self.stuck_after,
            call_soon_threadsafe,
            loop,
            self.is_excused,
            self.interrupts.interrupt_stuck_threadsafe,
        )

    def complete_in_eval_thread(self, complete: Callable[[], T]) -> Future[T]:
        """As `call_in_eval_thread`, but the eval thread does not count as stuck while it runs."""
        completion = self.call_in_eval_thread(complete)
        self._completion = completion
        return completion

    def give_up_completion(self) -> None:
        """Nobody waits for it any more: from now on, it can be what the eval thread is stuck in."""
        self._completion = None

    def is_excused(self) -> bool:
        """Whether it may be slow: it completes for the prompt, or has somebody asked something."""
        completion = self._completion
        is_completing = completion is not None and completion.running()
        return is_completing or prompt_thread.is_lent

    def call_in_eval_thread(self, function: Callable[[], T]) -> Future[T]:
        """Have `function` called on the eval thread, when that next waits; from any thread.

        Returns a future with its result or exception; cancel it to withdraw the call.
        """
        return self._calls.call(function)

    @property
    def calls(self) -> EvalCalls:
        """The calls asked for, for whoever else makes the eval thread wait."""
        return self._calls

    # -- awaiting in a cell ------------------------------------------------------------------

    def run_coroutine(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None = None
    ) -> T:
        """The result of `coroutine`, on the loop that the policies say. Eval thread, blocking.

        Also IPython's `loop_runner`. `context` must not be entered. Raises what the coroutine
        raises, and RuntimeError where the policy forbids it.
        """
        running = running_loop()
        if running is None:
            return self._run_task(self.own_loop, coroutine, context)
        policy = self._policy_of_await(running)
        if policy == "reenter":
            return self._run_task(running, coroutine, context)
        if policy == "thread":
            return self._run_in_helper(coroutine, context)
        return (context or contextvars.copy_context()).run(
            _refuse_to_await, coroutine, RuntimeError(_FORBIDDEN)
        )

    def may_await(self) -> bool:
        """Whether policy lets cells await here."""
        return running_loop() is None or self.await_in_running_loop != "error"

    def _policy_of_await(self, running: asyncio.AbstractEventLoop) -> str:
        policy: str = self.await_in_running_loop
        if policy == "reenter" and not reentry.can_reenter(running):
            self.say_once(
                f"{kind_of(running)} cannot be re-entered, so `await` runs on a loop in a helper "
                "thread; objects that belong to the host's loop cannot be awaited there"
            )
            return "thread"
        return policy

    def _run_task(
        self,
        loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context | None,
    ) -> T:
        return self._turning.run(loop, self.gui_strategy, self.interrupts, coroutine, context)

    def _run_in_helper(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context | None
    ) -> T:
        helper = self._own.helper
        result, cancel = helper.submit(coroutine, context)
        with self.interrupts.awaiting(cancel, helper.loop.call_soon_threadsafe):
            return result.result()

    # -- turning a loop for `run_in_foreground` ------------------------------------------------

    def may_turn(self, running: asyncio.AbstractEventLoop) -> bool:
        """Whether the loop that is running here may be run from inside. Raises by policy."""
        policy = self._policy_of_await(running)
        if policy == "error":
            raise RuntimeError(_FORBIDDEN)
        return policy == "reenter"

    def run_elsewhere(
        self, coroutine: Coroutine[Any, Any, T], context: contextvars.Context
    ) -> Future[T]:
        """Run it on the loop of the helper thread."""
        return self._own.helper.submit(coroutine, context)[0]

    def turn_until_done(
        self,
        loop: asyncio.AbstractEventLoop,
        future: asyncio.Future[None],
        interrupt: Callable[[], object],
    ) -> None:
        """Turn the loop until `future` is done. Eval thread, blocking.

        Ctrl-C calls `interrupt()` in the loop, which must end `future`; nothing is raised in what
        the loop happens to run.
        """
        self._turning.until_done(loop, self.gui_strategy, self.interrupts, future, interrupt)

    # -- the shell's own loop ----------------------------------------------------------------

    @property
    def own_loop(self) -> asyncio.AbstractEventLoop:
        """The loop that is turned where the host runs none; made at first use."""
        return self._own.loop

    @property
    def own_loop_if_made(self) -> asyncio.AbstractEventLoop | None:
        """The same, or None if it has not been needed yet."""
        return self._own.loop_if_made

    @property
    def own_loop_if_closed_with_shell(self) -> asyncio.AbstractEventLoop | None:
        """The same; None as well if it was there before the shell, and goes on after it."""
        return self._own.loop_if_closed_with_shell

    def close(self) -> None:
        """End what the shell started: its own loop's tasks are cancelled, the loop is closed."""
        self.interrupts.close()
        self._calls.close()
        self.current_gui.close()
        stubborn = self._own.close()
        if stubborn:
            print(
                f"ipyembed: cancelled at exit, but did not end within {GRACE:.0f} s: "
                + ", ".join(stubborn),
                file=sys.stderr,
            )

    def say_once(self, what: str) -> None:
        """Tell the user, unless this has been said before."""
        if what not in self._said:
            self._said.add(what)
            print(f"ipyembed: {what}", file=sys.stderr)


def _refuse_to_await(coroutine: Coroutine[Any, Any, T], error: Exception) -> T:
    """Run `coroutine` to its end, or to where it awaits: there it gets `error`."""
    try:
        coroutine.send(None)
        coroutine.throw(error)
    except StopIteration as stop:
        result: T = stop.value
        return result
    coroutine.close()
    raise error
