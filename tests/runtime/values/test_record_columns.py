"""Arrays of records as Python values get what each of their records gets alone."""

from typing import Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from marine_runtime.errors import ArgumentError
from marine_runtime.types import Array, Field, IType, Prim, Record, RecordType
from marine_runtime.values.coerce import coercion
from marine_runtime.values.record_columns import RecordClasses
from marine_runtime.values.records import make_record_classes

INNER, OUTER, NODE, EMPTY = (Record(number) for number in range(4))
RECORDS = {
    0: RecordType("Inner", (Field("flag", Prim.BOOLEAN), Field("data", Array(Prim.U8)))),
    1: RecordType(
        "Outer", (Field("id", Prim.U8), Field("name", Prim.STRING), Field("part", INNER), Field("ratio", Prim.F32))
    ),
    2: RecordType("Node", (Field("label", Prim.U8), Field("next", Array(NODE)))),
    3: RecordType("Empty", ()),
}
CLASSES = make_record_classes(RECORDS, "m")
InnerClass, OuterClass, EmptyClass = CLASSES[0], CLASSES[1], CLASSES[3]


class Named(NamedTuple):
    ratio: float
    part: object
    name: str
    id: int


class Less(OuterClass):  # type: ignore[valid-type, misc]
    """An instance lacks a field."""

    def __init__(self) -> None:
        object.__setattr__(self, "id", 1)


INNERS = st.sampled_from([(True, b"x"), (False, b""), (1, b"x"), (True, [1, 2]), (True,), InnerClass(True, b"y"), None])
NAMES, IDS = st.sampled_from(["", "a", "é", "\ud800", b"a"]), st.sampled_from([0, 255, 256, -1, True, 1.0])
GOOD = st.tuples(st.just(7), st.just("a"), st.just((True, b"x")), st.sampled_from([0.5, 0.1, 1e300]))
ODD = st.tuples(IDS, NAMES, INNERS, st.sampled_from([0.1, 3, "x", True]))
ROWS = st.one_of(
    st.lists(GOOD, max_size=4),
    st.lists(GOOD.map(lambda row: OuterClass(*row)), max_size=4),
    st.lists(st.one_of(GOOD, ODD), max_size=4),
    st.lists(st.one_of(GOOD, ODD).map(lambda row: OuterClass(*row)), max_size=4),
    st.lists(
        st.one_of(
            GOOD,
            ODD.map(lambda row: Named(row[3], row[2], row[1], row[0])),
            ODD.map(lambda row: dict(zip(("id", "name", "part", "ratio"), row, strict=True))),
            st.builds(Less),
            st.just((1, "a")),
        ),
        max_size=4,
    ),
)


def _one_by_one(rows: list[Any], ty: IType) -> object:
    made = []
    for position, row in enumerate(rows):
        try:
            made.append(coercion(ty, RECORDS, f"$[{position}]")(row))
        except ArgumentError as error:
            return str(error)
    return made


def _whole(rows: list[Any], ty: IType) -> object:
    try:
        return coercion(Array(ty), RECORDS)(rows)
    except ArgumentError as error:
        return str(error)


@given(ROWS)
def test_an_array_becomes_what_its_records_become(rows: list[Any]) -> None:
    whole = _whole(rows, OUTER)
    assert whole == _one_by_one(rows, OUTER)
    if isinstance(whole, list):
        assert all(type(row) is tuple and type(row[0]) is int for row in whole)


def test_tuples_that_need_no_conversion_are_taken_a_column_at_a_time() -> None:
    rows = [(True, b"x"), (False, b"")]
    coerced = coercion(Array(INNER), RECORDS)(rows)
    assert coerced is not rows
    assert [id(row) for row in coerced] == [id(row) for row in rows]


def test_recursive_and_empty_records_have_no_columns() -> None:
    leaf = (1, [])
    assert _whole([(2, [leaf, (3, [leaf])]), leaf], NODE) == [(2, [leaf, (3, [leaf])]), leaf]
    assert _whole([(2, [leaf, (300, [])])], NODE) == "$[0].next[1].label: expected u8, got 300 (out of range 0..255)"
    assert _whole([(), ()], EMPTY) == [(), ()]
    assert _whole([EmptyClass(), EmptyClass()], EMPTY) == [(), ()]


def test_fields_are_asked_for_once_and_only_when_they_are_needed() -> None:
    asked = []
    bulk = RecordClasses(RECORDS[0], ["flag", "data"], ["flag", "data"]).bulk(lambda: asked.append(1) or [None])
    assert bulk([]) == []
    assert bulk([{}]) is None
    assert asked == []
    assert [bulk([(True, b"")]) for _ in range(3)] == [None] * 3
    assert asked == [1]
