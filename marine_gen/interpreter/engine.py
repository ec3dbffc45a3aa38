"""Adapters run on an operand stack (docs/spec/instructions.md#execution).

Values are internal values; core integers are signed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, assert_never

from marine_gen.interfaces import INSTRUCTIONS, Immediate, InstructionKind, Operator
from marine_gen.interfaces.conversions import Conversion, conversion
from marine_gen.interfaces.instructions import Moved, Slot
from marine_gen.ir.model import AdapterIR, CoreCallee, ImportedCallee, ModuleIR
from marine_runtime import CallError, Site
from marine_runtime.abi import INTEGER_RANGES, layout_of
from marine_runtime.adapters import BoundAdapters, Codec, ImportAdapter, Link, attach, make_entry, out_of_range
from marine_runtime.texts import NEEDS_ROOM
from marine_runtime.types import FunctionType, IType, Prim
from marine_runtime.values import make_record_classes
from marine_runtime.wasm import Codes, signed_codes

_U32 = 0xFFFF_FFFF

Step = Callable[["_Machine", Any, list[Any], tuple[Any, ...]], None]
"""One instruction: (machine, immediate, operand stack, adapter inputs)."""


def _signed32(value: int) -> int:
    """An address or length as the I32 that the stack holds."""
    return (value ^ 0x8000_0000) - 0x8000_0000


class InterpreterGlue:
    """The adapters of one module, interpreted. See `marine_runtime.adapters.contract.Glue`."""

    engine = "interpreter"
    fused = None

    def __init__(self, module: ModuleIR) -> None:
        self._module = module
        self.import_codes: Mapping[tuple[str, str], tuple[Codes, Codes]] = {
            key: _raw_codes(adapter.signature) for key, adapter in module.imports.items()
        }
        self.record_classes: Mapping[int, type] = make_record_classes(module.records, module.name)

    def bind(self, link: Link) -> BoundAdapters:
        """Tie the adapters to an instance."""
        machine = _Machine(self._module, link)
        exports = {name: machine.adapter(adapter) for name, adapter in self._module.exports.items()}
        entries = {
            name: make_entry(
                name, adapter.signature, self._module.records, self.record_classes, link.guard, exports[name]
            )
            for name, adapter in self._module.exports.items()
        }
        imports = {
            key: ImportAdapter(*self.import_codes[key], machine.adapter(adapter))
            for key, adapter in self._module.imports.items()
        }
        return BoundAdapters(exports, imports, entries=entries)


def _raw_codes(signature: FunctionType) -> tuple[Codes, Codes]:
    params = [layout_of(item.type).carrier[0] for item in signature.params]
    return signed_codes(params), signed_codes(layout_of(result).carrier[0] for result in signature.results)


class _Machine:
    """Runs the adapters of one instance."""

    def __init__(self, module: ModuleIR, link: Link) -> None:
        self._name = module.name
        self._link = link
        self._callees: dict[int, tuple[int, Callable[..., Any], int]] = {}
        # Functions that only left-out adapters call may be missing.
        called = {
            instruction.immediate
            for adapter in module.adapters
            for instruction in adapter.source
            if instruction.operator.kind is InstructionKind.CALL
        }
        callees: list[CoreCallee | ImportedCallee] = [*module.core, *module.callees]
        for callee in callees:
            if callee.index not in called:
                continue
            params, results = callee.type.params, callee.type.results
            if isinstance(callee, CoreCallee):
                core = link.core(callee.index, signed_codes(item.type for item in params), signed_codes(results))
                self._callees[callee.index] = (len(params), core, len(results))
            else:
                self._callees[callee.index] = (len(params), link.callee(callee.index), len(results))

    @property
    def _codec(self) -> Codec:
        return self._link.codec

    def adapter(self, adapter: AdapterIR) -> Callable[..., Any]:
        """`adapter` as a function: its inputs in, None, one value or a tuple of values out."""

        def run(*inputs: Any) -> Any:
            stack: list[Any] = []
            for at, instruction in enumerate(adapter.source):
                try:
                    _SEMANTICS[instruction.operator.mnemonic](self, instruction.immediate, stack, inputs)
                except CallError as error:
                    located = attach(error, self._site(adapter, at))
                    raise located from located.__cause__
                except RecursionError:
                    if instruction.operator.kind is InstructionKind.CALL:  # of a host function, perhaps
                        raise
                    problem = CallError(f"a value is nested too deeply{NEEDS_ROOM}")
                    raise attach(problem, self._site(adapter, at)) from None
            if len(stack) < 2:
                return stack[0] if stack else None
            return tuple(stack)

        return run

    def _site(self, adapter: AdapterIR, at: int) -> Site:
        return Site(self._name, adapter.function, adapter.side.value, at, str(adapter.source[at]))

    # Each method is a `Step`.

    def call_core(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        params, function, results = self._callees[index]
        operands = stack[len(stack) - params :]
        del stack[len(stack) - params :]
        result = function(*operands)
        if results == 1:
            stack.append(result)
        elif results:
            stack.extend(result)

    def push(self, value: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(value)

    def string_size(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(len(stack.pop().encode()))

    def string_lower(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        text, ptr = stack.pop(), stack.pop()
        # check: codec unsigned numbers of string_lower
        stack.extend(map(_signed32, self._codec.store_string(ptr & _U32, text)))

    def string_lift(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        size, ptr = stack.pop(), stack.pop()
        stack.append(self._codec.lift_string(ptr & _U32, size & _U32))  # check: codec unsigned numbers of string_lift

    def byte_array_size(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(len(stack.pop()))

    def byte_array_lower(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        data, ptr = stack.pop(), stack.pop()
        # check: codec unsigned numbers of byte_array_lower
        stack.extend(map(_signed32, self._codec.store_bytes(ptr & _U32, data)))

    def byte_array_lift(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        size, ptr = stack.pop(), stack.pop()
        # check: codec unsigned numbers of byte_array_lift
        stack.append(self._codec.lift_bytes(ptr & _U32, size & _U32))

    def array_lower(self, element: IType, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.extend(map(_signed32, self._codec.lower_array(element, stack.pop())))

    def array_lift(self, element: IType, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        count, ptr = stack.pop(), stack.pop()
        # check: codec unsigned numbers of array_lift
        stack.append(self._codec.lift_array(element, ptr & _U32, count & _U32))

    def record_lower(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(_signed32(self._codec.lower_record(index, stack.pop())))

    def record_lift(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(self._codec.lift_record(index, stack.pop() & _U32))  # check: codec unsigned numbers of record_lift


def _rename(operator: Operator) -> Step:
    """Values that the effect mentions, moved or copied."""
    if operator.immediate is Immediate.ARGUMENT:
        if operator.pops or operator.pushes != (Slot.ARGUMENT,):
            raise NotImplementedError(f"the interpreter can't run `{operator.mnemonic}`")
        return lambda _, index, stack, inputs: stack.append(inputs[index])
    count = len(operator.pops)
    order = [operator.pops.index(slot) for slot in operator.pushes]

    def rename(_: _Machine, __: None, stack: list[Any], ___: tuple[Any, ...]) -> None:
        taken = stack[len(stack) - count :]
        stack[len(stack) - count :] = [taken[position] for position in order]

    return rename


def _conversion(operator: Operator) -> Step:
    (source,), (target,) = operator.pops, operator.pushes
    assert isinstance(source, Prim)
    assert isinstance(target, Prim)
    way = conversion(source, target)
    match way:
        case Conversion.TO_BOOLEAN:
            return lambda _, __, stack, ___: stack.append(stack.pop() != 0)
        case Conversion.FROM_BOOLEAN:
            return lambda _, __, stack, ___: stack.append(int(stack.pop()))
        case Conversion.REINTERPRET:
            return _reinterpretation(*INTEGER_RANGES[target])
        case Conversion.WIDEN | Conversion.NARROW:
            return _checked(target, *INTEGER_RANGES[target])
        case _:
            assert_never(way)


def _reinterpretation(low: int, high: int) -> Step:
    span = high - low + 1

    def reinterpret(_: _Machine, __: None, stack: list[Any], ___: tuple[Any, ...]) -> None:
        value = stack.pop() % span
        stack.append(value - span if value > high else value)

    return reinterpret


def _checked(target: Prim, low: int, high: int) -> Step:
    def convert(_: _Machine, __: None, stack: list[Any], ___: tuple[Any, ...]) -> None:
        if not low <= stack[-1] <= high:  # check: codec range of integers
            out_of_range(stack[-1], str(target))

    return convert


_MEMORY: Mapping[tuple[InstructionKind, Moved], Step] = {
    (InstructionKind.SIZE, Prim.STRING): _Machine.string_size,
    (InstructionKind.STORE, Prim.STRING): _Machine.string_lower,
    (InstructionKind.LIFT, Prim.STRING): _Machine.string_lift,
    (InstructionKind.SIZE, Prim.BYTE_ARRAY): _Machine.byte_array_size,
    (InstructionKind.STORE, Prim.BYTE_ARRAY): _Machine.byte_array_lower,
    (InstructionKind.LIFT, Prim.BYTE_ARRAY): _Machine.byte_array_lift,
    (InstructionKind.LOWER, Slot.ARRAY): _Machine.array_lower,
    (InstructionKind.LIFT, Slot.ARRAY): _Machine.array_lift,
    (InstructionKind.LOWER, Slot.RECORD): _Machine.record_lower,
    (InstructionKind.LIFT, Slot.RECORD): _Machine.record_lift,
}
"""Memory instructions by what they do and what they move."""


def semantics(operator: Operator) -> Step:
    """The step that runs an instruction.

    Raises:
        NotImplementedError: the interpreter has none for it.
    """
    kind = operator.kind
    match kind:
        case InstructionKind.RENAME:
            return _rename(operator)
        case InstructionKind.CONSTANT:
            return _Machine.push
        case InstructionKind.CONVERT:
            return _conversion(operator)
        case InstructionKind.CALL:
            return _Machine.call_core
        case InstructionKind.SIZE | InstructionKind.LIFT | InstructionKind.STORE | InstructionKind.LOWER:
            step = _MEMORY.get((kind, operator.moves)) if operator.moves else None
            if step is None:
                raise NotImplementedError(f"the interpreter can't run `{operator.mnemonic}`")
            return step
        case _:
            assert_never(kind)


_SEMANTICS: Mapping[str, Step] = {operator.mnemonic: semantics(operator) for operator in INSTRUCTIONS}
