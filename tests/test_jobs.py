"""Jobs in a plain program, without a shell."""

from __future__ import annotations

import asyncio
import functools
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future
from typing import Any

import pytest

from ipyembed import Job, run_in_background, run_in_foreground
from ipyembed.job_table import JobTable, job_table
from ipyembed.jobs import name_of_call
from ipyembed.thread_loop import loop_of_thread

DEADLINE = 20.0


@pytest.fixture(autouse=True)
def nothing_left() -> Iterator[None]:
    """No job outlives its test, and the streams are the program's."""
    yield
    for job in job_table.running:
        job.cancel()
        if job.loop is not None and not job.loop.is_running():
            with pytest.raises(asyncio.CancelledError):
                run_in_foreground(job, DEADLINE)
    assert not job_table.running
    assert "Routed" not in repr(sys.stdout)
    loop_of_thread().close()


async def ticks(n: int, result: Any = None) -> Any:
    for i in range(n):
        print("tick", i)
        await asyncio.sleep(0.001)
    return result


async def fails() -> None:
    await asyncio.sleep(0)
    raise ValueError("of the job")


def add(a: int, b: int) -> int:
    print("adding")
    return a + b


def wait_until(ready: Callable[[], object]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not ready():
        assert time.monotonic() < deadline
        time.sleep(0.001)


# -- what can be run ---------------------------------------------------------------------------


def test_a_coroutine() -> None:
    job = run_in_background(ticks(3, "x"))
    assert (job.state, job.name, job.done()) == ("running", "ticks()", False)
    assert isinstance(job.task, asyncio.Task)
    with pytest.raises(asyncio.InvalidStateError, match=r"job \[\d+\] ticks\(\) still runs"):
        job.result()
    assert run_in_foreground(job, DEADLINE) == "x"
    assert (job.state, job.result(), job.exception()) == ("done", "x", None)
    assert job.output == "tick 0\ntick 1\ntick 2\n"
    assert abs(time.time() - job.started.timestamp()) < DEADLINE
    assert job.started.tzinfo is not None
    assert 0 < job.age < DEADLINE
    assert repr(job) == f"<Job [{job.id}] ticks() done>"
    assert job_table.get(job.id) is job
    assert not job.cancel()


def test_callables() -> None:
    thread = run_in_background(add, 1, 2)
    assert thread.name == "add(…)"
    assert isinstance(thread.task, Future)
    assert run_in_foreground(thread, DEADLINE) == 3
    called = run_in_background(ticks, 1, "called", name="mine")
    assert isinstance(called.task, asyncio.Task)
    assert (called.name, run_in_foreground(called, DEADLINE)) == ("mine", "called")
    assert (thread.output, called.output) == ("adding\n", "tick 0\n")


async def quick() -> str:
    await asyncio.sleep(0.001)
    return "awaited"


def test_what_runs_already() -> None:
    loop = loop_of_thread()
    task = loop.create_task(ticks(2, "task"))
    job = run_in_background(task)
    assert job.task is task
    assert run_in_background(task) is job
    assert run_in_background(job) is job
    assert run_in_foreground(task, DEADLINE) == "task"
    future: Future[int] = Future()
    other = run_in_background(future)
    future.set_result(1)
    assert run_in_foreground(other, DEADLINE) == 1

    class Awaitable:
        def __await__(self) -> Generator[Any, Any, str]:
            return quick().__await__()

    awaited = run_in_background(Awaitable())
    assert "Awaitable" in awaited.name
    assert run_in_foreground(awaited, DEADLINE) == "awaited"


@pytest.mark.parametrize("target", [3, None, "print('x')"])
def test_anything_else_is_a_type_error(target: Any) -> None:
    with pytest.raises(TypeError, match="takes a coroutine, an awaitable or a callable, not "):
        run_in_background(target)
    with pytest.raises(TypeError, match="takes a job, an awaitable or a callable, not "):
        run_in_foreground(target)


def test_arguments_are_for_callables() -> None:
    coroutine = ticks(1)
    with pytest.raises(TypeError, match="arguments for a callable"):
        run_in_background(coroutine, 1)
    with pytest.raises(TypeError, match="runs a callable in a process"):
        run_in_background(coroutine, process=True)
    coroutine.close()


def test_names() -> None:
    assert name_of_call(functools.partial(add, 1), ()) == "add()"
    assert name_of_call(DEADLINE.hex, ()).endswith("hex()")

    class Called:
        def __call__(self) -> None:
            pass

    assert name_of_call(Called(), (1,)).endswith("Called(…)")


# -- how they end ------------------------------------------------------------------------------


def test_a_failure_is_raised_for_who_waits_and_told_otherwise(
    capsys: pytest.CaptureFixture[str],
) -> None:
    job = run_in_background(fails())
    with pytest.raises(ValueError, match="of the job"):
        run_in_foreground(job, DEADLINE)
    assert (job.state, type(job.exception())) == ("failed", ValueError)
    assert capsys.readouterr().err == ""
    job = run_in_background(fails())
    run_in_foreground(asyncio.sleep(0.01))
    err = capsys.readouterr().err
    assert err.startswith(f"ipyembed: job [{job.id}] fails() failed\nTraceback")
    assert err.count("ValueError: of the job") == 1


def test_cancelling() -> None:
    job = run_in_background(asyncio.sleep(60))
    assert job.cancel()
    with pytest.raises(asyncio.CancelledError):
        run_in_foreground(job, DEADLINE)
    assert (job.state, job.exception()) == ("cancelled", None)
    go = threading.Event()
    job = run_in_background(go.wait)
    wait_until(lambda: job.thread_id)
    assert not job.cancel()  # nobody can end a thread
    go.set()
    assert run_in_foreground(job, DEADLINE) is True


def test_awaiting_a_job() -> None:
    async def main() -> None:
        job = run_in_background(ticks(2, "x"))
        assert job.loop is asyncio.get_running_loop()
        assert await job == "x"
        assert await job == "x"
        job = run_in_background(fails())
        with pytest.raises(ValueError, match="of the job"):
            await job
        job = run_in_background(asyncio.sleep(60))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job, 0.01)
        assert job.state == "running"  # who no longer waits, leaves it alone
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
        assert await run_in_background(add, 1, 2) == 3

    asyncio.run(main())


def test_from_other_threads() -> None:
    """A job of one thread's loop, waited for and cancelled in others."""

    async def main() -> None:
        job = run_in_background(ticks(5, "x"))
        assert await asyncio.to_thread(run_in_foreground, job, DEADLINE) == "x"
        assert await asyncio.to_thread(asyncio.run, awaiting(job)) == "x"
        job = run_in_background(asyncio.sleep(60))
        assert await asyncio.to_thread(job.cancel)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.to_thread(run_in_foreground, job, DEADLINE)
        task = asyncio.create_task(ticks(5, "task"))
        assert await asyncio.to_thread(run_in_foreground, task, DEADLINE) == "task"

    async def awaiting(job: Job) -> Any:
        return await job

    asyncio.run(main())


def test_a_loop_of_its_own_for_each_thread() -> None:
    results = []

    def work() -> None:
        job = run_in_background(ticks(2, threading.current_thread()))
        results.append(run_in_foreground(job, DEADLINE))
        loop_of_thread().close()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE)
    assert set(results) == set(threads)


# -- the foreground ----------------------------------------------------------------------------


def test_everything_goes_on_meanwhile() -> None:
    job = run_in_background(ticks(1000))
    run_in_foreground(asyncio.sleep(0))
    run_in_foreground(asyncio.sleep(0))
    assert job.output.startswith("tick 0\n")
    run_in_foreground(asyncio.sleep(0.05))
    assert job.output.count("\n") > 3
    assert job.state == "running"


def test_what_it_takes() -> None:
    assert run_in_foreground(ticks(1, "coroutine")) == "coroutine"
    assert run_in_foreground(functools.partial(ticks, 1, "function")) == "function"
    assert run_in_foreground(lambda: "callable") == "callable"
    assert run_in_foreground(loop_of_thread().create_task(ticks(1, "task"))) == "task"
    with pytest.raises(ZeroDivisionError):
        run_in_foreground(lambda: 1 / 0)


def test_a_timeout_leaves_it_in_the_background() -> None:
    with pytest.raises(TimeoutError, match=r"job \[\d+\] ticks\(\) has not ended in 0.01 s"):
        run_in_foreground(ticks(20, "end"), timeout=0.01)
    (job,) = job_table.running
    assert run_in_foreground(job, DEADLINE) == "end"


def test_in_a_running_loop() -> None:
    async def main() -> None:
        job = run_in_background(ticks(3, "x"))
        assert run_in_foreground(job, DEADLINE) == "x"
        assert run_in_foreground(ticks(3, "y"), DEADLINE) == "y"

    asyncio.run(main())


def test_in_a_loop_that_cannot_be_turned_from_inside() -> None:
    uvloop = pytest.importorskip("uvloop")

    async def main() -> None:
        job = run_in_background(ticks(3, "x"))
        with pytest.raises(RuntimeError, match="cannot be turned from inside; await it"):
            run_in_foreground(job)
        with pytest.raises(RuntimeError, match="cannot be turned from inside; await it"):
            run_in_foreground(ticks(3))
        assert run_in_foreground(lambda: 3, DEADLINE) == 3
        assert await job == "x"

    asyncio.run(main()) if uvloop is None else uvloop.run(main())


def test_ctrl_c_leaves_it_in_the_background() -> None:
    job = run_in_background(ticks(100_000))
    loop_of_thread().call_later(0.02, signal.raise_signal, signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_in_foreground(job)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    before = job.output
    run_in_foreground(asyncio.sleep(0.01))
    assert job.state == "running"
    assert job.output != before


# -- processes ---------------------------------------------------------------------------------


def in_process(what: str) -> int:
    """In a fresh interpreter: forking the one that runs the tests would copy all its threads."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PROCESSES, what],
        capture_output=True, text=True, timeout=40, check=False,
    )  # fmt: skip
    assert done.stderr == "", done.stderr
    assert done.stdout == "ok\n"
    return done.returncode


PROCESSES = """
import asyncio, os, sys, time
from ipyembed import run_in_background, run_in_foreground

def add(a, b):
    print("adding")
    return a + b

def where():
    return os.getpid()

def dies():
    os._exit(3)

def unpicklable():
    return lambda: 0

def ends(job):
    try:
        return run_in_foreground(job, 30)
    except BaseException as error:
        return error

if __name__ == "__main__":
    what = sys.argv[1]
    real, sys.stdout = sys.stdout, open(os.devnull, "w")
    if what == "works":
        job = run_in_background(add, 1, 2, process=True)
        assert ends(job) == 3
        assert job.output == "adding\\n"
        assert ends(run_in_background(where, process=True)) != os.getpid()
    if what == "fails":
        error = ends(run_in_background(add, 1, "b", process=True))
        assert isinstance(error, TypeError), error
        assert "in add" in str(error.__cause__)
        error = ends(run_in_background(dies, process=True))
        assert "ended with exit status 3" in str(error), error
        error = ends(run_in_background(unpicklable, process=True))
        assert "result cannot be sent" in str(error), error
    if what == "is cancelled":
        jobs = [run_in_background(time.sleep, 60, process=True) for _ in range(20)]
        while jobs[0].state != "running":
            time.sleep(0.01)
        for job in jobs:
            assert job.cancel()
        for job in jobs:
            assert isinstance(ends(job), asyncio.CancelledError)
            assert job.state == "cancelled", job
    print("ok", file=real)
"""


@pytest.mark.parametrize("what", ["works", "fails", "is cancelled"])
def test_processes(what: str) -> None:
    assert in_process(what) == 0


def test_at_the_end_of_a_script(tmp_path: Any) -> None:
    """What still runs is cancelled, in silence if it lets itself be."""
    script = """if True:
        import asyncio
        from ipyembed import run_in_background, run_in_foreground
        async def polite():
            try:
                await asyncio.sleep(60)
            finally:
                print("cleaned up")
        async def stubborn():
            while True:
                try:
                    await asyncio.sleep(60)
                except asyncio.CancelledError:
                    pass
        run_in_background(polite())
        run_in_foreground(asyncio.sleep(0))
        STUBBORN
    """
    for stubborn, says in (
        ("", ""),
        (
            "run_in_background(stubborn()); run_in_foreground(asyncio.sleep(0))",
            "ipyembed: cancelled at exit, but did not end within 2 s: [2] stubborn()\n",
        ),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script.replace("STUBBORN", stubborn)],
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert (done.stdout, done.stderr) == ("cleaned up\n", says)


# -- the table ---------------------------------------------------------------------------------


def test_the_table() -> None:
    first, second = run_in_background(ticks(1)), run_in_background(ticks(2))
    assert second.id == first.id + 1
    assert job_table.running == [first, second]
    assert job_table.jobs[-2:] == [first, second]
    run_in_foreground(second, DEADLINE)
    assert job_table.get(first.id) is first
    with pytest.raises(KeyError):
        job_table.get(10**9)
    run_in_foreground(first, DEADLINE)
    job_table.forget_ended()
    assert job_table.jobs == []
    with pytest.raises(KeyError):
        job_table.get(first.id)


def test_ten_thousand_at_once() -> None:
    jobs = [run_in_background(asyncio.sleep(0.01, n)) for n in range(10_000)]
    assert len(job_table.running) == 10_000
    run_in_foreground(asyncio.gather(*[job.task for job in jobs]), 60)  # type: ignore[arg-type]
    assert [job.result() for job in jobs] == list(range(10_000))
    assert not job_table.running
    assert len(job_table.jobs) <= 1000  # those that have ended are remembered, but not all


def test_output_is_routed_for_a_job_that_starts_as_the_last_one_ends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Starting takes no lock, so the one may come in the midst of the other, on another thread."""
    give_back = job_table.give_streams_back
    started: list[Job] = []

    def give_back_too_late() -> None:
        monkeypatch.undo()
        started.append(run_in_background(ticks(3)))
        give_back()

    async def main() -> None:
        first = run_in_background(asyncio.sleep(0))
        monkeypatch.setattr(job_table, "give_streams_back", give_back_too_late)
        await first
        assert "Routed" in repr(sys.stdout)
        await started[0]
        assert started[0].output == "tick 0\ntick 1\ntick 2\n"

    asyncio.run(main())


def test_done_callbacks() -> None:
    table = JobTable()
    future: Future[int] = Future()
    job = table.adopt(future)
    ended: list[Job] = []
    job.add_done_callback(ended.append)
    future.set_result(1)
    job.add_done_callback(ended.append)
    assert ended == [job, job]
