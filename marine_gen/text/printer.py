"""Interfaces as text, byte for byte as the reference writes it.

The one exception: names that would not be readable again are escaped or quoted (see `grammar/README.md`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from marine_gen.interfaces import Adapter, Interfaces
from marine_gen.parsing.literals import write_name, write_string
from marine_runtime.types import Field, FunctionType, IType, RecordType


def print_interfaces(interfaces: Interfaces) -> str:
    """The text of `interfaces`, without a line break at the end."""
    return "\n\n".join(
        (
            f"(@interface it_version {write_string(interfaces.version)})",
            _part("Types", _types(interfaces.types)),
            _part("Imports", _imports(interfaces)),
            _part("Adapters", map(_adapter, interfaces.adapters)),
            _part("Exports", _exports(interfaces)),
            _part("Implementations", _implementations(interfaces)),
        )
    )


def _part(title: str, entries: Iterator[str]) -> str:
    lines = list(entries)
    return "\n".join([f";; {title}", *lines]) if lines else ""


def _types(types: Sequence[FunctionType | RecordType]) -> Iterator[str]:
    for index, ty in enumerate(types):
        text = _record(ty) if isinstance(ty, RecordType) else _function(ty)
        yield f"(@interface type ({text}))   ;; {index}"


def _function(ty: FunctionType) -> str:
    params = f"\n  (param{_params(ty.params)})" if ty.params else ""
    results = f"\n  (result{_results(ty.results)})" if ty.results else ""
    return f"func {params} {results}"


def _params(params: Sequence[Field]) -> str:
    return "".join(f" {_field(param)}" for param in params)


def _results(results: Sequence[IType]) -> str:
    return "".join(f" {result}" for result in results)


def _record(ty: RecordType) -> str:
    fields = "".join(f" field {_field(field)}\n" for field in ty.fields)
    return f"record {write_name(ty.name, colon=False)} (\n{fields})"


def _field(field: Field) -> str:
    return f"{write_name(field.name, colon=True)} {field.type}"


def _imports(interfaces: Interfaces) -> Iterator[str]:
    for item in interfaces.imports:
        names = f"{write_string(item.namespace)} {write_string(item.name)}"
        yield f"(@interface import {names} (func (type {item.type_index})))"


def _adapter(adapter: Adapter) -> str:
    instructions = "".join(f"\n  {instruction}" for instruction in adapter.instructions)
    return f"(@interface func (type {adapter.type_index}){instructions})"


def _exports(interfaces: Interfaces) -> Iterator[str]:
    for export in interfaces.exports:
        yield f"(@interface export {write_string(export.name)} (func {export.type_index}))"


def _implementations(interfaces: Interfaces) -> Iterator[str]:
    for item in interfaces.implementations:
        yield f"(@interface implement (func {item.core_type}) (func {item.adapter_type}))"
