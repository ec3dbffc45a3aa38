"""Record classes, public values, and the identifiers that names of a wasm file become."""

import copy
import dataclasses
import inspect
import keyword
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_runtime.errors import ArgumentError, ResultError
from marine_runtime.texts import MAX_IDENTIFIER, field_step, identifier, identifiers, quoted, suggestion
from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType
from marine_runtime.values.coerce import coerce
from marine_runtime.values.records import class_names, make_record_classes, python_type, to_public

POINT, LINE, NODE = Record(3), Record(1), Record(7)
RECORDS = {
    1: RecordType("Line", (Field("name", Prim.STRING), Field("ends", Array(POINT)), Field("middle", POINT))),
    3: RecordType("Point", (Field("x", Prim.S32), Field("class", Prim.F64))),
    7: RecordType("Node", (Field("label", Prim.BYTE_ARRAY), Field("next", Array(NODE)))),
}
CLASSES: dict[int, Any] = make_record_classes(RECORDS, "shapes")

HOSTILE = [
    *("", "_", "__", "__init__", "__dict__", "__x", "class", "None", "match", "self", "cls", "print", "list", "int"),
    *("a-b", "a_b", "a b", "1st", "a\nb", 'a"b', "a'b", "a\\b", "a`b", "a\0b", "a; import os", "def f():", "\ud800"),
    *("größe", "ａ", "а", "a", "ﬁ", "ℌ", "a", "a_2", "_2", "x" * 10_000, "x" * 9_999, "x" * 9_999 + "y", "\u202e"),
    *(
        "MISSING",
        "_HAS_DEFAULT_FACTORY",
        "object",
        "dataclasses",
        "__marine_record__",
        "ClassVar",
        "InitVar",
        "KW_ONLY",
    ),
]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("name", "name"),
        ("", "_"),
        ("_", "_"),
        ("class", "class_"),
        ("None", "None_"),
        ("match", "match"),
        ("1st", "_1st"),
        ("odd name", "odd_name"),
        ("a-b.c", "a_b_c"),
        ("__init__", "_init__"),
        ("__x", "_x"),
        ("__", "_"),
        ("--x", "_x"),
        ("_x", "_x"),
        ("ａｂ", "ab"),
        ("größe", "gr__e"),
    ],
)
def test_identifier(name: str, expected: str) -> None:
    assert identifier(name) == expected


def test_identifier_avoids_taken_names() -> None:
    assert identifier("a", {"a"}) == "a_2"
    assert identifier("a", {"a", "a_2"}) == "a_3"
    assert identifier("", {"_"}) == "_2"
    assert identifier("class", {"class_"}) == "class_2"


def test_identifiers_keep_names_that_are_fine() -> None:
    assert identifiers(["a-b", "a_b", "a b"]) == ["a_b_2", "a_b", "a_b_3"]
    assert identifiers(["", "", "a", "a", "a_2"]) == ["_", "_2", "a", "a_3", "a_2"]
    assert identifiers(["self", "x"], reserved={"self"}) == ["self_2", "x"]


def test_long_names_are_cut_and_stay_distinct() -> None:
    one, two = identifier("x" * 10_000), identifier("x" * 9_999)
    assert one != two
    assert one == identifier("x" * 10_000)
    assert len(one) == MAX_IDENTIFIER
    assert len(identifiers(["x" * 80, "x" * 80])[1]) == MAX_IDENTIFIER


def test_many_equal_names_are_cheap() -> None:
    assert len(set(identifiers([""] * 50_000))) == 50_000


def _check_identifiers(names: list[str]) -> None:
    result = identifiers(names, reserved={"self"})
    assert len(set(result)) == len(names)
    for name in result:
        assert name.isascii()
        assert name.isidentifier()
        assert not keyword.iskeyword(name)
        assert not name.startswith("__")
        assert name != "self"
        assert len(name) <= MAX_IDENTIFIER
        # The spelling of one name is never the name of another, so both can be looked up together.
        assert name not in names or result[names.index(name)] == name
    assert identifiers(names, reserved={"self"}) == result


def test_hostile_identifiers() -> None:
    _check_identifiers(HOSTILE)


@given(st.lists(st.text(max_size=6) | st.sampled_from(HOSTILE) | st.text("_ab2-", max_size=4), max_size=12))
def test_any_identifiers(names: list[str]) -> None:
    _check_identifiers(names)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("name", ".name"),
        ("class", ".class"),
        ("größe", ".größe"),
        ("odd name", '["odd name"]'),
        ("", '[""]'),
        ('"', '["\\""]'),
        ("é é", '["é é"]'),
        ("a\u202e", '["a\\u202e"]'),
        ("a\nb", '["a\\nb"]'),
    ],
)
def test_field_step(name: str, step: str) -> None:
    assert field_step(name) == step


def test_names_in_messages() -> None:
    assert quoted("a\nb") == "`a\\nb`"
    assert quoted("x" * 100) == f"`{'x' * 79}…`"
    assert suggestion("nam", ["name", "zebra"]) == "; did you mean `name`?"
    assert suggestion("nam", ["zebra"]) == ""
    assert suggestion(5, ["zebra"]) == ""
    assert suggestion("x" * 10_000, ["x" * 9_999] * 1000) == ""


def test_classes_are_frozen_dataclasses() -> None:
    point = CLASSES[3](x=1, class_=2.0)
    assert point == CLASSES[3](1, 2.0)
    assert repr(point) == "Point(x=1, class_=2.0)"
    assert dataclasses.asdict(point) == {"x": 1, "class_": 2.0}
    assert dataclasses.replace(point, x=5).x == 5
    assert copy.deepcopy(point) == point
    assert hash(point) == hash(CLASSES[3](1, 2.0))
    with pytest.raises(dataclasses.FrozenInstanceError):
        point.x = 2
    assert CLASSES[3].__marine_record__ is RECORDS[3]
    assert CLASSES[3].__module__ == "shapes"
    assert CLASSES[3].__doc__ == "Record Point of module shapes."


def test_classes_are_annotated() -> None:
    line = CLASSES[1]
    expected = {"name": str, "ends": list[CLASSES[3]], "middle": CLASSES[3]}
    assert typing.get_type_hints(line) == expected
    assert {field.name: field.type for field in dataclasses.fields(line)} == expected
    assert {name: part.annotation for name, part in inspect.signature(line).parameters.items()} == expected
    assert typing.get_type_hints(CLASSES[7]) == {"label": bytes, "next": list[CLASSES[7]]}


@pytest.mark.parametrize(
    ("ty", "expected"),
    [
        (Prim.BOOLEAN, bool),
        (Prim.I64, int),
        (Prim.F32, float),
        (Array(Prim.U8), bytes),
        (Array(Prim.BYTE_ARRAY), list[bytes]),
        (Array(Array(POINT)), list[list[CLASSES[3]]]),
    ],
)
def test_python_type(ty: IType, expected: Any) -> None:
    assert python_type(ty, CLASSES) == expected


def test_hostile_names_make_working_classes() -> None:
    fields = tuple(Field(name, Prim.U8) for name in HOSTILE)
    records = {number: RecordType(name, fields) for number, name in enumerate(HOSTILE)}
    for module in ("typing", "dataclasses", "builtins", "a\nb", ""):
        classes = make_record_classes(records, module)
        assert len({cls.__name__ for cls in classes.values()}) == len(HOSTILE)
        assert not {cls.__name__ for cls in classes.values()} & {"int", "list", "str"}
        assert {index: cls.__name__ for index, cls in classes.items()} == class_names(records)
        value = tuple(range(len(HOSTILE)))
        for index in (0, len(HOSTILE) - 1):
            public = to_public(Record(index), records, classes)
            assert public is not None
            instance = public(value)
            assert instance == classes[index](*value)
            assert dataclasses.astuple(instance) == value
            assert coerce(instance, Record(index), records) == value
            assert coerce(dataclasses.asdict(instance), Record(index), records) == value


@pytest.mark.parametrize("ty", [Prim.U8, Prim.STRING, Prim.BYTE_ARRAY, Array(Array(Prim.STRING)), Record(99)])
def test_values_without_records_are_public_already(ty: IType) -> None:
    assert to_public(ty, RECORDS, CLASSES) is None


def test_public_values_and_back() -> None:
    point, line = CLASSES[3], CLASSES[1]
    convert = to_public(Array(LINE), RECORDS, CLASSES)
    assert convert is not None
    internal = [("a", [(1, 2.0), (3, 4.0)], (5, 6.0)), ("b", [], (7, 8.0))]
    public = convert(internal)
    assert public == [line("a", [point(1, 2.0), point(3, 4.0)], point(5, 6.0)), line("b", [], point(7, 8.0))]
    assert coerce(public, Array(LINE), RECORDS) == internal


def test_recursive_records() -> None:
    node = CLASSES[7]
    convert = to_public(NODE, RECORDS, CLASSES)
    assert convert is not None
    internal = (b"a", [(b"b", []), (b"c", [(b"d", [])])])
    assert convert(internal) == node(b"a", [node(b"b", []), node(b"c", [node(b"d", [])])])
    assert coerce(convert(internal), NODE, RECORDS) == internal
    for _ in range(5_000):
        internal = (b"", [internal])
    with pytest.raises(ResultError, match="a Node is nested too deeply"):
        convert(internal)


def test_deep_type_is_refused() -> None:
    ty: IType = POINT
    for _ in range(20_000):
        ty = Array(ty)
    with pytest.raises(ResultError, match="nested too deeply"):
        to_public(ty, RECORDS, CLASSES)


def test_instances_are_checked_like_any_value() -> None:
    point = CLASSES[3]
    with pytest.raises(ArgumentError, match=r"^\$\.class: expected f64, got str$"):
        coerce(point(1, "a"), POINT, RECORDS)
    stripped = point(1, 2.0)
    object.__delattr__(stripped, "x")
    with pytest.raises(ArgumentError, match=r"^Point is missing field `x`$"):
        coerce(stripped, POINT, RECORDS)
    other = make_record_classes({0: RecordType("Q", (Field("class", Prim.F64), Field("x", Prim.S32)))}, "other")[0]
    assert coerce(other(2.0, 1), POINT, RECORDS) == (1, 2.0)
    with pytest.raises(ArgumentError, match=r"^Line has no field `x`$"):
        coerce(point(1, 2.0), LINE, RECORDS)
