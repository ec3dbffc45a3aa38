"""Types of interfaces in binary form."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from marine_gen.component_backend.binary import external_name, name, vector
from marine_gen.component_backend.interface import WitFunction, WitInterface
from marine_gen.component_backend.wit import flat_name
from marine_gen.wasm.reader import write_u32
from marine_runtime.abi import Bytes, Flat, List, Shape, Struct, Text, shape

_PRIMITIVES = {
    "bool": 0x7F,
    "s8": 0x7E,
    "u8": 0x7D,
    "s16": 0x7C,
    "u16": 0x7B,
    "s32": 0x7A,
    "u32": 0x79,
    "s64": 0x78,
    "u64": 0x77,
    "f32": 0x76,
    "f64": 0x75,
    "string": 0x73,
}
_RECORD, _LIST, _FUNCTION, _INSTANCE = b"\x72", b"\x70", b"\x40", b"\x42"
_DECLARED_TYPE, _DECLARED_EXPORT = b"\1", b"\4"


class WitTypes:
    """The types of an interface in one index space of types.

    Attributes:
        records: the index of each record by component name.
    """

    def __init__(
        self, interface: WitInterface, define: Callable[[bytes], int], named: Callable[[str, int], int]
    ) -> None:
        """Define the records.

        Args:
            interface: the interface that has the types.
            define: adds a type to the index space; returns its index.
            named: gives a record its name; returns the index under which others refer to it.
        """
        self._interface = interface
        self._define = define
        self._lists: dict[bytes, bytes] = {}
        self.records: dict[str, int] = {}
        for record in interface.records:
            fields = vector([name(text) + self._value(shape(ty)) for text, ty in record.fields])
            self.records[record.name] = named(record.name, define(_RECORD + fields))

    def function(self, function: WitFunction) -> int:
        """Define the type of a function."""
        params = vector([name(text) + self._value(shape(ty)) for text, ty in function.params])
        result = b"\1\0" if function.result is None else b"\0" + self._value(shape(function.result))
        return self._define(_FUNCTION + params + result)

    def _value(self, part: Shape) -> bytes:
        match part:
            case Flat():
                return bytes([_PRIMITIVES[flat_name(part)]])
            case Text():
                return bytes([_PRIMITIVES["string"]])
            case Bytes():
                return self._list(bytes([_PRIMITIVES["u8"]]))
            case List(element=element):
                return self._list(self._value(element))
            case Struct(id=index):
                return reference(self.records[self._interface.record_names[index]])
            case _:
                assert_never(part)

    def _list(self, element: bytes) -> bytes:
        if element not in self._lists:
            self._lists[element] = reference(self._define(_LIST + element))
        return self._lists[element]


def instance_type(interface: WitInterface) -> bytes:
    """The type of an instance that has the interface."""
    declarations: list[bytes] = []
    count = 0

    def declare(content: bytes) -> int:
        nonlocal count
        declarations.append(content)
        count += 1
        return count - 1

    def define(content: bytes) -> int:
        return declare(_DECLARED_TYPE + content)

    def export(text: str, index: int) -> int:
        return declare(_DECLARED_EXPORT + external_name(text) + b"\3\0" + write_u32(index))

    types = WitTypes(interface, define, export)
    for function in interface.functions:
        index = types.function(function)
        declarations.append(_DECLARED_EXPORT + external_name(function.name) + b"\1" + write_u32(index))
    return _INSTANCE + vector(declarations)


def reference(index: int) -> bytes:
    """An index instead of a value type: a signed LEB128 number. Negative ones are codes of primitive types."""
    found = bytearray()
    while index > 0x3F:
        found.append(index & 0x7F | 0x80)
        index >>= 7
    found.append(index)
    return bytes(found)
