"""The instruction sequences of generated adapters, for one function at a time (docs/spec/adapters.md).

An export adapter lowers its arguments into the module and lifts the result out of it; an import adapter does the
reverse. Indices of types and functions come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from marine_gen.interfaces import BY_MNEMONIC, Instruction
from marine_runtime.abi import (
    BYTES_TAG,
    AbiHelper,
    Bytes,
    Flat,
    Form,
    Kind,
    List,
    Struct,
    Text,
    element_of,
    is_flat,
    layout_of,
    shape,
)
from marine_runtime.types import Field, FunctionType, IType, Prim


def export_adapter(function: FunctionType, callee: int) -> tuple[Instruction, ...]:
    """The adapter of an exported function whose core function has the call-core index `callee`."""
    return tuple(_export(function, callee))


def import_adapter(function: FunctionType, callee: int) -> tuple[Instruction, ...]:
    """The adapter of an imported function that has the call-core index `callee`."""
    return tuple(_import(function, callee))


def raw_signature(function: FunctionType) -> FunctionType:
    """The core signature of an imported function, in the spelling that import adapters have."""
    params = [raw for param in function.params for raw in _raw_params(param)]
    results = [_raw_result(result) for result in function.results if is_flat(result)]
    return FunctionType(tuple(params), tuple(results))


def _raw_params(param: Field) -> Iterator[Field]:
    slot = layout_of(param.type)
    # Both halves of a pair are called alike; readers of existing modules know them under this name.
    name = f"{param.name}_ptr" if slot.form is Form.PAIR else param.name
    return (Field(name, core) for core in slot.carrier)


def _raw_result(ty: IType) -> Prim:
    (carrier,) = layout_of(ty).carrier
    return {Prim.I32: Prim.S32, Prim.I64: Prim.S64}.get(carrier, carrier)


def _op(mnemonic: str, immediate: int | IType | None = None) -> Instruction:
    return Instruction(BY_MNEMONIC[mnemonic], immediate)


def _call(service: AbiHelper) -> Instruction:
    return _op("call-core", int(service))


def _to_core(flat: Flat) -> Iterator[Instruction]:
    """The conversion of a flat value to its carrier; floats are their own."""
    if flat.kind is not Kind.FLOAT:
        yield _op(f"{flat.layout.carrier[0]}.from_{flat.prim}")


def _from_core(flat: Flat) -> Iterator[Instruction]:
    if flat.kind is not Kind.FLOAT:
        yield _op(f"{flat.prim}.from_{flat.layout.carrier[0]}")


def _lift(ty: IType) -> Iterator[Instruction]:
    """A value from its carriers, which are on the stack."""
    part = shape(ty)
    match part:
        case Flat():
            yield from _from_core(part)
        case Text():
            yield _op("string.lift_memory")
        case Bytes():
            yield _op("byte_array.lift_memory")
        case List():
            yield _op("array.lift_memory", element_of(ty))
        case Struct(id=index):
            yield _op("record.lift_memory", index)
        case _:
            assert_never(part)


def _lower(ty: IType, argument: Instruction | None = None) -> Iterator[Instruction]:
    """The carriers of the value on top of the stack.

    The adapter itself allocates the block of a string, so it needs the string twice: `argument` is the instruction that
    pushes it again, where there is one.
    """
    part = shape(ty)
    match part:
        case Flat():
            yield from _to_core(part)
        case Text():
            if argument is None:
                yield _op("dup")
            yield _op("string.size")
            yield _op("i32.push", BYTES_TAG)
            yield _call(AbiHelper.ALLOCATE)
            yield argument or _op("swap2")
            yield _op("string.lower_memory")
        case Bytes() | List():
            yield _op("array.lower_memory", element_of(ty))
        case Struct(id=index):
            yield _op("record.lower_memory", index)
        case _:
            assert_never(part)


def _export(function: FunctionType, callee: int) -> Iterator[Instruction]:
    for index, param in enumerate(function.params):
        argument = _op("arg.get", index)
        yield argument
        yield from _lower(param.type, argument)
    yield _op("call-core", callee)
    for result in function.results:
        form = layout_of(result).form
        if form is not Form.FLAT:
            yield _call(AbiHelper.GET_RESULT_PTR)
        if form is Form.PAIR:
            yield _call(AbiHelper.GET_RESULT_SIZE)
        yield from _lift(result)
        if form is not Form.FLAT:
            yield _call(AbiHelper.RELEASE_OBJECTS)


def _import(function: FunctionType, callee: int) -> Iterator[Instruction]:
    position = 0
    for param in function.params:
        for _ in layout_of(param.type).carrier:
            yield _op("arg.get", position)
            position += 1
        yield from _lift(param.type)
    if not all(is_flat(param.type) for param in function.params):
        yield _call(AbiHelper.RELEASE_OBJECTS)
    yield _op("call-core", callee)
    for result in function.results:
        yield from _lower(result)
        # The size is on top, so its cell is set first.
        form = layout_of(result).form
        if form is Form.PAIR:
            yield _call(AbiHelper.SET_RESULT_SIZE)
        if form is not Form.FLAT:
            yield _call(AbiHelper.SET_RESULT_PTR)
