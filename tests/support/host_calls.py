"""Guests that pass everything to a host function and return its result."""

from __future__ import annotations

from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector, generate
from marine_runtime.types import Array, FunctionType, IType, Prim, Record, Records, is_bytes
from tests.support.echo import Memory, echo_module, forward, raw_wat


def calling(
    signature: Signature, records: tuple[RecordDeclaration, ...] = (), namespace: str = "host", name: str = "callback"
) -> bytes:
    """A module whose function `signature` calls the import `namespace.name` of the same type."""
    description = Description(records, (signature,))
    interfaces = generate(description)
    ty = interfaces.types[interfaces.exports[6].type_index]
    assert isinstance(ty, FunctionType)
    head = f'(import "{namespace}" "{name}" (func $host {raw_wat(ty)}))'
    return echo_module(description, Memory(), {signature.name: "".join(forward("$host", ty))}, head=head)


def declarations(records: Records) -> tuple[RecordDeclaration, ...]:
    """The records of a host function as a guest declares them."""

    def described(ty: IType) -> Type:
        if is_bytes(ty):
            return Vector(Prim.U8)
        if isinstance(ty, Array):
            return Vector(described(ty.element))
        return Named(records[ty.id].name) if isinstance(ty, Record) else ty

    return tuple(
        RecordDeclaration(record.name, tuple(Member(item.name, described(item.type)) for item in record.fields))
        for record in records.values()
    )
