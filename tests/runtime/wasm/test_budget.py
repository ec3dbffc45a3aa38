"""The memory tests of Marine: the budget to the page, what is reported, and that nothing leaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
)
from marine_runtime import ArgumentError, MemoryLimitError, Service, ServiceConfig
from marine_runtime.types import Prim
from tests.support.echo import PAGE, Memory, chain, echo_module, function
from tests.support.engines import shown

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]

LIMIT = 64 << 20
PIECE = function("single_piece", Prim.S64, result=Prim.U32)
PIECES = function("pieces", Prim.U32, result=Prim.U32)
BOTH = function("pieces_of_both", Prim.U32, result=Prim.U32)

# Like the allocators of Rust and C, they abort when the memory does not grow.
_GROW = "(if (i32.eq (memory.grow {}) (i32.const -1)) (then unreachable))"
_PIECES = f"""
  (if (local.get 0) (then
    (loop $more
      {_GROW.format("(i32.const 1)")}
      (local.set 0 (i32.sub (local.get 0) (i32.const 1)))
      (br_if $more (local.get 0)))))
  (i32.const 0)"""
_BODIES = {
    PIECE.name: _GROW.format("(i32.wrap_i64 (i64.shr_u (local.get 0) (i64.const 16)))") + "(i32.const 0)",
    PIECES.name: _PIECES,
    BOTH.name: "(drop (call $own (local.get 0))) (call $import0 (local.get 0))",
}


def hungry(pages: int = 17) -> dict[str, bytes]:
    """Two modules that start like those of a Rust toolchain, with a table each; `pure` eats for both."""
    memory = Memory(pages=pages, base=PAGE * pages - 4096)
    own = f"(table 1 funcref) (func $own (param i32) (result i32) {_PIECES})"
    imported = (ExternModule("effector", (ImportedFunction(PIECES),)),)
    forwarding = Description((), (PIECE, PIECES, BOTH), imported)
    bodies = {**_BODIES, PIECES.name: "(call $own (local.get 0))"}
    return {
        "effector": echo_module(Description((), (PIECE, PIECES)), memory, _BODIES, "(table 1 funcref)"),
        "pure": echo_module(forwarding, memory, bodies, own),
    }


def used(service: Service) -> int:
    """Pages of all memories."""
    total, rest = divmod(sum(service.statistics().memory.values()), PAGE)
    assert rest == 0
    return total


@pytest.fixture
def service(serve: Serve) -> Service:
    """Both modules under the limit, with a good part of it taken."""
    made = serve(hungry(), config=ServiceConfig(total_memory_limit=LIMIT))
    assert used(made) == 34
    assert made.call("pure", "pieces_of_both", [200]) == 0
    assert used(made) == 434
    return made


def free(service: Service) -> int:
    """Pages that the memories could still get if there were no tables."""
    return LIMIT // PAGE - used(service)


def fails(service: Service, name: str, argument: int) -> None:
    """The call ends with an error that names the limit."""
    with pytest.raises(MemoryLimitError) as caught:
        service.call("pure", name, [argument])
    assert (caught.value.rejects, caught.value.limit) == (1, LIMIT)


def test_triggered_on_instantiation(serve: Serve) -> None:
    with pytest.raises(MemoryLimitError) as caught:
        serve(hungry(), config=ServiceConfig(total_memory_limit=2 << 20))
    assert caught.value.rejects == 1


def test_triggered_by_a_single_module(service: Service) -> None:
    """The elements of the tables cost a page: what is left of it is too little for another one."""
    fails(service, PIECES.name, free(service) + 1)
    assert used(service) == LIMIT // PAGE - 1


def test_not_triggered_near_the_limit_by_a_single_module(service: Service) -> None:
    before, pages = used(service), free(service) - 1
    service.call("pure", PIECES.name, [pages])
    assert used(service) == before + pages


def test_triggered_by_two_modules(service: Service) -> None:
    fails(service, BOTH.name, free(service) // 2 + 1)
    assert used(service) == LIMIT // PAGE - 1


def test_not_triggered_near_the_limit_by_two_modules(service: Service) -> None:
    before, pages = used(service), free(service) // 2 - 2
    service.call("pure", BOTH.name, [pages])
    assert used(service) == before + 2 * pages


def test_triggered_by_a_large_allocation(service: Service) -> None:
    before = used(service)
    fails(service, PIECE.name, 128 << 20)
    assert used(service) == before


def test_without_a_limit_nothing_is_refused(serve: Serve) -> None:
    """`total_memory_limit = "Infinity"`."""
    made = serve(hungry(), config=ServiceConfig())
    made.call("pure", PIECE.name, [128 << 20])
    assert used(made) == 34 + 2048
    assert made.statistics().rejects == 0


def test_other_errors_stay_what_they_are(serve: Serve) -> None:
    """A refused growth makes a memory error of failures in guests only, not of the host's own exceptions."""
    body = "(drop (memory.grow (i32.const 999))) (call $host)"

    def callback() -> None:
        raise KeyError("mine")

    module = echo_module(
        Description(functions=(Signature("f"),)), Memory(), {"f": body}, "", '(import "host" "callback" (func $host))'
    )
    made = serve(
        {"m": module},
        host_functions={"callback": HostFunction.of(callback)},
        config=ServiceConfig(total_memory_limit=2 * PAGE),
    )
    with pytest.raises(KeyError, match="mine"):
        made.call("m", "f")
    assert made.statistics().rejects == 1
    with pytest.raises(ArgumentError):
        made.call("m", "f", [1])


LEVELS = (
    RecordDeclaration("Level0", tuple(Member(f"field{index}", Prim.S32) for index in range(12))),
    *(
        RecordDeclaration(
            f"Level{level}", tuple(Member(f"field{index}", Named(f"Level{level - 1}")) for index in range(12))
        )
        for level in (1, 2, 3)
    ),
)


@pytest.mark.costly
def test_large_records_are_given_back(serve: Serve) -> None:
    """80 KiB of numbers in records in records, passed and returned: memories grow once, then never again."""
    value: Any = tuple(range(12))
    for _ in range(3):
        value = (value,) * 12
    made = serve(chain([function("f", Named("Level3"))], LEVELS))
    sizes = []
    for _ in range(3):
        assert shown(made.call("outer", "f", [value])) == shown(value)
        sizes.append(made.statistics().memory)
    assert min(sizes[0].values()) >= 80 << 10
    assert sizes == [sizes[0]] * 3
