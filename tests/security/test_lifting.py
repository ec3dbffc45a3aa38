"""Guests whose ABI helpers are hostile, and stand in the glue: nobody can tell that they are not called.

Each act happens in each of the six functions, in a module that is called and in one that calls. Errors with their
places are those of the interpreter, and until a call fails so is every byte of every memory. Where calls fail, memories
are those that the same modules leave when nothing of them is lifted: the fused engine releases objects a little later.
Then lines of modules of which some are lifted and some are not.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

import pytest
import wasmtime

from marine_gen.artifact import compile_module
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Vector,
    generate,
)
from marine_runtime import Service
from marine_runtime.types import Prim
from marine_runtime.wasm import LIFTED
from tests.security.liar import HELPERS
from tests.support.echo import PAGE, TAKE_LOG, Memory, echo_wat, function
from tests.support.engines import Outcome, assemble, load, outcome
from tests.support.fused import fused_outputs
from tests.support.samples import sampled

EVENTS = ("allocate", "release_objects", "get_result_size", "get_result_ptr", "set_result_size", "set_result_ptr")
"""The helpers by the number that an echoing guest logs for them."""

PERSON = RecordDeclaration("Person", (Member("id", Prim.U8), Member("name", Prim.STRING), Member("ok", Prim.BOOLEAN)))
SIGNATURES: Mapping[str, Signature] = {
    "text": function("text", Prim.STRING),
    "number": function("number", Prim.U32),
    "person": function("person", Named("Person")),
    "texts": function("texts", Vector(Prim.STRING)),
    "people": function("people", Vector(Named("Person"))),
}
ARM = function("arm", Prim.U32)
CALLS: Mapping[str, tuple[object, ...]] = {
    "text": ("", "abc", "0123456789", "é" * 30, "x" * 200),
    "number": (7,),
    "person": ((3, "a name", True),),
    "texts": ([], ["", "one", "twelve bytes"]),
    "people": ([(1, "", False), (2, "two", True)],),
}

FIELDS = f"""(global $armed (mut i32) (i32.const -1)) (global $kept (mut i64) (i64.const 0))
  (table $acts 2 4 funcref) (type $act (func)) (elem (table $acts) (i32.const 0) func $other)
  (func $other (i32.store (i32.const 24) (i32.const 0x55)))
  (func $far (call $farther)) (func $farther (call $farthest))
  (func $farthest (i32.store8 (i32.const {PAGE - 1}) (i32.const 9)) unreachable)"""

ACTS = {
    "reads outside": "(drop (i32.load offset=16 (i32.mul (memory.size) (i32.const 65536))))",
    "reads far outside": "(drop (i64.load offset=4294967295 (i32.const -1)))",
    "writes outside": "(i64.store (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 7)) (i64.const -1))",
    "grows": "(drop (memory.grow (i32.const 2)))",
    "grows too far": "(i32.store (i32.const 32) (memory.grow (i32.const 65536)))",
    "traps midway": "(i32.store (i32.const 40) (i32.const 77)) (global.set $kept (i64.const 5)) unreachable",
    "divides by zero": "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
    "overflows": "(drop (i32.div_s (i32.const 0x80000000) (i32.const -1)))",
    "calls its table": "(call_indirect $acts (type $act) (i32.const 0))",
    "calls an empty place": "(call_indirect $acts (type $act) (i32.const 1))",
    "calls outside of its table": "(call_indirect $acts (type $act) (i32.const 2))",
    "calls with another type": "(drop (call_indirect $acts (result i32) (i32.const 0)))",
    "changes its globals": "(global.set $ptr (i32.const 70000)) (global.set $size (i32.const 3))",
    "changes its globals wildly": "(global.set $ptr (i32.const -8)) (global.set $size (i32.const -1))",
    "fills its memory": "(memory.fill (i32.const 0x10000) (i32.const 0xff) (i32.const 0x10000))",
    "copies outside": "(memory.copy (i32.const 0) (i32.const -4) (i32.const 8))",
    "traps in a function far down": "(call $far)",
    "recurses for ever": "(call $deep)",
}
MORE = """(func $deep (drop (i32.add (i32.const 1) (call $deeper))))
  (func $deeper (result i32) (call $deep) (i32.const 1))"""
FLOAT = "(drop (f32.eq (f32.const 1) (f32.const 1)))"
"""Code that keeps a function from being lifted, and does nothing."""


@dataclass(frozen=True)
class Part:
    """An echoing guest, or one that forwards to the module before it.

    Attributes:
        act: what the helper does first whose number was given to `arm`, once.
        more: further fields.
        plain: helpers that can't be lifted.
    """

    act: str = ""
    more: str = ""
    plain: Collection[str] = ()


def line(parts: Mapping[str, Part]) -> dict[str, bytes]:
    """Modules by name, each of which forwards to the one before it."""
    made: dict[str, bytes] = {}
    for name, part in parts.items():
        made[name] = module(next(reversed(made), None), part)
    return made


def module(target: str | None, part: Part) -> bytes:
    """A guest; `target` is what it forwards to."""
    signatures = tuple(SIGNATURES.values())
    imports = () if target is None else (ExternModule(target, tuple(map(ImportedFunction, signatures))),)
    interfaces = generate(Description((PERSON,), (*signatures, ARM, TAKE_LOG), imports))
    bodies = {"arm": "(global.set $armed (local.get 0)) (local.get 0)"}
    wat = echo_wat(interfaces, Memory(pages=2, base=PAGE, limit=12), bodies, f"{FIELDS} {part.more}{MORE}", "")
    for event, helper in enumerate(EVENTS):
        start = f"(call $log (i32.const {event})"
        assert wat.count(start) == 1
        code = FLOAT if helper in part.plain else ""
        if part.act:
            armed = f"(i32.eq (global.get $armed) (i32.const {event}))"
            code += f"(if {armed} (then (global.set $armed (i32.const -1)) {part.act}))"
        wat = wat.replace(start, f"{code} {start}")
    return assemble(wat, interfaces)


def memories(service: Service) -> list[bytes]:
    """Every byte of every guest."""
    found = []
    for linked in service._linked.values():
        assert linked.instance is not None
        assert linked.instance.memory is not None
        linked.instance.memory.refresh()
        found.append(bytes(linked.instance.memory.view))
    return found


Observed = list[tuple[str, Outcome, list[bytes]]]


def observed(modules: Mapping[str, bytes], engine: str, armed: Sequence[tuple[str, int]]) -> Observed:
    """The outcome of each call and the memory after it; before each round, a helper of a module is armed."""
    last = list(modules)[-1]
    with load(modules, engine) as service:

        def call(name: str, value: object) -> tuple[str, Outcome, list[bytes]]:
            return f"{name} {value!r:.20}", outcome(lambda: service.call(last, name, [value])), memories(service)

        found = []
        for module_, event in armed:
            service.call(module_, "arm", [event])
            found += [call(name, value) for name, values in CALLS.items() for value in values]
        return found


def differ(parts: Mapping[str, Part], armed: Sequence[tuple[str, int]] = ()) -> list[str]:
    """The calls that disagree: with the interpreter, and with fused modules of which nothing is lifted."""
    modules, armed = line(parts), armed or [(next(iter(parts)), -1 & 0xFFFFFFFF)]
    called = line({name: replace(part, plain=EVENTS) for name, part in parts.items()})
    assert not any(map(lifted, called.values()))
    interpreted = observed(modules, "interpreter", armed)
    found, failed = [], False
    for fused, wanted, plain in zip(
        observed(modules, "fused", armed), interpreted, observed(called, "fused", armed), strict=True
    ):
        failed = failed or bool(wanted[1].error)
        if fused[1] != wanted[1] or fused != plain or not (failed or fused == wanted):
            found.append(fused[0])
    return found


def lifted(wasm: bytes) -> set[str]:
    return set(compile_module("m", wasm).lifted) & set(EVENTS)


@pytest.mark.parametrize("act", sampled(ACTS, lambda act: list(ACTS).index(act) % 4 == 0))
def test_hostile_helpers(act: str) -> None:
    parts = {"callee": Part(ACTS[act]), "caller": Part(ACTS[act])}
    assert all(lifted(wasm) == set(EVENTS) for wasm in line(parts).values()), "this proves nothing"
    armed = [(name, event) for name in parts for event in range(len(EVENTS))]
    assert differ(parts, armed) == []


@pytest.mark.parametrize("name", sampled(("callee", "caller"), "caller".__eq__))
def test_helpers_that_loop_for_ever_are_interrupted(name: str) -> None:
    modules = line({"callee": Part("(loop (br 0))"), "caller": Part("(loop (br 0))")})
    assert all(lifted(wasm) == set(EVENTS) for wasm in modules.values())
    found = []
    for engine in ("fused", "interpreter"):
        with load(modules, engine, timeout=0.2) as service:
            found.append([])
            for event in (0, 1, 3, 4):
                service.call(name, "arm", [event])
                found[-1].append(outcome(lambda: service.call("caller", "text", ["abc"])))
    assert found[0] == found[1]
    assert sum("Timeout" in item.error[0] for item in found[0] if item.error) >= 3


def test_helpers_that_loop_for_ever_use_up_fuel() -> None:
    modules = line({"callee": Part("(loop (br 0))"), "caller": Part("(loop (br 0))")})
    for name, event in itertools.product(modules, (0, 1, 3, 4)):
        found = []
        for engine in ("fused", "interpreter"):
            with load(modules, engine, fuel=100_000) as service:
                service.call(name, "arm", [event])
                found.append(outcome(lambda: service.call("caller", "text", ["abc"])))
                assert service.statistics().fuel_left == 0 or not found[-1].error
        assert found[0] == found[1]


def test_a_module_that_uses_a_reserved_name_is_called_as_ever() -> None:
    """Nothing of it is lifted, and its export is its own."""
    for fields in (f'(export "{LIFTED}g0" (global $kept))', f'(func (export "{LIFTED}f0") unreachable)'):
        parts = {"callee": Part(more=fields), "caller": Part()}
        modules = line(parts)
        assert lifted(modules["callee"]) == set()
        assert lifted(modules["caller"]) == set(EVENTS)
        assert differ(parts) == []
        glue = fused_outputs(modules)["caller"]
        assert glue is not None
        assert not any(owner == "callee" and (name or "").startswith(LIFTED) for owner, name in glue.code.needs)


def test_names_of_modules_do_not_lead_to_the_items_of_others() -> None:
    """Modules of equal content, with names that are alike."""
    parts = dict.fromkeys(("m", "m.g0", "m_2", "lifted"), Part(ACTS["changes its globals"]))
    assert differ(parts, [(name, 0) for name in parts]) == []


@pytest.mark.parametrize("number", sampled(range(4), lambda number: number == 1))
def test_lines_of_lifted_and_other_modules(number: int) -> None:
    """Two to five modules, any helpers of which are calls, and each of which may misbehave."""
    rng = Random(number)
    parts = {}
    for position in range(2 + number):
        plain = [helper for helper in EVENTS if rng.random() < rng.choice((0, 0.5, 1))]
        parts[f"m{position}"] = Part(rng.choice(list(ACTS.values())), plain=plain)
    found = line(parts)
    assert all(lifted(found[name]) == set(EVENTS) - set(part.plain) for name, part in parts.items())
    armed = [(rng.choice(list(parts)), rng.choice((-1 & 0xFFFFFFFF, *range(len(EVENTS))))) for _ in range(6)]
    assert differ(parts, armed) == []


def test_shared_code_works_on_the_instance_that_it_belongs_to() -> None:
    """Two services of the same modules, called in turns."""
    modules = line({"callee": Part(), "caller": Part()})
    with load(modules, "fused") as one, load(modules, "fused") as two:
        for round_, service in itertools.product(range(3), (one, two)):
            text = f"round {round_} of {id(service)}"
            assert service.call("caller", "text", [text]) == text
        logs = [bytes(service.call("callee", "take_log")) for service in (one, two)]
        assert logs[0] == logs[1]


def test_the_helpers_are_those_of_the_abi() -> None:
    assert sorted(EVENTS) == sorted(HELPERS)
    wasmtime.Module.validate(wasmtime.Engine(), compile_module("m", module(None, Part())).charged())
