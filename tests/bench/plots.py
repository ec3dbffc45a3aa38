"""Plots as inline SVG: bars on a logarithmic scale, and curves in a log-log plot.

Geometry is computed here; the elements are in templates/plots.svg.j2. Sizes are in pixels. Values are positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor, log10

from tests.bench.model import Run

WIDTH = 560
_LABELS = 150
_ROW = 22
_TICKS = 5
_MORE, _LESS = "#0b6e4f", "#e76f51"
_COLOURS = (
    *("#0b6e4f", "#2a9d8f", "#8ab17d", "#b5b5b5", "#8d6a9f", "#e76f51", "#f4a261", "#3d5a80", "#98c1d9"),
    *("#555555", "#777777", "#999999"),
)


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a bar chart."""

    label: str
    text: str
    colour: str
    y: float
    width: float


@dataclass(frozen=True, slots=True)
class Bars:
    """A bar chart, ready to draw; bars start at `left`."""

    title: str
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]
    left: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Versus:
    """A chart of ratios around 1, ready to draw: bars to the right of `one` are ratios above 1."""

    title: str
    bars: Sequence[Bar]
    ticks: Sequence[tuple[float, str]]
    one: float
    left: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Line:
    """One curve."""

    label: str
    colour: str
    points: Sequence[tuple[float, float]]
    key_y: float

    @property
    def path(self) -> str:
        """The points as SVG writes them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)


@dataclass(frozen=True, slots=True)
class Curves:
    """A log-log plot, ready to draw. The frame goes from (left, top) to (right, bottom)."""

    title: str
    axis: str
    lines: Sequence[Line]
    x_ticks: Sequence[tuple[float, str]]
    y_ticks: Sequence[tuple[float, str]]
    left: int
    right: int
    top: int
    bottom: int
    width: int
    height: int


def colours(peers: Sequence[str]) -> dict[str, str]:
    """A colour for each peer, the same in every plot."""
    return {peer: _COLOURS[index % len(_COLOURS)] for index, peer in enumerate(peers)}


def bars(title: str, rows: Sequence[tuple[str, float, str]], palette: Mapping[str, str]) -> Bars:
    """Bars of (label, value, text beside the bar), from the power of ten below the least value.

    Raises:
        ValueError: there are no rows, or a value is not positive.
    """
    low, high = _decades([value for _, value, _ in rows])
    room = WIDTH - _LABELS - 130

    def place(value: float) -> float:
        return (log10(value) - low) / (high - low) * room

    drawn = [
        Bar(label, text, palette[label], 30 + index * _ROW, max(place(value), 1))
        for index, (label, value, text) in enumerate(rows)
    ]
    ticks = [(_LABELS + place(10.0**power), _number(10.0**power)) for power in range(low, high + 1)]
    return Bars(title, drawn, ticks, _LABELS, WIDTH, 52 + len(rows) * _ROW)


def versus(title: str, rows: Sequence[tuple[str, float]]) -> Versus:
    """Bars of (label, ratio) on a logarithmic scale, to the left of 1 where the ratio is below it.

    Raises:
        ValueError: there are no rows, or a ratio is not positive.
    """
    low, high = _decades([1.0, *(value for _, value in rows)])
    left, room = 300, 270

    def place(value: float) -> float:
        return left + (log10(value) - low) / (high - low) * room

    one = place(1)
    drawn = [
        Bar(label, times(value), _MORE if value >= 1 else _LESS, 30 + index * _ROW, place(value) - one)
        for index, (label, value) in enumerate(rows)
    ]
    step = 1 if high - low <= _TICKS else 2
    ticks = [(place(10.0**power), _number(10.0**power)) for power in range(low, high + 1, step)]
    return Versus(title, drawn, ticks, one, left, left + room + 80, 52 + len(rows) * _ROW)


def times(part: float) -> str:
    """A ratio, with three digits."""
    return f"{part:.2f} ×" if part < 9.995 else f"{part:.1f} ×" if part < 99.95 else f"{part:,.0f} ×"


def overview(run: Run) -> list[Bars]:
    """Charts for a reader who looks at one picture: a short string from the host, and between two modules."""
    palette = colours(list(run.peers))
    charts = []
    for name, title in (
        ("greeting", "A short string from Python and back"),
        ("crossing string 10", "A short string from module to module and back"),
    ):
        case = run.case(name)
        base = case.of(next(iter(run.peers))) if case else None
        if case and base:
            rows = [
                (item.peer, item.median / base.median, times(item.median / base.median))
                for item in case.results
                if item.measured
            ]
            charts.append(bars(f"{title}: time, {base.peer} = 1", rows, palette))
    return charts


def curves(
    title: str, axis: str, lines: Mapping[str, Sequence[tuple[float, float]]], unit: str, palette: Mapping[str, str]
) -> Curves:
    """Curves through points (size, cost), by peer; `unit` is what the cost is in, and `ns` grows where it fits.

    Raises:
        ValueError: there are no points, or a number is not positive.
    """
    points = [point for line in lines.values() for point in line]
    x_low, x_high = _range([x for x, _ in points])
    y_low, y_high = _decades([y for _, y in points])
    left, right, top, bottom = 70, WIDTH - 160, 34, 300

    def place(x: float, y: float) -> tuple[float, float]:
        across = (log10(x) - x_low) / (x_high - x_low) * (right - left)
        up = (log10(y) - y_low) / (y_high - y_low) * (bottom - top)
        return left + across, bottom - up

    drawn = [
        Line(label, palette[label], [place(x, y) for x, y in sorted(line)], top + 8 + index * 18)
        for index, (label, line) in enumerate(lines.items())
    ]
    sizes = sorted({x for x, _ in points})
    x_ticks = [(place(x, 10.0**y_low)[0], _number(x)) for x in sizes]
    y_ticks = [(place(sizes[0], 10.0**power)[1], _cost(10.0**power, unit)) for power in range(y_low, y_high + 1)]
    return Curves(title, axis, drawn, x_ticks, y_ticks, left, right, top, bottom, WIDTH, bottom + 44)


def _decades(values: Sequence[float]) -> tuple[int, int]:
    """Powers of ten around values."""
    if not values or min(values) <= 0:
        raise ValueError("a logarithmic scale needs positive numbers")
    low = floor(log10(min(values)))
    return low, max(ceil(log10(max(values))), low + 1)


def _range(values: Sequence[float]) -> tuple[float, float]:
    """Logarithms of the least and the largest value, apart from each other."""
    if not values or min(values) <= 0:
        raise ValueError("a logarithmic scale needs positive numbers")
    low, high = log10(min(values)), log10(max(values))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _number(value: float) -> str:
    for unit, size in (("Mi", 2**20), ("Ki", 2**10)):
        if value >= size and value % size == 0:
            return f"{value / size:g} {unit}"
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _cost(value: float, unit: str) -> str:
    if unit != "ns":
        return f"{_number(value)} {unit}"
    for name, size in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if value >= size:
            return f"{value / size:g} {name}"
    return f"{value:g} ns"
