"""How late a 1 ms asyncio sleep is with a 60 Hz GUI and the prompt up.

    python -m tests.benchmarks.lateness [--rounds N] [--seconds S] [--only PySide6 tk ...]

Two windows of each toolkit: the bars are for the one whose timer ticks at 60 Hz. The other one is
also painted each time, on the same thread: a sleep that ends meanwhile is late by what is left of
the painting, whoever turns the loops. How long that takes is shown beside it, and what is the least
that it can mean: bare asyncio, with a task that computes for as long as a frame takes, or a tick of
the timer where nothing is painted.
"""

from __future__ import annotations

from tests.benchmarks.harness import Figure, Options, Report, checked, percentile, run, take_turns
from tests.benchmarks.measured import (
    PAINTED,
    TOOLKITS,
    Stage,
    asker,
    assert_ticked,
    still,
    text,
    toolkits_here,
)

_SLEEPER = """
async def sleeper():
    clock = time.perf_counter
    while True:
        started = clock()
        await asyncio.sleep(0.001)
        samples.append(clock() - started - 0.001)
"""
_BARE = f"{_SLEEPER}\nasyncio.run(sleeper())\n"
_LEAST = f"""{_SLEEPER}
async def main():
    global ticks
    task = asyncio.create_task(sleeper())
    while True:
        await asyncio.sleep(0.016)
        end = time.perf_counter() + {{frame}}
        while time.perf_counter() < end: pass
        ticks += 1
asyncio.run(main())
"""
_OURS = f"""{_SLEEPER}
async def main():
    task = asyncio.create_task(sleeper())
    await ipyembed.embed_async()
asyncio.run(main())
"""
_BARS = {50: 1.0, 99: 1.2}
_LONGER = 3
"""A window of a second has ten sleeps above its p99, which is too few."""


def measure(options: Options) -> Report:
    seconds = _LONGER * options.seconds
    report = Report(
        "Lateness of asyncio.sleep(0.001) in a task, embed_async() up, a 16 ms GUI timer ticking",
        f"the task's own clock around each sleep, {options.rounds} windows of {seconds:g} "
        "s; bare: the same task under asyncio.run(), without GUI and prompt; painted: the window "
        "is also painted at each tick (tick, frame: CPU of that thread for one, without and with "
        "painting, in the toolkit's own main loop; least: bare, and a task that computes for that "
        "long every 16 ms)",
    )
    names = toolkits_here(report, options.wanted(TOOLKITS))
    with Stage() as stage:
        programs = {"bare": stage.start(text(None, _BARE), has_prompt=False)}
        programs["no GUI"] = stage.start(text(None, _OURS), has_prompt=True)
        for name in names:
            programs[name] = stage.start(text(name, still(name) + _OURS), has_prompt=True)
            programs[f"{name} painted"] = stage.start(text(name, PAINTED + _OURS), has_prompt=True)
            for what, window, limit in (
                ("tick", still(name), "least"),
                ("frame", PAINTED, "painted least"),
            ):
                own = stage.start(text(name, f"{window}main_loop()"), has_prompt=False)
                programs[f"{name} {what}"] = own
                first = own.ask(seconds)
                least = _LEAST.format(frame=first["cpu"] / max(first["ticks"], 1))
                programs[f"{name} {limit}"] = stage.start(text(None, least), has_prompt=False)
        found = take_turns(
            {name: asker(program, seconds) for name, program in programs.items()},
            options.rounds,
        )
        for name, program in programs.items():
            with checked(name):
                program.assert_prompt_lives()
                if name not in ("bare", "no GUI"):
                    assert_ticked(found[name], seconds)
    # Without a GUI nothing of ours is in the loop, and paint is the toolkit's: for the record.
    against = {"no GUI": "bare"} | dict.fromkeys(names, "bare")
    against |= {f"{name} painted": f"{name} painted least" for name in names}
    pairs = [*against.items(), *((name, f"{name} least") for name in names)]
    for name, other in pairs:
        for percent, bar in _BARS.items():
            ours, theirs = (
                [percentile(answer["samples"], percent) * 1e6 for answer in found[of]]
                for of in (name, other)
            )
            is_least = other == f"{name} least"
            judged = bar if name in names and not is_least else None
            kind = other.split()[-1]
            what = f"{name} p{percent}{', against the least' if is_least else ''}"
            report.figures.append(Figure(what, "us", ours, theirs, kind, judged))
    for name in names:
        for what in ("tick", "frame"):
            times = [answer["cpu"] / answer["ticks"] * 1e6 for answer in found[f"{name} {what}"]]
            report.figures.append(Figure(f"{name} {what}", "us", times))
    return report


if __name__ == "__main__":
    run(measure)
