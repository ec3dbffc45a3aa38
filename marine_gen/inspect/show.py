"""Printing the views of one adapter: in columns on a terminal where they fit, one after the other elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from marine_gen.console.output import console, is_terminal, write_text
from marine_gen.console.report import clean

if TYPE_CHECKING:
    from rich.console import RenderableType

    from marine_gen.inspect.views import Subject, View

_GAP = 3


def title_of(subject: Subject) -> str:
    """The heading of the views of one adapter."""
    adapter = subject.adapter
    return clean(f"module {subject.module.name}, {adapter.side.value} adapter of {adapter.function}")


def show(title: str, parts: Sequence[View]) -> None:
    """Print the views of an adapter under a title."""
    if is_terminal():
        _draw(title, parts)
        return
    sections = [f"{part.title}\n" + "".join(f"  {line}".rstrip() + "\n" for line in _lines(part)) for part in parts]
    write_text(f"{title}\n\n" + "\n".join(sections))


def _lines(part: View) -> list[str]:
    return [clean(line) for line in part.text.split("\n")]


def _draw(title: str, parts: Sequence[View]) -> None:
    """On a terminal: in columns when they fit, one after the other when they do not."""
    from rich.console import Group
    from rich.syntax import Syntax
    from rich.table import Table
    from rich.text import Text

    screen = console()

    def render(part: View) -> RenderableType:
        body = Syntax("\n".join(_lines(part)), part.language, background_color="default")
        return Group(Text(part.title, style="bold underline"), body)

    screen.print(Text(title, style="bold"))
    screen.print()
    widths = [max(map(len, [part.title, *_lines(part)])) for part in parts]
    if sum(widths) + _GAP * (len(widths) - 1) > screen.width:
        for position, part in enumerate(parts):
            if position:
                screen.print()
            screen.print(render(part), soft_wrap=True)
        return
    columns = Table.grid(padding=(0, _GAP))
    for width in widths:
        columns.add_column(min_width=width, no_wrap=True)
    columns.add_row(*map(render, parts))
    screen.print(columns)
