"""Python values in: what is accepted, what it becomes, and the message and path of what is not."""

import collections
import ctypes
import enum
import math
import struct
from array import array
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_runtime.abi.layout import INTEGER_RANGES
from marine_runtime.errors import ArgumentError
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from marine_runtime.values.bind import Binder
from marine_runtime.values.coerce import MAX_DEPTH, Coercers, coerce, coercion
from marine_runtime.values.scalars import abbreviated

POINT, ITEM, NODE, PAIR, ONE = (Record(number) for number in range(5))
RECORDS = {
    0: RecordType("Point", (Field("x", Prim.S32), Field("y", Prim.F64))),
    1: RecordType("Item", (Field("name", Prim.STRING), Field("odd name", Prim.U8), Field("class", Prim.BOOLEAN))),
    2: RecordType("Node", (Field("label", Prim.U8), Field("next", Array(NODE)))),
    3: RecordType("Pair", (Field("", Prim.U8), Field("", Prim.U8))),
    4: RecordType("One", (Field("only", Prim.STRING),)),
}


class Colour(enum.IntEnum):
    RED = 7


class Mode(enum.StrEnum):
    FAST = "fast"


class Sly(int):
    def __int__(self) -> int:
        raise AssertionError("a subclass must not run code")

    def __index__(self) -> int:
        raise AssertionError("a subclass must not run code")


class Half(float):
    def __float__(self) -> float:
        raise AssertionError("a subclass must not run code")


class XY(NamedTuple):
    x: int
    y: float


@dataclass
class Place:
    y: float
    x: int


@dataclass
class Place3(Place):
    z: int = 0


class Broken(collections.UserList):
    def __iter__(self):
        raise OSError("disk on fire")


BROKEN = f"{__name__}.Broken that can't be read"


class Endless(collections.abc.Sequence):
    def __len__(self) -> int:
        return 2**40

    def __getitem__(self, index):
        return 0


@pytest.mark.parametrize(
    ("value", "ty", "expected"),
    [
        (True, Prim.BOOLEAN, True),
        (0, Prim.U8, 0),
        (-0x8000_0000, Prim.I32, -0x8000_0000),
        (Colour.RED, Prim.S8, 7),
        (Sly(5), Prim.U64, 5),
        (1.5, Prim.F64, 1.5),
        (Half(1.5), Prim.F64, 1.5),
        (3, Prim.F64, 3.0),
        (0.1, Prim.F32, 0.10000000149011612),
        (1e39, Prim.F32, math.inf),
        (-1e39, Prim.F32, -math.inf),
        (-math.inf, Prim.F64, -math.inf),
        (10**39, Prim.F32, math.inf),
        (2**24 + 1, Prim.F32, 2.0**24),
        # f64 would round this down to the middle between two f32, and lose that it lies above.
        (2**60 + 2**36 + 1, Prim.F32, 2.0**60 + 2.0**37),
        (-(2**60 + 2**36 + 1), Prim.F32, -(2.0**60 + 2.0**37)),
        ("héllo\0", Prim.STRING, "héllo\0"),
        (Mode.FAST, Prim.STRING, "fast"),
        (b"\x00\xff", Prim.BYTE_ARRAY, b"\x00\xff"),
        (bytearray(b"ab"), Array(Prim.U8), b"ab"),
        (memoryview(b"abcd")[::2], Prim.BYTE_ARRAY, b"ac"),
        (memoryview((ctypes.c_uint8 * 2)(1, 2)), Prim.BYTE_ARRAY, b"\x01\x02"),
        (array("I", [1, 255]), Prim.BYTE_ARRAY, b"\x01\xff"),
        ([1, Colour.RED, 255], Prim.BYTE_ARRAY, b"\x01\x07\xff"),
        ((), Prim.BYTE_ARRAY, b""),
        ([], Array(Prim.S32), []),
        ((1, -2), Array(Prim.S32), [1, -2]),
        (range(3), Array(Prim.U16), [0, 1, 2]),
        (array("d", [0.5]), Array(Prim.F64), [0.5]),
        (memoryview(array("h", [-1])), Array(Prim.S64), [-1]),
        (collections.deque(["a", Mode.FAST]), Array(Prim.STRING), ["a", "fast"]),
        (["ä", "b"], Array(Prim.STRING), ["ä", "b"]),
        ([0.1, 1e39], Array(Prim.F32), [0.10000000149011612, math.inf]),
        ([0.5, 2], Array(Prim.F64), [0.5, 2.0]),
        ([True, False], Array(Prim.BOOLEAN), [True, False]),
        ([b"a", [1]], Array(Prim.BYTE_ARRAY), [b"a", b"\x01"]),
        ([[], [[1]]], Array(Array(Array(Prim.S8))), [[], [[1]]]),
        ((1, 2), POINT, (1, 2.0)),
        ([1, 2], POINT, (1, 2.0)),
        (XY(1, 2), POINT, (1, 2.0)),
        ({"y": 2, "x": 1}, POINT, (1, 2.0)),
        (collections.ChainMap({"y": 2}, {"x": 1}), POINT, (1, 2.0)),
        (Place(x=1, y=2), POINT, (1, 2.0)),
        ({"name": "a", "odd name": 1, "class": True}, ITEM, ("a", 1, True)),
        ({"name": "a", "odd_name": 1, "class_": True}, ITEM, ("a", 1, True)),
        ({"_": 1, "_2": 2}, PAIR, (1, 2)),
        (["a"], ONE, ("a",)),
        ([1, [{"label": 2, "next": []}]], NODE, (1, [(2, [])])),
    ],
)
def test_accepted(value: Any, ty: IType, expected: Any) -> None:
    result = coerce(value, ty, RECORDS)
    assert result == expected
    assert type(result) is type(expected)
    if isinstance(expected, list):
        assert result is not value
        assert [*map(type, result)] == [*map(type, expected)]


def test_f32_keeps_nan() -> None:
    assert math.isnan(coerce(math.nan, Prim.F32, {}))
    assert math.isnan(coerce([math.nan], Array(Prim.F32), {})[0])


@pytest.mark.parametrize(
    ("value", "ty", "message"),
    [
        (1, Prim.BOOLEAN, "expected bool, got int"),
        (True, Prim.U8, "expected u8, got bool"),
        (1.0, Prim.S32, "expected i32, got float"),
        (None, Prim.S64, "expected i64, got None"),
        (300, Prim.U8, "expected u8, got 300 (out of range 0..255)"),
        (-1, Prim.U64, "expected u64, got -1 (out of range 0..18446744073709551615)"),
        pytest.param(10**5000, Prim.U8, "expected u8, got an int of 16610 bits (out of range 0..255)", id="huge"),
        (True, Prim.F64, "expected f64, got bool"),
        ("1", Prim.F32, "expected f32, got str"),
        (10**400, Prim.F64, "expected f64, got an int of 1329 bits (too large for a float)"),
        (-(10**400), Prim.F32, "expected f32, got an int of 1329 bits (too large for a float)"),
        (5, Prim.STRING, "expected string, got int"),
        (b"a", Prim.STRING, "expected string, got bytes"),
        (
            "ab\ud800",
            Prim.STRING,
            "expected string, got a lone surrogate U+D800 at character 2, which UTF-8 can't encode",
        ),
        (["a", "\udfff"], Array(Prim.STRING), "$[1]: expected string, got a lone surrogate U+DFFF at character 0, "),
        ("abc", Prim.BYTE_ARRAY, "expected []u8, got str"),
        ([1, 256], Prim.BYTE_ARRAY, "$[1]: expected u8, got 256 (out of range 0..255)"),
        ([1, True], Prim.BYTE_ARRAY, "$[1]: expected u8, got bool"),
        (b"abc", Array(Prim.U16), "expected []u16, got bytes"),
        ("abc", Array(Prim.STRING), "expected []string, got str"),
        ({1}, Array(Prim.S32), "expected []i32, got set"),
        ([1, 2, 2**31], Array(Prim.S32), "$[2]: expected i32, got 2147483648 (out of range "),
        ([[], [[True]]], Array(Array(Array(Prim.BOOLEAN))), None),
        ([[], [[1]]], Array(Array(Array(Prim.BOOLEAN))), "$[1][0][0]: expected bool, got int"),
        (5, POINT, "expected Point, got int"),
        (POINT, Prim.U8, "expected u8, got marine_runtime.types.Record"),
        (Place, POINT, "expected Point, got type"),
        ((1,), POINT, "expected the 2 fields of Point, got 1"),
        ({"x": 1}, POINT, "Point is missing field `y`"),
        ({}, POINT, "Point is missing fields `x`, `y`"),
        ({"x": 1, "y": 1, "z": 1}, POINT, "Point has no field `z`"),
        ({"x": 1, "y": 1, 5: 1}, POINT, "Point has no field 5"),
        ({"nane": "", "class": True, "odd name": 1}, ITEM, "Item has no field `nane`; did you mean `name`?"),
        ({"class": True, "class_": True}, ITEM, "Item got field `class` more than once"),
        (Place3(1, 2), POINT, "Point has no field `z`"),
        ([{"x": 1, "y": "a"}], Array(POINT), "$[0].y: expected f64, got str"),
        (("a", 300, True), ITEM, '$["odd name"]: expected u8, got 300 (out of range 0..255)'),
        ([1, [[2, [[3, None]]]]], NODE, "$.next[0].next[0].next: expected []Node, got None"),
        (5, Record(9), "expected record 9, which the module does not declare"),
        (
            Broken([1]),
            Array(Prim.U8),
            f"expected []u8, got {BROKEN} (OSError: disk on fire)",
        ),
        (
            Broken([1]),
            Array(Prim.S8),
            f"expected []i8, got {BROKEN} (OSError: disk on fire)",
        ),
        (Endless(), Array(Prim.U64), "expected []u64, got 1099511627776 elements (at most 536870911)"),
    ],
)
def test_refused(value: Any, ty: IType, message: str | None) -> None:
    if message is None:
        coerce(value, ty, RECORDS)
        return
    with pytest.raises(ArgumentError) as caught:
        coerce(value, ty, RECORDS)
    assert str(caught.value).startswith(message)
    expected_path = message.split(": ")[0] if message.startswith("$") else "$"
    assert caught.value.path == expected_path


def test_released_memoryview_is_refused() -> None:
    view = memoryview(b"abc")
    view.release()
    for ty in (Prim.BYTE_ARRAY, Array(Prim.U32)):
        with pytest.raises(ArgumentError, match="can't be read"):
            coerce(view, ty, {})


def test_path_starts_where_told() -> None:
    with pytest.raises(ArgumentError, match=r"^\$\.items\[3\]\.name: expected string, got int$"):
        coerce((5, 1, True), ITEM, RECORDS, path="$.items[3]")


def test_cyclic_and_deep_values_are_refused() -> None:
    knot: list[Any] = [1, []]
    knot[1].append(knot)
    with pytest.raises(ArgumentError, match=f"cyclic, or nested more than {MAX_DEPTH} levels") as caught:
        coerce(knot, NODE, RECORDS)
    assert caught.value.path.startswith("$.next[0].next[0]")
    assert len(caught.value.path) < 400
    fine: list[Any] = [1, []]
    for _ in range(MAX_DEPTH // 2 - 1):
        fine = [1, [fine]]
    result = coerce(fine, NODE, RECORDS)
    assert result[1][0][1][0][0] == 1
    with pytest.raises(ArgumentError, match="cyclic"):
        coerce([1, [fine]], NODE, RECORDS)


def test_deep_type_is_refused() -> None:
    ty: IType = Prim.U8
    for _ in range(20_000):
        ty = Array(ty)
    with pytest.raises(ArgumentError, match="nested"):
        coerce([], ty, {})
    coercers = Coercers({0: RecordType("R", (Field("again", Array(Record(0))), Field("deep", ty)))})
    for _ in range(2):
        with pytest.raises(ArgumentError, match="nested too deeply"):
            Binder(FunctionType((Field("a", Record(0)),)), {}, function="f", coercers=coercers)
    assert coercers.of(Prim.U8)(5, 1) == 5


def test_input_list_is_not_shared() -> None:
    mine = [1, 2]
    result = coerce(mine, Array(Prim.S32), {})
    mine.append(3)
    assert result == [1, 2]


@pytest.mark.parametrize("ty", sorted(INTEGER_RANGES, key=str))
@given(number=st.integers(-(2**65), 2**65))
def test_integers_fit_or_are_refused(ty: Prim, number: int) -> None:
    low, high = INTEGER_RANGES[ty]
    for value, wanted, result in ((number, ty, number), ([0, number], Array(ty), [0, number])):
        if low <= number <= high:
            coerced = coerce(value, wanted, {})
            assert coerced == (bytes(result) if wanted == Array(Prim.U8) else result)
        else:
            with pytest.raises(ArgumentError, match="out of range"):
                coerce(value, wanted, {})


@given(st.floats(width=32), st.integers(-(2**130), 2**130))
def test_f32_rounding(exact: float, number: int) -> None:
    assert struct.pack("<d", coerce(exact, Prim.F32, {})) == struct.pack("<d", exact) or math.isnan(exact)
    rounded = coerce(number, Prim.F32, {})
    if math.isfinite(rounded):
        bits = struct.unpack("<I", struct.pack("<f", abs(rounded)))[0]
        neighbours = [struct.unpack("<f", struct.pack("<I", other))[0] for other in (max(bits - 1, 0), bits + 1)]
        distance = abs(abs(number) - int(abs(rounded)))
        assert all(distance <= abs(abs(number) - int(other)) for other in neighbours if math.isfinite(other))


@pytest.mark.parametrize("length", [3, 10_000])
def test_abbreviated_never_fails(length: int) -> None:
    class Rude:
        def __repr__(self) -> str:
            raise ValueError("no")

    assert "Rude" in abbreviated(Rude())
    assert len(abbreviated("x\n" * length)) < 200
    assert abbreviated([2**100_000] * length).isprintable()
    assert abbreviated(2**100_000) == "an int of 100001 bits"


SIGNATURE = FunctionType((Field("name", Prim.STRING), Field("from", POINT), Field("odd name", Prim.U8)))


@pytest.mark.parametrize(
    ("args", "kwargs"),
    [
        (("a", (1, 2), 3), {}),
        (("a",), {"from": (1, 2), "odd name": 3}),
        ((), {"odd_name": 3, "from_": (1, 2), "name": "a"}),
    ],
)
def test_bind(args: Any, kwargs: dict[str, Any]) -> None:
    assert Binder(SIGNATURE, RECORDS, function="go")(args, kwargs) == ["a", (1, 2.0), 3]


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "go() is missing arguments `name`, `from`, `odd name`"),
        (("a", (1, 2)), {}, "go() is missing argument `odd name`"),
        ((1, 2, 3, 4), {}, "go() takes 3 arguments, got 4"),
        (("a",), {"nam": 1}, "go() has no argument `nam`"),
        ((), {"nam": 1}, "go() has no argument `nam`; did you mean `name`?"),
        (("a",), {"name": "b"}, "go() got argument `name` more than once"),
        ((), {"from": 1, "from_": 1}, "go() got argument `from` more than once"),
        ((5, (1, 2), 3), {}, "$.name: expected string, got int"),
        (("a", (1, None), 3), {}, "$.from.y: expected f64, got None"),
        (("a", (1, 2)), {"odd_name": -1}, '$["odd name"]: expected u8, got -1 (out of range 0..255)'),
    ],
)
def test_bind_refused(args: Any, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ArgumentError if message.startswith("$") else TypeError) as caught:
        Binder(SIGNATURE, RECORDS, function="go")(args, kwargs)
    assert str(caught.value) == message


def test_bind_without_parameters() -> None:
    assert Binder(FunctionType(), {}, function="f")((), {}) == []
    with pytest.raises(TypeError, match=r"^f\(\) takes 0 arguments, got 1$"):
        Binder(FunctionType(), {}, function="f")((1,), {})


def test_binders_share_compiled_types() -> None:
    coercers = Coercers(RECORDS)
    first = Binder(SIGNATURE, RECORDS, function="a", coercers=coercers)
    assert first.names == ["name", "from_", "odd_name"]
    assert coercers.of(POINT) is coercers.of(Record(0))
    assert first(("a", (1, 2), 3), {}) == Binder(SIGNATURE, RECORDS, function="b", coercers=coercers)(
        ("a", (1, 2), 3), {}
    )


def test_many_missing_fields_are_counted() -> None:
    wide = {0: RecordType("Wide", tuple(Field(f"f{number}", Prim.U8) for number in range(9)))}
    with pytest.raises(ArgumentError, match=r"missing fields `f0`, `f1`, `f2`, `f3`, `f4` and 4 more$"):
        coerce({}, Record(0), wide)


def test_hostile_names_in_messages_stay_on_one_line() -> None:
    nasty = "a\n\x1b[31m`\u202e" + "x" * 10_000
    records = {0: RecordType(nasty, (Field(nasty, Prim.U8), Field(nasty + "y", Prim.U8)))}
    for value in ({}, {nasty: 1}, {nasty[:-1]: 1, nasty: 1}, 5):
        with pytest.raises(ArgumentError) as caught:
            coerce(value, Record(0), records)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 600


def test_classes_that_share_the_names_of_fields_are_read_as_their_own() -> None:
    """Also when the class is not hashable, and when an instance lacks an attribute."""

    class Unhashable(type):
        __eq__ = type.__eq__

    class Pair(metaclass=Unhashable):
        __marine_fields__ = ("class", "x")

        def __init__(self, **attributes: Any) -> None:
            self.__dict__.update(attributes)

    records = {0: RecordType("Pair", (Field("class", Prim.U8), Field("x", Prim.STRING)))}
    convert = coercion(Record(0), records)
    for _ in range(2):
        assert convert(Pair(class_=1, x="a")) == (1, "a")
    with pytest.raises(ArgumentError):
        convert(Pair(x="a"))
    with pytest.raises(ArgumentError, match=r"\$\.x: expected string, got int"):
        convert(Pair(class_=1, x=2))
