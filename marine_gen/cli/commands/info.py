"""`marine-gen info`: versions and manifest of a module."""

from __future__ import annotations

from pathlib import Path

import click

from marine_gen.cli.options import FILE, examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import read_bytes
from marine_gen.console.output import write_json, write_text
from marine_gen.console.report import clean


@click.command(
    "info", cls=StrictCommand, short_help="Print a module's versions.", epilog=examples("marine-gen info greeting.wasm")
)
@click.argument("file", metavar="FILE.wasm", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON; missing parts are null.")
def command(file: Path, as_json: bool) -> None:
    """Print the interface types version, the SDK version and the manifest of a Wasm module."""
    from marine_gen.binary import extract
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.wasm import find_sdk_version, read_manifest, scanned

    content = read_bytes(file)
    try:
        wasm = scanned(content)
        it_version = extract(wasm).version
        sdk = find_sdk_version(wasm)
        manifest = read_manifest(wasm)
    except DiagnosticError as error:
        raise error.with_source(str(file)) from None
    if as_json:
        fields = manifest and {
            "authors": manifest.authors,
            "version": str(manifest.version),
            "description": manifest.description,
            "repository": manifest.repository,
            "build_time": manifest.build_time,
        }
        write_json({"it_version": it_version, "sdk_version": sdk and str(sdk), "manifest": fields})
        return
    lines = [f"it version:  {it_version}"]
    lines.append(f"sdk version: {sdk}" if sdk else "module doesn't contain sdk version")
    if manifest is None:
        lines.append("module doesn't contain module manifest")
    else:
        lines += [
            f"authors:     {manifest.authors}",
            f"version:     {manifest.version}",
            f"description: {manifest.description}",
            f"repository:  {manifest.repository}",
            f"build time:  {manifest.build_time_display}",
        ]
    write_text("".join(f"{clean(line)}\n" for line in lines))
