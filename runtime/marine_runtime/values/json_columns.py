"""Usual JSON documents to internal values, and internal values to JSON text, at the speed of C loops.

Every type gets its converters once: for one value, and for all values that stand at one place of the elements of an
array, a column. They take what values usually look like, and raise one of `UNUSUAL` for everything else, right or
wrong; `json` then goes through the value step by step, accepts what is to be accepted, and says what is wrong where.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import chain, islice
from json.encoder import encode_basestring
from operator import itemgetter

from marine_runtime.abi.layout import INTEGER_RANGES, Bytes, Flat, Kind, List, Shape, Struct, Text, shape
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.types import IType, Prim, Records
from marine_runtime.values.json_spelling import write_bytes, write_float
from marine_runtime.values.scalars import BULK, all_of

UNUSUAL = (ValueError, TypeError, LookupError)
"""The errors of converters for a value that is not theirs."""

_MAX_HEIGHT = 100
"""Arrays and records that a type may nest; fewer than documents and values may."""


class _UnusualError(ValueError):
    pass


class _UnsuitableError(Exception):
    """A type that has no converters: it is recursive, nested deeply, or has fields of one name."""


@dataclass(frozen=True, slots=True)
class _Converters:
    """The converters of a type: of one value, and of a list of values."""

    one: Callable[[Any], Any]
    many: Callable[[list[Any]], list[Any]]


def _refuse_unless(usual: bool) -> None:
    if not usual:
        raise _UnusualError


def _singly(one: Callable[[Any], Any]) -> _Converters:
    return _Converters(one, lambda items: list(map(one, items)))


_NOTHING = _singly(_refuse_unless)


class _Compiler:
    """The walk over a type, common to reading and writing."""

    def __init__(self, records: Records) -> None:
        self.records = records
        self._known: dict[int, tuple[_Converters, int]] = {}

    def of(self, ty: IType) -> Callable[[Any], Any] | None:
        """The converter of one value; None for a type that has none."""
        try:
            return self._of(shape(ty))[0].one
        except _UnsuitableError:
            return None

    def _of(self, part: Shape) -> tuple[_Converters, int]:
        """The converters of a type, and how far it nests."""
        match part:
            case Flat():
                return self.flat(part), 0
            case Text():
                return self.text(), 0
            case Bytes():
                return self.octets(), 0
            case List(element=element):
                converters, height = self._of(element)
                made = self.array(element, converters)
            case Struct(id=index):
                if index in self._known:
                    return self._unless_too_high(*self._known[index])
                fields = self.records[index].fields if index in self.records else ()
                names = [item.name for item in fields]
                if index not in self.records or len(set(names)) < len(names):
                    raise _UnsuitableError
                self._known[index] = (_NOTHING, _MAX_HEIGHT + 1)  # for a record that meets itself, and has no height
                parts = [self._of(shape(item.type)) for item in fields]
                made, height = self.record(names, [item for item, _ in parts]), max((h for _, h in parts), default=0)
            case _:
                assert_never(part)
        made, height = self._unless_too_high(made, height + 1)
        if isinstance(part, Struct):
            self._known[part.id] = (made, height)
        return made, height

    def _unless_too_high(self, converters: _Converters, height: int) -> tuple[_Converters, int]:
        if height > _MAX_HEIGHT:
            raise _UnsuitableError
        return converters, height

    def flat(self, part: Flat) -> _Converters:
        raise NotImplementedError

    def text(self) -> _Converters:
        raise NotImplementedError

    def octets(self) -> _Converters:
        raise NotImplementedError

    def array(self, element: Shape, converters: _Converters) -> _Converters:
        raise NotImplementedError

    def record(self, names: list[str], parts: list[_Converters]) -> _Converters:
        raise NotImplementedError


# Documents to internal values


def _integer(prim: Prim) -> _Converters:
    low, high = INTEGER_RANGES[prim]

    def one(value: Any) -> Any:
        if type(value) is int and low <= value <= high:
            return value
        raise _UnusualError

    return _Converters(one, _bulk(prim))


def _bulk(prim: Prim) -> Callable[[list[Any]], list[Any]]:
    check = BULK[prim]

    def many(items: list[Any]) -> list[Any]:
        whole = check(items)
        if whole is None:
            raise _UnusualError
        return whole

    return many


def _encodable(value: Any) -> str:
    if type(value) is not str:
        raise _UnusualError
    if not value.isascii():
        value.encode()
    return value


def _all_encodable(items: list[Any]) -> list[Any]:
    "".join(items).encode()
    return items


class Readers(_Compiler):
    """Compiles types to functions from parsed documents to internal values."""

    def __init__(self, records: Records, *, bools: bool = True) -> None:
        super().__init__(records)
        self._bools = bools

    def flat(self, part: Flat) -> _Converters:
        prim = part.prim
        match part.kind:
            case Kind.BOOLEAN:
                check = _bulk(prim)
                return _Converters(lambda value: check([value])[0], check)
            case Kind.SIGNED | Kind.UNSIGNED:
                return _integer(prim)
            case Kind.FLOAT:
                return _finite(prim)
            case _:
                assert_never(part.kind)

    def text(self) -> _Converters:
        return _Converters(_encodable, _all_encodable)

    def octets(self) -> _Converters:
        bools = self._bools

        def one(value: Any) -> bytes:
            _refuse_unless(type(value) is list and (not bools or all_of(value, int)))
            return bytes(value)  # which takes bools too, but nothing else of a document that is not an integer

        return _singly(one)

    def array(self, element: Shape, converters: _Converters) -> _Converters:
        inner = converters.many

        def one(value: Any) -> list[Any]:
            _refuse_unless(type(value) is list)
            return inner(list(value))

        def many(items: list[Any]) -> list[Any]:
            _refuse_unless(all_of(items, list))
            elements = iter(inner(list(chain.from_iterable(items))))
            return [list(islice(elements, length)) for length in map(len, items)]

        return _Converters(one, many)

    def record(self, names: list[str], parts: list[_Converters]) -> _Converters:
        width = len(names)
        ones = [part.one for part in parts]
        columns = list(zip(map(itemgetter, names), [part.many for part in parts], strict=True))
        positions = list(enumerate([part.many for part in parts]))
        fields = itemgetter(*names) if width > 1 else None

        def one(value: Any) -> tuple[Any, ...]:
            _refuse_unless(type(value) in (dict, list) and len(value) == width)
            if type(value) is dict:
                value = fields(value) if fields else [value[name] for name in names]
            return tuple([convert(item) for convert, item in zip(ones, value, strict=True)])

        def many(items: list[Any]) -> list[Any]:
            _refuse_unless(list(map(len, items)).count(width) == len(items))
            if all_of(items, dict):
                values = [convert(list(map(field, items))) for field, convert in columns]
            else:
                _refuse_unless(all_of(items, list))
                values = [convert([item[at] for item in items]) for at, convert in positions]
            return list(zip(*values, strict=True)) if width else [()] * len(items)

        return _Converters(one, many)


def _finite(prim: Prim) -> _Converters:
    check = _bulk(prim)

    def many(items: list[Any]) -> list[Any]:
        whole = check(items)
        _refuse_unless(all(map(math.isfinite, items)))
        return whole

    return _Converters(lambda value: many([value])[0], many)


# Internal values to text


class Writers(_Compiler):
    """Compiles types to functions from internal values to text."""

    def flat(self, part: Flat) -> _Converters:
        prim = part.prim
        match part.kind:
            case Kind.BOOLEAN:
                spelled: Callable[[Any], str] = ("false", "true").__getitem__
                return _column(spelled, _bulk(prim))
            case Kind.SIGNED | Kind.UNSIGNED:
                integer = _integer(prim)
                return _Converters(
                    lambda value: str(integer.one(value)), lambda items: list(map(str, integer.many(items)))
                )
            case Kind.FLOAT:
                return _column(write_float, _bulk(prim))
            case _:
                assert_never(part.kind)

    def text(self) -> _Converters:
        def one(value: Any) -> str:
            return encode_basestring(_encodable(value))

        return _Converters(one, lambda items: list(map(encode_basestring, _all_encodable(items))))

    def octets(self) -> _Converters:
        def one(value: Any) -> str:
            _refuse_unless(type(value) is bytes)
            return write_bytes(value)

        return _singly(one)

    def array(self, element: Shape, converters: _Converters) -> _Converters:
        many = converters.many

        def one(value: Any) -> str:
            _refuse_unless(type(value) is list)
            return f"[{','.join(many(value))}]"

        return _singly(one)

    def record(self, names: list[str], parts: list[_Converters]) -> _Converters:
        width = len(names)
        keys = [encode_basestring(name).replace("%", "%%") for name in names]
        filled = ("{" + ",".join([f"{key}:%s" for key in keys]) + "}").__mod__
        ones, manies = [part.one for part in parts], [part.many for part in parts]

        def one(value: Any) -> str:
            _refuse_unless(type(value) is tuple and len(value) == width)
            return filled(tuple([convert(item) for convert, item in zip(ones, value, strict=True)]))

        def many(items: list[Any]) -> list[Any]:
            _refuse_unless(all_of(items, tuple) and list(map(len, items)).count(width) == len(items))
            columns = [convert(list(column)) for convert, column in zip(manies, zip(*items, strict=True), strict=False)]
            return list(map(filled, zip(*columns, strict=True))) if columns else [filled(())] * len(items)

        return _Converters(one, many)


def _column(spell: Callable[[Any], str], check: Callable[[list[Any]], list[Any]]) -> _Converters:
    return _Converters(lambda value: spell(check([value])[0]), lambda items: list(map(spell, check(items))))
