"""The layout of a picture: cards in columns, edges through the gaps between them.

A layered layout: the columns are given, edges lead to the right. An edge that passes a column gets a lane there,
between the cards, so that no edge runs behind a card. In a column, cards and lanes are ordered by where their edges
come from. Text is set in a fixed width, counted in terminal cells and forced in the picture (`textLength`), so that
what does not overlap here overlaps with no font.

Existing libraries do not suit: those in Python alone lay out points (networkx) or are no longer kept (grandalf), and
none knows rows that edges end at; the others need a Graphviz binary.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len, chop_cells

from marine_gen.graph.model import Card, Edge, Graph, Row

MARGIN = 24
CELL, SMALL_CELL, TITLE_CELL = 7.2, 6.3, 8.4  # widths of a character of 12, 10.5 and 14 px
PADDING = 12
HEAD, HEADING = 50, 22  # of a card and of a section in it
ROW, LINE = 42, 26  # rows with steps, and without
GAP = 26  # between cards of a column
LANE = 12
BAND = 92  # title of the picture
LEGEND_LINE = 20
MIN_CELLS, MAX_CELLS = 30, 64


@dataclass(frozen=True, slots=True)
class TextLine:
    """One line of text; `x` and `y` are those of its baseline's left end.

    Attributes:
        style: class in the style sheet, which has its size.
    """

    x: float
    y: float
    width: float
    text: str
    style: str

    @property
    def box(self) -> tuple[float, float, float, float]:
        """Left, top, right, bottom of the area it may cover."""
        height = {"title": 14.0, "small": 10.5, "heading": 10.5, "cost": 10.5}.get(self.style, 12.0)
        return self.x, self.y - height * 0.8, self.x + self.width, self.y + height * 0.25


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """A row: its frame, and the height at which edges meet it."""

    row: Row
    x: float
    y: float
    width: float
    height: float
    texts: tuple[TextLine, ...]

    @property
    def middle(self) -> float:
        """The points at which edges begin or end."""
        return self.y + self.height / 2


@dataclass(frozen=True, slots=True)
class PlacedCard:
    """A card with everything in it."""

    card: Card
    x: float
    y: float
    width: float
    height: float
    texts: tuple[TextLine, ...]
    rows: tuple[PlacedRow, ...]


@dataclass(frozen=True, slots=True)
class PlacedEdge:
    """An edge through points: pairs of points are straight lanes, curves lead from one pair to the next."""

    edge: Edge
    points: tuple[tuple[float, float], ...]

    @property
    def path(self) -> str:
        """The path in SVG's notation."""
        parts = [f"M{self.points[0][0]:g} {self.points[0][1]:g}"]
        for index in range(1, len(self.points)):
            (x0, y0), (x1, y1) = self.points[index - 1], self.points[index]
            if index % 2:
                middle = (x0 + x1) / 2
                parts.append(f"C{middle:g} {y0:g} {middle:g} {y1:g} {x1:g} {y1:g}")
            else:
                parts.append(f"H{x1:g}")
        return " ".join(parts)


@dataclass(frozen=True, slots=True)
class GraphLayout:
    """A picture's parts with their places, in px."""

    width: float
    height: float
    cards: tuple[PlacedCard, ...]
    edges: tuple[PlacedEdge, ...]


def width_of(text: str, cell: float = CELL) -> float:
    """Pixels that a text takes."""
    return cell_len(text) * cell


def cut(text: str, cells: int) -> str:
    """`text` in at most so many cells; what is cut off is shown as `…`."""
    if cell_len(text) <= cells:
        return text
    return (chop_cells(text, cells - 1) or [""])[0] + "…" if cells > 1 else "…"


def lay_out(graph: Graph) -> GraphLayout:
    """Give everything its place."""
    return _Layout(graph).result()


@dataclass(slots=True)
class _Item:
    """Something that takes room in a column: a card, or the lane of an edge."""

    height: float
    card: Card | None = None
    edge: int | None = None
    y: float = 0.0


class _Layout:
    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        self._columns = 1 + max((card.column for card in graph.cards), default=0)
        self._home = {key: card for key, (card, _) in graph.rows.items()}
        self._items: list[list[_Item]] = [[] for _ in range(self._columns)]
        for card in graph.cards:
            self._items[card.column].append(_Item(_height(card), card))
        for number, edge in enumerate(graph.edges):
            first, last = self._home[edge.start].column, self._home[edge.end].column
            for column in range(first + 1, last):
                self._items[column].append(_Item(LANE, edge=number))

    def result(self) -> GraphLayout:
        widths = [
            max((_width(item.card) for item in column if item.card), default=PADDING * 2) for column in self._items
        ]
        lefts, x = [], float(MARGIN)
        for number, width in enumerate(widths):
            lefts.append(x)
            passing = sum(
                self._home[edge.start].column <= number < self._home[edge.end].column for edge in self._graph.edges
            )
            x += width + min(220, 70 + 7 * passing)
        right = lefts[-1] + widths[-1] + MARGIN
        height = self._arrange()
        cards = {
            item.card.key: _place(item.card, lefts[number], item.y, widths[number])
            for number, column in enumerate(self._items)
            for item in column
            if item.card
        }
        rows = {row.row.key: row for card in cards.values() for row in card.rows}
        edges = []
        for number, edge in enumerate(self._graph.edges):
            start, end = rows[edge.start], rows[edge.end]
            lanes = [
                (lefts[column], lefts[column] + widths[column], item.y + LANE / 2)
                for column, items in enumerate(self._items)
                for item in items
                if item.edge == number
            ]
            points = [(start.x + start.width, start.middle)]
            for left, end_of_lane, y in lanes:
                points += [(left, y), (end_of_lane, y)]
            edges.append(PlacedEdge(edge, (*points, (end.x - 2, end.middle))))
        placed = tuple(cards[card.key] for card in self._graph.cards)
        return GraphLayout(max(right, 640.0), height, placed, tuple(edges))

    def _arrange(self) -> float:
        """Order the items of each column and give them heights; gives the bottom of the picture."""
        tallest = max(self._total(column) for column in self._items)
        for number, column in enumerate(self._items):
            if number:
                sources = self._sources(number)
                column.sort(key=lambda item: sources.get(id(item), float("inf")))
            y = BAND + (tallest - self._total(column)) / 2
            for position, item in enumerate(column):
                item.y = y
                follower = column[position + 1] if position + 1 < len(column) else None
                y += item.height + _gap(item, follower)
        return BAND + tallest + MARGIN

    def _sources(self, number: int) -> dict[int, float]:
        """Mean height from which the edges to each item of a column come."""
        heights: dict[str, float] = {}
        for column in self._items[:number]:
            for item in column:
                if item.card:
                    heights |= {row.row.key: row.middle for row in _place(item.card, 0, item.y, 0).rows}
        found: dict[int, list[float]] = defaultdict(list)
        for item in self._items[number]:
            for index, edge in enumerate(self._graph.edges):
                if item.edge == index or (item.card and self._home[edge.end] is item.card):
                    found[id(item)].append(heights[edge.start])
        return {key: sum(values) / len(values) for key, values in found.items()}

    @staticmethod
    def _total(column: list[_Item]) -> float:
        between = sum(_gap(item, follower) for item, follower in pairwise(column))
        return sum(item.height for item in column) + between


def _gap(item: _Item, follower: _Item | None) -> float:
    """Between two lanes there is none."""
    return 0 if follower is None or (item.card is None and follower.card is None) else GAP


def _sections(card: Card) -> list[tuple[str, tuple[Row, ...]]]:
    if not card.is_module:
        return [("", card.offers)]
    sections = (("exports", card.offers), ("imports", card.wants), ("uses", card.uses))
    return [(title, rows) for title, rows in sections if rows]


def _height(card: Card) -> float:
    sections = _sections(card)
    return (
        HEAD
        + sum(HEADING for title, _ in sections if title)
        + sum(_row_height(row) for _, rows in sections for row in rows)
        + PADDING / 2
    )


def _row_height(row: Row) -> float:
    return ROW if row.steps else LINE


def _width(card: Card) -> float:
    """Enough for the texts, within limits; what does not fit is cut."""
    small = SMALL_CELL / CELL
    wanted = [cell_len(card.title) * TITLE_CELL / CELL, cell_len(card.subtitle) * small]
    for row in card.rows:
        wanted += [cell_len(row.text), (cell_len(row.steps) + cell_len(_short(row.cost)) + 3) * small]
    return min(max(*wanted, MIN_CELLS), MAX_CELLS) * CELL + 2 * PADDING


def _place(card: Card, x: float, y: float, width: float) -> PlacedCard:
    inside = max(width - 2 * PADDING, 0.0)
    texts = [
        _text(x + PADDING, y + 22, card.title, inside, TITLE_CELL, "title"),
        _text(x + PADDING, y + 39, card.subtitle, inside, SMALL_CELL, "small"),
    ]
    rows: list[PlacedRow] = []
    top = y + HEAD
    for title, members in _sections(card):
        if title:
            texts.append(_text(x + PADDING, top + 14, title, inside, SMALL_CELL, "heading"))
            top += HEADING
        for row in members:
            height = _row_height(row)
            rows.append(PlacedRow(row, x, top, width, height, tuple(_row_texts(row, x + PADDING, top, inside))))
            top += height
    return PlacedCard(card, x, y, width, _height(card), tuple(texts), tuple(rows))


def _row_texts(row: Row, x: float, top: float, inside: float) -> list[TextLine]:
    texts = [_text(x, top + 17, row.text, inside, CELL, "code")]
    if not row.steps:
        return texts
    room = inside
    if row.cost:
        shown = cut(_short(row.cost), int(inside / SMALL_CELL / 2))
        cost = width_of(shown, SMALL_CELL)
        texts.append(TextLine(x + inside - cost, top + 33, cost, shown, "cost"))
        room -= cost + 3 * SMALL_CELL
    texts.append(_text(x, top + 33, row.steps, room, SMALL_CELL, "small"))
    return texts


def _text(x: float, y: float, text: str, room: float, cell: float, style: str) -> TextLine:
    shown = cut(text, max(int(room / cell), 1))
    return TextLine(x, y, width_of(shown, cell), shown, style)


def _short(cost: str) -> str:
    """A cost without the reason why there is none, which the tooltip gives."""
    return cost.partition(":")[0]
