"""Layout of values in linear memory, and how they cross into core Wasm (docs/spec/memory.md#sizes).

Every interface type has a `Shape`, and every shape a `Layout`: what an array slot, record field or parameter of it is
made of. All code that walks values dispatches on shapes with a `match` that ends in `assert_never`, so that mypy lists
what a new shape or a new kind of flat type still needs. No other file derives the form of memory from a type.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from marine_runtime.abi.measures import CORE_CODES, PART
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.typing import ClassVar, assert_never
from marine_runtime.types import Array, IType, Prim, Record, Records, RecordType


class Form(Enum):
    """The content of a slot."""

    FLAT = "the value itself"
    POINTER = "a pointer"
    PAIR = "a pointer and a length"


class Kind(Enum):
    """The meaning of the number in a flat slot."""

    BOOLEAN = "a truth value: any number but 0 is true"
    SIGNED = "an integer in two's complement"
    UNSIGNED = "an integer without a sign"
    FLOAT = "a number of IEEE 754"


@dataclass(frozen=True, slots=True)
class Layout:
    """One slot, and the core values that stand for it outside memory.

    Attributes:
        form: the form of the slot's content.
        size: its bytes. Slots are packed: they have no alignment and no padding.
        alignment: the natural alignment, which the packed format ignores and structs of C have.
        tag: the element tag that `allocate` gets for an array of such slots.
        carrier: core Wasm values that carry the value as a parameter.
        format: `struct` codes of the slot.
    """

    form: Form
    size: int
    alignment: int
    tag: int
    carrier: tuple[Prim, ...]
    format: str


@dataclass(frozen=True, slots=True)
class Flat:
    """A truth value or number, stored in the slot itself."""

    prim: Prim
    kind: Kind
    layout: Layout

    @property
    def type(self) -> IType:
        """The type that has this shape."""
        return self.prim

    @property
    def bits(self) -> int:
        """Its width."""
        return 8 * self.layout.size


_POINTER = Layout(Form.POINTER, 4, 4, 3, (Prim.I32,), "I")
_PAIR = Layout(Form.PAIR, 8, 4, 3, (Prim.I32, Prim.I32), "II")


@dataclass(frozen=True, slots=True)
class Text:
    """UTF-8; the length counts bytes."""

    type: ClassVar[IType] = Prim.STRING
    layout: ClassVar[Layout] = _PAIR
    unit: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class Bytes:
    """Bytes, under either spelling: `array (u8)` is a primitive and an array of `u8`."""

    type: ClassVar[IType] = Prim.BYTE_ARRAY
    layout: ClassVar[Layout] = _PAIR
    unit: ClassVar[int] = 1


@dataclass(frozen=True, slots=True)
class List:
    """Slots of equal shape; the length counts elements."""

    layout: ClassVar[Layout] = _PAIR
    element: Shape

    @property
    def type(self) -> IType:
        """The type that has this shape."""
        return Array(self.element.type)

    @property
    def unit(self) -> int:
        """Bytes of one element's slot."""
        return self.element.layout.size


@dataclass(frozen=True, slots=True)
class Struct:
    """A record: a pointer to the `record_body` of type `id`."""

    layout: ClassVar[Layout] = _POINTER
    id: int

    @property
    def type(self) -> IType:
        """The type that has this shape."""
        return Record(self.id)


OutOfLine = Text | Bytes | List | Struct
"""Shapes of values that a pointer leads to."""

Shape = Flat | OutOfLine

_I32, _I64, _F32, _F64 = (Prim.I32,), (Prim.I64,), (Prim.F32,), (Prim.F64,)


def _flat(prim: Prim, kind: Kind, size: int, tag: int, carrier: tuple[Prim, ...], code: str) -> Flat:
    return Flat(prim, kind, Layout(Form.FLAT, size, size, tag, carrier, code))


_TEXT, _BYTES = Text(), Bytes()

PRIMITIVES: Mapping[Prim, Shape] = {
    **{
        flat.prim: flat
        for flat in (
            _flat(Prim.BOOLEAN, Kind.BOOLEAN, 1, 0, _I32, "?"),
            _flat(Prim.S8, Kind.SIGNED, 1, 5, _I32, "b"),
            _flat(Prim.S16, Kind.SIGNED, 2, 6, _I32, "h"),
            _flat(Prim.S32, Kind.SIGNED, 4, 7, _I32, "i"),
            _flat(Prim.S64, Kind.SIGNED, 8, 8, _I64, "q"),
            _flat(Prim.U8, Kind.UNSIGNED, 1, 1, _I32, "B"),
            _flat(Prim.U16, Kind.UNSIGNED, 2, 2, _I32, "H"),
            _flat(Prim.U32, Kind.UNSIGNED, 4, 3, _I32, "I"),
            _flat(Prim.U64, Kind.UNSIGNED, 8, 4, _I64, "Q"),
            _flat(Prim.F32, Kind.FLOAT, 4, 9, _F32, "f"),
            _flat(Prim.F64, Kind.FLOAT, 8, 10, _F64, "d"),
            _flat(Prim.I32, Kind.SIGNED, 4, 7, _I32, "i"),
            _flat(Prim.I64, Kind.SIGNED, 8, 8, _I64, "q"),
        )
    },
    Prim.STRING: _TEXT,
    Prim.BYTE_ARRAY: _BYTES,
}
"""The shape of every type without parameters: one row each."""


def _range(flat: Flat) -> tuple[int, int] | None:
    match flat.kind:
        case Kind.SIGNED:
            return -(1 << flat.bits - 1), (1 << flat.bits - 1) - 1
        case Kind.UNSIGNED:
            return 0, (1 << flat.bits) - 1
        case Kind.BOOLEAN | Kind.FLOAT:
            return None
        case _:
            assert_never(flat.kind)


def _flats() -> list[Flat]:
    return [item for item in PRIMITIVES.values() if isinstance(item, Flat)]


INTEGER_RANGES: Mapping[Prim, tuple[int, int]] = {
    flat.prim: bounds for flat in _flats() if (bounds := _range(flat)) is not None
}
"""Inclusive bounds of every integer type."""

FLOATS = frozenset(flat.prim for flat in _flats() if flat.kind is Kind.FLOAT)


def shape(ty: IType) -> Shape:
    """The shape of `ty`."""
    if isinstance(ty, Prim):
        return PRIMITIVES[ty]
    if isinstance(ty, Record):
        return Struct(ty.id)
    return _BYTES if ty.element is Prim.U8 else List(shape(ty.element))


def layout_of(ty: IType) -> Layout:
    """The layout of a slot of `ty`."""
    return shape(ty).layout


def is_flat(ty: IType) -> bool:
    """True if values of `ty` are stored in the slot itself, and cross as one core value."""
    return layout_of(ty).form is Form.FLAT


def element_of(ty: IType) -> IType:
    """The element type that array instructions name: `u8` for a byte array, whatever its spelling."""
    return ty.element if isinstance(ty, Array) else Prim.U8


def raw_codes(ty: IType) -> str:
    """The codes by which the core values of a `ty` cross: pointers, lengths and unsigned integers are unsigned."""
    match shape(ty):
        case Flat(kind=kind, layout=slot):
            codes = CORE_CODES[slot.carrier[0]]
            return codes[-1] if kind is Kind.UNSIGNED else codes[0]
        case Text() | Bytes() | List() | Struct() as part:
            return CORE_CODES[Prim.I32][-1] * len(part.layout.carrier)
        case part:
            assert_never(part)


@dataclass(frozen=True, slots=True)
class Cell:
    """A field of a record's body."""

    name: str
    type: IType
    shape: Shape
    offset: int


@dataclass(frozen=True, slots=True)
class Body:
    """The block that a record's pointer leads to: the slots of the fields, packed, in order."""

    cells: tuple[Cell, ...]
    size: int
    format: str


def record_body(record: RecordType) -> Body:
    """The body of `record`."""
    cells: list[Cell] = []
    offset = 0
    for item in record.fields:
        part = shape(item.type)
        cells.append(Cell(item.name, item.type, part, offset))
        offset += part.layout.size
    return Body(tuple(cells), offset, "".join(cell.shape.layout.format for cell in cells))


def cost(part: Shape, records: Records) -> tuple[int, int]:
    """The cost that a string, byte array, array or record inside a value adds to `wasm.meter`.

    It is what each of them costs, and what every unit of its length does. What is flat belongs to what holds it.
    """
    match part:
        case Flat():
            return 0, 0
        case Text() | Bytes() | List():
            return PART, part.unit
        case Struct(id=index):
            return PART + record_body(records[index]).size, 0
        case _:
            assert_never(part)


def has_parts(value: Shape, records: Records) -> bool:
    """True if values have parts behind pointers, which several pointers may share."""
    match value:
        case Flat() | Text() | Bytes():
            return False
        case List(element=element):
            return element.layout.form is not Form.FLAT
        case Struct(id=index):
            return any(not is_flat(item.type) for item in records[index].fields)
        case _:
            assert_never(value)
