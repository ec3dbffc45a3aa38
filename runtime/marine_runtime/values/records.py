"""Public records: the frozen dataclasses of a module, and how internal values become instances of them.

The way back, from an instance to an internal value, is `values.coerce`. Nothing here checks values: what an adapter
lifted is of its type already.
"""

from __future__ import annotations

import builtins
import dataclasses
import re
from collections.abc import Callable, Mapping
from typing import Any

from marine_runtime.errors import ResultError
from marine_runtime.messages import printable
from marine_runtime.names import identifier, identifiers
from marine_runtime.types import Array, IType, Prim, Record, Records, describe, is_bytes

ToPublic = Callable[[Any], Any]
"""Turns an internal value of one type into the public one."""

_IMPORTED = ("Any", "Callable", "Mapping", "Protocol", "Sequence", "annotations", "dataclass", "dataclasses", "typing")
_GLUE = (
    *("BoundAdapters", "CallError", "ImportAdapter", "Link", "MAX_RECORD_DEPTH", "Sites", "Array", "Prim", "Record"),
    *("Struct", "StructError", "array", "FUSED_IMPORTS", "FUSED_NEEDS", "FUSED_SITES", "IMPORTS", "RECORDS", "bind"),
    *("allocate", "check", "class_of", "codec", "explain", "failed_allocation", "get_ident", "guard", "link", "locate"),
    *("memory", "meter", "new_block", "out_of_range", "stage", "staging", "staging_memory", "store_bytes", "too_deep"),
    *("ArgumentError", "BatchCode", "Functions", "block_allocator", "direct", "to_f32", "too_large"),
)
RESERVED = frozenset((*dir(builtins), *_IMPORTED, *_GLUE))
"""Names that a record class does not get, because generated code says them next to it."""

_NUMBERED = re.compile(
    r"(core|callee|export|import|entry|publish|lift|lower|staged|body|call|batch|fused|large|many|in|out)_.*"
    r"|(bool|bytes|flat|string)_(lifter|lowerer|storer)"
)
"""What generated code calls the things that it has one of per function or type."""

_SCALAR_TYPES: Mapping[Prim, type] = {
    **dict.fromkeys(Prim, int),
    Prim.BOOLEAN: bool,
    Prim.F32: float,
    Prim.F64: float,
    Prim.STRING: str,
    Prim.BYTE_ARRAY: bytes,
}


def class_names(records: Records) -> dict[int, str]:
    """The Python class name of every record, by type index."""
    names = [record.name for record in records.values()]
    names = [f"{name}_" if _NUMBERED.fullmatch(identifier(name)) else name for name in names]
    return dict(zip(records, identifiers(names, RESERVED), strict=True))


def python_type(ty: IType, classes: Mapping[int, type]) -> Any:
    """The annotation of a public value of `ty`, such as `list[Point]`."""
    levels = 0
    while isinstance(ty, Array) and not is_bytes(ty):
        ty, levels = ty.element, levels + 1
    if isinstance(ty, Record):
        annotation: Any = classes.get(ty.id, tuple)
    else:
        annotation = bytes if is_bytes(ty) else _SCALAR_TYPES[ty] if isinstance(ty, Prim) else object
    for _ in range(levels):
        annotation = list[annotation]
    return annotation


def make_record_classes(records: Records, module: str) -> dict[int, type]:
    """A frozen dataclass for every record of `module`, by type index.

    Attributes are named by `names.identifiers`; `__marine_record__` is the `RecordType` with the original names, in
    the same order. Instances can be compared, replaced, copied and matched, but not pickled: their class can't be
    imported. A pool sends tuples between processes instead.
    """
    classes: dict[int, type] = {}
    for index, name in class_names(records).items():
        record = records[index]
        attributes = identifiers([field.name for field in record.fields])
        # `__module__` and the real annotations come later: while it works, `make_dataclass` looks up the Python
        # module of that name, and reads annotations, which may name classes that do not exist yet.
        namespace = {
            "__doc__": f"Record {printable(record.name)} of module {printable(module)}.",
            "__module__": __name__,
            "__marine_record__": record,
        }
        fields = [(attribute, Any) for attribute in attributes]
        classes[index] = dataclasses.make_dataclass(name, fields, namespace=namespace, frozen=True)
    for index, cls in classes.items():
        fields_of = dataclasses.fields(cls)
        hints = {
            field.name: python_type(declared.type, classes)
            for field, declared in zip(fields_of, records[index].fields, strict=True)
        }
        for field in fields_of:
            field.type = hints[field.name]
        cls.__annotations__ = hints
        vars(cls)["__init__"].__annotations__.update(hints)
        cls.__module__ = identifier(module)
    return classes


def to_public(ty: IType, records: Records, classes: Mapping[int, type]) -> ToPublic | None:
    """A function from internal to public values of `ty`; None when the two are the same.

    Raises:
        ResultError: `ty` is nested too deeply. The function raises it when a value of a recursive type is.
    """
    builder = _Builder(records, classes)
    try:
        convert = builder.of(ty)
    except RecursionError:
        raise ResultError("a type is nested too deeply") from None
    if convert is None or not builder.recursive:
        return convert
    known, name = convert, printable(describe(ty, records))

    def guarded(value: Any) -> Any:
        try:
            return known(value)
        except RecursionError:
            raise ResultError(f"a {name} is nested too deeply") from None

    return guarded


class _Builder:
    """Composes the functions of `to_public`, each record's once."""

    def __init__(self, records: Records, classes: Mapping[int, type]) -> None:
        self._records, self._classes = records, classes
        self._done: dict[int, ToPublic] = {}
        self._open: set[int] = set()
        self.recursive = False

    def of(self, ty: IType) -> ToPublic | None:
        if isinstance(ty, Array):
            convert = self.of(ty.element)
            return None if convert is None else _list_of(convert)
        if not isinstance(ty, Record) or ty.id not in self._records or ty.id not in self._classes:
            return None
        index, done = ty.id, self._done
        if index in self._open:
            self.recursive = True
            return lambda value: done[index](value)
        if index not in done:
            self._open.add(index)
            parts = [self.of(field.type) for field in self._records[index].fields]
            self._open.remove(index)
            done[index] = _instance_of(self._classes[index], parts)
        return done[index]


def _list_of(convert: ToPublic) -> ToPublic:
    return lambda values: [convert(value) for value in values]


def _instance_of(cls: type, parts: list[ToPublic | None]) -> ToPublic:
    names = tuple(field.name for field in dataclasses.fields(cls))
    nested = [(name, convert) for name, convert in zip(names, parts, strict=True) if convert is not None]
    new = object.__new__

    def flat(value: Any) -> Any:
        # A frozen dataclass refuses plain assignment; going through `__dict__` is also several times faster.
        instance: Any = new(cls)
        instance.__dict__.update(zip(names, value, strict=False))  # the strict one takes half as long again
        return instance

    def deep(value: Any) -> Any:
        instance: Any = new(cls)
        attributes = instance.__dict__
        attributes.update(zip(names, value, strict=False))
        for name, convert in nested:
            attributes[name] = convert(attributes[name])
        return instance

    return deep if nested else flat
