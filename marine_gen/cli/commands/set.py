"""`marine-gen set it` and `marine-gen set version`: put adapters or the SDK version into a module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from marine_gen.cli.options import FILE, SemanticVersion, examples, output_option
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import read_adapters, read_bytes, write_file
from marine_gen.console.report import clean, say

_INPUT = click.option("-i", "--input", "source", type=FILE, required=True, metavar="IN", help="Wasm module to read.")


@click.group(
    "set",
    short_help="Embed adapters or the SDK version into a module.",
    epilog=examples("marine-gen set it -i greeting.wasm -w greeting.it", "marine-gen set version -i m.wasm -v 0.14.0"),
)
def command() -> None:
    """Embed adapters or the SDK version into a Wasm module. Existing ones are replaced."""


@command.command(
    "it",
    cls=StrictCommand,
    short_help="Embed an adapter text.",
    epilog=examples("marine-gen set it -i greeting.wasm -w greeting.it -o out.wasm"),
)
@_INPUT
@click.option("-w", "--wit", "--text", "text", type=FILE, required=True, metavar="TEXT", help="Adapter text to embed.")
@output_option
def set_it(source: Path, text: Path, output: Path | None) -> None:
    """Embed an adapter text into a Wasm module. `marine-gen check` says whether the two fit together."""
    from marine_gen.artifact import refuse_overwriting
    from marine_gen.binary import embed

    refuse_overwriting(output, [text])
    interfaces = read_adapters(text)
    _write(output or source, lambda: embed(read_bytes(source), interfaces), source)
    say(f"embedded the adapters of `{clean(str(text))}`")


@command.command(
    "version",
    cls=StrictCommand,
    short_help="Embed the SDK version.",
    epilog=examples("marine-gen set version -i greeting.wasm -v 0.14.0"),
)
@_INPUT
@click.option("-v", "--version", type=SemanticVersion(), required=True, metavar="SEMVER", help="Version to embed.")
@output_option
def set_version(source: Path, version: str, output: Path | None) -> None:
    """Embed the version of the SDK that a Wasm module was built with."""
    from marine_gen.wasm import embed_sdk_version

    _write(output or source, lambda: embed_sdk_version(read_bytes(source), version), source)
    say(f"embedded SDK version {version}")


def _write(output: Path, make: Any, source: Path) -> None:
    from marine_gen.diagnostics import DiagnosticError

    try:
        wasm = make()
    except DiagnosticError as error:
        raise error.with_source(str(source)) from None
    write_file(output, wasm)
