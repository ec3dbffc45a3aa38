"""Results on stdout: JSON, tables, sizes. Tables are drawn on a terminal and plain columns elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from marine_gen.console.report import clean, wants_colour

if TYPE_CHECKING:
    from rich.console import Console


def write_text(text: str) -> None:
    """Exactly `text`, as UTF-8, whatever the platform makes of line ends."""
    click.echo(text.encode(), nl=False)


def write_json(document: Any) -> None:
    """A JSON document for programs; every character that is not ASCII is escaped."""
    click.echo(json.dumps(document, indent=2))


def is_terminal() -> bool:
    """True if a person is looking."""
    return sys.stdout is not None and sys.stdout.isatty()


def console() -> Console:
    """A rich console on stdout that takes names as they are."""
    from rich.console import Console

    return Console(
        file=sys.stdout, markup=False, highlight=False, emoji=False, no_color=not wants_colour(sys.stdout) or None
    )


def write_table(columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[str] = ()) -> None:
    """Rows under headings; the columns in `numbers` are aligned to the right."""
    texts = [[clean(cell) for cell in row] for row in rows]
    if is_terminal():
        _draw(columns, texts, numbers)
        return
    widths = [max(map(len, column)) for column in zip(columns, *texts, strict=True)]
    for line in ([*columns], *texts):
        cells = [
            cell.rjust(width) if name in numbers else cell.ljust(width)
            for cell, width, name in zip(line, widths, columns, strict=True)
        ]
        click.echo("  ".join(cells).rstrip())


def _draw(columns: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[str]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    console().print(table)


def human_size(size: int) -> str:
    """A number of bytes for people: `812 B`, `2.4 kB`."""
    if size < 1000:
        return f"{size} B"
    number = float(size)
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 999.95 or unit == "GB":
            return f"{number:.1f} {unit}"
    raise AssertionError("unreachable")


def counted(count: int, noun: str) -> str:
    """`no imports`, `1 import`, `2 imports`; its own, as the runtime's would load the engine for a help page."""
    return f"{count or 'no'} {noun}{'s' * (count != 1)}"
