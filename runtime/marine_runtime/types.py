"""Interface types: their printed text, equivalence, listing and JSON form (docs/spec/types.md).

How values lie in memory and cross into core Wasm is told in `abi.layout`; values are checked in `values` and moved in
`adapters.codec`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import Any, assert_never


class Prim(Enum):
    """A type without parameters. The value is its printed text."""

    BOOLEAN = "bool"
    S8 = "s8"
    S16 = "s16"
    S32 = "s32"
    S64 = "s64"
    U8 = "u8"
    U16 = "u16"
    U32 = "u32"
    U64 = "u64"
    F32 = "f32"
    F64 = "f64"
    STRING = "string"
    BYTE_ARRAY = "array (u8)"
    I32 = "i32"
    I64 = "i64"

    def __str__(self) -> str:
        return self.value

    def __repr__(self) -> str:
        return f"Prim.{self.name}"


@dataclass(frozen=True, slots=True)
class Array:
    """A homogeneous list. `Array(U8)` and `BYTE_ARRAY` are two spellings of one thing."""

    element: IType

    def __str__(self) -> str:
        levels, inner = stripped(self)
        return "array (" * levels + str(inner) + ")" * levels


@dataclass(frozen=True, slots=True)
class Record:
    """A reference to entry `id` of the module's type index space, which must be a record type."""

    id: int

    def __str__(self) -> str:
        return f"record {self.id}"


IType = Prim | Array | Record


@dataclass(frozen=True, slots=True)
class Field:
    """A named member: a record field or a function parameter."""

    name: str
    type: IType


@dataclass(frozen=True, slots=True)
class RecordType:
    """A record declaration: a name and one or more ordered fields."""

    name: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class FunctionType:
    """A function signature. Results are ordered; the SDK produces at most one."""

    params: tuple[Field, ...] = ()
    results: tuple[IType, ...] = ()

    def __str__(self) -> str:
        params = ", ".join(f"{param.name}: {param.type}" for param in self.params)
        results = ", ".join(map(str, self.results))
        return f"({params}) -> {results}" if results else f"({params})"


@dataclass(frozen=True, slots=True)
class CoreSignature:
    """A core Wasm function type.

    The types are `i32`, `i64`, `f32`, `f64`, `v128`, `funcref`, `externref`, and `ref` for every other reference.
    """

    params: tuple[str, ...] = ()
    results: tuple[str, ...] = ()

    @property
    def is_numeric(self) -> bool:
        """True if no value is a vector or a reference."""
        return {*self.params, *self.results} <= {"i32", "i64", "f32", "f64"}

    def __str__(self) -> str:
        results = self.results[0] if len(self.results) == 1 else f"({', '.join(self.results)})"
        return f"({', '.join(self.params)}) -> {results}"


Records = Mapping[int, RecordType]
"""The record declarations of one module, by type index."""


def is_bytes(ty: IType) -> bool:
    """True if values of `ty` are `bytes`: a byte array, under either spelling."""
    return ty is Prim.BYTE_ARRAY or ty == Array(Prim.U8)


def stripped(ty: IType) -> tuple[int, Prim | Record]:
    """The number of nested arrays, and the innermost element type."""
    levels = 0
    while isinstance(ty, Array):
        ty, levels = ty.element, levels + 1
    return levels, ty


def record_in(ty: IType) -> int | None:
    """The number of the record that `ty` is, or an array of, if any."""
    _, inner = stripped(ty)
    return inner.id if isinstance(inner, Record) else None


def equivalent(left: IType, left_records: Records, right: IType, right_records: Records) -> bool:
    """True if two types of two modules have the same structure (docs/spec/types.md#equivalence).

    Records match by position and field type, never by name or id; a byte array equals an array of u8. Recursion
    through arrays is taken coinductively: a pair already under comparison counts as equal.
    """
    open_pairs: set[tuple[int, int]] = set()
    pending = [(left, right)]
    while pending:  # types may nest deeper than Python's stack has room
        a, b = pending.pop()
        if is_bytes(a) or is_bytes(b):
            if not (is_bytes(a) and is_bytes(b)):
                return False
        elif isinstance(a, Array) and isinstance(b, Array):
            pending.append((a.element, b.element))
        elif isinstance(a, Record) and isinstance(b, Record):
            if (a.id, b.id) in open_pairs:
                continue
            one, other = left_records.get(a.id), right_records.get(b.id)
            if one is None or other is None or len(one.fields) != len(other.fields):
                return False
            open_pairs.add((a.id, b.id))
            pending += [(x.type, y.type) for x, y in zip(one.fields, other.fields, strict=True)]
        elif a != b:
            return False
    return True


def same_signature(left: FunctionType, left_records: Records, right: FunctionType, right_records: Records) -> bool:
    """True if two signatures of two modules have `equivalent` parameters and results; names do not count."""
    if len(left.params) != len(right.params) or len(left.results) != len(right.results):
        return False
    pairs = [(a.type, b.type) for a, b in zip(left.params, right.params, strict=True)]
    pairs += zip(left.results, right.results, strict=True)
    return all(equivalent(a, left_records, b, right_records) for a, b in pairs)


def reachable_records(roots: Sequence[IType], records: Records) -> list[int]:
    """Ids of the records that `roots` mention, directly or through fields and arrays, in depth-first order."""
    seen: dict[int, None] = {}
    pending = list(reversed(roots))
    while pending:
        index = record_in(pending.pop())
        if index is not None and index not in seen and index in records:
            seen[index] = None
            pending.extend(field.type for field in reversed(records[index].fields))
    return list(seen)


def recursive_records(records: Records) -> frozenset[int]:
    """Ids of the records that lead to a record that contains itself, so that their values can nest without end."""
    pending = dict.fromkeys(records, 0)
    users: dict[int, list[int]] = {index: [] for index in records}
    for index, ty in records.items():
        for item in ty.fields:
            inner = record_in(item.type)
            if inner in users:
                users[inner].append(index)
                pending[index] += 1
    finite = [index for index, count in pending.items() if not count]
    for index in finite:  # it grows meanwhile: a record is finite when all records in it are
        for user in users[index]:
            pending[user] -= 1
            if not pending[user]:
                finite.append(user)
    return frozenset(records.keys() - finite)


def describe(ty: IType, records: Records) -> str:
    """The type as a listing shows it: `[]u8`, `[]Point`, `i32` for s32."""
    prefix = ""
    while isinstance(ty, Array) and not is_bytes(ty):
        ty, prefix = ty.element, prefix + "[]"
    match ty:
        case Prim.BYTE_ARRAY | Array():
            return f"{prefix}[]u8"
        case Record(id=index):
            return prefix + (records[index].name if index in records else str(ty))
        case Prim():
            text = str(ty)
            return prefix + ("i" + text[1:] if text[0] == "s" and ty is not Prim.STRING else text)
        case _:
            assert_never(ty)


_JSON_NAMES = {prim: "".join(part.capitalize() for part in prim.name.split("_")) for prim in Prim}
_JSON_PRIMS = {name: prim for prim, name in _JSON_NAMES.items()}


def to_json(ty: IType) -> Any:
    """The type as JSON: `"U8"`, `{"Array": …}`, `{"Record": id}`."""
    match ty:
        case Array(element=element):
            return {"Array": to_json(element)}
        case Record(id=index):
            return {"Record": index}
        case Prim():
            return _JSON_NAMES[ty]
        case _:
            assert_never(ty)


def from_json(document: Any) -> IType:
    """The inverse of `to_json`.

    Raises:
        ValueError: `document` is not the JSON form of a type.
    """
    match document:
        case str() if document in _JSON_PRIMS:
            return _JSON_PRIMS[document]
        case {"Array": element}:
            return Array(from_json(element))
        case {"Record": int(identifier)}:
            return Record(identifier)
        case _:
            raise ValueError(f"not an interface type: {document!r}")
