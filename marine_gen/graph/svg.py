"""A laid out graph as SVG. The template has the form, this file its content; names are escaped there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from marine_gen.artifact import BACKENDS
from marine_gen.codegen.templating import render_markup
from marine_gen.graph.layout import (
    LEGEND_LINE,
    MARGIN,
    SMALL_CELL,
    TITLE_CELL,
    GraphLayout,
    TextLine,
    cut,
    lay_out,
    width_of,
)
from marine_gen.graph.model import Graph, NodeKind, Row

_PACKAGE = "marine_gen.graph"
_SWATCH = 34


@dataclass(frozen=True, slots=True)
class LegendItem:
    """One kind of edge, with its line and its text."""

    kind: NodeKind
    x: float
    y: float
    text: TextLine


def render_svg(graph: Graph) -> str:
    """The picture as a self-contained SVG document."""
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + drawing(graph)


def drawing(graph: Graph) -> str:
    """The `svg` element alone, to be put into a page."""
    layout = lay_out(graph)
    legend = list(_legend(graph, layout))
    notes = [
        TextLine(MARGIN, layout.height + 4 + LEGEND_LINE * (index + 2), width_of(line, SMALL_CELL), line, "small")
        for index, line in enumerate(_notes(graph, layout.width))
    ]
    return render_markup(
        _PACKAGE,
        "graph.svg.j2",
        {
            "graph": graph,
            "layout": layout,
            "height": layout.height + 14 + LEGEND_LINE * (len(notes) + 2),
            "texts": [*headline(graph, layout.width), *notes],
            "legend": legend,
            "tooltip": tooltip,
        },
    )


def headline(graph: Graph, width: float) -> list[TextLine]:
    """The lines over the picture."""
    modules = sum(card.is_module for card in graph.cards)
    lines = (
        (graph.name, TITLE_CELL, "title", 40),
        (f"{modules} module{'s' * (modules != 1)}, engine {graph.engine}", SMALL_CELL, "small", 58),
    )
    found = []
    for text, cell, style, y in lines:
        shown = cut(text, int((width - 2 * MARGIN) / cell))
        found.append(TextLine(MARGIN, y, width_of(shown, cell), shown, style))
    return found


def tooltip(row: Row) -> str:
    """Everything about a row, for the pointer resting on it."""
    parts = (row.text, row.steps and f"steps: {row.steps}", row.cost and f"cost: {row.cost}", row.note)
    return "\n".join(part for part in parts if part)


def _legend(graph: Graph, layout: GraphLayout) -> Iterator[LegendItem]:
    x, y = float(MARGIN), layout.height + 10
    for kind in NodeKind:
        if any(edge.kind is kind for edge in graph.edges):
            width = width_of(kind.value, SMALL_CELL)
            yield LegendItem(kind, x, y, TextLine(x + _SWATCH, y + 4, width, kind.value, "small"))
            x += _SWATCH + width + 24


def _notes(graph: Graph, width: float) -> list[str]:
    """Lines under the picture, broken to its width."""
    moves = (
        "copy: from one memory to the other, inside Wasm"
        if BACKENDS[graph.engine].fuses
        else "lift: out of a memory, lower: into one"
    )
    text = f"Steps of a call, without checks and bookkeeping; {moves}; release: the module may free what it lent."
    lines = [text, "Steps of an export are those of a call from Python."]
    if graph.measured:
        lines.append(graph.measured)
    broken: list[str] = []
    for line in lines:
        current = ""
        for word in line.split():
            longer = f"{current} {word}".strip()
            if width_of(longer, SMALL_CELL) > width - 2 * MARGIN and current:
                broken.append(current)
                longer = word
            current = longer
        broken.append(current)
    return broken
