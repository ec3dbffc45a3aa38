"""Guests that give back what they get, made from a description, and that write down how they are treated.

The inner module echoes: every function returns its first parameter, from where the host put it. The outer module
forwards to the inner one, so a value crosses host → outer → inner → outer → host. Both log every call of an ABI
helper, with its arguments, and the raw i32 arguments of their functions; `take_log` returns the log and empties it.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
    generate,
)
from marine_gen.interfaces import Interfaces
from marine_runtime import Service
from marine_runtime.abi.layout import is_flat, layout_of
from marine_runtime.types import FunctionType, IType, Prim, Record
from tests.support.engines import assemble

PAGE = 0x10000
TAKE_LOG = Signature("take_log", (), Vector(Prim.U8))
_LOG_BASE = 0x400
_LOG_END = PAGE - 12

_EVENTS = (
    "allocate",
    "release_objects",
    "get_result_size",
    "get_result_ptr",
    "set_result_size",
    "set_result_ptr",
    "call",
    "argument",
)
_ARITIES = (2, 0, 0, 0, 1, 1, 1, 1)


@dataclass(frozen=True, slots=True)
class Memory:
    """A guest's use of its memory.

    Attributes:
        pages: initial size.
        base: address of the first block; by default the end of page 0, which is the log's.
        fresh: whether every block gets new pages, so that every allocation grows the memory.
        gap: unused bytes in front of every block; odd, so that nothing is aligned by chance.
        limit: the size in pages beyond which it can't grow.
    """

    pages: int = 1
    base: int = PAGE
    fresh: bool = False
    gap: int = 1
    limit: int = 0x10000

    @property
    def declaration(self) -> str:
        """Initial and largest size."""
        return f"{self.pages} {self.limit}"


def function(name: str, *params: Type, result: Type | None = None) -> Signature:
    """A function over `params` that returns the first of them, or a `result` that the first one can stand for."""
    named = tuple(Member(f"p{position}", ty) for position, ty in enumerate(params))
    return Signature(name, named, result if result is not None or not params else params[0])


def chain(
    signatures: Sequence[Signature], records: Sequence[RecordDeclaration] = (), memory: Memory | None = None
) -> dict[str, bytes]:
    """The modules `inner` and `outer`, both with the functions `signatures` and `take_log`."""
    memory = memory or Memory()
    description = Description(tuple(records), (*signatures, TAKE_LOG))
    imported = ExternModule("inner", tuple(map(ImportedFunction, signatures)))
    return {
        "inner": echo_module(description, memory),
        "outer": echo_module(replace(description, imports=(imported,)), memory),
    }


def echo_module(
    description: Description,
    memory: Memory,
    bodies: Mapping[str, str] | None = None,
    fields: str = "",
    head: str = "",
) -> bytes:
    """One module: functions that are imported too forward to their import, the others echo.

    Args:
        description: what it exports and imports.
        memory: how it uses its memory.
        bodies: other instructions for some of the functions; imports are `$import0` and so on.
        fields: more fields of the Wasm module.
        head: its imports without adapters.
    """
    interfaces = generate(description)
    return assemble(echo_wat(interfaces, memory, bodies or {}, fields, head), interfaces)


def echo_wat(interfaces: Interfaces, memory: Memory, bodies: Mapping[str, str], fields: str, head: str) -> str:
    """The Wasm text of an echoing or forwarding guest."""
    # Imports come in pairs: the interface type of the function, then its raw one.
    imports = [(item, interfaces.types[item.type_index]) for item in interfaces.imports[::2]]
    imported = {item.name: position for position, (item, _) in enumerate(imports)}
    lines = ["(module", head]
    for position, (item, ty) in enumerate(imports):
        assert isinstance(ty, FunctionType)
        lines.append(f"(import {_text(item.namespace)} {_text(item.name)} (func $import{position} {raw_wat(ty)}))")
    lines.append(_ABI.format(memory=memory, log_base=_LOG_BASE, log_end=_LOG_END, block=_block(memory)))
    for position, export in enumerate(interfaces.exports[6:]):
        ty = interfaces.types[export.type_index]
        assert isinstance(ty, FunctionType)
        if export.name != TAKE_LOG.name:
            lines += [f"(func (export {_text(export.name)}) {raw_wat(ty)}"]
            lines += [f"(call $log (i32.const 6) (i32.const {position}) (i32.const 0))"]
            lines += _arguments(ty)
            if export.name in bodies:
                lines += [bodies[export.name]]
            else:
                lines += forward(f"$import{imported[export.name]}", ty) if export.name in imported else _echo(ty)
            lines += [")"]
    return "\n".join([*lines, fields, ")"])


def _block(memory: Memory) -> str:
    """The address of the next block."""
    if memory.fresh:
        return f"(i64.add (i64.mul (i64.extend_i32_u (memory.size)) (i64.const {PAGE})) (i64.const {memory.gap}))"
    return f"(i64.add (global.get $next) (i64.const {memory.gap}))"


_ABI = """
  (memory (export "memory") {memory.declaration})
  (global $next (mut i64) (i64.const {memory.base}))
  (global $ptr (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (global $log_end (mut i32) (i32.const {log_base}))
  (global $muted (mut i32) (i32.const 0))

  (func $log (param $event i32) (param $first i32) (param $second i32)
    (if (i32.or (global.get $muted) (i32.gt_u (global.get $log_end) (i32.const {log_end}))) (then (return)))
    (i32.store (global.get $log_end) (local.get $event))
    (i32.store offset=4 (global.get $log_end) (local.get $first))
    (i32.store offset=8 (global.get $log_end) (local.get $second))
    (global.set $log_end (i32.add (global.get $log_end) (i32.const 12))))

  (func (export "allocate") (param $size i32) (param $tag i32) (result i32)
    (local $block i64) (local $end i64)
    (call $log (i32.const 0) (local.get $size) (local.get $tag))
    (if (i32.eqz (local.get $size)) (then (return (i32.const 0))))
    (local.set $block {block})
    (local.set $end (i64.add (local.get $block) (i64.extend_i32_u (local.get $size))))
    (if (i64.gt_u (local.get $end) (i64.mul (i64.extend_i32_u (memory.size)) (i64.const 65536))) (then
      (if (i32.eq (i32.const -1) (memory.grow (i32.wrap_i64
            (i64.sub (i64.div_u (i64.add (local.get $end) (i64.const 65535)) (i64.const 65536))
                     (i64.extend_i32_u (memory.size))))))
        (then (return (i32.const 0))))))
    (global.set $next (local.get $end))
    (i32.wrap_i64 (local.get $block)))

  (func (export "release_objects")
    (call $log (i32.const 1) (i32.const 0) (i32.const 0))
    (global.set $muted (i32.const 0))
    (global.set $next (i64.const {memory.base})))
  (func (export "get_result_size") (result i32)
    (call $log (i32.const 2) (i32.const 0) (i32.const 0)) (global.get $size))
  (func (export "get_result_ptr") (result i32)
    (call $log (i32.const 3) (i32.const 0) (i32.const 0)) (global.get $ptr))
  (func (export "set_result_size") (param $value i32)
    (call $log (i32.const 4) (local.get $value) (i32.const 0)) (global.set $size (local.get $value)))
  (func (export "set_result_ptr") (param $value i32)
    (call $log (i32.const 5) (local.get $value) (i32.const 0)) (global.set $ptr (local.get $value)))

  ;; Silent until its own result is released, so that reading the log does not write to it.
  (func (export "take_log")
    (global.set $muted (i32.const 1))
    (global.set $ptr (i32.const {log_base}))
    (global.set $size (i32.sub (global.get $log_end) (i32.const {log_base})))
    (global.set $log_end (i32.const {log_base})))
"""


def raw_wat(ty: FunctionType) -> str:
    """The Wasm type of a function of that interface type, as text."""
    params = [str(carrier) for param in ty.params for carrier in layout_of(param.type).carrier]
    results = [str(layout_of(result).carrier[0]) for result in ty.results if is_flat(result)]
    return f"(param {' '.join(params)}) (result {' '.join(results)})"


def _arguments(ty: FunctionType) -> list[str]:
    carriers = [carrier for param in ty.params for carrier in layout_of(param.type).carrier]
    return [
        f"(call $log (i32.const 7) (local.get {position}) (i32.const 0))"
        for position, carrier in enumerate(carriers)
        if carrier is Prim.I32
    ]


def _echo(ty: FunctionType) -> list[str]:
    if not ty.results:
        return []
    result: IType = ty.results[0]
    if is_flat(result):
        return ["(local.get 0)"]
    cells = ["(global.set $ptr (local.get 0))"]
    return cells if isinstance(result, Record) else [*cells, "(global.set $size (local.get 1))"]


def forward(target: str, ty: FunctionType) -> list[str]:
    """Instructions that pass all parameters on; a result in memory is in the result cells afterwards."""
    count = sum(len(layout_of(param.type).carrier) for param in ty.params)
    return [f"(call {target} {' '.join(f'(local.get {index})' for index in range(count))})"]


def _text(name: str) -> str:
    """`name` as a string of the Wasm text format, byte by byte."""
    return '"' + "".join(f"\\{byte:02x}" for byte in name.encode()) + '"'


def take_logs(service: Service) -> dict[str, list[str]]:
    """The logs of all echoing modules of a service, emptied: `allocate 5 1`, one line for each event."""
    return {name: decode_log(service.call(name, "take_log")) for name in service.modules}


def decode_log(data: bytes) -> list[str]:
    """The events of one log."""
    return [
        " ".join([_EVENTS[event], *map(str, (first, second)[: _ARITIES[event]])])
        for event, first, second in struct.iter_unpack("<III", data)
    ]
