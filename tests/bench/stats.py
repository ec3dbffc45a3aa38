"""Statistics over samples: ratios with their spread, and how cost grows with size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log
from statistics import median

from tests.bench.model import DIGITS, POINTS, Condensed, Result, Run

LAST = "; figures of "
"""Before the date of an older run, in the description of a peer whose figures come from there."""

LINEAR = 1.15
"""A slope up to this counts as linear: the tail of a curve over three sizes has that much noise."""


@dataclass(frozen=True, slots=True)
class Growth:
    """Growth of cost along a curve, as slopes of lines fitted to it in a log-log plot: 1 is linear, 0 constant.

    Attributes:
        slope: over all points.
        tail: over the larger half, where fixed cost weighs least; at least two points.
    """

    slope: float
    tail: float

    @property
    def linear(self) -> bool:
        """True if cost grows linearly or slower at the large end."""
        return self.tail <= LINEAR


def fit(points: Sequence[tuple[float, float]]) -> float:
    """The slope of the least-squares line through the logarithms of points.

    Raises:
        ValueError: fewer than two different sizes, or a number that is not positive.
    """
    if any(x <= 0 or y <= 0 for x, y in points):
        raise ValueError("a log-log slope needs positive numbers")
    xs, ys = [log(x) for x, _ in points], [log(y) for _, y in points]
    middle_x, middle_y = _mean(xs), _mean(ys)
    spread = sum((x - middle_x) ** 2 for x in xs)
    if spread == 0:
        raise ValueError("a slope needs at least two different sizes")
    return sum((x - middle_x) * (y - middle_y) for x, y in zip(xs, ys, strict=True)) / spread


def growth(points: Sequence[tuple[float, float]]) -> Growth:
    """The growth along a curve.

    Raises:
        ValueError: as `fit`.
    """
    ordered = sorted(points)
    return Growth(fit(ordered), fit(ordered[-max(2, (len(ordered) + 1) // 2) :]))


def ratio(over: Result, under: Result) -> float:
    """The ratio of one peer's time to another's: the median over the rounds, in which both stood side by side.

    A slow moment of the machine then weighs on both; the ratio of the medians may come from different moments. Between
    condensed results it is the quotient of their ratios to the first peer.
    """
    if over.condensed is not None and under.condensed is not None and over.condensed.ratio and under.condensed.ratio:
        return over.condensed.ratio / under.condensed.ratio
    if over.condensed is not None or under.condensed is not None:
        return over.median / under.median
    return median(left / right for left, right in zip(over.samples, under.samples, strict=False))


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 0.0


def spread(result: Result) -> float:
    """The distance of the quartiles of the samples, as a part of their median."""
    if result.condensed is not None:
        return result.condensed.spread
    ordered = sorted(result.samples)
    return (_quantile(ordered, 0.75) - _quantile(ordered, 0.25)) / result.median


def condense(run: Run) -> Run:
    """The run with figures instead of samples; points of curves keep the figures that curves need."""
    cases = []
    for case in run.cases:
        base = case.of(next(iter(run.peers)))
        results = tuple(
            _condensed(item, base, point=case.group == POINTS) if item.samples else item for item in case.results
        )
        cases.append(replace(case, results=results))
    return replace(run, cases=tuple(cases))


def with_last(run: Run, before: Run, peers: Sequence[str]) -> Run:
    """The run with the figures that an older one has of peers that are missing in all its cases, and with their date.

    Args:
        run: a condensed run.
        before: the older run, condensed as well.
        peers: the names of those whose last figures are worth showing.
    """
    absent = [name for name in peers if name in run.peers and not any(case.of(name) for case in run.cases)]
    last = {name: [case for case in before.cases if case.of(name)] for name in absent}
    about = dict(run.peers)
    found: dict[tuple[str, str], Result] = {}
    for name, cases in last.items():
        if cases:
            known = before.peers[name]
            about[name] = known if LAST in known else f"{known}{LAST}{before.date}"
            found |= {(case.name, name): result for case in cases if (result := case.of(name))}
    replaced = [
        replace(case, results=tuple(found.get((case.name, item.peer), item) for item in case.results))
        for case in run.cases
    ]
    return replace(run, peers=about, cases=tuple(replaced))


def _condensed(result: Result, base: Result | None, *, point: bool) -> Result:
    if point:  # curves are drawn through the least samples
        least = float(f"{result.minimum:.{DIGITS[1]}g}")
        return Result(result.peer, missing=result.missing, condensed=Condensed(least, least))
    figures = [result.median, result.minimum, spread(result), ratio(result, base) if base else 0.0]
    short = Condensed(*(float(f"{figure:.{digits}g}") for figure, digits in zip(figures, DIGITS, strict=False)))
    return Result(result.peer, missing=result.missing, condensed=short)


def _quantile(ordered: Sequence[float], part: float) -> float:
    position = part * (len(ordered) - 1)
    low = int(position)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (position - low)


def curves_of(run: Run) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Points (size, best sample) by series and peer, for the peers with at least two of them.

    Other programs on the machine only ever add to a sample, so the best one shows growth with the least noise.
    """
    found: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for case in run.cases:
        if case.series:
            for result in case.results:
                if result.measured:
                    found.setdefault(case.series, {}).setdefault(result.peer, []).append((case.x, result.minimum))
    return {
        series: {peer: sorted(points) for peer, points in peers.items() if len({x for x, _ in points}) > 1}
        for series, peers in found.items()
    }
