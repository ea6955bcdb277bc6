"""The interval of a 16 ms GUI timer under the prompt.

python -m tests.benchmarks.gui_interval [--rounds N] [--seconds S] [--only PySide6 tk ...]
"""

from __future__ import annotations

from itertools import pairwise

from tests.benchmarks.harness import Figure, Options, Report, checked, percentile, run, take_turns
from tests.benchmarks.measured import (
    PAINTED,
    TOOLKITS,
    Stage,
    asker,
    assert_ticked,
    text,
    toolkits_here,
)

_TIMED = f"""
def timed(tick):
    def stamped(*arguments):
        samples.append(time.perf_counter())
        return tick(*arguments)
    return stamped
if "tick" in globals(): tick = timed(tick)
else: Window.tick = timed(Window.tick)
{PAINTED}
"""
_ENTRIES = {
    "embed": "ipyembed.embed()",
    "embed_async": "asyncio.run(ipyembed.embed_async())",
}
_OWN = "main_loop()"
_BAR = 1.1


def measure(options: Options) -> Report:
    # A window holds 60 intervals a second: the 99th percentile needs more of them.
    seconds = 2 * options.seconds
    report = Report(
        "Interval of a 16 ms GUI timer that paints its window, the prompt up, p99",
        f"the clock at each tick, {options.rounds} windows of {seconds:g} s; own: the same program "
        "in the toolkit's own main loop, without a prompt",
    )
    names = toolkits_here(report, options.wanted(TOOLKITS))
    with Stage() as stage:
        programs = {}
        for name in names:
            programs[f"{name} own"] = stage.start(text(name, _TIMED + _OWN), has_prompt=False)
            for entry, code in _ENTRIES.items():
                programs[f"{name} {entry}"] = stage.start(
                    text(name, _TIMED + code), has_prompt=True
                )
        found = take_turns(
            {name: asker(program, seconds) for name, program in programs.items()}, options.rounds
        )
        for name, program in programs.items():
            with checked(name):
                program.assert_prompt_lives()
                assert_ticked(found[name], seconds)
    for name in names:
        for entry in _ENTRIES:
            ours, own = (
                [
                    percentile([b - a for a, b in pairwise(answer["samples"])], 99) * 1e3
                    for answer in found[f"{name} {of}"]
                ]
                for of in (entry, "own")
            )
            report.figures.append(Figure(f"{name} {entry}", "ms", ours, own, "own", _BAR))
    return report


if __name__ == "__main__":
    run(measure)
