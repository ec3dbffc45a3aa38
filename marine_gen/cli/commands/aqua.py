"""`marine-gen aqua`: a module's interface in the language Aqua."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from marine_gen.cli.options import FILE, examples
from marine_gen.cli.parsing import StrictCommand
from marine_gen.console.inputs import interfaces_of, read_inputs
from marine_gen.console.output import write_text
from marine_gen.console.report import clean

if TYPE_CHECKING:
    from marine_runtime import ModuleInterface


@click.command(
    "aqua",
    cls=StrictCommand,
    short_help="Print a module's interface in Aqua.",
    epilog=examples("marine-gen aqua greeting.wasm", "marine-gen aqua -s Storage -i storage-1 local_storage.wasm"),
)
@click.argument("file", metavar="FILE.wasm", type=FILE)
@click.option("-s", "--service", metavar="NAME", help="Name of the service; by default the name of the file.")
@click.option("-i", "--service-id", "--id", metavar="ID", help="Id that the service is bound to.")
def command(file: Path, service: str | None, service_id: str | None) -> None:
    """Print the records and functions of a module as Aqua declarations.

    The name of the service becomes PascalCase. FILE may also be an adapter text (.it) or an interface description
    (.idl). It is an error if Aqua can't express the interface; parameter names are adapted, as they do not matter.
    """
    from marine_gen.diagnostics import DiagnosticError
    from marine_gen.inspect.callable_part import callable_part
    from marine_gen.reflect.aqua import problems
    from marine_gen.reflect.description import module_interface
    from marine_runtime import ConfigError

    inputs = read_inputs(file)
    if len(inputs) != 1:
        raise click.UsageError(f"one module is needed, and `{file}` has {len(inputs)}")
    (item,) = inputs
    try:
        interface = module_interface(interfaces_of(item))
    except DiagnosticError as error:
        raise error.with_source(item.source) from None
    interface = callable_part(item, interface)
    name = pascal_case(item.name if service is None else service)
    if not name:
        raise click.UsageError("the name of the service has no letter and no digit; choose one with --service")
    if found := list(problems(interface, name, service_id)):
        raise ConfigError(*found)
    write_text("".join(f"{clean(line)}\n" for line in _lines(interface, name, service_id)))


def pascal_case(name: str) -> str:
    """`greeting-record` as `GreetingRecord`, `HTTP_server` as `HttpServer`, `v2beta` as `V2Beta`.

    As Marine's tool does it: a word begins behind what is no letter, behind a digit, and at a capital behind a small
    letter; its other letters become small. Only ASCII letters change.
    """
    result = ""
    starts, previous = True, ""
    for char in name:
        if not char.isalnum():
            starts = True
        elif char.isnumeric():
            starts = True
            result += char
        elif starts or (previous.islower() and char.isupper()):
            # The letter that begins a word is not remembered, so several capitals behind a small letter stay.
            starts = False
            result += char.upper() if char.isascii() else char
        else:
            previous = char
            result += char.lower() if char.isascii() else char
    return result


def _lines(interface: ModuleInterface, service: str, service_id: str | None) -> Iterator[str]:
    from marine_gen.reflect.aqua import parameter_names
    from marine_runtime.types import describe

    yield f"aqua {service} declares *"
    yield ""
    for index in _dependencies_first(interface):
        record = interface.records[index]
        yield f"data {record.name}:"
        for item in record.fields:
            yield f"  {item.name}: {describe(item.type, interface.records)}"
        yield ""
    bound = "" if service_id is None else f'("{service_id}")'
    yield f"service {service}{bound}:"
    for name in sorted(interface.functions):
        function = interface.functions[name]
        types = [describe(item.type, interface.records) for item in function.params]
        params = ", ".join(f"{param}: {ty}" for param, ty in zip(parameter_names(function.params), types, strict=True))
        # A function without a result ends in the two spaces around the arrow that it does not have.
        results = [f"-> {describe(item, interface.records)}" for item in function.results] or [" "]
        yield f"  {name}({params}) {results[0]}"


def _dependencies_first(interface: ModuleInterface) -> list[int]:
    """The exported records, each behind those that it mentions, starting from them by name."""
    from marine_runtime.types import record_in

    order: dict[int, None] = {}
    visited: set[int] = set()
    roots = sorted(interface.exported_records(), key=lambda index: (interface.records[index].name, index))
    pending = list(reversed(roots))
    while pending:
        index = pending[-1]
        if index in visited:
            order[pending.pop()] = None
            continue
        visited.add(index)
        mentioned = [record_in(item.type) for item in interface.records[index].fields]
        pending += [inner for inner in reversed(mentioned) if inner is not None and inner not in visited]
    return list(order)
