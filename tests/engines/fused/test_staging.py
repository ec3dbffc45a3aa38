"""The staging memory: it grows for large calls, gives back what it needed, and holds values at odd addresses.

What goes around it is in test_direct.py. Here, large arguments are elements of arrays, whose sizes nobody asks
for, and where results have to be staged, none is foreseen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from marine_gen.generate import Description, Member, Named, RecordDeclaration, Type, Vector
from marine_runtime import CallError, Service
from marine_runtime.adapters.staging import BATCH_ARGUMENTS, BATCH_RESIDENT, DATA, KEPT, STACK, Staging
from marine_runtime.types import Prim
from marine_runtime.wasm.memory import Meter
from tests.support.echo import PAGE, Memory, chain, echo_module, function, take_logs
from tests.support.engines import Configuration, load, shown
from tests.support.fused import position, staged
from tests.support.memory_use import resident
from tests.support.values import SCALARS, edge_values

LARGE = 40_000_000
MEGABYTE = 1 << 20

linux_only = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")


# `make` returns that many bytes of zero, `length` the size of what it gets, `measure` that of the first element.
MAKE = function("make", Prim.U32, result=Vector(Prim.U8))
MEASURE = function("measure", Vector(Vector(Prim.U8)), result=Prim.U32)
TEXTS = function("texts", Prim.U32, result=Vector(Prim.STRING))
LENGTH = function("length", Vector(Prim.U8), result=Prim.U32)
TRAP = function("trap", Vector(Vector(Prim.U8)))
ECHO = function("echo", Prim.STRING)
SIZES = {
    "make": "(global.set $ptr (i32.const 131072)) (global.set $size (local.get 0))",
    "length": "(local.get 1)",
    "measure": "(i32.load offset=4 align=1 (local.get 0))",
    # Slots of zero bytes: that many empty strings.
    "texts": "(global.set $ptr (i32.const 131072)) (global.set $size (local.get 0))",
    "trap": "unreachable",
}


def modules() -> dict[str, bytes]:
    description = Description(functions=(MAKE, MEASURE, LENGTH, TEXTS, TRAP, ECHO))
    return {"m": echo_module(description, Memory(pages=1024, base=1000 * PAGE), SIZES)}


@pytest.fixture(params=["fast", "public"])
def sized(request: pytest.FixtureRequest) -> Iterator[tuple[Service, Staging]]:
    with staged(modules(), request.param) as (service, staging):
        staging.foresees = False
        yield service, staging


@linux_only
def test_large_arguments_and_results_are_given_back() -> None:
    data = bytes(LARGE)
    with staged(modules()) as (service, staging):
        staging.foresees = False

        def call() -> None:
            assert service.call("m", "measure", [[data]]) == LARGE
            assert len(staging.memory.view) == KEPT
            assert service.call("m", "echo", ["released"]) == "released"  # a number alone is no reason to release
            assert service.call("m", "make", [LARGE]) == data

        call()
        settled = resident()
        for _ in range(3):
            call()
            assert resident() < settled + 8 * MEGABYTE
        # The guest keeps what was lowered into it; staging keeps little.
        assert len(staging.memory.view) == KEPT
        kept = staging.memory
        kept.claim(LARGE, 1)[0] = 1
        staging.shrink()
        assert kept.claim(LARGE, 1)[0] == 0


def test_large_calls_between_small_ones(sized: tuple[Service, Staging]) -> None:
    service, _ = sized
    for size in (10, LARGE, 0, 1, KEPT, KEPT - DATA, KEPT + 1, PAGE - DATA, PAGE, PAGE + 1, 3 * LARGE // 2, 10):
        assert len(service.call("m", "make", [size])) == size
        assert service.call("m", "measure", [[bytes(size)]]) == size
        assert service.call("m", "echo", ["small"]) == "small"
    assert service.call("m", "texts", [100_000]) == [""] * 100_000
    assert service.call("m", "echo", ["é" * 3_000_000]) == "é" * 3_000_000


def test_recursive_values_larger_than_staging() -> None:
    """A recursive value is staged block by block; its blocks come to more than staging has."""
    node = RecordDeclaration("Node", (Member("text", Prim.STRING), Member("children", Vector(Named("Node")))))
    value = {"text": "root", "children": [{"text": f"{number:030}", "children": []} for number in range(10_000)]}
    with staged(chain([function("f", Named("Node"))], [node], Memory(pages=128))) as (service, staging):
        staging.foresees = False
        assert len(staging.memory.view) < 30 * len(value["children"])
        assert shown(service.call("outer", "f", [value])) == shown(
            ("root", [(item["text"], []) for item in value["children"]])
        )


def test_growth_inside_wasm_is_seen(sized: tuple[Service, Staging]) -> None:
    """Nothing large goes in, so the memory grows while the glue runs: views from before must not be used."""
    service, _ = sized
    for size in (PAGE, 10 * PAGE, 100 * PAGE, LARGE):
        found = service.call("m", "make", [size])
        assert len(found) == size
        assert found[-1] == 0
    assert service.call("m", "make", [LARGE]) == service.call("m", "make", [LARGE])


def test_a_failing_large_call_gives_back_too(sized: tuple[Service, Staging]) -> None:
    service, staging = sized
    for _ in range(2):
        with pytest.raises(CallError, match="unreachable"):
            service.call("m", "trap", [[bytes(LARGE)]])
        assert position(staging) == STACK
        if service.call_layer == "fast":
            assert len(staging.memory.view) == KEPT
        assert service.call("m", "echo", ["x"]) == "x"


def test_a_large_result_that_is_never_made_is_given_back_too(monkeypatch: pytest.MonkeyPatch) -> None:
    with staged(modules()) as (service, staging):
        assert service.call("m", "texts", [1]) == [""]

        def late(_: Meter) -> None:
            raise CallError("too late")

        monkeypatch.setattr(Meter, "tick", late)
        with pytest.raises(CallError, match="too late"):
            service.call("m", "texts", [KEPT])
        assert len(staging.memory.view) == KEPT


def test_staging_that_can_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arguments that do not fit are an error of the call that has them, in a batch too."""
    with staged(modules()) as (service, staging):
        memory = staging.memory
        grow = type(memory).grow
        monkeypatch.setattr(type(memory), "grow", lambda self, pages: pages < 40 and grow(self, pages))
        too_much = r"the staging memory can't grow by \d+ bytes$"
        with pytest.raises(CallError, match=too_much):
            service.call("m", "measure", [[bytes(LARGE)]])
        assert service.call("m", "measure", [[bytes(PAGE)]]) == PAGE
        datas = [bytes(size) for size in (1, PAGE, LARGE, 20 * PAGE, 2, LARGE)]
        for name, rows in (("length", [[data] for data in datas]), ("measure", [[[data]] for data in datas])):
            found = service.call_batch("m", name, rows)
            assert [item for item in found if isinstance(item, int)] == [1, PAGE, 20 * PAGE, 2]
            assert [type(found[index]) for index in (2, 5)] == [CallError, CallError]


@pytest.mark.parametrize("extra", [0, 1])
def test_batches_with_much_data(extra: int) -> None:
    """More than is staged at once, in arguments and in results; everything comes out in order."""
    with staged(modules()) as (service, staging):
        size = MEGABYTE // 2
        count = BATCH_ARGUMENTS // size + 3
        for name, wrap in (("length", bytes), ("measure", lambda size: [bytes(size)])):
            rows = [[wrap(size + index)] for index in range(count)]
            assert service.call_batch("m", name, rows) == [size + index for index in range(count)]
        count = BATCH_RESIDENT // size + 3
        found = service.call_batch("m", "make", [[size + index] for index in range(count)])
        assert list(map(len, found)) == [size + index for index in range(count)]
        texts = [f"{index}" * (KEPT // 8 + extra) for index in range(30)]
        assert service.call_batch("m", "echo", [[text] for text in texts]) == texts
        assert len(staging.memory.view) <= KEPT
        assert len(staging.memory.claim(0, 1)) == 1
        memory = staging.memory
        memory.refresh()
        assert len(memory.view) < 2 * BATCH_RESIDENT


PAIR = RecordDeclaration("Pair", (Member("small", Prim.U8), Member("wide", Prim.U64), Member("text", Prim.STRING)))
DEEP = RecordDeclaration(
    "Deep",
    (
        *(Member("flag", Prim.BOOLEAN), Member("pair", Named("Pair")), Member("odd", Vector(Prim.U8))),
        *(Member("pairs", Vector(Named("Pair"))), Member("numbers", Vector(Vector(Prim.F32)))),
        *(Member("texts", Vector(Vector(Prim.STRING))), Member("flags", Vector(Prim.BOOLEAN))),
    ),
)


def pair(number: int) -> tuple[Any, ...]:
    return number, 2**64 - 1 - number, "é" * number


def deep(number: int) -> tuple[Any, ...]:
    return (
        *(number % 2 == 0, pair(number), b"x" * number, [pair(index) for index in range(number)]),
        *([[0.5] * index for index in range(number)], [["a" * index, ""] for index in range(number)]),
        [True, False] * number,
    )


@pytest.mark.parametrize("before", range(9))
@pytest.mark.costly
def test_values_at_odd_addresses(configuration: Configuration, before: int) -> None:
    """A string in front moves everything behind it to any alignment."""
    signature = function("f", Named("Deep"), Prim.STRING, Vector(Named("Deep")), Prim.U16, Vector(Prim.U64))
    first = function("g", Prim.STRING, Named("Deep"), Vector(Named("Deep")), Vector(Prim.U64))
    with load(chain([signature, first], [PAIR, DEEP]), configuration.engine, configuration.call_layer) as service:
        value = deep(before % 5)
        args = [value, "x" * before, [value, deep(0), deep(3)], 7, [1, 2**64 - 1]]
        assert shown(service.call("outer", "f", args)) == shown(value)
        assert service.call("outer", "g", ["y" * before, value, [deep(1)] * 3, [before]]) == "y" * before
        rows = [args, [deep(2), "", [], 0, []], args]
        assert shown(service.call_batch("outer", "f", rows)) == shown([value, deep(2), value])


MIXED: list[tuple[Type, Any]] = [
    *((ty, edge_values(ty)[1]) for ty in SCALARS[:9]),
    (Prim.F32, 1.5),
    (Prim.F64, -0.0),
    (Prim.STRING, "日本語"),
    (Vector(Prim.U8), b"\0\xff"),
    (Vector(Prim.STRING), ["", "two", "é"]),
    (Named("Pair"), pair(3)),
    (Vector(Named("Deep")), [deep(2)]),
]


@pytest.mark.parametrize("shift", range(0, len(MIXED), 3))
def test_twelve_arguments(shift: int) -> None:
    """Guests see the same in the same order, whatever the mix."""
    chosen = [*MIXED[shift:], *MIXED[:shift]][:12]
    guests = chain([function("f", *(ty for ty, _ in chosen))], [PAIR, DEEP])
    args = [value for _, value in chosen]
    logs = []
    for engine in ("fused", "interpreter"):
        with load(guests, engine) as service:
            assert shown(service.call("outer", "f", args)) == shown(args[0])
            assert shown(service.call_batch("outer", "f", [args] * 3)) == shown([args[0]] * 3)
            logs.append(take_logs(service))
    assert logs[0] == logs[1]


@pytest.mark.costly
def test_values_may_end_at_four_gigabytes(configuration: Configuration) -> None:
    """The address behind such a value is 0 in 32 bits."""
    memory = Memory(pages=0x10000, base=2**32 - 24, gap=0)
    signatures = [
        function("text", Prim.STRING),
        function("numbers", Vector(Prim.U64)),
        function("flags", Vector(Prim.BOOLEAN)),
        function("texts", Vector(Prim.STRING)),
    ]
    with load(chain(signatures, memory=memory), configuration.engine, configuration.call_layer) as service:
        for module in ("inner", "outer"):
            assert service.call(module, "text", ["é" * 12]) == "é" * 12
            assert service.call(module, "numbers", [[1, 2, 2**64 - 1]]) == [1, 2, 2**64 - 1]
            assert service.call(module, "flags", [[True, False] * 12]) == [True, False] * 12
            assert service.call(module, "texts", [[""] * 3]) == [""] * 3
            with pytest.raises(CallError, match="`allocate` returned 0 for 25 bytes"):
                service.call(module, "text", ["x" * 25])
