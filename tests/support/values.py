"""Hypothesis strategies for described signatures, and for values of their types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_gen.generate.model import DESCRIBED_PRIMS
from marine_runtime.abi.layout import INTEGER_RANGES
from marine_runtime.types import Prim
from marine_runtime.values.scalars import to_f32
from tests.support.echo import function

SCALARS = tuple(ty for ty in Prim if ty in DESCRIBED_PRIMS)
"""Everything that a description can name without parameters."""

_LENGTH = 4
_DEPTH = 3


def edge_values(ty: Prim) -> list[Any]:
    """The values at which something can go wrong."""
    if ty in INTEGER_RANGES:
        low, high = INTEGER_RANGES[ty]
        return [low, high, 0, 1, high // 2, high // 2 + 1, *([-1] if low else [])]
    if ty is Prim.BOOLEAN:
        return [True, False]
    if ty is Prim.STRING:
        return ["", "a", "\0", "é", "日本語", "😀" * 3, "\ufeff\u202e", "x" * 300]
    special = [0.0, -0.0, 1.5, float("inf"), float("-inf"), float("nan"), 5e-324, 1.7976931348623157e308]
    return [to_f32(value) for value in [*special, 1e-45, 3.4028234663852886e38]] if ty is Prim.F32 else special


def values(ty: Type, records: Mapping[str, RecordDeclaration], depth: int = 0) -> st.SearchStrategy[Any]:
    """Values of `ty`; records are tuples. Vectors become empty at some depth, so that recursion ends."""
    if isinstance(ty, Vector):
        if ty.element is Prim.U8:
            return st.binary(max_size=20)
        if depth >= _DEPTH:
            return st.just([])
        return st.lists(values(ty.element, records, depth + 1), max_size=_LENGTH)
    if isinstance(ty, Named):
        fields = records[ty.name].fields
        assert fields
        return st.tuples(*(values(field.type, records, depth + 1) for field in fields))
    edges = st.sampled_from(edge_values(ty))
    if ty in INTEGER_RANGES:
        return edges | st.integers(*INTEGER_RANGES[ty])
    if ty is Prim.STRING:
        return edges | st.text(max_size=20)
    return edges if ty is Prim.BOOLEAN else edges | st.floats(width=32 if ty is Prim.F32 else 64)


@st.composite
def record_declarations(draw: st.DrawFn) -> tuple[RecordDeclaration, ...]:
    """Up to three records. A field may name any record through a vector, an earlier one directly too."""
    names = [f"R{index}" for index in range(draw(st.integers(0, 3)))]
    declared = []
    for position, name in enumerate(names):
        inner = st.one_of(types(names[:position]), types(names).map(Vector))
        fields = draw(st.lists(inner, min_size=1, max_size=4))
        declared.append(RecordDeclaration(name, tuple(Member(f"f{index}", ty) for index, ty in enumerate(fields))))
    return tuple(declared)


def types(records: list[str]) -> st.SearchStrategy[Type]:
    """Described types over the named records."""
    leaves: st.SearchStrategy[Type] = st.sampled_from(SCALARS)
    if records:
        leaves |= st.sampled_from(records).map(Named)
    leaves |= st.just(Vector(Prim.U8))
    return st.recursive(leaves, lambda inner: inner.map(Vector), max_leaves=3)


@st.composite
def signatures(draw: st.DrawFn) -> tuple[tuple[RecordDeclaration, ...], Signature]:
    """Records, and an echoing function over them."""
    declared = draw(record_declarations())
    params = draw(st.lists(types([record.name for record in declared]), min_size=1, max_size=5))
    return declared, function("f", *params)
