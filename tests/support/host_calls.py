"""Guests that pass everything to a host function and return its result."""

from __future__ import annotations

from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector, generate
from marine_runtime.types import Array, FunctionType, IType, Prim, Record, Records, is_bytes
from tests.support.echo import Memory, echo_wat, forward, raw_wat
from tests.support.engines import assemble

LOGGED = "(call $log (i32.const 0) (local.get $size) (local.get $tag))"
"""The first instruction of `allocate` in guests of `tests.support.echo`."""


def calling(
    signature: Signature,
    records: tuple[RecordDeclaration, ...] = (),
    namespace: str = "host",
    name: str = "callback",
    *,
    more: tuple[Signature, ...] = (),
    memory: Memory | None = None,
    allocate: str = "",
    fields: str = "",
    head: str = "",
) -> bytes:
    """A module whose function `signature` calls the import `namespace.name` of the same type.

    Args:
        signature: the function.
        records: the records of its type.
        namespace: that of the import.
        name: that of the import.
        more: other functions that the module exports.
        memory: how it uses its memory.
        allocate: the instructions with which `allocate` begins, behind the one that logs.
        fields: more fields of the Wasm module.
        head: more of its imports.
    """
    interfaces = generate(Description(records, (signature, *more)))
    ty = interfaces.types[interfaces.exports[6].type_index]
    assert isinstance(ty, FunctionType)
    head = f'(import "{namespace}" "{name}" (func $host {raw_wat(ty)})){head}'
    text = echo_wat(interfaces, memory or Memory(), {signature.name: "".join(forward("$host", ty))}, fields, head)
    assert LOGGED in text
    return assemble(text.replace(LOGGED, f"{LOGGED} {allocate}", 1), interfaces)


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
