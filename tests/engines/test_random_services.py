"""Random services, many calls each, on every engine and call layer; `make fuzz` goes through more of them."""

from __future__ import annotations

from random import Random

import pytest

from marine_gen.artifact import compile_module
from marine_gen.text import print_interfaces
from tests.support.batches import BATCHES, compare
from tests.support.engines import CONFIGURATIONS, OFTEN
from tests.support.fused import unfused
from tests.support.programs import program
from tests.support.samples import sampled


@pytest.mark.parametrize("number", sampled(range(3), lambda number: number == 0))
@pytest.mark.parametrize("kind", BATCHES)
def test_random_services(kind: str, number: int) -> None:
    batch = BATCHES[kind](Random(f"{kind} {number}"), 120)
    assert kind == "programs" or not any(unfused(batch.modules).values())
    differences = compare(batch, CONFIGURATIONS if number else OFTEN)
    texts = {name: print_interfaces(compile_module(name, wasm).interfaces) for name, wasm in batch.modules.items()}
    assert not differences, "\n".join([*map(str, differences), *texts.values()])


def test_random_adapters_are_well_typed() -> None:
    """Whatever is drawn compiles, and all but a few of the instructions are drawn."""
    seen: set[str] = set()
    for number in range(12):
        for name, wasm in program(Random(number), 12).modules.items():
            adapters = compile_module(name, wasm).interfaces.adapters
            seen.update(item.operator.mnemonic for adapter in adapters for item in adapter.instructions)
    assert len(seen) > 40
    assert seen >= {"dup", "swap2", "string.lower_memory", "array.lift_memory", "record.lower_memory", "i32.from_bool"}
