"""Values to packed values, without generated code: closures over the places of a type, made once.

The counterpart of `unpack`. Exactly the expected classes are packed: those of internal values, and one class per record
more. Everything else raises one of `UNUSUAL`; the runtime's coercion then decides, and what it gives is packed.
Lists are copied before they are checked, as other threads may change them: what is packed is of one piece.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from operator import attrgetter, itemgetter
from struct import Struct as Row
from struct import error as StructError  # noqa: N812 - as generated code has it

from marine_runtime.abi.layout import Bytes, Flat, Kind, List, Struct, Text
from marine_runtime.abi.packed import NO_TEXT, Packing, Place
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.values.records import scalar_class

UNUSUAL = (AttributeError, OverflowError, StructError, TypeError, ValueError)
"""The errors of packing a value that can't be packed as it is."""

Classes = Mapping[int, tuple[type, Sequence[str]]]
"""By record: a class whose instances are packed, and the attributes with the values of the fields, in order."""

_NO_TEXT = bytes([NO_TEXT])
_NO_CLASSES: Classes = {}


class _Block:
    """A packed value while it is made: numbers of the row, columns, text of the row."""

    __slots__ = ("columns", "numbers", "separators", "texts")

    def __init__(self, columns: int) -> None:
        self.numbers: list[Any] = []
        self.columns: list[Any] = [b""] * columns
        self.separators: list[int] = []
        self.texts: list[bytes] = []


_One = Callable[[_Block, Any], None]
_Many = Callable[[_Block, "list[Any]", int], None]
_Field = Callable[[Any], Any]


def packer(packed: Packing, classes: Classes = _NO_CLASSES) -> Callable[[Any], bytes]:
    """A function from a value to its packed bytes; it raises one of `UNUSUAL`."""
    row, sizes = Row(f"<{packed.header}"), [column.size or 1 for column in packed.columns]
    count = len(sizes)
    root = _Writer(classes).one(packed.root)

    def pack(value: Any) -> bytes:
        block = _Block(count)
        root(block, value)
        extents = [len(data) * size for data, size in zip(block.columns, sizes, strict=True)]
        return b"".join((row.pack(*block.numbers, *extents, *block.separators), *block.columns, *block.texts))

    return pack


class _Writer:
    """Compiles places: to functions for the one value of the row, and for all values of a column."""

    def __init__(self, classes: Classes) -> None:
        self._classes = classes

    def one(self, place: Place) -> _One:
        part = place.shape
        match part:
            case Flat(kind=kind):
                cls = scalar_class(kind)

                def flat(block: _Block, value: Any) -> None:
                    _expect(type(value) is cls)
                    block.numbers.append(value)

                return flat
            case Text():

                def text(block: _Block, value: Any) -> None:
                    _expect(type(value) is str)
                    data = value.encode()
                    block.numbers.append(len(data))
                    block.texts.append(data)

                return text
            case Bytes():

                def octets(block: _Block, value: Any) -> None:
                    _expect(type(value) is bytes)
                    block.numbers.append(len(value))
                    block.texts.append(value)

                return octets
            case List():
                many = self.many(place.parts[0])

                def items(block: _Block, value: Any) -> None:
                    _expect(type(value) is list)
                    values = value[:]
                    block.numbers.append(len(values))
                    many(block, values, len(values))

                return items
            case Struct(id=index):
                return self._record(place, index)
            case _:
                assert_never(part)

    def _record(self, place: Place, index: int) -> _One:
        parts, width = [self.one(inner) for inner in place.parts], len(place.parts)
        cls, fields = self._class(index)

        def record(block: _Block, value: Any) -> None:
            if type(value) is cls:
                value = fields(value)
            else:
                _expect(type(value) is tuple and len(value) == width)
            for part, item in zip(parts, value, strict=True):
                part(block, item)

        return record

    def _class(self, index: int) -> tuple[type | None, Callable[[Any], Sequence[Any]]]:
        """The class of a record's instances, and what gives the values of their fields."""
        if index not in self._classes:
            return None, tuple
        cls, names = self._classes[index]
        if len(names) > 1:
            return cls, attrgetter(*names)
        return cls, lambda value: [getattr(value, name) for name in names]

    def many(self, place: Place) -> _Many:
        part, content, counts = place.shape, place.content, place.counts
        match part:
            case Flat(kind=kind, layout=slot):
                cls, code = scalar_class(kind), slot.format

                def numbers(block: _Block, values: list[Any], count: int) -> None:
                    _expect_all(values, cls, count)
                    if kind is Kind.BOOLEAN:
                        block.columns[content] = bytes(values)
                        return
                    column = block.columns[content] = array(code)
                    column.fromlist(values)

                return numbers
            case Text():
                return lambda block, values, count: _put_strings(block, content, values, count)
            case Bytes():

                def octets(block: _Block, values: list[Any], count: int) -> None:
                    _expect_all(values, bytes, count)
                    block.columns[counts] = array("I", map(len, values))
                    block.columns[content] = b"".join(values)

                return octets
            case List():
                inner = self.many(place.parts[0])

                def arrays(block: _Block, values: list[Any], count: int) -> None:
                    _expect_all(values, list, count)
                    lengths = block.columns[counts] = array("I", map(len, values))
                    items = list(chain.from_iterable(values))
                    _expect(sum(lengths) == len(items))  # check: host lists that change
                    inner(block, items, len(items))

                return arrays
            case Struct(id=index):
                return self._records(place, index)
            case _:
                assert_never(part)

    def _records(self, place: Place, index: int) -> _Many:
        parts, width = [self.many(inner) for inner in place.parts], len(place.parts)
        cls, _ = self._class(index)
        attributes: list[_Field] = [attrgetter(name) for name in self._classes[index][1]] if cls else []
        positions: list[_Field] = [itemgetter(at) for at in range(width)]

        def records(block: _Block, values: list[Any], count: int) -> None:
            fields = attributes
            if cls is None or not count or type(values[0]) is tuple:
                _expect_all(values, tuple, count)
                _expect(list(map(len, values)).count(width) == count)
                fields = positions
            else:
                _expect_all(values, cls, count)
            for part, field in zip(parts, fields, strict=True):
                part(block, list(map(field, values)), count)

        return records


def _expect(usual: bool) -> None:
    if not usual:
        raise TypeError


def _expect_all(values: list[Any], cls: type, count: int) -> None:
    _expect(list(map(type, values)).count(cls) == count)


def _put_strings(block: _Block, content: int, values: list[Any], count: int) -> None:
    text, separator = "\0".join(values), 0
    if count and text.count("\0") == count - 1:
        block.columns[content] = text.encode() + b"\0"
    elif count:
        separator = NO_TEXT
        block.columns[content] = _NO_TEXT.join(map(str.encode, values)) + _NO_TEXT
    block.separators.append(separator)
