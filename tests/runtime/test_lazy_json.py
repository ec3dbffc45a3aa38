"""JSON that is read without `json`: the same values, and the same errors."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_runtime.lazy import json_text
from marine_runtime.lazy.json_text import parse_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(VALUES, st.sampled_from([None, 1]))
def test_values_are_those_of_json(value: Any, indent: int | None) -> None:
    assert parse_json(json.dumps(value, indent=indent)) == value
    assert parse_json(json.dumps(value, ensure_ascii=False) + " \n") == value


@pytest.mark.parametrize("text", ["", " ", "{", "[1,]", "1 2", '"\n"', "nul", '{"a" 1}', "\ufeff1", "[" * 100_000])
def test_errors_are_those_of_json(text: str) -> None:
    with pytest.raises((ValueError, RecursionError)) as ours:
        parse_json(text)
    with pytest.raises((ValueError, RecursionError)) as theirs:
        json.loads(text)
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


def test_without_the_scanner_json_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_text, "_scan", None)
    assert parse_json('{"a": [1, NaN]}')["a"][0] == 1
