"""`marine-gen interface`: the exported functions of a service."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from marine_gen.cli.options import FILE, examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import interfaces_of, read_inputs
from marine_gen.console.output import write_json, write_text
from marine_gen.console.report import clean

if TYPE_CHECKING:
    from marine_runtime import Interface, ModuleInterface
    from marine_runtime.types import Field


@click.command(
    "interface",
    cls=StrictCommand,
    short_help="Print the functions and records of modules.",
    epilog=examples("marine-gen interface Config.toml", "marine-gen interface greeting.wasm --idl > greeting.idl"),
)
@click.argument("target", metavar="TARGET", type=FILE)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--idl", is_flag=True, help="Print an interface description, including the module's imports.")
def command(target: Path, as_json: bool, idl: bool) -> None:
    """Print the functions that a service exports and the records in their signatures.

    TARGET is a Wasm module, an adapter text (.it), an interface description (.idl), a service configuration (.toml), or
    a directory that `build` wrote. Modules that are too old to run can be listed too.
    """
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.idl import print_description
    from marine_gen.inspect.callable_part import callable_part
    from marine_gen.reflect.description import describe_module, module_interface
    from marine_runtime import Interface

    if as_json and idl:
        raise click.UsageError("--json and --idl exclude each other")
    inputs = read_inputs(target)
    if idl and len(inputs) != 1:
        raise click.UsageError(f"--idl describes one module, and `{target}` has {len(inputs)}; name its file")
    modules = {}
    for item in inputs:
        interfaces = interfaces_of(item)
        try:
            if idl:
                write_text(print_description(describe_module(interfaces)))
                return
            modules[item.name] = callable_part(item, module_interface(interfaces))
        except DiagnosticError as error:
            raise error.with_source(item.source) from None
    interface = Interface(modules)
    if as_json:
        write_json(_document(interface))
    else:
        write_text("".join(f"{clean(line)}\n" for line in interface.lines()))


def _document(interface: Interface) -> dict[str, Any]:
    return {"modules": [{"name": name, **_module(module)} for name, module in interface.modules.items()]}


def _module(module: ModuleInterface) -> dict[str, Any]:
    from marine_runtime.types import describe

    records = module.records

    def members(fields: Sequence[Field]) -> list[dict[str, str]]:
        return [{"name": item.name, "type": describe(item.type, records)} for item in fields]

    return {
        "records": [
            {"name": records[index].name, "fields": members(records[index].fields)}
            for index in module.exported_records()
        ],
        "functions": [
            {
                "name": name,
                "params": members(ty.params),
                "results": [describe(result, records) for result in ty.results],
            }
            for name, ty in module.functions.items()
        ],
    }
