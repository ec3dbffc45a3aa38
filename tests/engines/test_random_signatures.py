"""Random signatures with random values: every engine gives the same results and treats guests alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from hypothesis import note
from hypothesis import strategies as st

from marine_gen.artifact import compile_module
from marine_gen.generate import RecordDeclaration, Signature
from tests.support.echo import Memory, chain, take_logs
from tests.support.engines import CONFIGURATIONS, OFTEN, Configuration, load, shown
from tests.support.random_values import arguments, drivers

MEMORIES = (Memory(), Memory(fresh=True), Memory(pages=3, base=2**17 + 2, gap=0))


def check(
    records: tuple[RecordDeclaration, ...],
    signature: Signature,
    data: st.DataObject,
    count: int,
    configurations: Sequence[Configuration] = OFTEN,
) -> None:
    calls = arguments(records, signature, data, count)
    modules = chain([signature], records, data.draw(st.sampled_from(MEMORIES)))
    note(compile_module("outer", modules["outer"]).generate().source)
    logs = []
    for configuration in configurations:
        with load(modules, configuration.engine, configuration.call_layer) as service:
            for args in calls:
                assert shown(service.call("outer", "f", args)) == shown(args[0]), configuration
            logs.append(take_logs(service))
    for configuration, log in zip(configurations, logs, strict=True):
        assert log == logs[0], configuration


test_random_signatures, test_many_random_signatures = drivers(
    check, 10, everywhere=partial(check, configurations=CONFIGURATIONS)
)
