"""Components answer as the fused engine does: all guests, random services, values at the edges."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
import wasmtime

from marine_runtime import ArgumentError, CallError
from tests.engines.test_kit_guests import EMPTY, FULL, VALUES
from tests.guests.kit_guests import kit_guest
from tests.support.batches import BATCHES
from tests.support.components import ComponentService, made, wit_of
from tests.support.engines import guests, load, shown
from tests.support.programs import draw_value
from tests.support.samples import sampled
from tests.support.values import SCALARS, edge_values

MODULES = ("everything", "relay")
REPEATS = "n"
"""The parameter of a guest that says how often it calls another one."""


@pytest.fixture(scope="module")
def relay() -> ComponentService:
    """Two modules, whose functions have all types."""
    return ComponentService(made({name: kit_guest(name) for name in MODULES}))


@pytest.mark.parametrize("ty", SCALARS, ids=str)
def test_scalars_strings_and_their_arrays(relay: ComponentService, ty: Any) -> None:
    edges = edge_values(ty)
    for value in edges:
        assert shown(relay.call(f"{ty.value}_value", [value])) == shown(value)
    for count in (len(edges), 1, 0):
        array: Any = bytes(edges[:count]) if ty.value == "u8" else edges[:count]
        assert shown(relay.call(f"{ty.value}_array", [array])) == shown(array)


@pytest.mark.parametrize(("function", "value"), [row for row in VALUES if row[0] != "tree"])
def test_arrays_and_records(relay: ComponentService, function: str, value: Any) -> None:
    assert shown(relay.call(function, [value])) == shown(value)


def test_more_parameters_than_are_passed_flat(relay: ComponentService) -> None:
    for value in (FULL, EMPTY):
        assert shown(relay.call("collect", list(value))) == shown(value)
    assert relay.call("nothing", []) is None


@pytest.mark.parametrize(
    "names",
    [
        ("greeting",),
        ("greeting_record",),
        ("records_effector", "records_pure"),
        ("records_passing_effector", "records_passing_pure"),
        ("arguments_passing_effector", "arguments_passing_pure"),
        ("arrays_passing_effector", "arrays_passing_pure"),
        ("donkey", "shrek"),
        ("bench_effector", "bench_pure"),
    ],
    ids=lambda names: names[-1],
)
def test_guests(names: tuple[str, ...]) -> None:
    modules = guests(*names)
    answers = ComponentService(made(modules))
    random = Random(names[-1])
    with load(modules, "fused") as service:
        plan = service.interface.modules[names[-1]]
        for name, ty in plan.functions.items():
            for _ in range(8):
                row = [draw_value(random, param.type, dict(plan.records)) for param in ty.params]
                row = [
                    value % 50 if param.name == REPEATS else value for param, value in zip(ty.params, row, strict=True)
                ]
                assert shown(answers.call(name, row)) == shown(service.call(names[-1], name, row)), (name, row)


@pytest.mark.parametrize("number", sampled(range(2), lambda number: number == 0))
@pytest.mark.parametrize(("kind", "calls"), [("interfaces", 100), ("programs", 400)])
def test_random_services(kind: str, calls: int, number: int) -> None:
    """Calls that fail end the instance of a component, so both sides start again."""
    batch = BATCHES[kind](Random(f"component {kind} {number}"), calls)
    facade = [*batch.modules][-1]
    component = made(batch.modules)
    wit_of(component.wasm)
    answers = ComponentService(component)
    service = load(batch.modules, "fused")
    tried = 0
    try:
        for module, name, row in batch.calls:
            if module != facade or answers.function(name) is None:
                continue
            tried += 1
            try:
                expected = shown(service.call(module, name, row))
            except ArgumentError:
                continue
            except CallError:
                with pytest.raises((wasmtime.Trap, wasmtime.WasmtimeError)):
                    answers.call(name, row)
                answers.restart()
                service.close()
                service = load(batch.modules, "fused")
            else:
                assert shown(answers.call(name, row)) == expected, (name, row)
    finally:
        service.close()
    assert tried > 20
