"""Random records, signatures and values, drawn by one generator: quick, and the same for the same seed."""

from __future__ import annotations

from random import Random
from typing import Any

from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime.abi.layout import INTEGER_RANGES
from marine_runtime.types import Prim
from marine_runtime.values.scalars import to_f32
from tests.support.echo import function
from tests.support.values import SCALARS, edge_values

DEPTH = 3
"""The depth of vectors in values at which they become empty."""


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

    def signature(self, name: str, most: int = 12) -> Signature:
        """An echoing function of up to `most` arguments."""
        return function(name, *(self.type([*self.records]) for _ in range(self.size(1, most))))

    def value(self, ty: Type, depth: int = 0) -> Any:
        """A value of `ty`; vectors become empty at some depth, so that recursion ends."""
        if isinstance(ty, Named):
            return tuple(self.value(member.type, depth + 1) for member in self.records[ty.name].fields or ())
        if isinstance(ty, Vector):
            count = 0 if depth >= DEPTH else self.random.choice((0, 1, 1, 2, 3, 5))
            if ty.element is Prim.U8:
                return self.random.randbytes(count * self.random.choice((1, 7, 100)))
            return [self.value(ty.element, depth + 1) for _ in range(count)]
        return scalar(self.random, ty)


def scalar(random: Random, ty: Prim) -> Any:
    """A number, bool or string; half of the time one at which something can go wrong."""
    if random.random() < 0.5:
        return random.choice(edge_values(ty))
    if ty in INTEGER_RANGES:
        return random.randint(*INTEGER_RANGES[ty])
    if ty is Prim.BOOLEAN:
        return random.random() < 0.5
    if ty is Prim.STRING:
        return "".join(
            random.choices("aZ\0é\u07ff\u0800日\uffff😀\U0010ffff", k=min(random.randint(0, 40), random.randint(0, 40)))
        )
    number = random.uniform(-1e30, 1e30)
    return to_f32(number) if ty is Prim.F32 else number
