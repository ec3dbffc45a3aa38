"""Adapters run on an operand stack (spec interface-types §5). Values are internal values; core integers are signed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from marine_gen.interfaces import INSTRUCTIONS
from marine_gen.ir.model import AdapterIR, CoreCallee, ImportedCallee, ModuleIR
from marine_runtime import CallError, Site
from marine_runtime.adapters import BoundAdapters, Codec, ImportAdapter, Link, attach, make_entry, out_of_range
from marine_runtime.types import INTEGER_RANGES, FunctionType, IType, Prim, layout
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
        return BoundAdapters(exports, imports, entries)


def _raw_codes(signature: FunctionType) -> tuple[Codes, Codes]:
    params = [layout(item.type).carrier[0] for item in signature.params]
    return signed_codes(params), signed_codes(layout(result).carrier[0] for result in signature.results)


class _Machine:
    """Runs the adapters of one instance."""

    def __init__(self, module: ModuleIR, link: Link) -> None:
        self._name = module.name
        self._link = link
        self._callees: list[tuple[int, Callable[..., Any], int]] = []
        callees: list[CoreCallee | ImportedCallee] = [*module.core, *module.callees]
        for callee in callees:
            params, results = callee.type.params, callee.type.results
            if isinstance(callee, CoreCallee):
                core = link.core(callee.index, signed_codes(item.type for item in params), signed_codes(results))
                self._callees.append((len(params), core, len(results)))
            else:
                self._callees.append((len(params), link.callee(callee.index), len(results)))

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
                    site = Site(self._name, adapter.function, adapter.side.value, at, str(instruction))
                    located = attach(error, site)
                    raise located from located.__cause__
            if len(stack) < 2:
                return stack[0] if stack else None
            return tuple(stack)

        return run

    # Each method is a `Step`.

    def arg_get(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(inputs[index])

    def call_core(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        params, function, results = self._callees[index]
        operands = stack[len(stack) - params :]
        del stack[len(stack) - params :]
        result = function(*operands)
        if results == 1:
            stack.append(result)
        elif results:
            stack.extend(result)

    def dup(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(stack[-1])

    def swap2(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack[-1], stack[-2] = stack[-2], stack[-1]

    def push(self, value: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(value)

    def string_size(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(len(stack.pop().encode()))

    def string_lower(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        text, ptr = stack.pop(), stack.pop()
        stack.extend(map(_signed32, self._codec.store_string(ptr & _U32, text)))

    def string_lift(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        size, ptr = stack.pop(), stack.pop()
        stack.append(self._codec.lift_string(ptr & _U32, size & _U32))

    def byte_array_size(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(len(stack.pop()))

    def byte_array_lower(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        data, ptr = stack.pop(), stack.pop()
        stack.extend(map(_signed32, self._codec.store_bytes(ptr & _U32, data)))

    def byte_array_lift(self, _: None, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        size, ptr = stack.pop(), stack.pop()
        stack.append(self._codec.lift_bytes(ptr & _U32, size & _U32))

    def array_lower(self, element: IType, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.extend(map(_signed32, self._codec.lower_array(element, stack.pop())))

    def array_lift(self, element: IType, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        count, ptr = stack.pop(), stack.pop()
        stack.append(self._codec.lift_array(element, ptr & _U32, count & _U32))

    def record_lower(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(_signed32(self._codec.lower_record(index, stack.pop())))

    def record_lift(self, index: int, stack: list[Any], inputs: tuple[Any, ...]) -> None:
        stack.append(self._codec.lift_record(index, stack.pop() & _U32))


def _conversion(source: Prim, target: Prim) -> Step:
    """`target.from_source`. Same-width unsigned conversions reinterpret bits (spec §5.4), others check the range."""
    bits = {Prim.I32: 32, Prim.I64: 64, Prim.U32: 32, Prim.U64: 64}
    if target is Prim.BOOLEAN:
        return lambda _, __, stack, ___: stack.append(stack.pop() != 0)
    if source is Prim.BOOLEAN:
        return lambda _, __, stack, ___: stack.append(int(stack.pop()))
    if {source, target} in ({Prim.I32, Prim.U32}, {Prim.I64, Prim.U64}):
        span = 1 << bits[target]
        top = INTEGER_RANGES[target][1]

        def reinterpret(_: _Machine, __: None, stack: list[Any], ___: tuple[Any, ...]) -> None:
            value = stack.pop() % span
            stack.append(value - span if value > top else value)

        return reinterpret
    low, high = INTEGER_RANGES[target]

    def convert(_: _Machine, __: None, stack: list[Any], ___: tuple[Any, ...]) -> None:
        if not low <= stack[-1] <= high:
            out_of_range(stack[-1], str(target))

    return convert


_SEMANTICS: Mapping[str, Step] = {
    "arg.get": _Machine.arg_get,
    "call-core": _Machine.call_core,
    "dup": _Machine.dup,
    "swap2": _Machine.swap2,
    "i32.push": _Machine.push,
    "i64.push": _Machine.push,
    "string.size": _Machine.string_size,
    "string.lower_memory": _Machine.string_lower,
    "string.lift_memory": _Machine.string_lift,
    "byte_array.size": _Machine.byte_array_size,
    "byte_array.lower_memory": _Machine.byte_array_lower,
    "byte_array.lift_memory": _Machine.byte_array_lift,
    "array.lower_memory": _Machine.array_lower,
    "array.lift_memory": _Machine.array_lift,
    "record.lower_memory": _Machine.record_lower,
    "record.lift_memory": _Machine.record_lift,
    **{
        operator.mnemonic: _conversion(operator.pops[0], operator.pushes[0])
        for operator in INSTRUCTIONS
        if operator.is_conversion and isinstance(operator.pops[0], Prim) and isinstance(operator.pushes[0], Prim)
    },
}
