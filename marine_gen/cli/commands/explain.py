"""`marine-gen explain`: what an adapter does and what it was compiled to."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, engine_option, examples
from marine_gen.console.inputs import read_inputs
from marine_gen.console.output import console, is_terminal, write_table, write_text
from marine_gen.console.report import clean

if TYPE_CHECKING:
    from marine_gen.inspect.views import Subject, View
    from marine_gen.ir import AdapterIR

_GAP = 3


@click.command(
    "explain",
    short_help="Show what an adapter is compiled to.",
    epilog=examples(
        "marine-gen explain greeting.wasm",
        "marine-gen explain greeting.wasm greeting",
        "marine-gen explain shrek.wasm import donkey.greeting",
    ),
)
@click.argument("target", type=FILE)
@click.argument("words", metavar="[ADAPTER]", nargs=-1)
@engine_option
def command(target: Path, words: tuple[str, ...], engine: str | None) -> None:
    """Show the instructions of an adapter, its intermediate representation and the code that runs in its place.

    TARGET is an adapter text (.it), an interface description (.idl), a Wasm module, a service configuration (.toml), or
    a directory that `build` wrote.
    ADAPTER is FUNCTION or MODULE.FUNCTION for an exported function, `import NAMESPACE.NAME` for an imported one;
    without it the adapters are listed.
    """
    from marine_gen.artifact import BACKENDS, AdapterForm
    from marine_gen.inspect.check import compile_input
    from marine_gen.inspect.views import Subject, views

    service = [compile_input(item) for item in read_inputs(target)]
    everything = [
        Subject(service, position, adapter) for position, (ir, _) in enumerate(service) for adapter in ir.adapters
    ]
    if not words:
        _list(everything)
        return
    for number, subject in enumerate(_find(everything, " ".join(words), target)):
        if number:
            click.echo()
        show(title_of(subject), list(views(subject, BACKENDS[engine].form if engine else AdapterForm.PYTHON)))


def _list(subjects: Sequence[Subject]) -> None:
    if not subjects:
        click.echo("there are no adapters")
        return
    rows = [(subject.module.name, _name(subject.adapter), str(subject.adapter.signature)) for subject in subjects]
    write_table(("module", "adapter", "signature"), rows)


def _find(subjects: Sequence[Subject], wanted: str, target: Path) -> Sequence[Subject]:
    """The adapters of that name; there are several when modules share function names."""
    from marine_runtime.errors import ArgumentError

    found = [
        subject
        for subject in subjects
        if wanted in (_name(subject.adapter), f"{subject.module.name}.{_name(subject.adapter)}")
    ]
    if not found:
        names = ", ".join(f"`{_name(subject.adapter)}`" for subject in subjects) or "none"
        raise ArgumentError(f"`{target}` has no adapter `{wanted}`; there is: {names}")
    return found


def _name(adapter: AdapterIR) -> str:
    """As the command line names it."""
    return adapter.function if adapter.side.value == "export" else f"import {adapter.function}"


def title_of(subject: Subject) -> str:
    """What the parts of an adapter are shown under."""
    adapter = subject.adapter
    return clean(f"module {subject.module.name}, {adapter.side.value} adapter of {adapter.function}")


def show(title: str, parts: Sequence[View]) -> None:
    """Print the parts of an adapter under a title: one after the other, on a terminal in columns where they fit."""
    if is_terminal():
        _draw(title, parts)
        return
    sections = [f"{part.title}\n" + "".join(f"  {line}".rstrip() + "\n" for line in _lines(part)) for part in parts]
    write_text(f"{title}\n\n" + "\n".join(sections))


def _lines(part: View) -> list[str]:
    return [clean(line) for line in part.text.split("\n")]


def _draw(title: str, parts: Sequence[View]) -> None:
    """On a terminal: in columns when they fit, one after the other when they do not."""
    from rich.console import Group, RenderableType
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
