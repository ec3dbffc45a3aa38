"""Every target of the fuzzing bench, bounded and the same in every run; `make fuzz` goes on from here."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import inputs
from tests.fuzz.targets import TARGETS, Target

RUNS = settings().max_examples


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_every_target_survives_random_input(target: Target) -> None:
    assert any(map(target.accepts, target.seeds())), "no seed is read, so nothing behind the reader is tested"

    @settings(max_examples=RUNS, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs(target))
    def run(data: bytes) -> None:
        target.accepts(data)

    run()


@settings(max_examples=100, derandomize=True, database=None)
@given(st.binary(max_size=4))
def test_dictionaries_hold_what_libfuzzer_can_read(data: bytes) -> None:
    from tests.fuzz.worker import dictionary_entry

    entry = dictionary_entry(data)
    assert entry.isascii()
    assert eval(f"b{entry}") == data
