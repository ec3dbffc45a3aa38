"""The types and values that cross in the measurements, each under a name.

Fields are in alphabetical order: JSON objects of marine-js are sorted by key, so both orders are the same.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from marine_gen.generate import Description, generate
from marine_gen.idl import parse_description
from marine_gen.interfaces import Interfaces
from marine_runtime.types import FunctionType

_PERSON = """
data Person:
  age: u32
  name: string
  score: f64
"""

_FIELDS = """
data Fields:
  a: bool
  b: s8
  c: s16
  d: s32
  e: s64
  f: u8
  g: u16
  h: u32
  i: Person
  j: f32
  k: f64
  l: string
  m: [u8]
"""


@dataclass(frozen=True)
class Shape:
    """A type.

    Attributes:
        type: as the interface description language writes it.
        value: makes a plain value of a size; what the size counts is for the shape to say.
        data: declarations of the records that the type needs.
    """

    name: str
    type: str
    value: Callable[[int], Any]
    data: str = ""

    @cached_property
    def interfaces(self) -> Interfaces:
        """The interfaces of a module that exports `echo` over this type."""
        return generate(self.described(f"export:\n  fn echo(value: {self.type}) -> {self.type}\n"))

    def described(self, blocks: str) -> Description:
        """A description with the records of this type and `blocks`."""
        return parse_description(f"{self.data}\n{blocks}", f"{self.name}.idl")

    @property
    def signature(self) -> FunctionType:
        """The type of `echo`."""
        signature = self.interfaces.types[self.interfaces.exports[-1].type_index]
        assert isinstance(signature, FunctionType)
        return signature


def person(number: int = 7) -> tuple[Any, ...]:
    """A flat record."""
    return (number, f"person {number:04}", number / 4)


def _fields(size: int) -> tuple[Any, ...]:
    numbers = (True, -8, -16, -32, -(2**40), 8, 16, 32)
    return (*numbers, person(size), 0.5, 0.25, "text", b"bytes")


def _pattern(size: int) -> bytes:
    return (bytes(range(256)) * (size // 256 + 1))[:size]


SHAPES = {
    shape.name: shape
    for shape in (
        Shape("scalar", "u32", lambda size: size),
        Shape(
            "string",
            "string",
            lambda size: ("Grüße! " + "0123456789abcdef" * (size // 16 + 1)).encode()[-size:].decode(),
        ),
        Shape("bytes", "[u8]", _pattern),
        Shape("record", "Person", person, _PERSON),
        Shape("record of 13", "Fields", _fields, _PERSON + _FIELDS),
        Shape("strings", "[string]", lambda count: [f"string {number:04}" for number in range(count)]),
        Shape("records", "[Person]", lambda count: [person(number) for number in range(count)], _PERSON),
        Shape("u64s", "[u64]", lambda count: [2**40 + number for number in range(count)]),
    )
}
"""Values that cross, by name. A string or byte array has a size in bytes, an array a number of elements."""


def nested(depth: int) -> Shape:
    """A record of a number and a record, and so on; the innermost of `depth` records has a number only."""
    lines = []
    for level in range(depth):
        lines += [f"data R{level}:", "  a: u32", *([f"  b: R{level + 1}"] if level + 1 < depth else [])]

    def value(size: int) -> tuple[Any, ...]:
        made: tuple[Any, ...] = (size,)
        for _ in range(depth - 1):
            made = (size, made)
        return made

    return Shape("nested record", "R0", value, "\n".join(lines))
