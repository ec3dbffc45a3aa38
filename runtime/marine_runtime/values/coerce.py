"""Python values in: what a caller may pass for each type, checked and turned into the values that adapters move.

The internal value of a type is a `bool`, an `int`, a `float` (an f32 is already rounded), a `str`, `bytes` for a byte
array, a `list` for any other array, and a `tuple` of the fields for a record. This file
produces those from more liberal input, or says exactly where and why a value does not fit. It does not touch memory,
does not build public records (`records`), and does not read JSON (`json`, which specialises the rules here). `bind`
does the same for all arguments of a call.

Types are compiled to coercers once. The path to an invalid value is built while the error propagates, so valid values
cost nothing extra.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence

from marine_runtime.abi.layout import Bytes, Flat, List, Struct, Text, shape
from marine_runtime.abi.packed import packing
from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.texts.messages import printable, quoted, suggestion
from marine_runtime.texts.names import field_step, identifiers
from marine_runtime.types import Field, IType, Prim, Record, Records, describe
from marine_runtime.values.buffers import holds_octets, items_of, view_of
from marine_runtime.values.record_columns import RecordClasses
from marine_runtime.values.scalars import (
    BULK,
    MAX_LENGTH,
    SCALARS,
    Bulk,
    Coercer,
    Mismatch,
    abbreviated,
    bulk_bytes,
    kind,
    too_large,
    unreadable,
)

MAX_DEPTH = 256
"""Arrays and records that a Python value may nest; only a recursive type can get there."""

_MAX_LISTED = 5


class Members:
    """The fields of a record or the parameters of a function, and how they are given by name."""

    def __init__(self, fields: Sequence[Field], noun: str, owner: str, *, aliases: bool = True) -> None:
        self.names = [field.name for field in fields]
        self.identifiers = identifiers(self.names)
        self.steps = [field_step(name) for name in self.names]
        self._noun, self._owner = noun, owner
        # The Python spelling of a name is as good as the name: `identifiers` keeps the two from colliding.
        self._positions = dict(zip(self.identifiers, range(len(fields)), strict=True)) if aliases else {}
        for position, name in enumerate(self.names):
            self._positions.setdefault(name, position)

    def arrange(self, given: Mapping[Any, Any], positional: Sequence[Any] = ()) -> list[Any]:
        """The values of all members in order: `positional` for the first ones, `given` by name for the others.

        Raises:
            Mismatch: a name is unknown, missing, or given twice.
        """
        absent = object()
        found: list[Any] = [*positional, *[absent] * (len(self.names) - len(positional))]
        unknown = []
        for key, value in given.items():
            position = self._positions.get(key)
            if position is None:
                unknown.append(key)
            elif found[position] is not absent:
                raise Mismatch(f"{self._owner} got {self._noun} {quoted(self.names[position])} more than once")
            else:
                found[position] = value
        missing = [name for name, value in zip(self.names, found, strict=True) if value is absent]
        if unknown:
            key = unknown[0]
            shown = quoted(key) if isinstance(key, str) else abbreviated(key)
            raise Mismatch(f"{self._owner} has no {self._noun} {shown}{suggestion(key, missing or self.names)}")
        if missing:
            more = f" and {len(missing) - _MAX_LISTED} more" if len(missing) > _MAX_LISTED else ""
            listed = ", ".join(map(quoted, missing[:_MAX_LISTED])) + more
            hint = " (declared more than once: give all by position)" if self.names.count(missing[0]) > 1 else ""
            noun = self._noun if len(missing) == 1 else f"{self._noun}s"
            raise Mismatch(f"{self._owner} is missing {noun} {listed}{hint}")
        return found


class Coercers:
    """Compiles types to coercers, with the rules for Python values. Reuse one per module: it remembers types."""

    scalars: Mapping[Prim, Coercer] = SCALARS
    bulk: Mapping[Prim, Bulk] = BULK
    max_depth = MAX_DEPTH
    aliases = True  # whether fields go by their Python spelling too

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[IType, Coercer] = {}
        self._classes: dict[Record, RecordClasses] = {}

    def of(self, ty: IType) -> Coercer:
        """The coercer of `ty`."""
        known = self._known.get(ty)
        if known is None:
            try:
                known = self._known[ty] = self._compile(ty)
            except BaseException:  # of a signal handler, or at the end of Python's stack
                self._known.clear()  # it may hold records that lack some of their fields
                raise
        return known

    def _compile(self, ty: IType) -> Coercer:
        match shape(ty):
            case Flat(prim=prim):
                return self.scalars[prim]
            case Text():
                return self.scalars[Prim.STRING]
            case Bytes():
                return self._bytes()
            case List() as part:
                return self._array(part)
            case Struct(id=index):
                return self._record(Record(index))
            case unknown:
                assert_never(unknown)

    def kind(self, value: object) -> str:
        """The description of `value`, for a message."""
        return kind(value)

    def wrong(self, expected: str, value: object) -> Mismatch:
        """`value` is of another kind than `expected`."""
        return Mismatch(f"expected {expected}, got {self.kind(value)}")

    def unreadable(self, expected: str, value: object, error: Exception) -> Mismatch:
        """`value` is of the right kind, but its own code failed."""
        return unreadable(expected, self.kind(value), error)

    def too_deep(self) -> Mismatch:
        """A value nests further than it may."""
        return Mismatch(f"the value is cyclic, or nested more than {self.max_depth} levels deep")

    def octets(self, value: Any) -> bytes | None:
        """The content of a bytes-like value, None for anything else."""
        try:
            view = view_of(value)
            if view is None or not holds_octets(view):
                return None
            if view.nbytes > MAX_LENGTH:
                raise too_large("[]u8", view.nbytes, "element")
            return view.tobytes()
        except Mismatch:
            raise
        except Exception as error:
            raise self.unreadable("[]u8", value, error) from error

    def elements(self, value: Any, expected: str, unit: int = 1) -> list[Any]:
        """The elements of an array in a list that nobody else holds; `unit` is what each takes in a guest."""
        most = MAX_LENGTH // unit
        try:
            if type(value) is list or type(value) is tuple:
                items = list(value)
                if len(items) > most:
                    raise too_large(expected, len(items), "element", most)
                return items
            if isinstance(value, (str, bytes, bytearray)):
                raise self.wrong(expected, value)
            view = None if isinstance(value, array) else view_of(value)
            if view is None and not isinstance(value, (array, Sequence)):
                raise self.wrong(expected, value)
            if view is not None and view.ndim == 0:
                raise Mismatch(f"expected {expected}, got {self.kind(value)} without dimensions")
            if (count := len(value if view is None else view)) > most:
                raise too_large(expected, count, "element", most)
            if view is not None:
                return items_of(view)
            return value.tolist() if isinstance(value, array) else list(value)
        except Mismatch:
            raise
        except NotImplementedError as error:  # objects, text or records of NumPy
            mismatch = self.unreadable(expected, value, error)
            raise Mismatch(f"{mismatch}; pass a list of its items, as `tolist()` returns it") from error
        except Exception as error:
            raise self.unreadable(expected, value, error) from error

    def fields(self, value: Any, members: Members, expected: str) -> Sequence[Any]:
        """The values of a record's fields, in order."""
        import dataclasses

        try:
            if isinstance(value, tuple) and (names := getattr(type(value), "_fields", None)) is not None:
                return members.arrange(dict(zip(names, value, strict=True)))
            if isinstance(value, (tuple, list)):
                items = list(value)
                if len(items) != len(members.names):
                    raise Mismatch(f"expected the {len(members.names)} fields of {expected}, got {len(items)}")
                return items
            if isinstance(value, Mapping):
                return members.arrange(value)
            if dataclasses.is_dataclass(value) and not isinstance(value, type):
                names = [field.name for field in dataclasses.fields(value)]
                return members.arrange({name: getattr(value, name) for name in names if hasattr(value, name)})
        except Mismatch:
            raise
        except Exception as error:
            raise self.unreadable(expected, value, error) from error
        raise self.wrong(expected, value)

    def _bytes(self) -> Coercer:
        element, bulk = self.of(Prim.U8), self.bulk[Prim.U8]

        def coerce_bytes(value: Any, depth: int) -> bytes:
            if type(value) is bytes and len(value) <= MAX_LENGTH:
                return value
            data = self.octets(value)
            if data is None:
                items = self.elements(value, "[]u8")
                data = bytes(items if bulk(items) is not None else _each(items, element, depth))
            return data

        return coerce_bytes

    def _array(self, part: List) -> Coercer:
        expected, max_depth = printable(describe(part.type, self._records)), self.max_depth
        inner, unit = part.element.type, part.unit
        element = self.of(inner)
        bulk = self._bulk(inner)

        def coerce_array(value: Any, depth: int) -> list[Any]:
            if depth > max_depth:
                raise self.too_deep()
            items = self.elements(value, expected, unit)
            whole = bulk(items) if bulk is not None else None
            return _each(items, element, depth) if whole is None else whole

        return coerce_array

    def _bulk(self, ty: IType) -> Bulk | None:
        """The check of whole arrays of `ty`, whose coercer is compiled; None for arrays of arrays."""
        if isinstance(ty, Prim):
            return self.bulk.get(ty)
        if isinstance(shape(ty), Bytes):
            return bulk_bytes
        if not isinstance(ty, Record) or (classes := self._classes.get(ty)) is None:
            return None
        fields = [field.type for field in self._records[ty.id].fields]
        # Recursive and huge types get one look at each element.
        return classes.bulk(lambda: [self._bulk(field) for field in fields] if packing(ty, self._records) else [None])

    def _record(self, ty: Record) -> Coercer:
        record, expected, max_depth = self._records.get(ty.id), printable(describe(ty, self._records)), self.max_depth
        if record is None:

            def undeclared(value: Any, depth: int) -> Any:
                raise Mismatch(f"expected {expected}, which the module does not declare")

            return undeclared

        members = Members(record.fields, "field", expected, aliases=self.aliases)
        steps, coercers = members.steps, list[Coercer]()
        classes = self._classes[ty] = RecordClasses(record, members.names, members.identifiers)
        ours, read = classes.ours, classes.read

        def coerce_record(value: Any, depth: int) -> tuple[Any, ...]:
            if depth > max_depth:
                raise self.too_deep()
            values: Sequence[Any] | None = None
            if id(type(value)) in ours or type(value) in classes:
                try:
                    values = read(value)
                except AttributeError:
                    pass  # one that someone deleted: the general way says which
                except Exception as error:
                    raise self.unreadable(expected, value, error) from error
            if values is None:
                values = self.fields(value, members, expected)
            result: list[Any] = []
            try:
                for coercer, item in zip(coercers, values, strict=True):
                    result.append(coercer(item, depth + 1))
            except Mismatch as mismatch:
                mismatch.steps.append(steps[len(result)])
                raise
            return tuple(result)

        self._known[ty] = coerce_record  # a recursive record finds itself here while its fields are compiled
        coercers.extend(self.of(field.type) for field in record.fields)
        return coerce_record


def _each(items: list[Any], element: Coercer, depth: int) -> list[Any]:
    result: list[Any] = []
    append, inside = result.append, depth + 1
    try:
        for item in items:
            append(element(item, inside))
    except Mismatch as mismatch:
        mismatch.steps.append(f"[{len(result)}]")
        raise
    return result


def coerce(value: Any, ty: IType, records: Records, path: str = "$") -> Any:
    """The internal value for `value`, which is to be a `ty`.

    Raises:
        ArgumentError: it is not; the error has the path of the offending part, which starts with `path`.
    """
    return coercion(ty, records, path)(value)


def coercion(ty: IType, records: Records, path: str = "$") -> Callable[[Any], Any]:
    """`coerce` for one type, which is compiled at the first use and kept."""
    coercers = Coercers(records)

    def convert(value: Any) -> Any:
        try:
            return coercers.of(ty)(value, 1)
        except Mismatch as mismatch:
            raise ArgumentError(str(mismatch), mismatch.path(path)) from mismatch.__cause__
        except RecursionError:
            raise ArgumentError(str(coercers.too_deep()), path) from None

    return convert
