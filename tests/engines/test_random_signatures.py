"""Random signatures with random values: every engine gives the same results and treats guests alike.

MARINE_GEN_SIGNATURES sets how many signatures the long run draws.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from marine_gen.artifact import compile_module
from marine_gen.generate import RecordDeclaration, Signature
from tests.support.echo import Memory, chain, take_logs
from tests.support.engines import CONFIGURATIONS, load, shown
from tests.support.values import signatures, values

Drawn = tuple[tuple[RecordDeclaration, ...], Signature]

COUNT = int(os.environ.get("MARINE_GEN_SIGNATURES", "1500"))
CALLS = 3
MEMORIES = (Memory(), Memory(fresh=True), Memory(pages=3, base=2**17 + 2, gap=0))


def check(drawn: Drawn, data: st.DataObject) -> None:
    records, signature = drawn
    by_name = {record.name: record for record in records}
    arguments = st.tuples(*(values(param.type, by_name) for param in signature.params))
    calls: list[tuple[Any, ...]] = [data.draw(arguments, label="arguments") for _ in range(CALLS)]
    modules = chain([signature], records, data.draw(st.sampled_from(MEMORIES)))
    note(compile_module("outer", modules["outer"]).generate().source)
    logs = []
    for configuration in CONFIGURATIONS:
        with load(modules, configuration.engine, configuration.call_layer) as service:
            for args in calls:
                assert shown(service.call("outer", "f", args)) == shown(args[0]), configuration
            logs.append(take_logs(service))
    for configuration, log in zip(CONFIGURATIONS, logs, strict=True):
        assert log == logs[0], configuration


_SETTINGS = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@settings(_SETTINGS, max_examples=25, derandomize=True)
@given(signatures(), st.data())
def test_random_signatures(drawn: Drawn, data: st.DataObject) -> None:
    check(drawn, data)


@pytest.mark.slow
@settings(_SETTINGS, max_examples=COUNT)
@given(signatures(), st.data())
def test_many_random_signatures(drawn: Drawn, data: st.DataObject) -> None:
    check(drawn, data)
