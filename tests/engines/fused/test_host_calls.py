"""Functions of the host and batches: values arrive, and guests are treated as by the interpreter.

What is compared: results, the whole memory of each guest, and the order of its allocations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import strategies as st

from marine_gen import HostFunction
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
from marine_runtime import CallError, PythonModule, Service
from marine_runtime.adapters import images
from marine_runtime.types import Prim
from tests.support.echo import TAKE_LOG, Memory, chain, echo_wat, function, take_logs
from tests.support.engines import assemble, load, outcome, shown
from tests.support.host_calls import LOGGED, calling
from tests.support.random_values import arguments, drivers, memory_of


def echoing(wasm: bytes, name: str, answer: Callable[..., Any]) -> HostFunction:
    """A Python function of the type of an exported one."""
    plan = compile_module("echo", wasm).plan
    return HostFunction(answer, plan.exports[name], plan.records)


def first(*values: Any) -> Any:
    return values[0]


def with_raw_import(
    records: Sequence[RecordDeclaration], signature: Signature, limits: Memory | None = None, allocate: str = ""
) -> bytes:
    """A module whose function calls `host.f`, which has no adapter; `allocate` begins with these instructions."""
    return calling(signature, tuple(records), name="f", more=(TAKE_LOG,), memory=limits, allocate=allocate)


def seen(service: Service, module: str, calls: Sequence[Sequence[Any]]) -> list[Any]:
    found: list[Any] = []
    for args in calls:
        found += [shown(service.call(module, "f", args)), memory_of(service, module)]
    found += [shown(service.call_batch(module, "f", [*calls, ["wrong"] * 9, *calls])), memory_of(service, module)]
    return found


def check(records: tuple[RecordDeclaration, ...], signature: Signature, data: st.DataObject, count: int) -> None:
    calls = arguments(records, signature, data, count)
    modules = chain([signature], records)
    host = echoing(modules["inner"], "f", first)
    raw = with_raw_import(records, signature)
    everything = []
    for engine in ("interpreter", "closures", "fused"):
        found: list[Any] = []
        with load(modules, engine, "fast") as service:
            found += [*seen(service, "outer", calls), *seen(service, "inner", calls), take_logs(service)]
        with load({"inner": PythonModule("inner", {"f": host}), "outer": modules["outer"]}, engine, "fast") as service:
            found += [*seen(service, "outer", calls), service.call("outer", "take_log")]
        with load({"raw": raw}, engine, "fast", host_functions={"f": host}) as service:
            found += [*seen(service, "raw", calls), service.call("raw", "take_log")]
        everything.append(found)
    assert everything[0] == everything[1] == everything[2]


test_random_values, test_many_random_values = drivers(check, 4)


PAIR = RecordDeclaration("Pair", (Member("key", Prim.STRING), Member("values", Vector(Prim.U64))))
PAIRS = Vector(Named("Pair"))
VALUES = [[("k", [1, 2, 3]), ("a\0b", []), ("é", [2**64 - 1])] * 3]


@pytest.mark.parametrize("limit", [0, images._SIZE], ids=["part by part", "at once"])
def test_large_results_are_lowered_part_by_part(limit: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """No guest sees that a value fits the memory of images."""
    monkeypatch.setattr(images, "_SIZE", limit)
    signature = function("f", PAIRS)
    host = echoing(chain([signature], [PAIR])["inner"], "f", first)
    found = []
    for engine in ("interpreter", "closures", "fused"):
        with load({"raw": with_raw_import([PAIR], signature)}, engine, "fast", host_functions={"f": host}) as service:
            found.append([*seen(service, "raw", [VALUES]), service.call("raw", "take_log")])
    assert found[0] == found[1] == found[2]


NESTED = function("nested", Prim.STRING, result=PAIRS)
ECHO = function("f", PAIRS)


def restless(imports: Sequence[Signature]) -> bytes:
    """A module that calls its first import each time it allocates, but for the allocations of that call."""
    calls = "(call $import0 (i32.const 16) (i32.const 5))"
    python = ExternModule("python", tuple(map(ImportedFunction, imports)))
    description = Description((PAIR,), (ECHO, TAKE_LOG), imports=(python,))
    interfaces = generate(description)
    text = echo_wat(interfaces, Memory(), {}, '(data (i32.const 16) "hello")', "")
    assert LOGGED in text
    once = f"(global.set $busy (i32.const 1)) {calls} (global.set $busy (i32.const 0))"
    again = f"(if (i32.eqz (global.get $busy)) (then {once}))"
    reset = f"(global.set $next (i64.const {Memory().base}))"
    assert reset in text
    text = text.replace(LOGGED, f"{LOGGED} {again}", 1)
    text = text.replace(reset, f"(if (i32.eqz (global.get $busy)) (then {reset}))", 1)
    text = text.replace("(global $next", "(global $busy (mut i32) (i32.const 0)) (global $next", 1)
    return assemble(text, interfaces)


@pytest.mark.parametrize("imports", [[NESTED], [NESTED, ECHO]], ids=["for an argument", "for a result of the host"])
@pytest.mark.parametrize("batch", [False, True])
def test_a_guest_that_calls_the_host_while_it_allocates(imports: Sequence[Signature], batch: bool) -> None:
    """The call inside has its own cursors and its own place in staging."""
    heard: list[str] = []

    def nested(text: str) -> list[Any]:
        heard.append(text)
        return [(text, [len(heard)]), ("x" * 40, [])]

    wasm = restless(imports)
    plan = compile_module("m", wasm).plan
    functions = {
        item.name: HostFunction(run, item.type, plan.records)
        for item, run in zip(plan.callees, (nested, first), strict=False)
    }
    found = []
    for engine in ("interpreter", "closures", "fused"):
        heard.clear()
        with load({"python": PythonModule("python", functions), "m": wasm}, engine, "fast") as service:
            results = service.call_batch("m", "f", [VALUES, VALUES]) if batch else [service.call("m", "f", VALUES)]
            found.append((shown(results), memory_of(service, "m"), service.call("m", "take_log"), list(heard)))
    assert len(found[0][3]) >= 10
    assert found[0] == found[1] == found[2]


def test_a_batch_goes_on_behind_host_functions_that_fail() -> None:
    """Each row stands alone, and staging is where it was."""
    signature = function("f", PAIRS)
    modules = chain([signature], [PAIR])
    turns = iter(range(1000))

    def sometimes(pairs: list[Any]) -> list[Any]:
        if next(turns) % 3 == 1:
            raise CallError("not now")
        return pairs

    host = echoing(modules["inner"], "f", sometimes)
    with load({"inner": PythonModule("inner", {"f": host}), "outer": modules["outer"]}, "fused", "fast") as service:
        found = service.call_batch("outer", "f", [VALUES] * 10)
        assert [isinstance(item, CallError) for item in found] == [number % 3 == 1 for number in range(10)]
        turns = iter([0] * 100)
        expected = shown(service.call("outer", "f", VALUES))
        assert {shown(item) for item in found if not isinstance(item, CallError)} == {expected}


BAD_BLOCKS = """
  (if (i32.eq (local.get $size) (i32.const 3000)) (then (return (i32.const 0))))
  (if (i32.eq (local.get $size) (i32.const 4000)) (then (return (i32.const -5000))))
"""


@pytest.mark.parametrize(
    ("size", "reason"),
    [
        (200_000, "`allocate` returned 0 for 200000 bytes"),
        (3000, "`allocate` returned 0 for 3000 bytes"),
        (4000, "4000 bytes at address 4294962296 are outside the memory"),
    ],
)
def test_faults_while_a_result_is_placed(size: int, reason: str) -> None:
    """A guest without room for a result: the same error at the same place, on every engine."""
    signature = function("f", Vector(Prim.STRING))
    host = echoing(chain([signature])["inner"], "f", lambda texts: [*texts, "x" * size])
    raw = with_raw_import([], signature, Memory(pages=2, limit=2), BAD_BLOCKS)
    found = []
    for engine in ("interpreter", "closures", "fused"):
        with load({"raw": raw}, engine, "fast", host_functions={"f": host}) as service:
            found.append(outcome(lambda: service.call("raw", "f", [[]])))
    assert found[0].error
    assert reason in found[0].error[-1]
    assert found[0] == found[1] == found[2]


@pytest.mark.parametrize("size", [images._SIZE - 1, images._SIZE, 3 * images._SIZE])
def test_large_strings_of_the_host(size: int) -> None:
    """More than the memory of images holds, and more than staging begins with."""
    signature = function("f", Prim.STRING)
    modules = chain([signature])
    host = echoing(modules["inner"], "f", lambda text: text * size)
    raw = with_raw_import([], signature)
    for engine in ("closures", "fused"):
        with load({"raw": raw}, engine, "fast", host_functions={"f": host}) as service:
            assert service.call("raw", "f", ["x"]) == "x" * size
    with load({"inner": PythonModule("inner", {"f": host}), "outer": modules["outer"]}, "fused", "fast") as service:
        assert service.call("outer", "f", ["x"]) == "x" * size
