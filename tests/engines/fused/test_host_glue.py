"""Host functions behind Wasm that packs and lowers: hostile arguments, guests that call back, threads, time.

`test_host_calls` compares random values, memories and allocations with the interpreter.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.artifact import compile_module
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime import CallError, Service
from marine_runtime.adapters.staging import DATA, FREE, STACK, STACK_TOP
from marine_runtime.linking.instance import ModuleLink
from marine_runtime.types import Array, Prim
from marine_runtime.wasm.memory import Meter
from tests.support.echo import Memory, echo_module, function, raw_wat
from tests.support.engines import load, outcome, shown
from tests.support.host_calls import calling
from tests.support.random_values import memory_of

ENGINES = ("interpreter", "closures", "fused")

PAIR = RecordDeclaration("Pair", (Member("key", Prim.STRING), Member("values", Vector(Prim.U64))))
NESTED = RecordDeclaration(
    "Nested", (Member("flag", Prim.BOOLEAN), Member("pair", Named("Pair")), Member("n", Prim.U16))
)
FLAG = RecordDeclaration("Flag", (Member("on", Prim.BOOLEAN),))
RECORDS = (PAIR, NESTED, FLAG)


def host_function(ty: Type, run: Callable[..., Any]) -> HostFunction:
    plan = compile_module("m", calling(function("f", ty), RECORDS)).plan
    return HostFunction(run, plan.exports["f"], plan.records)


def serve(ty: Type, run: Callable[..., Any], engine: str = "fused", **options: Any) -> Service:
    return load(
        {"m": calling(function("f", ty), RECORDS)},
        engine,
        "fast",
        host_functions={"callback": host_function(ty, run)},
        **options,
    )


def same(value: Any) -> Any:
    return value


VALUES: Sequence[tuple[Type, Any]] = [
    (Named("Pair"), ("k", [1, 2])),
    (Named("Nested"), (True, ("é" * 9, []), 7)),
    (Named("Flag"), (True,)),
    (Vector(Named("Flag")), [(True,), (False,)]),
    (Vector(Named("Nested")), [(True, ("", [1]), 1), (False, ("a\0b", []), 2)]),
    (Vector(Vector(Vector(Prim.STRING))), [[["a", ""], []], [], [["x" * 40]]]),
    (Vector(Vector(Prim.U8)), [b"", b"ab", b"\xff" * 30]),
    (Vector(Prim.BOOLEAN), [True, False]),
    (Vector(Prim.F32), [0.5, 1e300]),
    (Vector(Prim.S16), [-1, 5]),
    (Prim.STRING, "Grüße"),
    (Vector(Prim.U8), b"\x00\xff"),
]


@pytest.mark.parametrize(("ty", "value"), VALUES, ids=[str(ty) for ty, _ in VALUES])
def test_values(ty: Type, value: Any) -> None:
    """Out of the guest and back into it, as plain values and as what the function got."""
    found: list[Any] = []
    for engine in ENGINES:
        got: list[Any] = []
        turn = iter(range(10))

        def answer(given: Any) -> Any:
            got.append(given)  # noqa: B023
            return given if next(turn) else value  # noqa: B023

        with serve(ty, answer, engine) as service:
            results = [service.call("m", "f", [value]) for _ in range(2)]
            found.append((shown(results), shown(got), memory_of(service, "m")))
    assert found[0] == found[1] == found[2]


ANSWERS: Sequence[tuple[Type, Any]] = [
    (Prim.STRING, 5),
    (Prim.STRING, "\ud800"),
    (Vector(Prim.STRING), ["a", "\udfff"]),
    (Vector(Prim.STRING), "text"),
    (Vector(Prim.U8), [1, 256]),
    (Vector(Prim.U16), [1, True]),
    (Vector(Prim.U16), [1, 2**16]),
    (Named("Pair"), ("k", [1], 3)),
    (Named("Pair"), {"key": "k"}),
    (Vector(Named("Pair")), [("k", [1]), ("k", [-1])]),
    (Vector(Named("Pair")), [("k", [1]), None]),
    (Vector(Named("Flag")), [(True,), (1,)]),
]


@pytest.mark.parametrize(("ty", "answer"), ANSWERS, ids=[f"{ty} {answer!a}" for ty, answer in ANSWERS])
def test_results_that_do_not_fit(ty: Type, answer: Any) -> None:
    """The same words at the same place; the next call is as ever."""
    start: Any = {Prim.STRING: "", Vector(Prim.U8): b"", Named("Pair"): ("", [])}.get(ty, [])
    found = []
    for engine in ENGINES:
        answers = iter([answer, start])
        with serve(ty, lambda _: next(answers), engine) as service:  # noqa: B023
            found.append([outcome(lambda: service.call("m", "f", [start])) for _ in range(2)])
    assert found[0][0].error
    assert "returned a value that does not fit" in found[0][0].error[-1]
    assert found[0] == found[1] == found[2]


ACCEPTED: Sequence[tuple[Type, Any]] = [
    (Vector(Prim.U16), (1, 2)),
    (Vector(Prim.F64), [1, 2.5]),
    (Vector(Prim.STRING), ("a",)),
    (Vector(Prim.U8), bytearray(b"ab")),
    (Vector(Named("Pair")), [{"key": "k", "values": (1,)}]),
    (Named("Pair"), ["k", range(3)]),
]


@pytest.mark.parametrize(("ty", "answer"), ACCEPTED, ids=[str(ty) for ty, _ in ACCEPTED])
def test_results_that_are_converted(ty: Type, answer: Any) -> None:
    start: Any = {Vector(Prim.U8): b"", Named("Pair"): ("", [])}.get(ty, [])
    found = []
    for engine in ENGINES:
        with serve(ty, lambda _: answer, engine) as service:
            found.append((shown(service.call("m", "f", [start])), memory_of(service, "m")))
    assert found[0] == found[1] == found[2]


def stores(*words: int, at: int = 70000) -> str:
    return " ".join(
        f"(i32.store (i32.const {at + 4 * number}) (i32.const {word}))" for number, word in enumerate(words)
    )


LONG = 2**32 - 1
HOSTILE: Sequence[tuple[str, Type, Sequence[int], str]] = [
    ("outer block", Vector(Prim.STRING), (131064, 2), ""),
    ("outer block far away", Vector(Prim.STRING), (LONG, LONG), ""),
    ("string", Vector(Prim.STRING), (70000, 1), stores(131070, 3)),
    ("second string", Vector(Prim.STRING), (70000, 2), stores(70000, 3, LONG, 1)),
    ("UTF-8", Vector(Prim.STRING), (70000, 1), stores(70016, 3, 0, 0, 0xC3FF41)),
    ("0xFF beside NUL", Vector(Prim.STRING), (70000, 2), stores(70016, 2, 70018, 2, 0x00FF0041)),
    ("a character in two strings", Vector(Prim.STRING), (70000, 2), stores(70016, 1, 70017, 1, 0xA9C3)),
    ("record", Named("Pair"), (131070,), ""),
    ("field of a record", Named("Pair"), (70000,), stores(131071, 2, 0, 0)),
    ("array of a record", Named("Pair"), (70000,), stores(0, 0, 130000, 1 << 29)),
    ("record in an array", Vector(Named("Pair")), (70000, 2), stores(70100, 131068)),
    ("record in a record", Named("Nested"), (70000,), stores(0xFFFFFF01, 0xFF)),
    (
        "shared parts",
        Vector(Vector(Vector(Vector(Prim.U8)))),
        (70000, 500),
        "(call $tie (i32.const 70000) (i32.const 1000))",
    ),
    ("shared bytes", Vector(Vector(Prim.U8)), (70000, 500), "(call $tie (i32.const 0) (i32.const 60000))"),
    ("empty, with pointers to nowhere", Vector(Vector(Prim.U8)), (70000, 2), stores(LONG, 0, LONG, 0)),
]

TIE = """
  (func $tie (param $ptr i32) (param $size i32) (local $at i32)
    (loop $next  ;; 2,000 slots that lead to the same block
      (i32.store (i32.add (i32.const 70000) (local.get $at)) (local.get $ptr))
      (i32.store (i32.add (i32.const 70004) (local.get $at)) (local.get $size))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 16000)))))
"""


@pytest.mark.parametrize(("ty", "cells", "setup"), [item[1:] for item in HOSTILE], ids=[item[0] for item in HOSTILE])
def test_hostile_arguments(ty: Type, cells: Sequence[int], setup: str) -> None:
    """The same errors as without Wasm in between, and the function is called for none of them."""
    found = []
    for engine in ENGINES:
        got: list[Any] = []

        def answer(value: Any) -> Any:
            got.append(shown(value))  # noqa: B023
            raise CallError("called")

        host = host_function(ty, answer)
        signature = Signature("f", (), None)
        head = f'(import "host" "callback" (func $host {raw_wat(host.type)}))'
        values = " ".join(f"(i32.const {cell - 2**32 if cell >= 2**31 else cell})" for cell in cells)
        body = setup.replace(str(LONG), "-1") + f" (call $host {values})"
        module = echo_module(Description(RECORDS, (signature,)), Memory(pages=2), {"f": body}, TIE, head)
        with load({"m": module}, engine, "fast", host_functions={"callback": host}) as service:
            found.append(([outcome(lambda: service.call("m", "f")) for _ in range(2)], got))
    assert found[0] == found[1] == found[2]
    assert bool(found[0][1]) == (cells[0] == 70000 and setup == stores(LONG, 0, LONG, 0))


def test_columns_that_were_not_linked_yet() -> None:
    """A start function that calls the host comes too early, as on the other engines."""
    host = host_function(Vector(Prim.STRING), same)
    head = f'(import "host" "callback" (func $host {raw_wat(host.type)}))'
    start = "(func $early (call $host (i32.const 0) (i32.const 0))) (start $early)"
    module = echo_module(Description(RECORDS, (function("f", Prim.U32),)), Memory(), {}, start, head)
    hosts = {"callback": host}
    found = [outcome(partial(load, {"m": module}, engine, "fast", host_functions=hosts)) for engine in ENGINES]
    assert found[0].error
    assert "before linking is complete" in found[0].error[-1]
    assert found[0] == found[1] == found[2]


NESTED_CALL = """
  (if (i32.eqz (global.get $busy)) (then
    (global.set $busy (i32.const 1)) (call $text (i32.const 16) (i32.const 5)) (global.set $busy (i32.const 0))))
"""
BUSY = "(global $busy (mut i32) (i32.const 0))"


def test_a_guest_that_calls_the_host_while_a_result_is_lowered() -> None:
    """The call inside has a walk of its own, and its own place in staging."""
    ty = Vector(Named("Nested"))
    value = [(True, ("k" * 30, [1, 2]), 1), (False, ("a\0b", []), 2)] * 4
    found = []
    for engine in ENGINES:
        heard: list[str] = []

        def text(given: str) -> list[Any]:
            heard.append(given)  # noqa: B023
            return [[given, "x" * len(heard)]]  # noqa: B023

        nested = HostFunction.of(text, [Prim.STRING], Array(Array(Prim.STRING)))
        hosts = {"callback": host_function(ty, same), "text": nested}
        module = calling(
            *(function("f", ty), RECORDS),
            allocate=NESTED_CALL,
            fields=f'{BUSY} (data (i32.const 16) "hello")',
            head='(import "host" "text" (func $text (param i32 i32)))',
        )
        with load({"m": module}, engine, "fast", host_functions=hosts) as service:
            found.append((shown(service.call("m", "f", [value])), memory_of(service, "m"), list(heard)))
    assert len(found[0][2]) >= 10
    assert found[0] == found[1] == found[2]


def test_an_import_that_never_ends() -> None:
    """A guest whose `allocate` calls the host, whose result is allocated: it stops, and the service goes on."""
    ty = Vector(Prim.STRING)
    module = calling(function("f", ty), RECORDS, allocate="(call $host (i32.const 0) (i32.const 0))")
    host = host_function(ty, lambda given: [*given, "x"])
    with load({"m": module}, "fused", "fast", host_functions={"callback": host}) as service:
        for _ in range(2):
            with pytest.raises(CallError):
                service.call("m", "f", [[]])
        assert _word(service, STACK_TOP) == STACK


def _word(service: Service, at: int) -> int:
    memory = service._context.staging[1].memory
    return int.from_bytes(memory.read(at, 4), "little")


def test_room_in_staging_is_given_back() -> None:
    """After calls that end well, and after calls that fail on either side of the host."""
    ty = Vector(Prim.STRING)
    turns = iter(range(1000))

    def sometimes(texts: list[str]) -> Any:
        turn = next(turns) % 3
        if turn == 1:
            raise CallError("no")
        return texts if turn else [1]

    with serve(ty, sometimes) as service:
        for _ in range(30):
            outcome(lambda: service.call("m", "f", [["x" * 100] * 100]))
        assert _word(service, STACK_TOP) == STACK
        assert _word(service, FREE) <= DATA + 50_000


def test_calls_of_closures_give_room_in_staging_back() -> None:
    with serve(Prim.STRING, same) as service:
        staging = service._context.staging[1]

        def fail() -> None:
            staging.memory.write(FREE, (DATA + 500).to_bytes(4, "little"))
            raise CallError("no")

        with pytest.raises(CallError, match="no"):
            staging.explaining(fail)()
        assert _word(service, FREE) == DATA


def test_the_stack_of_positions_is_full() -> None:
    """The stub writes nothing behind it."""
    heard: list[str] = []
    with serve(Prim.STRING, heard.append) as service:
        memory = service._context.staging[1].memory
        memory.write(STACK_TOP, DATA.to_bytes(4, "little"))
        before = memory.read(DATA, 64)
        instance = service._linked["m"].instance
        assert instance is not None
        with pytest.raises(CallError):
            instance.function("f", "II", "")(0, 0)
        assert not heard
        assert memory.read(DATA, 64) == before


def test_lists_that_change_are_packed_of_one_piece() -> None:
    """Others change an inner list while a result is packed."""
    inner: list[str] = ["a"] * 3

    def change(frame: FrameType, event: str, _: Any) -> Any:
        if frame.f_code.co_filename.endswith("pack.py") and len(inner) < 30:
            inner.append("c")
        return change

    def answer(_: Any) -> Any:
        sys.settrace(change)
        return [inner, ["b"]]

    with serve(Vector(Vector(Prim.STRING)), answer) as service:
        try:
            found = service.call("m", "f", [[]])
        finally:
            sys.settrace(None)
    assert len(inner) > 3
    assert found[1] == ["b"]
    assert found[0] == inner[: len(found[0])]


def test_long_columns_are_read_with_a_look_at_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    got: list[int] = []

    def answer(texts: list[str]) -> list[str]:
        got.append(len(texts))
        return []

    def late(_: Meter) -> None:
        raise CallError("too late")

    with serve(Vector(Prim.STRING), answer) as service:
        service.call("m", "f", [["x"] * 20_000])
        monkeypatch.setattr(Meter, "tick", late)
        with pytest.raises(CallError, match="too late"):
            service.call("m", "f", [["x"] * 20_000])
    assert got == [20_000]


def test_guests_without_helpers_are_read_by_the_codec(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wasm needs what results need; values arrive without it."""
    monkeypatch.setattr(ModuleLink, "has_result_helpers", False)
    with serve(Vector(Vector(Prim.STRING)), same) as service:
        assert service.call("m", "f", [[["a"], []]]) == [["a"], []]
