"""Expressions of Wasm text that the whole backend writes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from marine_gen.codegen.writer import Writer


def const(number: int, ty: str = "i32") -> str:
    """A constant."""
    return f"({ty}.const {number})"


def get(name: str) -> str:
    """A local variable."""
    return f"(local.get ${name})"


def bytes_of(memory: str) -> str:
    """The bytes that a memory has (i64)."""
    return f"(i64.shl (i64.extend_i32_u (memory.size {memory})) {const(16, 'i64')})"


def outside(ptr: str, size: str, limit: str) -> str:
    """The condition that `size` bytes (i64) at `ptr` leave a memory of `limit` bytes; ending exactly there is fine."""
    # check: fused bounds
    return f"(i64.gt_u (i64.add (i64.extend_i32_u {ptr}) {size}) {limit})"


@contextmanager
def when(writer: Writer, condition: str) -> Iterator[None]:
    """Write an `if` without `else` around what follows."""
    with writer.block(f"if {condition}", "then"):
        yield
