"""The interface of a service as a JSON document, and back."""

from __future__ import annotations

from typing import Any

from marine_runtime import Interface, LoadError, ModuleInterface
from marine_runtime.types import Field, FunctionType, RecordType, from_json, reachable_records, to_json


def to_document(interface: Interface, name: str) -> dict[str, Any]:
    """The document: exported functions of every module, and the records that they mention by number."""
    return {"service": name, "modules": [_module(name, item) for name, item in interface.modules.items()]}


def _module(name: str, module: ModuleInterface) -> dict[str, Any]:
    roots = [param.type for item in module.functions.values() for param in item.params]
    roots += [result for item in module.functions.values() for result in item.results]
    records = {index: module.records[index] for index in sorted(reachable_records(roots, module.records))}
    return {
        "name": name,
        "records": [
            {"id": index, "name": item.name, "fields": [_field(field) for field in item.fields]}
            for index, item in records.items()
        ],
        "functions": [
            {
                "name": function,
                "signature": module.signature(function),
                "params": [_field(param) for param in item.params],
                "results": [to_json(result) for result in item.results],
            }
            for function, item in module.functions.items()
        ],
    }


def _field(field: Field) -> dict[str, Any]:
    return {"name": field.name, "type": to_json(field.type)}


def from_document(document: Any) -> Interface:
    """The interface that a document describes.

    Raises:
        LoadError: it is not such a document.
    """
    try:
        return Interface({module["name"]: _read_module(module) for module in document["modules"]})
    except (KeyError, TypeError, ValueError) as error:
        raise LoadError(f"the server's interface can't be read: {type(error).__name__}: {error}") from None


def _read_module(document: Any) -> ModuleInterface:
    records = {
        int(item["id"]): RecordType(str(item["name"]), tuple(map(_read_field, item["fields"])))
        for item in document["records"]
    }
    functions = {
        str(item["name"]): FunctionType(
            tuple(map(_read_field, item["params"])), tuple(from_json(result) for result in item["results"])
        )
        for item in document["functions"]
    }
    return ModuleInterface(functions, records)


def _read_field(document: Any) -> Field:
    return Field(str(document["name"]), from_json(document["type"]))
