"""Hypothesis strategies for Interfaces that both formats can carry.

What they make is well-formed but not meaningful: indices point anywhere and adapters do not type-check. The `Array(U8)`
spelling of byte arrays is left out, because the text has one form for both (see `grammar/README.md`).
"""

from __future__ import annotations

from hypothesis import strategies as st

from marine_gen.interfaces import (
    INSTRUCTIONS,
    Adapter,
    Export,
    Immediate,
    Implementation,
    Import,
    Instruction,
    Interfaces,
    Operator,
)
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType

U32_MAX = 2**32 - 1

HOSTILE_NAMES = (
    "",
    ":",
    "a:",
    "a::",
    "$",
    "$a",
    '"',
    "\\",
    '\\"',
    "a b",
    "(",
    ")",
    ";;",
    "(;",
    ";)",
    ",",
    "\n",
    "\r\n",
    "\t",
    "\0",
    "\x7f",
    "\x85",
    "\u2028",
    "\u202e",
    "\ufeff",
    "é",
    "имя",
    "😀",
    "class",
    "__init__",
    "func",
    "@interface",
    "0",
    "-1",
    "0x",
    "\\u{61}",
    "x" * 255,
)

names = st.one_of(
    st.text("abcXYZ019_-.:", max_size=12),
    st.sampled_from(HOSTILE_NAMES),
    st.text(st.characters(codec="utf-8"), max_size=60),
)
"""Names of up to 255 bytes of UTF-8."""

versions = st.one_of(
    st.sampled_from(("0.20.0", "0.27.0", "0.28.0", "1.2.3-rc.1+build.5")),
    st.builds("{}.{}.{}".format, *[st.integers(0, 2**64 - 1)] * 3),
)

indices = st.one_of(st.integers(0, 20), st.integers(0, U32_MAX))


def itypes(records: st.SearchStrategy[int] = indices) -> st.SearchStrategy[IType]:
    """Types whose records have ids from `records`."""
    leaves: st.SearchStrategy[IType] = st.one_of(st.sampled_from(list(Prim)), st.builds(Record, records))
    return st.recursive(leaves, lambda inner: inner.map(_array), max_leaves=6)


def _array(element: IType) -> IType:
    return Prim.BYTE_ARRAY if element is Prim.U8 else Array(element)


def fields(ty: st.SearchStrategy[IType]) -> st.SearchStrategy[Field]:
    """Named members."""
    return st.builds(Field, names, ty)


def _tuples(items: st.SearchStrategy, min_size: int = 0, max_size: int = 4) -> st.SearchStrategy:
    return st.lists(items, min_size=min_size, max_size=max_size).map(tuple)


def types() -> st.SearchStrategy[FunctionType | RecordType]:
    """Function and record types."""
    members = fields(itypes())
    return st.one_of(
        st.builds(FunctionType, _tuples(members), _tuples(itypes(), max_size=3)),
        st.builds(RecordType, names, _tuples(members, min_size=1)),
    )


def _instruction(operator: Operator) -> st.SearchStrategy[Instruction]:
    match operator.immediate:
        case Immediate.NONE:
            return st.just(Instruction(operator))
        case Immediate.TYPE:
            immediates: st.SearchStrategy[int | IType] = itypes()
        case Immediate.I32:
            immediates = st.integers(-(2**31), 2**31 - 1)
        case Immediate.I64:
            immediates = st.integers(-(2**63), 2**63 - 1)
        case _:
            immediates = indices
    return st.builds(Instruction, st.just(operator), immediates)


instructions: st.SearchStrategy[Instruction] = st.sampled_from(INSTRUCTIONS).flatmap(_instruction)


def interfaces() -> st.SearchStrategy[Interfaces]:
    """Whole interface sections."""
    return st.builds(
        Interfaces,
        versions,
        _tuples(types()),
        _tuples(st.builds(Import, names, names, indices)),
        _tuples(st.builds(Adapter, indices, _tuples(instructions, max_size=8))),
        _tuples(st.builds(Export, names, indices)),
        _tuples(st.builds(Implementation, indices, indices)),
    )
