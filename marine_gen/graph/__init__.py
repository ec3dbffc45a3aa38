"""A service as a picture: its modules, their exports and imports, and the steps of every call between them.

`model` is the content of the picture, `layout` its coordinates, `svg` and `page` write it, `measure` times crossings
between modules with the help of `stubs`.
"""

from marine_gen.graph.layout import GraphLayout, lay_out
from marine_gen.graph.measure import Costs, measure
from marine_gen.graph.model import Graph, build_graph
from marine_gen.graph.page import render_html
from marine_gen.graph.svg import render_svg

__all__ = ["Costs", "Graph", "GraphLayout", "build_graph", "lay_out", "measure", "render_html", "render_svg"]
