"""Pictures of services: everything is in them, nothing overlaps, names stay names, and they are what they were."""

from __future__ import annotations

import re
from itertools import combinations, pairwise
from xml.etree import ElementTree

import pytest

from marine_gen.artifact import ENGINES, Source, compile_service
from marine_gen.graph import Graph, build_graph, lay_out, measure, render_html, render_svg
from marine_gen.graph.layout import PlacedEdge, cut, width_of
from marine_gen.graph.model import NodeKind, printable
from marine_gen.graph.svg import headline
from marine_gen.ir.model import Side
from marine_runtime import HostFunction, PythonModule, ServiceConfig
from marine_runtime.types import Prim
from tests.support.engines import guests
from tests.support.golden import GOLDEN, check_file
from tests.support.graphs import HOSTILE_MODULE, SERVICES, graph_of, hostile_service

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def hostile() -> Graph:
    compiled = compile_service(Source("</title>&amp;\n", hostile_service()))
    return build_graph("</title>&amp;\n", compiled, ServiceConfig(), "fused")


@pytest.mark.parametrize("engine", ["fused", "closures"])  # the interpreter takes the steps of the closures
@pytest.mark.parametrize("name", SERVICES)
def test_pictures_are_what_they_were(name: str, engine: str) -> None:
    check_file(GOLDEN / "graph" / f"{name}.{engine}.svg", render_svg(graph_of(name, engine)))


@pytest.mark.parametrize("name", SERVICES)
def test_every_function_and_every_way_is_there(name: str) -> None:
    compiled = compile_service(Source(name, SERVICES[name][0]))
    graph = graph_of(name, "fused")
    root = ElementTree.fromstring(render_svg(graph))
    titles = [item.findtext(f"{SVG}title") for item in root.iter(f"{SVG}g") if item.get("class") == "g-module"]
    assert titles == [item.name for item in compiled]
    rows = {item.get("data-row"): item.findtext(f"{SVG}title") for item in root.iter(f"{SVG}g") if item.get("data-row")}
    for position, module in enumerate(compiled):
        for index, function in enumerate(module.ir.exports):
            assert rows[f"m{position}-e{index}"].startswith(f"{function}(")
        for index, adapter in enumerate(module.ir.imports.values()):
            assert rows[f"m{position}-w{index}"].startswith(f"{adapter.function}(")
    links = [item for item in root.iter(f"{SVG}g") if item.get("class") == "g-link"]
    callees = [f"{callee.name}(" for module in compiled for callee in module.ir.callees]
    ways = [(rows[item.get("data-start")], rows[item.get("data-end")]) for item in links]
    called = [start for start, end in ways if any(start.startswith(callee) for callee in callees)]
    assert len(called) == len(callees)
    for start, end in ways:
        if any(start.startswith(callee) for callee in callees):
            assert start.partition("(")[0].endswith("." + end.partition("(")[0])


@pytest.mark.parametrize("name", [*SERVICES, "hostile"])
def test_nothing_overlaps(name: str, request: pytest.FixtureRequest) -> None:
    graph = request.getfixturevalue("hostile") if name == "hostile" else graph_of(name, "fused", costs={})
    layout = lay_out(graph)
    cards = [(card.x, card.y, card.x + card.width, card.y + card.height) for card in layout.cards]
    assert not [pair for pair in combinations(cards, 2) if overlap(*pair)]
    assert all(box[2] <= layout.width and box[3] <= layout.height for box in cards)
    for card, frame in zip(layout.cards, cards, strict=True):
        boxes = [text.box for text in card.texts] + [text.box for row in card.rows for text in row.texts]
        assert all(inside(box, frame) for box in boxes)
        boxes.sort(key=lambda box: box[1])
        assert not [
            pair
            for index, box in enumerate(boxes)
            for pair in [(box, other) for other in boxes[index + 1 : index + 4]]
            if overlap(*pair)
        ]
    top = [text.box for text in headline(graph, layout.width)]
    assert not [pair for pair in combinations([*top, *cards], 2) if overlap(*pair)]
    for edge in layout.edges:
        assert not [part for part in stretches(edge) if any(overlap(part, frame) for frame in cards)]


def stretches(edge: PlacedEdge) -> list[tuple[float, float, float, float]]:
    """Boxes around the parts of an edge; a curve stays in the box of its ends."""
    points = edge.points
    return [(min(x0, x1) + 0.1, min(y0, y1), max(x0, x1) - 0.1, max(y0, y1)) for (x0, y0), (x1, y1) in pairwise(points)]


def overlap(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def inside(box: tuple[float, ...], frame: tuple[float, ...]) -> bool:
    return frame[0] <= box[0] and frame[1] <= box[1] and box[2] <= frame[2] + 0.01 and box[3] <= frame[3]


def test_costs_have_their_place() -> None:
    graph = graph_of("shrek", "fused", costs={("shrek", Side.IMPORT, "donkey.greeting"): "97.2 ns"}, measured="How.")
    layout = lay_out(graph)
    (cost,) = (text for card in layout.cards for row in card.rows for text in row.texts if text.style == "cost")
    assert cost.text == "97.2 ns"
    text = render_svg(graph)
    assert "cost: 97.2 ns" in text
    assert ">How.<" in text


def test_a_long_cost_is_cut_and_told_in_full() -> None:
    reason = "not measured: " + "why " * 60
    graph = graph_of("shrek", "fused", costs={("shrek", Side.IMPORT, "donkey.greeting"): reason})
    for card in lay_out(graph).cards:
        for row in card.rows:
            assert all(
                inside(text.box, (card.x, card.y, card.x + card.width, card.y + card.height)) for text in row.texts
            )
    assert reason in render_svg(graph)


def test_hostile_names_stay_names(hostile: Graph) -> None:
    for text in (render_svg(hostile), render_html(hostile)):
        assert "<script>alert" not in text
        assert not re.search(r"[^\n\x20-\ud7ff\ue000-\uffef\U00010000-\U0010ffff]", text)
        assert "\u202e" not in text
    root = ElementTree.fromstring(render_svg(hostile))
    assert [item.findtext(f"{SVG}title") for item in root.iter(f"{SVG}g") if item.get("class") == "g-module"] == [
        printable(HOSTILE_MODULE),
        printable("outer\n" * 300),
    ]
    assert {item.tag.removeprefix(SVG) for item in root.iter()} == {
        "svg",
        "style",
        "rect",
        "text",
        "title",
        "g",
        "path",
    }


def test_names_are_cut_by_what_can_be_seen() -> None:
    assert cut("日本語", 6) == "日本語"
    assert cut("日本語", 5) == "日本…"
    assert cut("abc", 1) == "…"
    assert width_of("日本", 10) == 40
    assert printable("a\nb\ud800") == "a\\nb\\ud800"
    assert len(printable("x" * 100_000)) == 4000


def test_engines_tell_their_steps() -> None:
    steps = {engine: [row.steps for _, row in graph_of("shrek", engine).rows.values()] for engine in ENGINES}
    assert steps["closures"] == steps["interpreter"]
    assert "copy string, release, call, copy string, release" in steps["fused"]
    assert "lift string, release, call donkey.greeting, lower string" in steps["closures"]


def test_what_the_host_gives() -> None:
    graph = graph_of("host", "fused")
    found = {
        (edge.kind, graph.rows[edge.start][1].text.partition("(")[0], graph.rows[edge.end][1].text)
        for edge in graph.edges
    }
    assert found == {
        (NodeKind.BINARY, "host.program", "/bin/program"),
        (NodeKind.HOST, "custom.ask", "custom.ask"),
        (NodeKind.HOST, "__marine_host_api_v3.log_utf8_string", "__marine_host_api_v3.log_utf8_string"),
        (NodeKind.DIRECTORY, "directory a", "/a"),
        (NodeKind.DIRECTORY, "directory b", "/b"),
        (NodeKind.DIRECTORY, "directory /sites", "/a"),
    }


def test_what_is_not_fused_says_why() -> None:
    compiled = compile_service(Source("s", SERVICES["shrek"][0]))
    graph = build_graph("s", compiled, ServiceConfig(), "fused")
    assert {edge.kind for edge in graph.edges} == {NodeKind.FUSED}
    assert {edge.kind for edge in build_graph("s", compiled, ServiceConfig(), "closures").edges} == {NodeKind.ADAPTED}


def test_the_page_refers_to_nothing_outside() -> None:
    text = render_html(graph_of("host", "fused", excerpts=lambda position, adapter: [("IR", "a < b")]))
    assert "<pre>a &lt; b</pre>" in text
    assert re.findall(r'(?:href|src)="([^"]*)"|(url|@import)', text) == [("data:,", "")]
    assert "http" not in text.replace("http-equiv", "").replace("http://www.w3.org/2000/svg", "")


def test_modules_in_python_belong_to_the_host() -> None:
    donkey = PythonModule("donkey", {"greeting": HostFunction.of(str.upper, [Prim.STRING], Prim.STRING)})
    shrek = guests("shrek")
    source = Source("s", shrek, python={"donkey": donkey}, order=("donkey", "shrek"))
    graph = build_graph("s", compile_service(source), ServiceConfig(), "fused")
    (edge,) = graph.edges
    assert (edge.kind, graph.rows[edge.end][1].text) == (NodeKind.FUSED, "donkey.greeting")
    assert graph.rows[edge.start][1].note == ""
    assert measure(compile_service(source), "fused").how.startswith("Not measured: ")
