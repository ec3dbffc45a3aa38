"""A service as a picture: its modules, what they offer and want, and what every call between them does on the way.

`model` says what there is to draw, `layout` where, `svg` and `page` write it, `measure` times crossings.
"""

from marine_gen.graph.layout import GraphLayout, lay_out
from marine_gen.graph.measure import Costs, measure
from marine_gen.graph.model import Graph, build_graph
from marine_gen.graph.page import render_html
from marine_gen.graph.svg import render_svg

__all__ = ["Costs", "Graph", "GraphLayout", "build_graph", "lay_out", "measure", "render_html", "render_svg"]
