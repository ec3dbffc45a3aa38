"""Modules that have the adapters of real ones and do nothing themselves, so that only the crossing is left to time.

A stub exports what the adapters of its module call, with the same Wasm types; its functions return a prepared value of
their type. For every import it exports a loop that calls it with prepared arguments. No code of the real module is in
it, so nothing that the module would do is done.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, assert_never

from marine_gen.artifact import CompiledModule
from marine_gen.binary import embed
from marine_gen.codegen.literals import wat_string
from marine_gen.ir.model import AdapterIR, Call, CoreCallee
from marine_gen.wasm import embed_sdk_version
from marine_gen.wasm.signatures import read_signatures
from marine_runtime.abi import BY_EXPORT, AbiHelper, Bytes, Flat, Kind, List, Struct, Text, is_flat, layout_of, shape
from marine_runtime.adapters import Codec
from marine_runtime.types import FunctionType, IType, Prim, Records
from marine_runtime.wasm import assemble

LOOP = "repeat import {}"
"""The export that calls an import in a loop, by the position of the import among the module's adapters."""

_PAGE = 0x10000
_DATA, _DATA_END = 1024, 16 * _PAGE  # prepared values
_HEAP, _HEAP_END = _DATA_END, 32 * _PAGE  # blocks that adapters allocate
_TEXT = "sixteen letters!"
_DEPTH, _ARRAY_DEPTH, _VALUES = 12, 3, 5000  # arrays are empty from some depth on, so that recursion ends


class NoSampleError(Exception):
    """No prepared value could be made; the message says why."""


@dataclass(frozen=True, slots=True)
class Stub:
    """A stub and what it lacks.

    Attributes:
        missing: the reasons of imports without a loop, by their positions among the module's import adapters.
    """

    wasm: bytes
    missing: dict[int, str]


def sample(ty: IType, records: Records) -> Any:
    """A small value of `ty`: ones, 16 bytes of text, arrays of four numbers or two of anything else.

    Raises:
        NoSampleError: a record contains itself, or so many others that the value would not be small.
    """
    return _Sampler(records).of(ty, 0)


class _Sampler:
    """Makes one value, within limits: the records of a hostile module can describe values of any size."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._left = _VALUES

    def of(self, ty: IType, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEPTH:
            raise NoSampleError("its records contain themselves, or too much")
        part = shape(ty)
        match part:
            case Flat(kind=kind):
                return _scalar(kind)
            case Text():
                return _TEXT
            case Bytes():
                return _TEXT.encode()
            case List(element=element):
                count = 0 if depth >= _ARRAY_DEPTH else 4 if isinstance(element, Flat) else 2
                return [self.of(element.type, depth + 1) for _ in range(count)]
            case Struct(id=index):
                return tuple(self.of(item.type, depth + 1) for item in self._records[index].fields)
            case _:
                assert_never(part)


def _scalar(kind: Kind) -> Any:
    match kind:
        case Kind.BOOLEAN:
            return True
        case Kind.SIGNED | Kind.UNSIGNED:
            return 1
        case Kind.FLOAT:
            return 1.0
        case _:
            assert_never(kind)


def make_stub(module: CompiledModule) -> Stub:
    """The stub of a module."""
    return _Writer(module).stub()


class _Writer:
    def __init__(self, module: CompiledModule) -> None:
        self._module = module
        self._data = bytearray(_DATA_END - _DATA)
        self._used = 0
        self._codec = Codec(_Prepared(self._data), module.ir.records, self._allocate)  # type: ignore[arg-type]

    def stub(self) -> Stub:
        ir = self._module.ir
        imports = list(ir.imports.values())
        lines = [
            f"(import {wat_string(item.key[0])} {wat_string(item.key[1])} (func $i{number} {_type(item.signature)}))"
            for number, item in enumerate(imports)
        ]
        memories = read_signatures(self._module.binary).memories[:1]
        lines += [f"(memory (export {wat_string(name)}) {_HEAP_END // _PAGE})" for name in memories]
        lines.append(_GLOBALS.format(heap=_HEAP))
        exports = {item.name: item for item in ir.core}
        lines += [self._function(item) for item in exports.values()]
        missing = {}
        for number, adapter in enumerate(imports):
            try:
                lines.append(self._loop(number, adapter))
            except NoSampleError as reason:
                missing[number] = str(reason)
        if memories:
            lines.append(f"(data (i32.const {_DATA}) {wat_string(self._data[: self._used])})")
        wasm = assemble("(module\n" + "\n".join(lines) + "\n)")
        stub = embed_sdk_version(embed(wasm, self._module.interfaces), self._module.plan.sdk_version)
        return Stub(stub, missing)

    def _function(self, callee: CoreCallee) -> str:
        """One export: a helper of the ABI, or a function that gives a prepared value."""
        head = f"(func (export {wat_string(callee.name)}) {_type(callee.type)}"
        helper = BY_EXPORT.get(callee.name)
        if helper is not None and _type(helper.core) == _type(callee.type):
            return f"{head} {_HELPERS[helper]})"
        body = ""
        adapter = self._module.ir.exports.get(callee.name)
        if adapter and len(adapter.signature.results) == 1 and not is_flat(adapter.signature.results[0]):
            try:
                ptr, *size = self._place(adapter.signature.results[0])
            except NoSampleError:  # found when the result is compared with what it should be
                ptr, size = 0, [0]
            body = f"(global.set $ptr (i32.const {ptr}))"
            body += "".join(f"(global.set $size (i32.const {item}))" for item in size)
        return head + body + "".join(f" ({result}.const 1)" for result in _carriers(callee.type.results)) + ")"

    def _loop(self, number: int, adapter: AdapterIR) -> str:
        """The loop over one import.

        Raises:
            NoSampleError: its adapter is not one call of one function over values like its own.
        """
        called = [
            operation.callee
            for operation in adapter.operations
            if isinstance(operation, Call) and not isinstance(operation.callee, CoreCallee)
        ]
        if len(called) != 1:
            raise NoSampleError(f"its adapter calls {len(called)} functions of other modules")
        params = [item.type for item in called[0].type.params]
        carriers = _carriers(params)
        if carriers != _carriers([item.type for item in adapter.signature.params]):
            raise NoSampleError("its Wasm parameters are not those of its signature")
        values: list[Any] = []
        for ty in params:
            values += self._place(ty)
        pushes = "".join(f"({kind}.const {int(value)})" for kind, value in zip(carriers, values, strict=True))
        drops = "(drop)" * len(adapter.signature.results)
        return (
            f"(func (export {wat_string(LOOP.format(number))}) (param $n i32) (loop $again"
            f" (call $i{number} {pushes}) {drops}"
            " (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))"
        )

    def _place(self, ty: IType) -> Sequence[Any]:
        """The core values of a sample: the value itself, or pointer and length of a prepared one."""
        value, part = sample(ty, self._module.ir.records), shape(ty)
        return [value] if isinstance(part, Flat) else self._codec.lower(part, value)

    def _allocate(self, size: int, tag: int) -> int:
        if self._used + size > len(self._data):
            raise NoSampleError("there is no room for prepared values")
        self._used += size
        return _DATA + self._used - size


class _Prepared:
    """The part of the stub's memory that holds prepared values, for the codec."""

    meter = None  # nothing is lifted

    def __init__(self, data: bytearray) -> None:
        self._data = data

    def write(self, ptr: int, data: bytes) -> None:
        self._data[ptr - _DATA : ptr - _DATA + len(data)] = data

    def require(self, ptr: int, size: int) -> None:
        """Everything that was allocated fits."""


_GLOBALS = """\
(global $ptr (mut i32) (i32.const 0))
(global $size (mut i32) (i32.const 0))
(global $next (mut i32) (i32.const {heap}))\
"""

_HELPERS: dict[AbiHelper, str] = {
    # Blocks one after the other, from the start again when nobody released them for long.
    AbiHelper.ALLOCATE: (
        f"(local $block i32) (if (i32.gt_u (i32.add (global.get $next) (local.get 0)) (i32.const {_HEAP_END}))"
        f" (then (global.set $next (i32.const {_HEAP})))) (local.set $block (global.get $next))"
        " (global.set $next (i32.add (global.get $next) (local.get 0))) (local.get $block)"
    ),
    AbiHelper.RELEASE_OBJECTS: f"(global.set $next (i32.const {_HEAP}))",
    AbiHelper.GET_RESULT_PTR: "(global.get $ptr)",
    AbiHelper.GET_RESULT_SIZE: "(global.get $size)",
    AbiHelper.SET_RESULT_PTR: "(global.set $ptr (local.get 0))",
    AbiHelper.SET_RESULT_SIZE: "(global.set $size (local.get 0))",
}
"""Bodies of the helpers. Cells that an import sets are read by nobody."""


def _type(signature: FunctionType) -> str:
    """Its Wasm type; raw signatures may say interface types where they mean what carries them."""
    params = " ".join(map(str, _carriers([item.type for item in signature.params])))
    return f"(param {params}) (result {' '.join(map(str, _carriers(signature.results)))})"


def _carriers(types: Sequence[IType]) -> list[Prim]:
    return [carrier for ty in types for carrier in layout_of(ty).carrier]
