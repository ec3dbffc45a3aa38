"""The type section: core function signatures by type index.

Struct, array and continuation types, sub types and recursion groups are read to keep the index space right; what they
contain is of no interest here. Indices inside them are not checked: the engine validates the module.
"""

from __future__ import annotations

from marine_gen.wasm.reader import Reader
from marine_runtime.types import CoreSignature

_NUMBERS = {0x7F: "i32", 0x7E: "i64", 0x7D: "f32", 0x7C: "f64", 0x7B: "v128"}
_REFERENCES = {0x70: "funcref", 0x6F: "externref"}
# Shorthands for nullable references to the other abstract heap types, `any` to `cont` and `none` to `nocont`.
_OTHER_REFERENCES = frozenset({*range(0x68, 0x6F), *range(0x71, 0x76)})
_PACKED = frozenset({0x77, 0x78})
_REF, _REF_NULL = 0x64, 0x63
_FUNCTION, _ARRAY, _STRUCT, _CONTINUATION = 0x60, 0x5E, 0x5F, 0x5D
_RECURSION_GROUP, _SUB, _SUB_FINAL = 0x4E, 0x50, 0x4F


def read_types(reader: Reader) -> list[CoreSignature | None]:
    """The types of a type section by index; None means a type that is not a function."""
    types: list[CoreSignature | None] = []
    for _ in range(reader.u32("the number of types")):
        if _peek(reader) == _RECURSION_GROUP:
            reader.byte("a type form")
            types += [_sub_type(reader) for _ in range(reader.u32("the size of a recursion group"))]
        else:
            types.append(_sub_type(reader))
    reader.finish()
    return types


def read_value_type(reader: Reader) -> str:
    """One value type, by name."""
    start = reader.position
    form = reader.byte("a value type")
    if form in _NUMBERS:
        return _NUMBERS[form]
    if form in _REFERENCES:
        return _REFERENCES[form]
    if form in _OTHER_REFERENCES:
        return "ref"
    if form not in (_REF, _REF_NULL):
        reader.fail(f"0x{form:02x} is not a value type", start)
    heap_type = reader.s33("a heap type")
    # `(ref null func)` and `(ref null extern)` are the long spellings of funcref and externref; abstract heap types
    # are the negative one-byte numbers.
    return _REFERENCES.get(heap_type + 0x80, "ref") if form == _REF_NULL and heap_type < 0 else "ref"


def _peek(reader: Reader) -> int:
    return -1 if reader.exhausted else reader.data[reader.position]


def _sub_type(reader: Reader) -> CoreSignature | None:
    if _peek(reader) in (_SUB, _SUB_FINAL):
        reader.byte("a type form")
        for _ in range(reader.u32("the number of supertypes")):
            reader.u32("a supertype")
    return _composite_type(reader)


def _composite_type(reader: Reader) -> CoreSignature | None:
    start = reader.position
    form = reader.byte("a type form")
    if form == _FUNCTION:
        params = _value_types(reader, "the number of parameters")
        return CoreSignature(params, _value_types(reader, "the number of results"))
    if form == _ARRAY:
        _field_type(reader)
    elif form == _STRUCT:
        for _ in range(reader.u32("the number of fields")):
            _field_type(reader)
    elif form == _CONTINUATION:
        reader.s33("a heap type")
    else:
        reader.fail(f"the module uses a type form that is not supported (0x{form:02x})", start)
    return None


def _value_types(reader: Reader, what: str) -> tuple[str, ...]:
    return tuple([read_value_type(reader) for _ in range(reader.u32(what))])


def _field_type(reader: Reader) -> None:
    if _peek(reader) in _PACKED:
        reader.byte("a packed type")
    else:
        read_value_type(reader)
    reader.byte("a mutability flag")
