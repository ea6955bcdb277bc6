"""What the benchmarks share, and that each is found."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from docs import make_performance
from tests.benchmarks import harness
from tests.benchmarks.__main__ import benchmarks
from tests.benchmarks.harness import Curve, Figure, Options, Report
from tests.benchmarks.raw_terminal import RawTerminal, plain


def a_report(options: Options) -> Report:
    report = Report("How long is a piece of string", "by hand")
    ours, theirs = [1.0, 2.0, 9.0], [2.0, 2.0, 3.0]
    report.figures = [
        Figure("string", "m", ours, theirs, "rope", 1.0),
        Figure("strings", "1/s", ours, theirs, "rope", 1.1, at_least=True),
        Figure("knots", "", ours),
    ]
    curve = Curve("untying", "s", "knots")
    curve.add("ours", 1, ours)
    curve.add("ours", 10, theirs)
    curve.add("peer", 1, theirs)
    report.curves.append(curve)
    report.skipped.append("chain: not installed")
    return report


def fails(options: Options) -> Report:
    raise AssertionError("the work was not done")


@pytest.fixture
def run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[..., tuple[object, dict[str, object]]]:
    path = tmp_path / "folder" / "results.json"

    def run(*arguments: str) -> tuple[object, dict[str, object]]:
        monkeypatch.setattr(sys, "argv", ["bench", *arguments, "--json", str(path)])
        with pytest.raises(SystemExit) as exit_info:
            harness.run_all({"string": a_report, "broken": fails}, "Some.")
        return exit_info.value.code, json.loads(path.read_text()) if path.exists() else {}

    return run


def test_contenders_take_turns_and_change_their_order() -> None:
    asked: list[str] = []

    def ask(name: str) -> int:
        asked.append(name)
        return len(asked)

    found = harness.take_turns({name: partial(ask, name) for name in "ab"}, 3)
    assert found == {"a": [1, 4, 5], "b": [2, 3, 6]}
    assert "".join(asked) == "abbaab"


def test_a_bar_is_about_the_median_of_the_rounds_ratios() -> None:
    string, strings, knots = a_report(Options(1, 1.0)).figures
    assert string.judged == [0.5, 1.0, 3.0]
    assert string.is_met is True
    assert strings.is_met is False
    assert knots.is_met is None


def test_results_are_printed_and_add_up(
    run: Callable[..., tuple[object, dict[str, object]]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("broken")[0] is True
    assert "the work was not done" in capsys.readouterr().err
    status, results = run("string")
    printed = capsys.readouterr().out
    assert status is True  # a bar is missed
    assert list(results) == ["string"]
    assert "MISSED" in printed
    assert "10 knots" in printed
    assert "skipped: chain: not installed" in printed
    assert list(run("broken")[1]) == ["string"]


def test_the_page_is_made_of_the_results(
    run: Callable[..., tuple[object, dict[str, object]]], tmp_path: Path
) -> None:
    _, results = run("string")
    page = make_performance.page(results, "plots")  # type: ignore[arg-type]
    assert "1 of 2 bars are met." in page
    assert "- [string](#string): strings: 1 (0.75 to 2), bar ≥ 1.1" in page
    assert "| string, m | 2 (1.5 to 5.5) | 2 (2 to 2.5) rope | 1 (0.75 to 2) | ≤ 1 | met |" in page
    assert "| untying, s | 1 knots | 10 knots |" in page
    assert "| peer | 2 (2 to 2.5) | - |" in page
    pytest.importorskip("matplotlib")
    make_performance.draw(results, tmp_path)  # type: ignore[arg-type]
    assert {path.name for path in tmp_path.glob("*.svg")} == {"string.svg", "string-curve1.svg"}


def test_each_benchmark_is_found() -> None:
    found = benchmarks()
    assert {"lateness", "throughput", "wakeups", "memory", "growth_names"} <= set(found)
    assert not set(found) & {"harness", "growth", "measured", "peers", "raw_terminal"}


def test_a_raw_terminal_keeps_what_is_printed_and_types() -> None:
    program = (
        "import sys; sys.stdout.write('\\x1b[1mready\\x1b[0m\\x1b[6n\\n'); sys.stdout.flush()\n"
        "print('got', sys.stdin.readline().strip()[-2:])"
    )
    with RawTerminal([sys.executable, "-c", program], env=os.environ) as terminal:
        ready = terminal.wait_for(b"ready")
        assert ready > terminal.started
        mark = terminal.mark()
        terminal.send(b"42\n")
        terminal.wait_for(b"got 42", mark)
        assert terminal.wait_exit() == 0
        with pytest.raises(AssertionError, match="ended without b'more'"):
            terminal.wait_for(b"more", timeout=5)
    assert plain(b"\x1b[1mready\x1b[0m") == b"ready"
