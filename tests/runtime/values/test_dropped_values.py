"""Values that a repeated key drops are checked as well: of equal keys the last one counts, in text that is JSON."""

from __future__ import annotations

import pytest

from marine_runtime import ArgumentError
from marine_runtime.values import parse


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"name": 1e400, "name": "a"}', "has a number that is out of range"),
        ('{"name": [{"x": -1e999}], "name": "a"}', "has a number that is out of range"),
        ('[{"name": ' + "9" * 400 + ', "name": "a"}]', "has a number that is out of range"),
        ('{"name": "\\ud800", "name": "a"}', "has half of a surrogate pair"),
        ('{"name": {"\\udc00": 1}, "name": "a"}', "has half of a surrogate pair"),
        ('{"name": ' + "[" * 200 + "]" * 200 + ', "name": "a"}', "is nested more than 128 levels deep"),
    ],
)
def test_what_no_value_shows(text: str, problem: str) -> None:
    with pytest.raises(ArgumentError, match=f"the key 'name' is repeated, and a value that it had before {problem}"):
        parse(text)


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', '{"a": 1e300, "a": 2}', '{"a": "\\ud83d\\ude00", "a": 2}', '{"a": [[1]], "a": 2}']
)
def test_the_last_one_counts(text: str) -> None:
    assert parse(text) == {"a": 2}
