"""JSON Schemas of interface types, in a form of JSON.

Schemas state what clients should send and will get. The rules for arguments accept a little more, as `call_json` does:
an array of one element for a bool, number or string, and a record as an array of its fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from marine_gen.serve.functions import Function
from marine_gen.wire.forms import WIDE, JsonForm
from marine_runtime.abi import FLOATS, INTEGER_RANGES
from marine_runtime.texts import identifiers
from marine_runtime.types import (
    Array,
    IType,
    Prim,
    Record,
    Records,
    equivalent,
    is_bytes,
    reachable_records,
)

_DECIMAL = {"type": "string", "pattern": "^-?[0-9]{1,20}$", "maxLength": 21}


class Schemas:
    """The schemas of the records of a service, and of types that mention them.

    Args:
        functions: all functions of the service.
        form: the form of JSON.
        reserved: names of other schemas of the document.
    """

    def __init__(self, functions: Iterable[Function], form: JsonForm, reserved: Iterable[str] = ()) -> None:
        self._form = form
        self._names: dict[tuple[str, int], str] = {}
        found: list[tuple[str, int, Records]] = []
        for function in functions:
            roots = [param.type for param in function.signature.params] + list(function.signature.results)
            for index in reachable_records(roots, function.records):
                if (function.module, index) not in self._names:
                    self._names[function.module, index] = ""
                    found.append((function.module, index, function.records))
        distinct: list[tuple[int, Records]] = []
        places: list[int] = []
        for _, index, records in found:
            place = next((at for at, other in enumerate(distinct) if _same(index, records, *other)), len(distinct))
            if place == len(distinct):
                distinct.append((index, records))
            places.append(place)
        wanted = [records[index].name for index, records in distinct]
        chosen = identifiers(wanted, {*reserved, *(f"{name}Input" for name in wanted)})
        for (module, index, _), place in zip(found, places, strict=True):
            self._names[module, index] = chosen[place]
        self._found = found

    def components(self) -> dict[str, Any]:
        """The schema of every record by name; those of arguments, which take more, end in `Input`."""
        schemas: dict[str, Any] = {}
        for module, index, records in self._found:
            name = self._names[module, index]
            for suffix in ("", "Input"):
                properties = {
                    field.name: self.of(field.type, module, records, given=bool(suffix))
                    for field in records[index].fields
                }
                schemas[f"{name}{suffix}"] = _object(properties, records[index].name)
        return schemas

    def of(self, ty: IType, module: str, records: Records, *, given: bool) -> dict[str, Any]:
        """The schema of a type, as arguments are `given` or as results are made."""
        if is_bytes(ty):
            if self._form.base64:
                return {"type": "string", "contentEncoding": "base64", "format": "byte"}
            return {"type": "array", "items": _integer(Prim.U8)}
        if isinstance(ty, Array):
            return {"type": "array", "items": self.of(ty.element, module, records, given=given)}
        if isinstance(ty, Record):
            name = self._names[module, ty.id] + ("Input" if given else "")
            return {"$ref": f"#/components/schemas/{name}"}
        if ty is Prim.BOOLEAN:
            return {"type": "boolean"}
        if ty is Prim.STRING:
            return {"type": "string"}
        if ty in FLOATS:
            return _float(ty, given=given)
        if ty in WIDE and (given or self._form.decimal):
            return {"anyOf": [_integer(ty), _DECIMAL]} if given else _DECIMAL
        return _integer(ty)

    def arguments(self, function: Function) -> dict[str, Any]:
        """The schema of the arguments of a function, by name or by position."""
        params = function.signature.params
        schemas = [self.of(param.type, function.module, function.records, given=True) for param in params]
        names = [param.name for param in params]
        items: dict[str, Any] = {
            "type": "array",
            "minItems": len(params),
            "maxItems": len(params),
            "title": "by position",
        }
        if schemas:
            items["prefixItems"] = schemas
        if len(set(names)) < len(names):
            return items
        return {"anyOf": [_object(dict(zip(names, schemas, strict=True)), "by name"), items]}

    def result(self, function: Function) -> dict[str, Any]:
        """The schema of the result of a function."""
        types = function.signature.results
        schemas = [self.of(ty, function.module, function.records, given=False) for ty in types]
        if len(schemas) == 1:
            return schemas[0]
        if not schemas:
            return {"type": "null"}
        return {"type": "array", "prefixItems": schemas, "minItems": len(schemas), "maxItems": len(schemas)}


def _same(left: int, left_records: Records, right: int, right_records: Records) -> bool:
    """True if two records have the same name, structure and names of fields."""
    a, b = left_records[left], right_records[right]
    if a.name != b.name or [item.name for item in a.fields] != [item.name for item in b.fields]:
        return False
    if not equivalent(Record(left), left_records, Record(right), right_records):
        return False
    inner = [
        [records[index] for index in reachable_records([Record(root)], records)]
        for root, records in ((left, left_records), (right, right_records))
    ]
    shapes = [[(item.name, [field.name for field in item.fields]) for item in items] for items in inner]
    return shapes[0] == shapes[1]


def _object(properties: Mapping[str, Any], title: str) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "object", "title": title, "properties": dict(properties)}
    return schema | {"required": list(properties), "additionalProperties": False}


def _integer(ty: Prim) -> dict[str, Any]:
    low, high = INTEGER_RANGES[ty]
    bits = (high - low).bit_length()
    name = f"int{bits}" if low else f"uint{bits}"
    return {"type": "integer", "minimum": low, "maximum": high, "format": name}


def _float(ty: Prim, *, given: bool) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "number", "format": "float" if ty is Prim.F32 else "double"}
    if given:
        return schema
    # What is not finite has no spelling in JSON.
    return schema | {"type": ["number", "null"]}
