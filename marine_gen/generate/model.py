"""A typed description of a module: its records, its exported functions, and what it imports.

How an argument is passed (by value or by reference) is left out, because it changes nothing. Types name records; the
numbers are given in `records`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from marine_runtime.abi import HOST_NAMESPACES, RESERVED_PREFIX, Form, layout_of
from marine_runtime.types import Prim


@dataclass(frozen=True, slots=True)
class Vector:
    """A list of `element`; a vector of u8 becomes a byte array."""

    element: Type


@dataclass(frozen=True, slots=True)
class Named:
    """The record that is declared under `name`."""

    name: str


Type = Prim | Vector | Named
"""A described type. Byte arrays and the raw i32 and i64 have no name of their own in descriptions."""


def form(ty: Type) -> Form:
    """The content of a slot of `ty`."""
    match ty:
        case Prim():
            return layout_of(ty).form
        case Vector():
            return Form.PAIR
        case Named():
            return Form.POINTER
        case _:
            assert_never(ty)


DESCRIBED_PRIMS = frozenset(Prim) - {Prim.BYTE_ARRAY, Prim.I32, Prim.I64}


@dataclass(frozen=True, slots=True)
class Member:
    """A record field or a function parameter. Fields of tuple-like records have the empty name."""

    name: str
    type: Type


@dataclass(frozen=True, slots=True)
class RecordDeclaration:
    """A record. `fields` is None for a unit record, which has no type and is skipped; it may not be empty."""

    name: str
    fields: tuple[Member, ...] | None


@dataclass(frozen=True, slots=True)
class Signature:
    """A function's name, parameters and, when it returns something, its one result."""

    name: str
    params: tuple[Member, ...] = ()
    result: Type | None = None


@dataclass(frozen=True, slots=True)
class ImportedFunction:
    """A function of another module. `link_name` is its name there, when it differs from the local one."""

    signature: Signature
    link_name: str | None = None

    @property
    def name(self) -> str:
        """The name that is looked up in the other module."""
        return self.signature.name if self.link_name is None else self.link_name


@dataclass(frozen=True, slots=True)
class ExternModule:
    """The functions imported from the module `namespace`, or from the host when that is a host namespace."""

    namespace: str
    functions: tuple[ImportedFunction, ...]

    @property
    def is_host(self) -> bool:
        """True if the host itself provides these functions; it needs no adapters (docs/spec/host.md#namespaces)."""
        return self.namespace in HOST_NAMESPACES

    @property
    def is_unknown_host(self) -> bool:
        """True for the namespace of a host that does not exist."""
        return self.namespace.startswith(RESERVED_PREFIX) and not self.is_host


@dataclass(frozen=True, slots=True)
class Description:
    """Everything that adapters are generated from, each list in its order of appearance."""

    records: tuple[RecordDeclaration, ...] = ()
    functions: tuple[Signature, ...] = ()
    imports: tuple[ExternModule, ...] = ()
