"""Large values from Python on the engine `fused`: they go around the staging memory, and nobody notices.

How much was staged shows in the size of the staging memory, which never shrinks.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime import CallError, Service
from marine_runtime.adapters.staging import DIRECT as LIMITS
from marine_runtime.adapters.staging import STACK, Staging
from marine_runtime.types import Prim
from tests.support.echo import PAGE, Memory, chain, echo_module, function, take_logs
from tests.support.engines import CONFIGURATIONS, Configuration, Outcome, load, outcome
from tests.support.fused import Link, line, position, staged

DIRECT = LIMITS["fast"]
PERSON = RecordDeclaration("Person", (Member("id", Prim.U16), Member("name", Prim.STRING)))
OUTER = RecordDeclaration(
    "Outer",
    (Member("texts", Vector(Prim.STRING)), Member("flag", Prim.BOOLEAN), Member("person", Named("Person"))),
)
# A type, what makes a value of so many items, and how many items are just not large.
TYPES: dict[str, tuple[Type, Any, int]] = {
    "text": (Prim.STRING, lambda count: "x" * count, DIRECT),
    "wide text": (Prim.STRING, lambda count: "é€😀" * (count // 3) + "é" * (count % 3), DIRECT),
    "data": (Vector(Prim.U8), lambda count: b"\xff" * count, DIRECT),
    "flags": (Vector(Prim.BOOLEAN), lambda count: [True, False] * (count // 2) + [True] * (count % 2), DIRECT),
    "shorts": (Vector(Prim.S16), lambda count: [-2] * count, DIRECT // 2),
    "floats": (Vector(Prim.F32), lambda count: [0.5] * count, DIRECT // 4),
    "longs": (Vector(Prim.U64), lambda count: [2**64 - 1] * count, DIRECT // 8),
}
ECHOES = [function(name.replace(" ", "_"), ty) for name, (ty, _, _) in TYPES.items()]


def told(configuration: Configuration) -> list[object]:
    """All results, and what the guests saw."""
    found: list[object] = []
    modules = chain(ECHOES, memory=Memory(fresh=True))  # each block is in pages that were not there before
    with load(modules, configuration.engine, configuration.call_layer) as service:
        for signature, (_, make, limit) in zip(ECHOES, TYPES.values(), strict=True):
            for count in (limit, limit + 1, 3 * limit, 0, 5):
                value = make(count)
                for module in ("inner", "outer"):
                    found.append(service.call(module, signature.name, [value]) == value)
                    found.append(service.call_batch(module, signature.name, [[value]] * 2) == [value] * 2)
        return [*found, take_logs(service)]


@cache
def reference() -> list[object]:
    return told(Configuration("interpreter"))


@pytest.mark.costly
def test_values_of_every_size(configuration: Configuration) -> None:
    found = told(configuration)
    assert found[:-1] == [True] * (len(found) - 1)
    assert found == reference()


def pages(staging: Staging) -> int:
    """The size of the staging memory."""
    staging.memory.refresh()
    found = len(staging.memory.view) // PAGE
    if found > 1:
        staging.shrink()
    return found


@pytest.mark.parametrize("name", TYPES)
def test_large_arguments_are_not_staged(name: str) -> None:
    ty, make, limit = TYPES[name]
    numbered = function("f", ty, Prim.U32, result=Prim.U32)
    silent = Signature("g", (Member("value", ty),), None)
    made = {"m": echo_module(Description((), (numbered, silent)), Memory(), {"f": "(i32.const 7)", "g": ""})}
    with staged(made) as (service, staging):
        assert service.call("m", "f", [make(limit + 1), 1]) == 7
        assert service.call("m", "g", [make(limit + 1)]) is None
        assert pages(staging) == 1
        assert service.call("m", "f", [make(limit), 1]) == 7
        assert pages(staging) > 1


def test_arguments_are_large_together() -> None:
    signature = function("f", Prim.STRING, Vector(Prim.U64), Vector(Prim.U8), result=Prim.STRING)
    body = "(global.set $ptr (local.get 0)) (global.set $size (local.get 1))"
    made = {"m": echo_module(Description((PERSON, OUTER), (signature,)), Memory(), {"f": body})}
    quarter = DIRECT // 4
    with staged(made) as (service, staging):
        text = "x" * quarter
        args = [text, [1] * (quarter // 8), bytes(2 * quarter + 1)]
        assert service.call("m", "f", args) == text
        assert pages(staging) == 1
        assert service.call("m", "f", [*args[:-1], bytes(2 * quarter)]) == text
        assert pages(staging) > 1


def test_what_is_packed_is_staged_whatever_its_size() -> None:
    signature = function("f", Prim.STRING, Named("Outer"), result=Prim.STRING)
    body = "(global.set $ptr (local.get 0)) (global.set $size (local.get 1))"
    made = {"m": echo_module(Description((PERSON, OUTER), (signature,)), Memory(), {"f": body})}
    with staged(made) as (service, staging):
        assert service.call("m", "f", ["x", (["many", "texts"], True, (7, "y" * DIRECT))]) == "x"
        assert pages(staging) > 1


MAKE = {"text": Prim.STRING, "data": Vector(Prim.U8), "longs": Vector(Prim.U64)}
# So many items from address 131072 on, which are all 0; beyond the memory when there are too many.
MADE = "(global.set $ptr (i32.const 131072)) (global.set $size (local.get 0))"
MAKES = [function(name, Prim.U32, result=ty) for name, ty in MAKE.items()]


def makers() -> dict[str, bytes]:
    functions = (*MAKES, function("echo", Prim.STRING))
    return {"m": echo_module(Description((), functions), Memory(pages=100), dict.fromkeys(MAKE, MADE))}


@pytest.mark.parametrize("name", MAKE)
def test_large_results_are_foreseen(name: str) -> None:
    """After a large one, the next one is not staged, whatever its size."""
    each = 8 if name == "longs" else 1
    with staged(makers()) as (service, staging):

        def made(size: int) -> int:
            """So many pages, with a call; gives those of staging."""
            assert len(service.call("m", name, [size * PAGE // each])) == size * PAGE // each
            return pages(staging)

        assert made(1) == 2
        assert made(10) == 11
        assert made(20) == 11
        with pytest.raises(CallError, match="outside the memory"):
            made(99)
        assert made(30) == 11
        assert made(1) == 11
        assert made(30) == 31


def test_fuel_does_not_depend_on_other_calls() -> None:
    """No result is foreseen where it is counted."""
    with load(makers(), "fused", fuel=10**9) as service:

        def used(name: str, count: int) -> int:
            before = service.statistics().fuel_used or 0
            assert len(service.call("m", name, ["x" * count if name == "echo" else count])) == count
            return (service.statistics().fuel_used or 0) - before

        used("longs", 2 * DIRECT)  # staging grows here, which takes fuel once
        for name in (*MAKE, "echo"):
            small, large = used(name, 10), used(name, 2 * DIRECT)
            assert used(name, 10) == small
            assert used(name, 2 * DIRECT) == large
            assert used(name, 2 * DIRECT) == large


BAD = r'(data (i32.const 131072) "ab\ff")'
RESULT = "(global.set $ptr (i32.const {})) (global.set $size (i32.const {}))"
FAULTS = {
    "trap": "unreachable",
    "utf8": RESULT.format(131_072, 2 * DIRECT),
    "pointer": RESULT.format(-4, 2 * DIRECT),
    "length": RESULT.format(8, -1),
}


def troubled() -> dict[str, bytes]:
    """Two modules: the first one fails, also when it has to take more than a few pages; both can make large texts."""
    large = "(memory.fill (i32.const 262144) (i32.const 97) (i32.const 131072))" + RESULT.format(262_144, 2 * DIRECT)
    bodies = {name: f"(if (i32.eqz (local.get 1)) (then {large}) (else {body}))" for name, body in FAULTS.items()}
    few = Memory(pages=8, base=6 * PAGE, limit=16)
    links = [Link("inner", bodies, fields=BAD, memory=few), Link("outer")]
    return line(links, [function(name, Prim.STRING) for name in FAULTS])


def story(service: Service, staging: Staging | None = None) -> list[Outcome]:
    found = []
    for module in ("inner", "outer"):
        for name in FAULTS:
            # Empty text asks for a large result, so that the call after it is expected to have one too.
            for text in ("x" * (DIRECT + 1), "", "x", "", "x" * 2 * DIRECT, "é" * 10 * PAGE):
                found.append(outcome(lambda: service.call(module, name, [text])))  # noqa: B023  # called at once
                assert bool(found[-1].error) == bool(text)
                if staging:
                    assert position(staging) == STACK
                    assert staging.memory.read(0, 32) == bytes(32)
    return found


def test_failures_say_the_same() -> None:
    modules = troubled()
    with load(modules, "interpreter") as service:
        expected = story(service)
    assert len({item.error for item in expected if item.error}) > 2 * len(FAULTS)
    for configuration in CONFIGURATIONS:
        with load(modules, configuration.engine, configuration.call_layer) as service:
            assert story(service) == expected
    for foresees in (True, False):
        with staged(modules) as (service, staging):
            staging.foresees = foresees
            assert story(service, staging) == expected
