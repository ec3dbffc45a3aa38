"""Carets under arguments that do not fit."""

from __future__ import annotations

import pytest

from marine_gen.artifact import compile_module
from marine_gen.repl.positions import position_of
from marine_runtime.errors import ArgumentError
from marine_runtime.values.json import arguments_from_json
from tests.support.engines import guest

PLAN = compile_module("records", guest("records_passing_effector")).plan

WRONG = [
    ("test_record", '[{"test_record_0": {"field_0": ^"x"}, "test_record_1": {}}]'),
    ("test_record", "[[[1], [1, ^2, [], [0]]]]"),
    ("test_record", '{"test_record": {"test_record_0": [7], "test_record_1": [1, "a, ]", [1, ^256], [1]]}}'),
    ("test_record", '[ ^{"test_record_0": [7]}]'),
    ("pass_droppable_record", '[{"data": [1], "data2": [[2], [3], {"id" :^-4}]}, []]'),
    ("pass_droppable_record", "[[[1], [[2], [3]]],\n [[[^true], []]]]"),
    ("pass_droppable_record", '{"records": [], "record": ^7}'),
    ("pass_droppable_record", '{"record": 8, "records": [], "record": ^7}'),
]
"""Functions and arguments, a caret before the value that does not fit."""


@pytest.mark.parametrize(("function", "marked"), WRONG)
def test_the_place_of_a_value(function: str, marked: str) -> None:
    signature, text = PLAN.exports[function], marked.replace("^", "")
    with pytest.raises(ArgumentError) as caught:
        arguments_from_json(text, signature, PLAN.records, module="records", function=function)
    place = position_of(caught.value.path, text, signature, PLAN.records)
    assert place is not None, caught.value
    assert f"{text[:place]}^{text[place:]}" == marked, caught.value


@pytest.mark.parametrize("path", ["$", "", "$.", "$.a b.c[", "nothing"])
def test_paths_that_lead_nowhere(path: str) -> None:
    assert position_of(path, "[1]", PLAN.exports["test_record"], PLAN.records) in (None, 0)
