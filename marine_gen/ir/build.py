"""From an adapter to IR by executing the operand stack symbolically.

A value on the stack is a name and a type. `arg.get`, `dup` and `swap2` move names about; everything else becomes an
operation. Whatever the reference would only find while running is found here: missing operands, wrong types, bad
indices, leftovers. The first fault ends an adapter, as its stack means nothing afterwards.
"""

from __future__ import annotations

from collections import Counter
from typing import assert_never

from marine_gen.diagnostics import Code, Diagnostic, SourceSpan
from marine_gen.interfaces import Adapter, Instruction
from marine_gen.interfaces.instructions import Immediate, InstructionKind, Slot
from marine_gen.ir.model import (
    AdapterIR,
    AnyOperation,
    Call,
    Constant,
    Convert,
    CoreCallee,
    ImportedCallee,
    Lift,
    Lower,
    Side,
    Size,
    StoreBlock,
    Value,
)
from marine_gen.ir.resolve import Resolved
from marine_runtime.abi import AbiHelper, Bytes, Flat, List, Shape, Struct, Text, layout_of, shape
from marine_runtime.texts import counted, identifier, identifiers
from marine_runtime.types import (
    Array,
    FunctionType,
    IType,
    Prim,
    Record,
    Records,
    equivalent,
    record_in,
    same_signature,
)


class AdapterFaultError(Exception):
    """Ends the building of one adapter."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


_OLD_ALLOCATE = (
    "these adapters give `allocate` a size and a tag, but the Wasm code is older than IT 0.20 and takes a size alone: "
    "rebuild the module with a newer SDK, or embed the adapters that were made for it"
)


class AdapterContext:
    """The context that all adapters of a module share."""

    def __init__(self, records: Records, resolved: Resolved) -> None:
        self.records = records
        self.callees: list[CoreCallee | ImportedCallee] = [*resolved.core, *resolved.callees]
        self.exports = len(resolved.core)
        self.has_memory = resolved.has_memory
        first = resolved.core[AbiHelper.ALLOCATE].type if resolved.core else FunctionType()
        self.can_allocate = same_signature(first, {}, AbiHelper.ALLOCATE.core, {})

    def fits(self, given: IType, wanted: IType) -> bool:
        return equivalent(given, self.records, wanted, self.records)


class AdapterBuilder:
    """Builds one adapter."""

    def __init__(
        self,
        context: AdapterContext,
        side: Side,
        function: str,
        key: tuple[str, str],
        adapter: Adapter,
        ty: FunctionType,
    ) -> None:
        self._context = context
        self._side = side
        self._function = function
        self._key = key
        self._adapter = adapter
        self._type = ty
        self._hints: Counter[str] = Counter()
        names = identifiers([param.name for param in ty.params])
        self._params = tuple(
            # The guest passes raw values: the declared parameter types of an import adapter stand for their carriers.
            Value(name, param.type if side is Side.EXPORT else layout_of(param.type).carrier[0])
            for name, param in zip(names, ty.params, strict=True)
        )
        self._taken = set(names)
        self._stack: list[Value] = []
        self._operations: list[AnyOperation] = []
        self._at = 0
        self._span: SourceSpan | None = adapter.span

    def run(self) -> AdapterIR:
        for position, instruction in enumerate(self._adapter.instructions):
            self._at = position
            self._span = instruction.span or self._adapter.span
            self._step(instruction)
        returns = self._finish()
        return AdapterIR(
            self._side,
            self._function,
            self._key,
            self._adapter.type_index,
            self._type,
            self._params,
            tuple(self._operations),
            returns,
            self._adapter.instructions,
        )

    # One instruction

    def _step(self, instruction: Instruction) -> None:
        kind = instruction.operator.kind
        match kind:
            case InstructionKind.RENAME:
                self._rename(instruction)
            case InstructionKind.CONSTANT:
                self._constant(instruction)
            case InstructionKind.CONVERT:
                self._convert(instruction)
            case InstructionKind.SIZE:
                self._size(instruction)
            case InstructionKind.LIFT:
                self._lift(instruction)
            case InstructionKind.STORE:
                self._store(instruction)
            case InstructionKind.LOWER:
                self._lower(instruction)
            case InstructionKind.CALL:
                self._call(instruction)
            case _:
                assert_never(kind)

    def _rename(self, instruction: Instruction) -> None:
        """Push the names that the effect mentions."""
        operator = instruction.operator
        known: dict[Prim | Slot, Value] = {}
        if operator.immediate is Immediate.ARGUMENT:
            known[Slot.ARGUMENT] = self._argument(instruction)
        known.update(zip(operator.pops, self._pop(len(operator.pops)), strict=True))
        self._stack += [known[slot] for slot in operator.pushes]

    def _constant(self, instruction: Instruction) -> None:
        assert isinstance(instruction.immediate, int)
        result = self._define(("const", _prim(instruction.operator.pushes[0])))
        self._emit(Constant(result, (), self._at, instruction.immediate))

    def _argument(self, instruction: Instruction) -> Value:
        index = instruction.immediate
        assert isinstance(index, int)
        if index >= len(self._params):
            raise self._fault(
                Code.INDEX_ARGUMENT,
                f"argument {index} does not exist",
                label=f"the adapter has {counted(len(self._params), 'parameter')}",
            )
        return self._params[index]

    def _call(self, instruction: Instruction) -> None:
        index = instruction.immediate
        assert isinstance(index, int)
        callees = self._context.callees
        if index >= len(callees):
            raise self._fault(
                Code.INDEX_CALL,
                f"call-core {index} does not exist",
                label=f"the indices are 0 to {len(callees) - 1}" if callees else "nothing can be called",
                help=f"exports come first ({self._context.exports}), implemented imports follow",
            )
        callee = callees[index]
        operands = self._pop(len(callee.type.params), f"to call `{callee.name}`")
        for operand, param in zip(operands, callee.type.params, strict=True):
            self._require(operand, param.type, f"parameter `{param.name}` of `{callee.name}`")
        hint = callee.name.removeprefix("get_").rsplit(".", 1)[-1]
        results = self._define(*((hint, result) for result in callee.type.results))
        self._emit(Call(results, operands, self._at, callee))

    def _convert(self, instruction: Instruction) -> None:
        operator = instruction.operator
        source, target = _prim(operator.pops[0]), _prim(operator.pushes[0])
        (operand,) = self._pop(1)
        self._require(operand, source, f"operand of `{operator.mnemonic}`")
        self._emit(Convert(self._define((target.value, target)), (operand,), self._at))

    def _size(self, instruction: Instruction) -> None:
        operands = self._moved_operands(instruction, self._moved_type(instruction))
        self._emit(Size(self._define(("size", Prim.I32)), operands, self._at))

    def _lift(self, instruction: Instruction) -> None:
        self._require_memory(instruction)
        moved = self._moved_type(instruction)
        operands = self._moved_operands(instruction, moved)
        self._emit(Lift(self._define((_hint(shape(moved)), moved)), operands, self._at))

    def _store(self, instruction: Instruction) -> None:
        self._require_memory(instruction)
        operands = self._moved_operands(instruction, self._moved_type(instruction))
        self._emit(StoreBlock(self._define(("ptr", Prim.I32), ("len", Prim.I32)), operands, self._at))

    def _lower(self, instruction: Instruction) -> None:
        self._require_memory(instruction)
        moved = self._moved_type(instruction)
        operands = self._moved_operands(instruction, moved)
        if not self._context.can_allocate:
            raise self._fault(
                Code.NO_ALLOCATE,
                "call-core 0 is not an `allocate` of signature (i32, i32) -> i32",
                label=f"`{instruction.operator.mnemonic}` needs it",
            )
        results = zip(("ptr", "count"), layout_of(moved).carrier, strict=False)
        self._emit(Lower(self._define(*results), operands, self._at, moved))

    def _require_memory(self, instruction: Instruction) -> None:
        if not self._context.has_memory:
            label = f"`{instruction.operator.mnemonic}` needs one"
            raise self._fault(Code.NO_MEMORY, "the module exports no memory", label=label)

    def _moved_operands(self, instruction: Instruction, moved: IType) -> tuple[Value, ...]:
        """The operands of a memory instruction; a slot without a type of its own stands for what is moved."""
        operator = instruction.operator
        operands = self._pop(len(operator.pops))
        for operand, slot in zip(operands, operator.pops, strict=True):
            wanted = slot if isinstance(slot, Prim) else moved
            self._require(operand, wanted, f"operand of `{operator.mnemonic}`")
        return operands

    def _moved_type(self, instruction: Instruction) -> IType:
        """The interface type that a memory instruction moves."""
        immediate, moves = instruction.immediate, instruction.operator.moves
        match moves:
            case Prim.STRING | Prim.BYTE_ARRAY:
                return moves
            case Slot.ARRAY:
                assert not isinstance(immediate, int)
                assert immediate is not None
                inner = record_in(immediate)
                if inner is not None:
                    self._require_record(inner)
                return Prim.BYTE_ARRAY if immediate is Prim.U8 else Array(immediate)
            case Slot.RECORD:
                assert isinstance(immediate, int)
                self._require_record(immediate)
                return Record(immediate)
            case None:
                raise AssertionError(f"{instruction.operator!r} moves nothing")
            case _:
                assert_never(moves)

    def _require_record(self, index: int) -> None:
        if index not in self._context.records:
            raise self._fault(Code.INDEX_TYPE, f"type {index} is not a record")

    # The stack

    def _pop(self, count: int, purpose: str = "") -> tuple[Value, ...]:
        if count > len(self._stack):
            needed = f"{counted(count, 'operand')} needed" + (f" {purpose}" if purpose else "")
            raise self._fault(
                Code.STACK_UNDERFLOW,
                f"{needed}, {len(self._stack)} on the stack",
                label=_listed("the stack holds", self._stack),
            )
        if not count:
            return ()
        popped = tuple(self._stack[-count:])
        del self._stack[-count:]
        return popped

    def _require(self, value: Value, wanted: IType, role: str) -> None:
        if not self._context.fits(value.type, wanted):
            raise self._fault(
                Code.OPERAND_TYPE, f"{role} must be {wanted}, not {value.type}", label=f"`{value}` is {value.type}"
            )

    def _emit(self, operation: AnyOperation) -> None:
        self._operations.append(operation)
        self._stack += operation.results

    def _define(self, *wanted: tuple[str, IType]) -> tuple[Value, ...]:
        values = []
        for hint, ty in wanted:
            name = f"{identifier(hint)}{self._hints[hint]}"
            self._hints[hint] += 1
            while name in self._taken:
                name += "_"
            self._taken.add(name)
            values.append(Value(name, ty))
        return tuple(values)

    def _finish(self) -> tuple[Value, ...]:
        """Check that exactly the declared results are left."""
        self._at = len(self._adapter.instructions)
        self._span = self._adapter.instructions[-1].span if self._adapter.instructions else self._adapter.span
        results = self._type.results
        if self._side is Side.IMPORT:
            results = tuple(layout_of(result).carrier[0] for result in results)
        if len(self._stack) < len(results):
            raise self._fault(
                Code.RESULT_TYPE,
                f"{counted(len(results), 'result')} declared, {len(self._stack)} left on the stack",
                label=_listed("left are", self._stack),
            )
        if len(self._stack) > len(results):
            extra = counted(len(self._stack) - len(results), "value")
            old = self._calls_old_allocate()
            raise self._fault(
                Code.UNUSED_VALUE,
                f"{extra} left on the stack beyond the declared results"
                + (", as the module's `allocate` takes one argument" if old else ""),
                label=_listed("left are", self._stack),
                help=_OLD_ALLOCATE if old else "",
            )
        for position, (value, wanted) in enumerate(zip(self._stack, results, strict=True)):
            if not self._context.fits(value.type, wanted):
                raise self._fault(Code.RESULT_TYPE, f"result {position} must be {wanted}, not {value.type}")
        return tuple(self._stack)

    def _calls_old_allocate(self) -> bool:
        """True if the adapter calls an `allocate` that takes no tag, as modules had before IT 0.20."""
        return any(
            isinstance(item, Call)
            and item.callee.name == AbiHelper.ALLOCATE.export
            and len(item.callee.type.params) == 1
            for item in self._operations
        )

    def _fault(self, code: Code, message: str, *, label: str = "", help: str = "") -> AdapterFaultError:
        within = f"{self._side.value} adapter of `{self._function}` (type {self._adapter.type_index})"
        if self._at < len(self._adapter.instructions):
            within += f", instruction #{self._at} `{self._adapter.instructions[self._at]}`"
        else:
            within += ", at its end"
        return AdapterFaultError(Diagnostic(code, message, span=self._span, within=within, label=label, help=help))


def _prim(slot: Prim | Slot) -> Prim:
    assert isinstance(slot, Prim)
    return slot


def _hint(moved: Shape) -> str:
    """A name for a lifted value."""
    match moved:
        case Text():
            return "text"
        case Struct():
            return "record"
        case Flat() | Bytes() | List():
            return "items"
        case _:
            assert_never(moved)


def _listed(lead: str, values: list[Value]) -> str:
    return f"{lead}: {', '.join(str(value.type) for value in values)}" if values else "the stack is empty"
