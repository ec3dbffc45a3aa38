"""Random signatures with random values, many to a module: the fused engine and the interpreter agree.

Where `tests/differential` shrinks what it finds, this goes through thousands of cases, twelve arguments wide, in
the time that it takes to build a hundred services. What it draws depends on MARINE_GEN_FUSED_SEED alone;
MARINE_GEN_FUSED_MODULES says for how many modules.
"""

from __future__ import annotations

import os
from random import Random
from typing import Any

import pytest

from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime.scalars import to_f32
from marine_runtime.types import INTEGER_RANGES, Prim
from tests.support.echo import Memory, chain, function, take_logs
from tests.support.engines import load, shown
from tests.support.fused import unfused
from tests.support.values import SCALARS, edge_values

MODULES = int(os.environ.get("MARINE_GEN_FUSED_MODULES", "100"))
SEED = int(os.environ.get("MARINE_GEN_FUSED_SEED", "20240229"))
FUNCTIONS = 20
VALUES = 3
DEPTH = 3
MEMORIES = (Memory(), Memory(gap=0), Memory(pages=2, base=2**16 + 13, gap=3), Memory(pages=40, base=2**21, gap=5))


class Draw:
    """Draws records, signatures and values for one pair of modules."""

    def __init__(self, seed: str) -> None:
        self.random = Random(seed)
        self.records: dict[str, RecordDeclaration] = {}
        for index in range(self.random.randint(0, 5)):
            names = [*self.records]
            own = f"R{index}"
            fields = [self.type([*names, own] if self.random.random() < 0.3 else names) for _ in range(self.size(1, 6))]
            # A record may hold itself in a vector only.
            fields = [Vector(ty) if ty == Named(own) else ty for ty in fields]
            members = tuple(Member(f"f{position}", ty) for position, ty in enumerate(fields))
            self.records[own] = RecordDeclaration(own, members)

    def size(self, low: int, high: int) -> int:
        """Small sizes more often than large ones."""
        return min(self.random.randint(low, high), self.random.randint(low, high))

    def type(self, records: list[str]) -> Type:
        """A type over the named records, nested up to three vectors deep."""
        kind = self.random.random()
        if kind < 0.25 and records:
            ty: Type = Named(self.random.choice(records))
        elif kind < 0.35:
            ty = Vector(Prim.U8)
        else:
            ty = self.random.choice(SCALARS)
        for _ in range(self.random.choice((0, 0, 0, 1, 1, 2, 3))):
            ty = Vector(ty)
        return ty

    def signature(self, name: str) -> Signature:
        """An echoing function of up to twelve arguments."""
        return function(name, *(self.type([*self.records]) for _ in range(self.size(1, 12))))

    def value(self, ty: Type, depth: int = 0) -> Any:
        """A value of `ty`; vectors become empty at some depth, so that recursion ends."""
        if isinstance(ty, Named):
            return tuple(self.value(member.type, depth + 1) for member in self.records[ty.name].fields or ())
        if isinstance(ty, Vector):
            count = 0 if depth >= DEPTH else self.random.choice((0, 1, 1, 2, 3, 5))
            if ty.element is Prim.U8:
                return self.random.randbytes(count * self.random.choice((1, 7, 100)))
            return [self.value(ty.element, depth + 1) for _ in range(count)]
        if self.random.random() < 0.5:
            return self.random.choice(edge_values(ty))
        if ty in INTEGER_RANGES:
            return self.random.randint(*INTEGER_RANGES[ty])
        if ty is Prim.BOOLEAN:
            return self.random.random() < 0.5
        if ty is Prim.STRING:
            return "".join(self.random.choices("aZ\0é\u07ff\u0800日\uffff😀\U0010ffff", k=self.size(0, 40)))
        number = self.random.uniform(-1e30, 1e30)
        return to_f32(number) if ty is Prim.F32 else number


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
