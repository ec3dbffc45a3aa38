"""Cost of generating and loading over size: what eight times as much takes, in processor time of this process.

MARINE_GEN_GROWTH sets how many times larger the large services are.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from time import process_time

import pytest

import marine_gen
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime.types import Prim
from tests.bench.modules import chain
from tests.support.echo import Memory, echo_module, function

GROWTH = int(os.environ.get("MARINE_GEN_GROWTH", "8"))
MOST = 2
"""The most that a function, a field, a level or a module may cost in the large service, in units of the small one's."""

Made = tuple[dict[str, bytes], tuple[str, str, list[object]]]
"""A service, and a call of it."""


def one(functions: tuple[Signature, ...], *records: RecordDeclaration) -> dict[str, bytes]:
    """A service of one module that returns what it is given."""
    return {"m": echo_module(Description(records, functions), Memory())}


def functions(count: int) -> Made:
    """A module with so many functions of a text and a number."""
    made = tuple(function(f"f{number}", Prim.STRING, Prim.U32) for number in range(count))
    return one(made), ("m", "f3", ["x", 1])


def fields(count: int) -> Made:
    """A module with a record of so many fields, half of them of variable length."""
    kinds: list[tuple[Type, object]] = [(Prim.U32, 1), (Prim.STRING, "s"), (Prim.U8, 2), (Vector(Prim.U64), [3])]
    members = tuple(Member(f"x{number}", kinds[number % 4][0]) for number in range(count))
    value = {item.name: kinds[number % 4][1] for number, item in enumerate(members)}
    return one((function("f", Named("R")),), RecordDeclaration("R", members)), ("m", "f", [value])


def levels(count: int) -> Made:
    """A module with so many records in each other."""
    value: object = 1
    records = []
    for number in range(count):
        inner = Named(f"R{number - 1}") if number else Prim.U32
        records.append(RecordDeclaration(f"R{number}", (Member("text", Prim.STRING), Member("inner", inner))))
        value = {"text": "x", "inner": value}
    return one((function("f", Named(f"R{count - 1}")),), *records), ("m", "f", [value])


def modules(count: int) -> Made:
    """So many modules, each of which calls the one before; the call is of one in the middle."""
    return chain(count), (f"m{count // 2}", "echo", ["x"])


SMALL = {functions: 250, fields: 625, levels: 16, modules: 25}


def costs(made: Made, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds for compiling and loading a service, and for loading it from the cache with each engine.

    Garbage is collected between the loads, not in one of them.
    """
    source, (module, name, arguments) = made
    monkeypatch.setenv("MARINE_GEN_CACHE", str(folder))

    def loaded(engine: str) -> float:
        gc.collect()
        gc.disable()
        try:
            start = process_time()
            with marine_gen.load(source, engine=engine) as service:
                taken = process_time() - start
                assert service.call(module, name, arguments) is not None
        finally:
            gc.enable()
        return taken

    return [loaded("fused"), *(min(loaded(engine) for _ in range(2)) for engine in ("fused", "closures"))]


@pytest.mark.slow
@pytest.mark.parametrize("make", SMALL, ids=lambda make: str(make.__name__))
def test_cost_grows_with_the_size(make: Callable[[int], Made], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    costs(make(10), tmp_path / "first", monkeypatch)  # what is imported and made once
    small = [costs(make(SMALL[make]), tmp_path / f"small_{run}", monkeypatch) for run in range(2)]
    bounds = [MOST * GROWTH * max(before) for before in zip(*small, strict=True)]
    large = costs(make(SMALL[make] * GROWTH), tmp_path / "large", monkeypatch)
    if any(now >= bound for now, bound in zip(large, bounds, strict=True)):  # other work on the machine, for one
        again = costs(make(SMALL[make] * GROWTH), tmp_path / "again", monkeypatch)
        large = [min(pair) for pair in zip(large, again, strict=True)]
    for now, bound in zip(large, bounds, strict=True):
        assert now < bound
