"""The instruction sequences of generated adapters, for one function at a time (spec §7.3, §7.4).

An export adapter lowers its arguments into the module and lifts the result out of it; an import adapter does the
reverse. Indices of types and functions come from the caller.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import IntEnum

from marine_gen.interfaces import BY_MNEMONIC, Instruction
from marine_runtime.types import FLOATS, LAYOUTS, Array, Field, FunctionType, IType, Prim, Record

_U8_TAG = LAYOUTS[Prim.U8].tag


class AbiHelper(IntEnum):
    """The call-core indices of the functions that every module has for its host (spec §6.6)."""

    ALLOCATE = 0
    RELEASE_OBJECTS = 1
    GET_RESULT_SIZE = 2
    GET_RESULT_PTR = 3
    SET_RESULT_SIZE = 4
    SET_RESULT_PTR = 5


SERVICE_SIGNATURES = {
    AbiHelper.ALLOCATE: FunctionType((Field("size", Prim.I32),), (Prim.I32,)),
    AbiHelper.RELEASE_OBJECTS: FunctionType(),
    AbiHelper.GET_RESULT_SIZE: FunctionType((), (Prim.I32,)),
    AbiHelper.GET_RESULT_PTR: FunctionType((), (Prim.I32,)),
    AbiHelper.SET_RESULT_SIZE: FunctionType((Field("result_size", Prim.I32),)),
    AbiHelper.SET_RESULT_PTR: FunctionType((Field("result_ptr", Prim.I32),)),
}
"""What the interface section declares for them. `allocate` really has a second parameter, the element tag; readers
take it from the module, and writers leave it out."""


def export_adapter(function: FunctionType, callee: int) -> tuple[Instruction, ...]:
    """The adapter of an exported function whose core function has the call-core index `callee`."""
    return tuple(_export(function, callee))


def import_adapter(function: FunctionType, callee: int) -> tuple[Instruction, ...]:
    """The adapter of an imported function that has the call-core index `callee`."""
    return tuple(_import(function, callee))


def raw_signature(function: FunctionType) -> FunctionType:
    """The core signature of an imported function, in the spelling that import adapters have."""
    params = [raw for param in function.params for raw in _raw_params(param)]
    results = [_raw_result(result) for result in function.results if not _is_complex(result)]
    return FunctionType(tuple(params), tuple(results))


def _is_complex(ty: IType) -> bool:
    """Whether values of `ty` live in memory."""
    return not isinstance(ty, Prim) or not LAYOUTS[ty].code


def _raw_params(param: Field) -> Iterator[Field]:
    carrier = (Prim.I32,) if isinstance(param.type, Record) else _pair_or_carrier(param.type)
    # Both halves of a pair are called alike; readers of existing modules know them under this name.
    name = f"{param.name}_ptr" if len(carrier) > 1 else param.name
    return (Field(name, core) for core in carrier)


def _pair_or_carrier(ty: IType) -> Sequence[Prim]:
    return LAYOUTS[ty].carrier if isinstance(ty, Prim) else (Prim.I32, Prim.I32)


def _raw_result(ty: IType) -> Prim:
    assert isinstance(ty, Prim)
    (carrier,) = LAYOUTS[ty].carrier
    return {Prim.I32: Prim.S32, Prim.I64: Prim.S64}.get(carrier, carrier)


def _op(mnemonic: str, immediate: int | IType | None = None) -> Instruction:
    return Instruction(BY_MNEMONIC[mnemonic], immediate)


def _call(service: AbiHelper) -> Instruction:
    return _op("call-core", int(service))


def _to_core(ty: Prim) -> Iterator[Instruction]:
    if ty not in FLOATS:
        yield _op(f"{LAYOUTS[ty].carrier[0]}.from_{ty}")


def _from_core(ty: Prim) -> Iterator[Instruction]:
    if ty not in FLOATS:
        yield _op(f"{ty}.from_{LAYOUTS[ty].carrier[0]}")


def _element(ty: IType) -> IType:
    """The immediate of array instructions: the element type, which for a byte array is u8."""
    return ty.element if isinstance(ty, Array) else Prim.U8


def _lift(ty: IType) -> Instruction:
    if ty is Prim.STRING:
        return _op("string.lift_memory")
    if ty is Prim.BYTE_ARRAY:
        return _op("byte_array.lift_memory")
    if isinstance(ty, Record):
        return _op("record.lift_memory", ty.id)
    return _op("array.lift_memory", _element(ty))


def _lower(ty: IType) -> Instruction:
    """Lowers the value on top of the stack; not for strings, whose block the adapter itself allocates."""
    if isinstance(ty, Record):
        return _op("record.lower_memory", ty.id)
    return _op("array.lower_memory", _element(ty))


def _export(function: FunctionType, callee: int) -> Iterator[Instruction]:
    for index, param in enumerate(function.params):
        yield _op("arg.get", index)
        if isinstance(param.type, Prim) and not _is_complex(param.type):
            yield from _to_core(param.type)
        elif param.type is Prim.STRING:
            yield _op("string.size")
            yield _op("i32.push", _U8_TAG)
            yield _call(AbiHelper.ALLOCATE)
            yield _op("arg.get", index)
            yield _op("string.lower_memory")
        else:
            yield _lower(param.type)
    yield _op("call-core", callee)
    for result in function.results:
        if isinstance(result, Prim) and not _is_complex(result):
            yield from _from_core(result)
            continue
        yield _call(AbiHelper.GET_RESULT_PTR)
        if not isinstance(result, Record):
            yield _call(AbiHelper.GET_RESULT_SIZE)
        yield _lift(result)
        yield _call(AbiHelper.RELEASE_OBJECTS)


def _import(function: FunctionType, callee: int) -> Iterator[Instruction]:
    position = 0
    for param in function.params:
        for _ in _raw_params(param):
            yield _op("arg.get", position)
            position += 1
        if isinstance(param.type, Prim) and not _is_complex(param.type):
            yield from _from_core(param.type)
        else:
            yield _lift(param.type)
    if any(_is_complex(param.type) for param in function.params):
        yield _call(AbiHelper.RELEASE_OBJECTS)
    yield _op("call-core", callee)
    for result in function.results:
        if isinstance(result, Prim) and not _is_complex(result):
            yield from _to_core(result)
            continue
        if result is Prim.STRING:
            for mnemonic in ("dup", "string.size"):
                yield _op(mnemonic)
            yield _op("i32.push", _U8_TAG)
            yield _call(AbiHelper.ALLOCATE)
            for mnemonic in ("swap2", "string.lower_memory"):
                yield _op(mnemonic)
        else:
            yield _lower(result)
        # The size is on top, so its cell is set first.
        if not isinstance(result, Record):
            yield _call(AbiHelper.SET_RESULT_SIZE)
        yield _call(AbiHelper.SET_RESULT_PTR)
