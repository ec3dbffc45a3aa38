"""`marine-gen it`: the adapters of a module as text."""

from __future__ import annotations

from pathlib import Path

import click

from marine_gen.cli.options import FILE, examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import Input, interfaces_of, read_bytes, read_inputs
from marine_gen.console.output import write_text


@click.command(
    "it",
    cls=StrictCommand,
    short_help="Print a module's adapters as text.",
    epilog=examples("marine-gen it greeting.wasm > greeting.it", "marine-gen it greeting.idl"),
)
@click.argument("file", metavar="FILE.wasm", type=FILE)
def command(file: Path) -> None:
    """Print the interface types section of a Wasm module as adapter text.

    FILE may also be an interface description (.idl); then the adapters that are generated from it are printed.
    """
    from marine_gen.text import print_interfaces

    described = file.suffix.lower() == ".idl"
    item = read_inputs(file)[0] if described else Input(file.stem, str(file), read_bytes(file))
    write_text(print_interfaces(interfaces_of(item)) + "\n")
