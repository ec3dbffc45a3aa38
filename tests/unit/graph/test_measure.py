"""Costs of crossings: modules that only look like others, what crosses in them, and what can't be measured."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

import marine_gen
from marine_gen.artifact import ENGINES, CompiledModule, Source, compile_service
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Vector, generate
from marine_gen.graph import measure
from marine_gen.graph.stubs import LOOP, NoSampleError, make_stub, sample
from marine_gen.ir.model import Side
from marine_runtime.abi import memory_size
from marine_runtime.types import Array, Field, Prim, Record, RecordType
from tests.support.echo import Memory, echo_module, echo_wat, function
from tests.support.engines import assemble, guests, normalised
from tests.support.graphs import SERVICES, echoing, hostile_service
from tests.support.samples import sampled
from tests.support.traces import recorded, spans
from tests.support.troubles import modules

PAIRS = [
    *(("donkey", "shrek"), ("records_effector", "records_pure")),
    *((f"{name}_passing_effector", f"{name}_passing_pure") for name in ("arguments", "arrays", "records")),
]
FIGURE = re.compile(r"\d+(\.\d+)? (ns|µs|ms)")


def compiled(modules: dict[str, bytes]) -> list[CompiledModule]:
    return compile_service(Source("s", modules))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pair", sampled(PAIRS, (PAIRS[0], PAIRS[-1]).__contains__), ids=str)
def test_everything_has_a_cost(engine: str, pair: tuple[str, str]) -> None:
    service = compiled(guests(*pair))
    costs = measure(service, engine, rounds=1, seconds=0)
    wanted = {(item.name, Side.EXPORT, name) for item in service for name in item.ir.exports}
    wanted |= {(item.name, Side.IMPORT, adapter.function) for item in service for adapter in item.ir.imports.values()}
    assert set(costs.texts) == wanted
    assert [text for text in costs.texts.values() if not FIGURE.fullmatch(text)] == []
    assert f"engine {engine}" in costs.how


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("pair", sampled(PAIRS, (PAIRS[0], PAIRS[-1]).__contains__), ids=str)
def test_what_crosses_is_what_is_said(engine: str, pair: tuple[str, str]) -> None:
    """Stubs give the prepared values, and import with them."""
    service = compiled(guests(*pair))
    stubs = {item.name: make_stub(item) for item in service}
    with (
        recorded(10_000) as tracer,
        marine_gen.load({name: stub.wasm for name, stub in stubs.items()}, engine=engine, trace=tracer) as running,
    ):
        for module in service:
            records = module.ir.records
            for name, adapter in module.ir.exports.items():
                values = [sample(item.type, records) for item in adapter.signature.params]
                result = running.call(module.name, name, values)
                wanted = [sample(ty, records) for ty in adapter.signature.results]
                assert [normalised(result)] == wanted if wanted else result is None
            assert stubs[module.name].missing == {}
            for number, adapter in enumerate(module.ir.imports.values()):
                instance = running._linked[module.name].instance
                assert instance is not None
                before = len(spans(tracer.document()))
                instance.function(LOOP.format(number), "i", "")(3)
                seen = spans(tracer.document())[before:]
                assert [event["name"] for event in seen] == [adapter.function] * 3
                (callee,) = (item for item in module.ir.callees if item.name == adapter.function)
                sent = sum(memory_size(item.type, records, sample(item.type, records)) for item in callee.type.params)
                assert {event["args"]["arg_bytes"] for event in seen} == {sent}


def test_nothing_of_the_module_is_run() -> None:
    """These functions trap, or never end."""
    costs = measure(compiled({"failing": guests("failing")["failing"]}), "fused", rounds=1, seconds=0)
    assert all(map(FIGURE.fullmatch, costs.texts.values()))


@pytest.mark.parametrize("name", ["cyclic_result", "endless", "invalid_utf8", "any_result", "narrow_results"])
def test_strange_modules_have_a_cost_or_a_reason(name: str) -> None:
    found = modules(name)
    costs = measure(compiled(dict(found)), "fused", rounds=1, seconds=0)
    assert costs.texts
    assert all(FIGURE.fullmatch(text) or text.startswith("not measured: ") for text in costs.texts.values())


@pytest.mark.slow
def test_hostile_names() -> None:
    costs = measure(compiled(hostile_service()), "closures", rounds=1, seconds=0)
    assert all(map(FIGURE.fullmatch, costs.texts.values()))


def test_imports_of_the_host_are_left_out() -> None:
    costs = measure(compiled(SERVICES["host"][0]), "fused", rounds=1, seconds=0)
    assert {side for _, side, _ in costs.texts} == {Side.EXPORT}
    assert all(map(FIGURE.fullmatch, costs.texts.values()))


def test_records_that_explode() -> None:
    """Each holds ten of the one before."""
    records = [RecordDeclaration("r0", (Member("text", Prim.STRING),))]
    for level in range(1, 10):
        fields = tuple(Member(f"f{index}", Named(f"r{level - 1}")) for index in range(10))
        records.append(RecordDeclaration(f"r{level}", fields))
    wasm = echo_module(Description(tuple(records), (function("f", Named("r9")),)), Memory())
    costs = measure(compiled({"m": wasm}), "interpreter", rounds=1, seconds=0)
    assert costs.texts["m", Side.EXPORT, "f"] == "not measured: its records contain themselves, or too much"


def test_results_that_do_not_come_back() -> None:
    """The adapter of `f` calls another core function than its own, which stubs do not expect."""
    functions = (Signature("f", (), Prim.STRING), Signature("g", (), Vector(Prim.U64)))
    whole = generate(Description((), functions))
    f, g = (adapter.instructions for adapter in whole.adapters)
    position = next(index for index, (one, other) in enumerate(zip(f, g, strict=False)) if one != other)
    wrong = replace(whole.adapters[0], instructions=(*f[:position], g[position], *f[position + 1 :]))
    broken = replace(whole, adapters=(wrong, whole.adapters[1]))
    inner = assemble(echo_wat(whole, Memory(), {}, "", ""), broken)
    outer = echoing(functions, inner=functions)
    costs = measure(compiled({"inner": inner, "outer": outer}), "fused", rounds=1, seconds=0).texts
    reason = "not measured: a result prepared for it does not come back"
    assert costs["inner", Side.EXPORT, "f"] == costs["outer", Side.IMPORT, "inner.f"] == reason
    assert FIGURE.fullmatch(costs["inner", Side.EXPORT, "g"])
    assert FIGURE.fullmatch(costs["outer", Side.IMPORT, "inner.g"])


def test_records_in_themselves() -> None:
    records: dict[int, Any] = {0: RecordType("r", (Field("again", Record(0)),))}
    with pytest.raises(NoSampleError):
        sample(Record(0), records)
    records = {0: RecordType("r", (Field("again", Array(Record(0))), Field("n", Prim.U8)))}
    assert sample(Record(0), records) == ([([], 1)] * 2, 1)
