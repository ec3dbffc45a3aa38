"""Words and JSON values of command lines; durations and results as they are written."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_gen.repl.dispatch import goes_on
from marine_gen.repl.failure import CommandError
from marine_gen.repl.reading import take_json, take_word, unfinished
from marine_gen.repl.spelling import duration, pretty

DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ("", "")),
        ("  call  a b", ("call", "a b")),
        ('"two words" rest', ("two words", "rest")),
        ('"a\\"b"c', ('a"b', "c")),
        ("word", ("word", "")),
        ('wo"rd x', ('wo"rd', "x")),
    ],
)
def test_words(text: str, expected: tuple[str, str]) -> None:
    assert take_word(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[1,", True),
        ('{"a": [', True),
        ("[1]", False),
        ("[1] {", True),
        ('["[', False),  # a string can't go on in the next line
        ('["]', False),
        ('["\\"]', False),
        ("]", False),
        ("[]]", False),
        ("", False),
        ('["a",\n"b",', True),
    ],
)
def test_open_values(text: str, expected: bool) -> None:
    assert unfinished(text) is expected


@given(DOCUMENTS)
def test_what_is_complete_is_complete_and_its_beginnings_in_brackets_are_not(document: object) -> None:
    text = json.dumps([document])
    assert not unfinished(text)
    assert unfinished(text[:-1]) or text[:-1].count('"') % 2
    assert take_json(f"{text} rest", "args") == (text, "rest")


def test_only_commands_with_arguments_go_on() -> None:
    assert goes_on("call m f [1,\n")
    assert goes_on("  c m f {\n")
    assert not goes_on("call m f [1,\n\n")
    assert not goes_on("load m [\n")
    assert not goes_on("nothing [\n")


@given(st.text(max_size=40))
def test_no_text_is_too_strange(text: str) -> None:
    for read in (unfinished, goes_on):
        assert read(text) in (True, False)
    for take in (take_word, lambda given: take_json(given, "args")):
        with contextlib.suppress(CommandError):
            assert len(take(text)) == 2


def test_the_caret_of_a_long_line_is_at_its_place() -> None:
    text = f"[{'1, ' * 1000}oops{', 1' * 1000}]"
    with pytest.raises(CommandError) as caught:
        take_json(text, "args")
    message, line, caret = str(caught.value).split("\n")
    assert message == "invalid args: expecting value at line 1 column 3002"
    assert len(line) < 200
    assert line[caret.index("^") :].startswith("oops")


@pytest.mark.parametrize(("text", "problem"), [("[" * 100_000, "nested"), ("9" * 10_000, "invalid args: ")])
def test_monstrous_values(text: str, problem: str) -> None:
    with pytest.raises(CommandError, match=problem):
        take_json(text, "args")


@pytest.mark.parametrize(
    ("nanoseconds", "expected"),
    [
        (0, "0ns"),
        (999, "999ns"),
        (1000, "1µs"),
        (42_985, "42.985µs"),
        (1_444_318, "1.444318ms"),
        (370_481_876, "370.481876ms"),
        (100_000_000, "100ms"),
        (1_500_000_000, "1.5s"),
        (61_000_000_001, "61.000000001s"),
    ],
)
def test_durations(nanoseconds: int, expected: str) -> None:
    assert duration(nanoseconds) == expected


@given(DOCUMENTS)
def test_results_are_indented_as_the_library_does(document: object) -> None:
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    assert pretty(text) == json.dumps(document, ensure_ascii=False, indent=2)


def test_numbers_keep_their_spelling() -> None:
    assert pretty('{"a":1e16,"b":0.00001,"c":-0.0}') == '{\n  "a": 1e16,\n  "b": 0.00001,\n  "c": -0.0\n}'
