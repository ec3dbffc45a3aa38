"""Definitions and what they request."""

from __future__ import annotations

from marine_gen.codegen.definitions import Definitions


def defined() -> Definitions:
    """`f` requests `g`, which requests itself, and `h`, which nothing defines. `i` is alone."""
    definitions = Definitions()
    with definitions.definition("f") as f:
        with definitions.definition("g") as g:
            g.lines = [definitions.use("g")]
        f.lines = [definitions.use("g"), definitions.use("h"), definitions.use("g")]
    with definitions.definition("i") as i:
        i.lines = ["i"]
    return definitions


def test_requests_belong_to_the_definition_that_is_being_written() -> None:
    definitions = defined()
    assert {item.name: list(item.uses) for item in definitions} == {"f": ["g", "h"], "g": ["g"], "i": []}
    assert definitions.use("i") == "i"  # by nothing that is defined here


def test_reached_are_callers_first_and_each_once() -> None:
    definitions = defined()
    assert [item.name for item in definitions.reached("f")] == ["f", "g"]
    assert [item.name for item in definitions.reached("i")] == ["i"]
    assert definitions.reached("h") == []
    assert "h" not in definitions
