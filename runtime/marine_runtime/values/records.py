"""Public records: the frozen dataclasses of a module, and how internal values become instances of them.

The way back, from an instance to an internal value, is `values.coerce`. Nothing here checks values: what an adapter
lifted is of its type already.
"""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Mapping

from marine_runtime.abi.layout import Bytes, Flat, Kind, List, Shape, Struct, Text, shape
from marine_runtime.errors import ResultError
from marine_runtime.lazy.mapping import Lazy
from marine_runtime.lazy.turns import Turns
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.texts.messages import NEEDS_ROOM, printable
from marine_runtime.texts.names import identifier, identifiers
from marine_runtime.types import IType, Records, RecordType, describe, record_in
from marine_runtime.values.instances import RecordBase, instance_maker

ToPublic = Callable[[Any], Any]
"""Turns an internal value of one type into the public one."""

RESERVED = frozenset((*dir(builtins), "annotations"))
"""Names that a record class does not get, because the code beside it may mean what Python means by them."""


def class_names(records: Records) -> dict[int, str]:
    """The Python class name of every record, by type index."""
    return dict(zip(records, identifiers([record.name for record in records.values()], RESERVED), strict=True))


def python_type(ty: IType, classes: Mapping[int, type]) -> Any:
    """The annotation of a public value of `ty`, such as `list[Point]`."""
    return _annotation(shape(ty), classes)


def _annotation(part: Shape, classes: Mapping[int, type]) -> Any:
    match part:
        case Flat(kind=kind):
            return scalar_class(kind)
        case Text():
            return str
        case Bytes():
            return bytes
        case List(element=element):
            inner: Any = _annotation(element, classes)
            return list[inner]
        case Struct(id=index):
            return classes.get(index, tuple)
        case _:
            assert_never(part)


def scalar_class(kind: Kind) -> type:
    """The Python class of flat values."""
    match kind:
        case Kind.BOOLEAN:
            return bool
        case Kind.SIGNED | Kind.UNSIGNED:
            return int
        case Kind.FLOAT:
            return float
        case _:
            assert_never(kind)


def make_record_classes(records: Records, module: str) -> Mapping[int, type]:
    """A frozen dataclass for every record of `module`, by type index, made when it is first asked for.

    Attributes are named by `names.identifiers`; `__marine_record__` is the `RecordType` with the original names, in
    the same order. Instances have slots and no `__dict__`. They can be compared, replaced, copied and matched, but not
    pickled: their class can't be imported. A pool sends tuples between processes instead.
    """
    classes: dict[int, type] = {}
    names = class_names(records)
    making = Turns()

    def make(index: int, _: str) -> type:
        with making.lock:  # one class for each record, whichever thread asks
            fresh, pending = dict[int, type](), [index]
            while pending:  # with the classes that its annotations name
                current = pending.pop()
                if current in records and current not in classes and current not in fresh:
                    fresh[current] = _bare_class(records[current], names[current], module)
                    inside = (record_in(item.type) for item in records[current].fields)
                    pending += [inner for inner in inside if inner is not None]
            for current, cls in fresh.items():
                _annotate(cls, records[current], {**classes, **fresh}, module)
            classes.update(fresh)  # all of them, or none when the handler of a signal raises
            return classes[index]

    return Lazy(names, make)


def by_name(records: Records, classes: Mapping[int, type]) -> Mapping[str, type]:
    """Record classes by the names of their records in the module; `classes` has them by type index."""
    return Lazy({records[index].name: index for index in classes}, lambda _, index: classes[index])


def _bare_class(record: RecordType, name: str, module: str) -> type:
    attributes = identifiers([field.name for field in record.fields])
    # `__module__` and the real annotations come later: while it works, `make_dataclass` looks up the Python
    # module of that name, and reads annotations, which may name classes that do not exist yet.
    namespace = {
        "__doc__": f"Record {printable(record.name)} of module {printable(module)}.",
        "__module__": __name__,
        "__marine_record__": record,
        "__slots__": tuple(attributes),
    }
    fields = [(attribute, Any) for attribute in attributes]
    return dataclasses.make_dataclass(name, fields, bases=(RecordBase,), namespace=namespace, frozen=True)


def _annotate(cls: type, record: RecordType, classes: Mapping[int, type], module: str) -> None:
    fields_of = dataclasses.fields(cls)
    hints = {
        field.name: python_type(declared.type, classes)
        for field, declared in zip(fields_of, record.fields, strict=True)
    }
    for field in fields_of:
        field.type = hints[field.name]
    cls.__annotations__ = hints
    vars(cls)["__init__"].__annotations__.update(hints)
    cls.__module__ = identifier(module)


def to_public(ty: IType, records: Records, classes: Mapping[int, type]) -> ToPublic | None:
    """A function from internal to public values of `ty`; None when the two are the same.

    Raises:
        ResultError: `ty` is nested too deeply. The function raises it when a value of a recursive type is.
    """
    builder = _Builder(records, classes)
    try:
        convert = builder.of(ty)
    except RecursionError:
        raise ResultError(f"a type is nested too deeply{NEEDS_ROOM}") from None
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
        return self._of(shape(ty))

    def _of(self, part: Shape) -> ToPublic | None:
        match part:
            case Flat() | Text() | Bytes():
                return None
            case List(element=element):
                convert = self._of(element)
                return None if convert is None else _list_of(convert)
            case Struct(id=index):
                return self._record(index)
            case _:
                assert_never(part)

    def _record(self, index: int) -> ToPublic | None:
        if index not in self._records or index not in self._classes:
            return None
        done = self._done
        if index in self._open:
            self.recursive = True
            return lambda value: done[index](value)
        if index not in done:
            self._open.add(index)
            parts = [self.of(field.type) for field in self._records[index].fields]
            self._open.remove(index)
            done[index] = instance_maker(self._classes[index], parts)
        return done[index]


def _list_of(convert: ToPublic) -> ToPublic:
    return lambda values: [convert(value) for value in values]
