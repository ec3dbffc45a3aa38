"""A graph as one HTML page: the picture, and what there is to read about each row, shown when it is chosen.

The page loads nothing from elsewhere, and forbids it. Without scripts, all texts are below the picture.
"""

from __future__ import annotations

from marine_gen.codegen.templating import render_markup
from marine_gen.graph.model import Graph
from marine_gen.graph.svg import drawing


def render_html(graph: Graph) -> str:
    """The page."""
    ends = {key: [edge for edge in graph.edges if key in (edge.start, edge.end)] for key in graph.rows}
    context = {"graph": graph, "svg": drawing(graph), "rows": graph.rows, "ends": ends}
    return render_markup("marine_gen.graph", "graph.html.j2", context)
