"""Types of interfaces: their JSON form, and which of them reach which."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_runtime.types import (
    Array,
    Field,
    IType,
    Prim,
    Record,
    RecordType,
    from_json,
    reachable_records,
    recursive_records,
    to_json,
)


@given(st.dictionaries(st.integers(0, 7), st.lists(st.integers(0, 9), max_size=3), max_size=8))
def test_recursive_records_are_those_that_lead_to_a_record_in_itself(edges: dict[int, list[int]]) -> None:
    records = {
        index: RecordType(f"R{index}", tuple(Field(f"f{other}", Array(Record(other))) for other in inside))
        for index, inside in edges.items()
    }

    def within(index: int) -> list[int]:
        return reachable_records([item.type for item in records[index].fields], records)

    in_itself = {index for index in records if index in within(index)}
    assert recursive_records(records) == in_itself | {index for index in records if in_itself & set(within(index))}


@pytest.mark.parametrize(
    ("ty", "document"),
    [
        (Array(Record(3)), {"Array": {"Record": 3}}),
        *(
            (Prim.BOOLEAN, "Boolean"),
            (Prim.BYTE_ARRAY, "ByteArray"),
            (Prim.S8, "S8"),
            (Array(Prim.U8), {"Array": "U8"}),
        ),
    ],
    ids=str,
)
def test_types_as_json(ty: IType, document: object) -> None:
    assert to_json(ty) == document
    assert from_json(document) == ty
