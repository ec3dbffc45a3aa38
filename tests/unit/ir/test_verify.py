"""The verifier: what the compiler builds passes, and everything that is broken on purpose does not."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import replace

import pytest

from marine_gen.artifact import compile_module
from marine_gen.ir import AdapterIR, ModuleIR, verify_module
from marine_gen.ir.model import (
    Call,
    Constant,
    Convert,
    CoreCallee,
    Lift,
    Lower,
    Operation,
    Size,
    StoreBlock,
    Value,
)
from marine_gen.ir.verify import IRError
from marine_runtime.types import Array, FunctionType, Prim, Record
from tests.guests.descriptions import GUESTS
from tests.support.adapters import build
from tests.support.engines import guest

TEXT = """
(@interface type (record $R (field $x: u8)))
(@interface type (record $S (field $x: u16)))
(@interface type (func (param $text: string $r: record 6 $n: s8 $w: u64 $list: array (string)) (result string s32)))
(@interface type (func (param $text: string $r: record 6 $n: s8 $w: u64 $list: array (string)) (result s32)))
(@interface func (type 8)
  arg.get 0 string.size i32.push 1 call-core 0 arg.get 0 string.lower_memory
  arg.get 1 record.lower_memory 6
  arg.get 2 i32.from_s8
  arg.get 3 i64.from_u64
  arg.get 4 array.lower_memory string
  call-core 6 s32.from_i32
  call-core 3 call-core 2 string.lift_memory swap2)
(@interface export "f" (func 9))
(@interface implement (func 9) (func 8))
"""
MODULE = build(TEXT)
ADAPTER = MODULE.exports["f"]


def with_adapter(adapter: AdapterIR) -> ModuleIR:
    return replace(MODULE, exports={"f": adapter})


def change(kind: type[Operation], edit: Callable[[Operation], Operation], number: int = 0) -> AdapterIR:
    """The adapter with one of its operations of a kind changed."""
    positions = [index for index, item in enumerate(ADAPTER.operations) if type(item) is kind]
    operations = list(ADAPTER.operations)
    operations[positions[number]] = edit(operations[positions[number]])
    return replace(ADAPTER, operations=tuple(operations))


def value(name: str) -> Value:
    """A value of the adapter by its name."""
    results = [result for operation in ADAPTER.operations for result in operation.results]
    return next(item for item in (*ADAPTER.params, *results) if item.name == name)


def fresh(ty: object) -> Value:
    return Value("fresh", ty)  # type: ignore[arg-type]


def test_all_guests_pass() -> None:
    for item in GUESTS:
        verify_module(compile_module(item.name, guest(item.name)).ir)
    verify_module(MODULE)


OTHER = CoreCallee(6, "other", FunctionType())

BROKEN: dict[str, AdapterIR] = {
    "an operand that comes later": replace(ADAPTER, operations=ADAPTER.operations[::-1]),
    "positions that go back": change(Size, lambda item: replace(item, at=5)),
    "a position beyond the source": change(Lift, lambda item: replace(item, at=99)),
    "an operand from nowhere": change(Size, lambda item: replace(item, operands=(fresh(Prim.STRING),))),
    "a result defined twice": change(Constant, lambda item: replace(item, results=(value("size0"),))),
    "a name used twice": change(Constant, lambda item: replace(item, results=(Value("text", Prim.I32),))),
    "a name that is no identifier": change(Constant, lambda item: replace(item, results=(Value("a b", Prim.I32),))),
    "a returned value from nowhere": replace(ADAPTER, returns=(fresh(Prim.STRING),)),
    "a constant out of range": change(Constant, lambda item: replace(item, value=2**31)),  # type: ignore[call-arg]
    "a constant that is no integer": change(Constant, lambda item: replace(item, results=(fresh(Prim.F32),))),
    "a constant without a result": change(Constant, lambda item: replace(item, results=())),
    "a constant with operands": change(Constant, lambda item: replace(item, operands=(value("size0"),))),
    "a conversion of a string": change(Convert, lambda item: replace(item, operands=(value("text"),))),
    "a conversion of two values": change(Convert, lambda item: replace(item, operands=(value("n"), value("n")))),
    "a conversion to a string": change(Convert, lambda item: replace(item, results=(fresh(Prim.STRING),))),
    "a conversion between interface types": change(Convert, lambda item: replace(item, results=(fresh(Prim.U8),))),
    "a conversion to a float": change(Convert, lambda item: replace(item, results=(fresh(Prim.F64),))),
    "a conversion of a bool to 64 bits": change(Convert, lambda item: replace(item, results=(fresh(Prim.BOOLEAN),)), 1),
    "a size that is no i32": change(Size, lambda item: replace(item, results=(fresh(Prim.I64),))),
    "the size of a record": change(Size, lambda item: replace(item, operands=(value("r"),))),
    "the size of an array": change(Size, lambda item: replace(item, operands=(value("list"),))),
    "a lift of a number": change(Lift, lambda item: replace(item, results=(fresh(Prim.U8),))),
    "a lift without a result": change(Lift, lambda item: replace(item, results=())),
    "a lift without a length": change(Lift, lambda item: replace(item, operands=item.operands[:1])),
    "a record lifted with a length": change(Lift, lambda item: replace(item, results=(fresh(Record(6)),))),
    "a lift of a record that is not there": change(
        Lift, lambda item: replace(item, operands=item.operands[:1], results=(fresh(Record(0)),))
    ),
    "a store of a record": change(StoreBlock, lambda item: replace(item, operands=(value("allocate0"), value("r")))),
    "a store to a string": change(StoreBlock, lambda item: replace(item, operands=(value("text"), value("text")))),
    "a store without results": change(StoreBlock, lambda item: replace(item, results=())),
    "a store without operands": change(StoreBlock, lambda item: replace(item, operands=())),
    "a lower of another record": change(Lower, lambda item: replace(item, type=Record(7))),  # type: ignore[call-arg]
    "a lower of a record to two values": change(
        Lower, lambda item: replace(item, results=(*item.results, fresh(Prim.I32)))
    ),
    "a lower of an array to one value": change(Lower, lambda item: replace(item, results=item.results[:1]), 1),
    "a lower of another array": change(
        Lower,
        lambda item: replace(item, type=Array(Prim.U16)),  # type: ignore[call-arg]
        1,
    ),
    "a lower of a number": change(
        Lower,
        lambda item: replace(item, type=Prim.S8, operands=(value("n"),)),  # type: ignore[call-arg]
        1,
    ),
    "a lower of nothing": change(Lower, lambda item: replace(item, operands=())),
    "a call of a stranger": change(Call, lambda item: replace(item, callee=OTHER)),  # type: ignore[call-arg]
    "a call with too little": change(Call, lambda item: replace(item, operands=item.operands[:1])),
    "a call with another type": change(Call, lambda item: replace(item, operands=(value("text"), value("const0")))),
    "a call with too many results": change(Call, lambda item: replace(item, results=(*item.results, fresh(Prim.I32)))),
    "a call with another result": change(Call, lambda item: replace(item, results=(fresh(Prim.I64),))),
    "an unknown operation": change(Size, lambda item: Operation(item.results, item.operands, item.at)),
    "too few values returned": replace(ADAPTER, returns=ADAPTER.returns[:1]),
    "values of other types returned": replace(ADAPTER, returns=ADAPTER.returns[::-1]),
}


@pytest.mark.parametrize("adapter", BROKEN.values(), ids=BROKEN)
def test_broken_ir_is_rejected(adapter: AdapterIR) -> None:
    with pytest.raises(IRError, match=r"export adapter of `f`.*: violated: "):
        verify_module(with_adapter(adapter))


def test_import_adapters_return_carriers() -> None:
    module = build("""
        (@interface type (func (param $x: u8) (result u8)))
        (@interface type (func (param $x: i32) (result s32)))
        (@interface type (func (param $x: i32) (result s32)))
        (@interface import "m" "f" (func (type 6)))
        (@interface import "m" "f" (func (type 8)))
        (@interface func (type 7) arg.get 0 u8.from_i32 call-core 6 i32.from_u8)
        (@interface implement (func 8) (func 7))""")
    ((key, adapter),) = module.imports.items()
    for returns in ((), (adapter.operations[1].results[0],)):
        with pytest.raises(IRError):
            verify_module(replace(module, imports={key: replace(adapter, returns=returns)}))


def test_values_are_equal_only_to_themselves() -> None:
    assert value("text") != Value("text", Prim.STRING)
    assert len({Value("x", Prim.U8), Value("x", Prim.U8)}) == 2
    with pytest.raises(dataclasses.FrozenInstanceError):
        value("text").name = "other"  # type: ignore[misc]
