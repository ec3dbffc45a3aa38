"""Content of the report, worked out from a run: texts of cells, plots, sentences. Its layout is in templates/."""

from __future__ import annotations

from collections.abc import Sequence, Set
from dataclasses import dataclass

from marine_gen.bench.measure import format_time
from tests.bench.answers import Answer, answers
from tests.bench.bars import TOLERANCE, Verdict, judge
from tests.bench.cases.scaling import GROUP as GROWTH
from tests.bench.model import CaseResult, Result, Run
from tests.bench.peers import OURS
from tests.bench.peers.floors import FLOOR
from tests.bench.plots import Bars, Curves, bars, colours, curves, times
from tests.bench.stats import LINEAR, curves_of, growth, ratio, spread

NONE = "–"
SLOPE = "slope"
"""The key for the measure of calls between modules in the settings of a run; older runs lack it."""

_SMALL = 100 * 1024
"""Bytes up to which a figure has a decimal."""

_BUSY = 0.5
"""Load per core from which a machine counts as busy."""


@dataclass(frozen=True, slots=True)
class BarRow:
    """A bar and what was measured."""

    title: str
    bound: str
    measured: str
    word: str
    held: bool


@dataclass(frozen=True, slots=True)
class GrowthRow:
    """The growth of one peer along one curve."""

    series: str
    axis: str
    peer: str
    slope: str
    tail: str
    word: str
    linear: bool


@dataclass(frozen=True, slots=True)
class Group:
    """A table of cases: `rows` has plain cells, `details` pairs of a figure and what stands below it."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    details: Sequence[tuple[str, Sequence[tuple[str, str]]]]
    plots: Sequence[Bars]


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that a template needs."""

    answers: Sequence[Answer]
    growth_title: str
    ours: str
    by_slope: bool
    tolerance: str
    linear: float
    warnings: Sequence[str]
    facts: Sequence[tuple[str, str]]
    peers: Sequence[tuple[str, str]]
    bars: Sequence[BarRow]
    faster: Sequence[tuple[str, str, str]]
    faster_summary: str
    groups: Sequence[Group]
    curves: Sequence[Curves]
    growth: Sequence[GrowthRow]
    growth_summary: str
    missing: Sequence[tuple[str, str, str]]


def make_page(run: Run) -> Page:
    """The report of a run."""
    rows, faster = _growth(run), _faster(run)
    return Page(
        answers=answers(run),
        growth_title=GROWTH,
        ours=OURS,
        by_slope=run.settings.get("between modules") == SLOPE,
        tolerance=f"{TOLERANCE:.0%}",
        linear=LINEAR,
        warnings=run_warnings(run),
        facts=[
            (key.replace("_", "-"), str(value))
            for key, value in ({**run.machine, **run.settings, "date": run.date}).items()
        ],
        peers=list(run.peers.items()),
        bars=[bar_row(verdict) for verdict in judge(run)],
        faster=faster,
        faster_summary=_faster_summary(run, len(faster)),
        groups=_groups(run),
        curves=_curves(run),
        growth=rows,
        growth_summary=_summary(rows),
        missing=_missing(run),
    )


def figure(value: float, unit: str) -> str:
    """A measured value with three digits and its unit."""
    return format_time(value) if unit == "ns" else f"{value / 1024:,.{1 if value < _SMALL else 0}f} KiB"


def run_warnings(run: Run) -> list[str]:
    """Reasons why the figures of a run are rough, if they are."""
    found = []
    if run.settings.get("mode") != "full":
        found.append("This was a quick run, to see that everything works: few and short rounds. Its figures are rough.")
    load, cores = float(run.settings.get("load before", 0)), int(run.machine.get("cores", 1))
    if load > _BUSY * cores:
        found.append(f"The machine was busy with other work (load {load:g} on {cores} cores): figures are rough.")
    return found


def bar_row(verdict: Verdict) -> BarRow:
    """A bar as a table shows it."""
    bar = verdict.bar
    bound = f"{'≥' if bar.kind == 'at least' else '≤'} {bar.limit:g}"
    if verdict.missing:
        return BarRow(bar.title, bound, NONE, f"not measured: {verdict.missing}", False)
    return BarRow(bar.title, bound, times(verdict.ratio), "reached" if verdict.held else "missed", verdict.held)


def _faster(run: Run) -> list[tuple[str, str, str]]:
    """Cases that others do in less time than ours: group, title, and who does, the fastest first."""
    rows = []
    for case in run.cases:
        base = case.of(OURS)
        ratios = {} if base is None else {item.peer: ratio(item, base) for item in case.results if item.measured}
        # What shows as 1.00 is no difference; floors do less than the work.
        less = [
            f"{peer} {times(part)}"
            for peer, part in sorted(ratios.items(), key=lambda item: item[1])
            if part < 0.995 and not run.peers[peer].startswith(FLOOR)
        ]
        if less:
            rows.append((case.group, case.title, ", ".join(less)))
    return rows


def _faster_summary(run: Run, cases: int) -> str:
    measured = sum(case.of(OURS) is not None for case in run.cases)
    if not cases:
        return f"No peer takes less than `{OURS}` in any of the {measured} cases."
    return f"In {cases} of {measured} cases, other peers take less time, or less memory, than `{OURS}`."


def _groups(run: Run) -> list[Group]:
    by_title: dict[str, list[CaseResult]] = {}
    for case in run.cases:
        by_title.setdefault(case.group, []).append(case)
    peers = list(run.peers)
    # Who is not there at all has a column all the same, of dashes.
    absent = {peer for peer in peers if not any(case.of(peer) for case in run.cases)}
    return [_group(title, cases, peers, absent) for title, cases in by_title.items()]


def _group(title: str, cases: Sequence[CaseResult], peers: Sequence[str], absent: Set[str]) -> Group:
    shown = [peer for peer in peers if peer in absent or any(case.of(peer) for case in cases)]
    palette = colours(peers)
    rows, details, plots = [], [], []
    for case in cases:
        base = case.of(OURS)
        results = [case.of(peer) for peer in shown]
        rows.append([case.title, *(_cell(result, base, case.unit) for result in results)])
        details.append(
            (case.title, [(_cell(result, base, case.unit), _detail(result, case.unit)) for result in results])
        )
        if base is not None and not (case.series and case.group == GROWTH) and sum(map(bool, results)) > 1:
            drawn = [
                (
                    item.peer,
                    ratio(item, base),
                    f"{times(ratio(item, base))}, {figure(item.median, case.unit)}",
                )
                for item in results
                if item is not None
            ]
            plots.append(bars(case.title, drawn, palette))
    return Group(title, ["", *shown], rows, details, plots)


def _cell(result: Result | None, base: Result | None, unit: str) -> str:
    if result is None:
        return NONE
    text = figure(result.median, unit)
    if base is None or result.peer == base.peer:
        return text
    return f"{text} ({times(ratio(result, base))})"


def _detail(result: Result | None, unit: str) -> str:
    return "" if result is None else f"min {figure(result.minimum, unit)}, ± {spread(result) / 2:.0%}"


def _curves(run: Run) -> list[Curves]:
    palette = colours(list(run.peers))
    about = {case.series: case for case in run.cases if case.series}
    return [
        curves(series, about[series].axis, lines, about[series].unit, palette)
        for series, lines in curves_of(run).items()
        if lines
    ]


def _growth(run: Run) -> list[GrowthRow]:
    axes = {case.series: case.axis for case in run.cases if case.series}
    rows = []
    for series, lines in curves_of(run).items():
        for peer, points in lines.items():
            grown = growth(points)
            word = "linear or better" if grown.linear else "worse than linear"
            rows.append(
                GrowthRow(series, axes[series], peer, f"{grown.slope:.2f}", f"{grown.tail:.2f}", word, grown.linear)
            )
    return rows


def _summary(rows: Sequence[GrowthRow]) -> str:
    ours = [row for row in rows if row.peer == OURS]
    if not ours:
        return f"`{OURS}` has no curves in this run."
    bad = [f"{row.series} (tail {row.tail})" for row in ours if not row.linear]
    if bad:
        return f"On `{OURS}`, cost grows linearly or better except here: {', '.join(bad)}."
    return f"On `{OURS}`, cost grows linearly or better along every curve."


def _missing(run: Run) -> list[tuple[str, str, str]]:
    reasons: dict[tuple[str, str], list[str]] = {}
    for case in run.cases:
        for result in case.results:
            if result.missing:
                reasons.setdefault((result.peer, result.missing), []).append(case.name)
    rows = []
    for (peer, reason), cases in reasons.items():
        if len(cases) == len(run.cases):
            text = "all"
        else:
            text = ", ".join(cases[:3]) + (f" and {len(cases) - 3} more" if len(cases) > 3 else "")
        rows.append((peer, reason.replace("|", "/"), text))
    return sorted(rows)
