"""`marine-gen generate-adapters`: make a module's adapters from its description, and embed them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from marine_gen.cli.options import FILE, SemanticVersion, examples, output_option
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import read_bytes, read_description, write_file
from marine_gen.console.output import counted, write_text
from marine_gen.console.report import say

if TYPE_CHECKING:
    from marine_gen.generate import Description
    from marine_gen.interfaces import Interfaces

_T = TypeVar("_T")


@click.command(
    "generate-adapters",
    cls=StrictCommand,
    short_help="Make adapters from a description and embed them.",
    epilog=examples(
        "marine-gen generate-adapters target/wasm32-wasip1/release/greeting.wasm -o greeting.wasm",
        "marine-gen generate-adapters curl.wasm --interface curl.idl",
        "marine-gen generate-adapters greeting.wasm --text > greeting.it",
    ),
)
@click.argument("file", metavar="IN.wasm", type=FILE)
@output_option
@click.option(
    "--interface",
    "described",
    type=FILE,
    metavar="FILE.idl",
    help="Description of the module; by default its own, which the Rust SDK puts into it.",
)
@click.option(
    "--sdk-version",
    type=SemanticVersion(),
    metavar="SEMVER",
    help="SDK version to embed; by default the module keeps its own, or gets that of the adapters.",
)
@click.option("--text", is_flag=True, help="Write the adapter text instead of a module, by default to stdout.")
def command(file: Path, output: Path | None, described: Path | None, sdk_version: str | None, text: bool) -> None:
    """Generate a module's adapters from a description, and embed them with the version of the SDK.

    Both are replaced if the module has them. Nothing is written when the adapters do not fit the module.
    """
    from marine_gen.artifact import refuse_overwriting
    from marine_gen.generate import SDK_VERSION, generate
    from marine_gen.wasm import find_sdk_version

    if text and sdk_version is not None:
        raise click.UsageError("an adapter text has no SDK version: leave out --sdk-version or --text")
    refuse_overwriting(output, [described, file if text else None])
    wasm = read_bytes(file)
    interfaces = _under(described or file, lambda: generate(_description(wasm, described)))
    if text:
        _write_text(interfaces, output)
        return
    if sdk_version is None:
        sdk_version = str(_under(file, lambda: find_sdk_version(wasm)) or SDK_VERSION)
    from marine_gen.artifact import embed_adapters

    embedded = _under(file, lambda: embed_adapters(file.stem, wasm, interfaces, sdk_version))
    write_file(output or file, embedded)
    imports = len(interfaces.imports) // 2
    functions = len(interfaces.implementations) - imports
    parts = f"{counted(functions, 'function')} and {counted(imports, 'import')}"
    say(f"embedded adapters of {parts}, SDK version {sdk_version}")


def _description(wasm: bytes, described: Path | None) -> Description:
    from marine_gen.generate import read_description as read_own

    return read_own(wasm) if described is None else read_description(described)


def _under(source: Path, make: Callable[[], _T]) -> _T:
    """The result of `make`; its findings are about `source`."""
    from marine_gen.diagnostics import DiagnosticError

    try:
        return make()
    except DiagnosticError as error:
        raise error.with_source(str(source)) from None


def _write_text(interfaces: Interfaces, output: Path | None) -> None:
    from marine_gen.text import print_interfaces

    text = print_interfaces(interfaces) + "\n"
    if output is None:
        write_text(text)
    else:
        write_file(output, text.encode())
