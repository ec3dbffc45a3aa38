"""`marine-gen it`: the adapters of a module as text (spec marine-runtime §8.5)."""

from __future__ import annotations

from pathlib import Path

import click

from marine_gen.cli.inputs import read_bytes
from marine_gen.cli.options import FILE, examples
from marine_gen.cli.output import write_text


@click.command(
    "it", short_help="Print a module's adapters as text.", epilog=examples("marine-gen it greeting.wasm > greeting.it")
)
@click.argument("file", metavar="FILE.wasm", type=FILE)
def command(file: Path) -> None:
    """Print the interface types section of a Wasm module as adapter text."""
    from marine_gen.binary import extract
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.text import print_interfaces

    try:
        interfaces = extract(read_bytes(file))
    except DiagnosticError as error:
        raise error.with_source(str(file)) from None
    write_text(print_interfaces(interfaces) + "\n")
