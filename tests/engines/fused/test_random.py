"""Random signatures with random values, many to a module: the fused engine and the interpreter agree.

Where `test_random_signatures.py` shrinks what it finds, this goes through thousands of cases, twelve arguments wide, in
the time that it takes to build a hundred services. What it draws depends on MARINE_GEN_FUSED_SEED alone;
MARINE_GEN_FUSED_MODULES says for how many modules.
"""

from __future__ import annotations

import os

import pytest

from tests.support.draw import Draw
from tests.support.echo import Memory, chain, take_logs
from tests.support.engines import load, shown
from tests.support.fused import unfused

MODULES = int(os.environ.get("MARINE_GEN_FUSED_MODULES", "100"))
SEED = int(os.environ.get("MARINE_GEN_FUSED_SEED", "20240229"))
FUNCTIONS = 20
VALUES = 3
MEMORIES = (Memory(), Memory(gap=0), Memory(pages=2, base=2**16 + 13, gap=3), Memory(pages=40, base=2**21, gap=5))


def run(number: int) -> None:
    """One pair of modules with random functions; every value goes through both, alone and in a batch."""
    draw = Draw(f"{SEED} {number}")
    signatures = [draw.signature(f"f{index}") for index in range(FUNCTIONS)]
    modules = chain(signatures, [*draw.records.values()], MEMORIES[number % len(MEMORIES)])
    assert not any(unfused(modules).values())
    with load(modules, "fused") as fused, load(modules, "interpreter") as interpreter:
        for signature in signatures:
            rows = [[draw.value(param.type) for param in signature.params] for _ in range(VALUES)]
            expected = [shown(row[0]) for row in rows]
            where = (SEED, number, signature, rows)
            for module in ("inner", "outer"):
                for service in (fused, interpreter):
                    assert [shown(service.call(module, signature.name, row)) for row in rows] == expected, where
                    found = service.call_batch(module, signature.name, rows)
                    assert list(map(shown, found)) == expected, where
            assert take_logs(fused) == take_logs(interpreter), where


@pytest.mark.parametrize("number", range(3))
def test_random_services(number: int) -> None:
    run(number)


@pytest.mark.slow
def test_many_random_services() -> None:
    for number in range(MODULES):
        run(number)
