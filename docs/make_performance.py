"""Write docs/performance.md and its plots from docs/performance.json, the recorded measurements.

    python docs/make_performance.py [RESULTS.json ...]     results of `make bench`, taken over first
    python docs/make_performance.py --into FOLDER RESULTS.json     a page of their own

The first also puts the costs into docs/how-it-works.md. A test fails while the pages do not say
what the recorded measurements say.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))

from docs import cost_table  # noqa: E402  # found by the line above

RECORDED = ROOT / "docs" / "performance.json"
PRINCIPLES = ROOT / "docs" / "how-it-works.md"

INTRODUCTION = """\
<!-- Made by docs/make_performance.py from docs/performance.json: measure anew, do not edit. -->

# Performance

Every figure was taken by `make bench`, on real programs in pseudo-terminals, with real windows on a
virtual screen. The contenders of a question take turns in one run, in short alternating slices, so
that whatever else the machine does falls on all of them alike. A figure is the median over the
rounds with the quartiles in brackets; a ratio is the median of the rounds' ratios. Each benchmark
also checks the work that it times. `make bench BENCH="lateness wakeups"` measures some anew;
`python docs/make_performance.py build/benchmarks/results.json` takes the results over into here.

A bar is what we ask of ourselves, and it is not moved when it is missed: then this page says so.
"""

Result = dict[str, Any]


def page(results: dict[str, Result], images: str) -> str:
    """The whole page; `images` is the folder of the plots as seen from it."""
    parts = [INTRODUCTION, *_missed(results)]
    for name in sorted(results):
        parts += _section(name, results[name], images)
    return "\n".join(parts)


def _missed(results: dict[str, Result]) -> list[str]:
    judged = [
        (name, figure)
        for name in sorted(results)
        for figure in results[name]["figures"]
        if figure["bar"] is not None
    ]
    missed = [(name, figure) for name, figure in judged if not figure["is_met"]]
    lines = [f"{len(judged) - len(missed)} of {len(judged)} bars are met.", ""]
    if missed:
        lines.append("Missed:\n")
        for name, figure in missed:
            found = f"{_spread(figure['judged'])}, bar {_bar(figure)}"
            lines.append(f"- [{name}](#{name}): {figure['what']}: {found}")
        lines.append("")
    return lines


def _section(name: str, result: Result, images: str) -> list[str]:
    lines = [f"## {name}", "", f"{result['question']}.", "", f"How: {result['how']}.", ""]
    if result["figures"]:
        if any(figure["bar"] is not None for figure in result["figures"]):
            lines += [f"![{name}: each figure as a share of its bar]({images}/{name}.svg)", ""]
        lines += ["| measured | ours | against | ratio | bar | |", "|---|---|---|---|---|---|"]
        lines += [_row(figure) for figure in result["figures"]]
        lines.append("")
    for n, curve in enumerate(result["curves"]):
        title = f"{curve['what']}, {curve['unit']}"
        lines += [f"![{title}]({images}/{_curve_file(name, n)})", ""]
        sizes = _sizes(curve)
        heads = [f"{size:,} {curve['size']}" for size in sizes]
        lines.append(f"| {title} | {' | '.join(heads)} |")
        lines.append("|---" * (len(sizes) + 1) + "|")
        for contender, line in curve["lines"].items():
            cells = [_spread(line[str(size)]) if str(size) in line else "-" for size in sizes]
            lines.append(f"| {contender} | {' | '.join(cells)} |")
        lines.append("")
    if result["skipped"]:
        lines += [f"Not measured: {'; '.join(result['skipped'])}.", ""]
    lines += [f"Taken {result['started']}: {result['taken']}.", ""]
    return lines


def _row(figure: Result) -> str:
    unit = f", {figure['unit']}" if figure["unit"] else ""
    against = f"{_spread(figure['theirs'])} {figure['against']}" if figure["theirs"] else "-"
    cells = (
        figure["what"] + unit,
        _spread(figure["ours"]),
        against,
        _spread(figure["judged"]) if figure["theirs"] else "-",
        _bar(figure) if figure["bar"] is not None else "-",
        {True: "met", False: "**missed**", None: ""}[figure["is_met"]],
    )
    return f"| {' | '.join(cells)} |"


def _bar(figure: Result) -> str:
    return f"{'≥' if figure['at_least'] else '≤'} {figure['bar']:g}"


def _spread(values: list[float]) -> str:
    middle = statistics.median(values)
    if len(values) < 3:
        return _number(middle)
    low, _, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{_number(middle)} ({_number(low)} to {_number(high)})"


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _sizes(curve: Result) -> list[int]:
    return sorted({int(size) for line in curve["lines"].values() for size in line})


def _curve_file(name: str, n: int) -> str:
    return f"{name}-curve{n + 1}.svg"


def draw(results: dict[str, Result], folder: Path) -> None:
    """All plots, as SVG; those that there are no results for any more are removed."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same results give the same bytes.
    mpl.rcParams.update({"svg.hashsalt": "ipyembed", "svg.fonttype": "none", "font.size": 9})
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.svg"):
        old.unlink()
    for name, result in results.items():
        judged = [figure for figure in result["figures"] if figure["bar"] is not None]
        if judged:
            _draw_bars(judged, folder / f"{name}.svg")
        for n, curve in enumerate(result["curves"]):
            _draw_curve(curve, folder / _curve_file(name, n))


def _draw_bars(figures: list[Result], path: Path) -> None:
    """How much of what its bar allows each figure takes: left of 1 is met."""
    from matplotlib.figure import Figure

    plot = Figure(figsize=(7, 0.8 + 0.26 * len(figures)), layout="constrained")
    axes = plot.add_subplot()
    for y, figure in enumerate(reversed(figures)):
        bar = figure["bar"]
        shares = [bar / value if figure["at_least"] else value / bar for value in figure["judged"]]
        middle = statistics.median(shares)
        low, high = middle, middle
        if len(shares) >= 3:
            low, _, high = statistics.quantiles(shares, n=4, method="inclusive")
        axes.barh(y, middle, color="#3b7dd8" if figure["is_met"] else "#d8593b")
        axes.plot([low, high], [y, y], color="black", linewidth=1)
    axes.axvline(1, color="black", linestyle="--", linewidth=1)
    axes.set_yticks(range(len(figures)), [figure["what"] for figure in reversed(figures)])
    axes.set_xlabel("share of what the bar allows (dashed: the bar; line: quartiles)")
    axes.set_xlim(left=0)
    _save(plot, path)


def _draw_curve(curve: Result, path: Path) -> None:
    from matplotlib.figure import Figure

    plot = Figure(figsize=(6, 3.4), layout="constrained")
    axes = plot.add_subplot()
    for contender, line in curve["lines"].items():
        sizes = sorted(map(int, line))
        axes.plot(
            sizes,
            [statistics.median(line[str(size)]) for size in sizes],
            marker="o",
            markersize=3,
            linewidth=1.5,
            label=contender,
        )
    axes.set_xscale("symlog" if 0 in _sizes(curve) else "log")
    axes.set_yscale("log")
    axes.set_xlabel(curve["size"])
    axes.set_ylabel(curve["unit"])
    axes.set_title(curve["what"], fontsize=9)
    axes.grid(visible=True, which="major", linewidth=0.3)
    axes.legend(frameon=False)
    _save(plot, path)


def _save(plot: Any, path: Path) -> None:
    plot.savefig(path, format="svg", metadata={"Date": None, "Creator": None})
    # Lines must not end in blanks.
    text = path.read_text(encoding="utf-8")
    path.write_text("\n".join(map(str.rstrip, text.splitlines())) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="*", type=Path)
    parser.add_argument("--into", type=Path, help="the folder of a page that is not the recorded")
    asked = parser.parse_args()
    results: dict[str, Result] = {}
    if asked.into is None and RECORDED.exists():
        results = json.loads(RECORDED.read_text(encoding="utf-8"))
    for path in asked.results:
        results |= json.loads(path.read_text(encoding="utf-8"))
    if asked.into is None:
        results = dict(sorted(results.items()))
        RECORDED.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    folder, images = (asked.into, "plots") if asked.into else (ROOT / "docs", "images/performance")
    draw(results, folder / images)
    path = folder / "performance.md"
    path.write_text(page(results, images), encoding="utf-8")
    print(path)
    if asked.into is None:
        text = PRINCIPLES.read_text(encoding="utf-8")
        PRINCIPLES.write_text(cost_table.put_into(text, results), encoding="utf-8")


if __name__ == "__main__":
    main()
