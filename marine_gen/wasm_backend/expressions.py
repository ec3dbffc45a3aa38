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


@contextmanager
def when(writer: Writer, condition: str) -> Iterator[None]:
    """Write an `if` without `else` around what follows."""
    with writer.block(f"if {condition}", "then"):
        yield
