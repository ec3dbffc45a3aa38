"""Random adapters that no generator would write, well-typed by construction, and guests that they run in.

A `Walk` keeps the operand stack as types, as `marine_gen.ir.build` does, and appends instructions that fit it: values
from parameters, constants, memory, conversions and calls, renamed by `dup` and `swap2`. What is left on the stack is
what the function returns. Addresses and ranges are right often, not always.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from marine_gen.interfaces import (
    BY_MNEMONIC,
    INSTRUCTIONS,
    Adapter,
    Export,
    Implementation,
    Import,
    Instruction,
    Interfaces,
    Operator,
)
from marine_gen.text import parse
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from tests.support.adapters import PRELUDE
from tests.support.draw import scalar
from tests.support.engines import assemble

STATE = "state"
"""A function of every module: a number for all that the guest was asked for, and for what its memory holds."""

RAW = (Prim.I32, Prim.I64, Prim.F32, Prim.F64)
INTEGERS = (Prim.S8, Prim.S16, Prim.S32, Prim.S64, Prim.U8, Prim.U16, Prim.U32, Prim.U64)

_MAKERS: dict[Prim, list[Operator]] = {}
for _item in INSTRUCTIONS:
    if _item.is_conversion:
        assert isinstance(_item.pushes[0], Prim)
        _MAKERS.setdefault(_item.pushes[0], []).append(_item)

_Types = tuple[Sequence[IType], Sequence[IType]]
_PTR_LEN = (Prim.I32, Prim.I32)
_CORE: dict[str, tuple[tuple[Prim, ...], tuple[Prim, ...]]] = {
    "allocate": (_PTR_LEN, (Prim.I32,)),
    "release_objects": ((), ()),
    "get_result_size": ((), (Prim.I32,)),
    "get_result_ptr": ((), (Prim.I32,)),
    "set_result_size": ((Prim.I32,), ()),
    "set_result_ptr": ((Prim.I32,), ()),
    "turn_i32": ((Prim.I32,), (Prim.I32,)),
    "turn_i64": ((Prim.I64,), (Prim.I64,)),
    "mix": (RAW, (Prim.F64, Prim.F32, Prim.I64, Prim.I32)),
    "trap": ((Prim.I32,), (Prim.I32,)),
    "poke": (_PTR_LEN, ()),
    "seen": ((), (Prim.I64,)),
    "f32": ((), (Prim.F32,)),
    "f64": ((), (Prim.F64,)),
    **{f"drop_{ty}": ((ty,), ()) for ty in RAW},
}
"""What adapters call: position, name and types of the core functions of every guest."""

_WAT = """
  (memory (export "memory") 1 2)
  (global $next (mut i32) (i32.const 4096))
  (global $ptr (mut i32) (i32.const 16))
  (global $size (mut i32) (i32.const 3))
  (global $seen (mut i64) (i64.const 0))
  (func $see (param i64)
    (global.set $seen (i64.add (i64.mul (global.get $seen) (i64.const 1000003)) (local.get 0))))
  (func (export "seen") (result i64) (local $at i32) (local $sum i64)
    (local.set $sum (global.get $seen))
    (loop $more
      (local.set $sum (i64.add (i64.mul (local.get $sum) (i64.const 31)) (i64.load (local.get $at))))
      (br_if $more (i32.lt_u (local.tee $at (i32.add (local.get $at) (i32.const 8))) (i32.const 65536))))
    (local.get $sum))
  (func (export "allocate") (param i32 i32) (result i32)
    (call $see (i64.extend_i32_u (local.get 0))) (call $see (i64.extend_i32_u (local.get 1)))
    (if (i32.gt_u (local.get 0) (i32.const 8192)) (then (return (i32.const 0))))
    (if (i32.gt_u (global.get $next) (i32.const 40000)) (then (global.set $next (i32.const 4096))))
    (global.get $next) (global.set $next (i32.add (global.get $next) (local.get 0))))
  (func (export "release_objects") (call $see (i64.const 2)))
  (func (export "get_result_size") (result i32) (call $see (i64.const 3)) (global.get $size))
  (func (export "get_result_ptr") (result i32) (call $see (i64.const 4)) (global.get $ptr))
  (func (export "set_result_size") (param i32)
    (call $see (i64.extend_i32_u (local.get 0))) (global.set $size (local.get 0)))
  (func (export "set_result_ptr") (param i32)
    (call $see (i64.extend_i32_u (local.get 0))) (global.set $ptr (local.get 0)))
  (func (export "turn_i32") (param i32) (result i32)
    (call $see (i64.extend_i32_u (local.get 0))) (i32.rotl (i32.add (local.get 0) (i32.const 77)) (i32.const 31)))
  (func (export "turn_i64") (param i64) (result i64)
    (call $see (local.get 0)) (i64.rotl (i64.sub (local.get 0) (i64.const 77)) (i64.const 9)))
  (func (export "mix") (param i32 i64 f32 f64) (result f64 f32 i64 i32)
    (call $see (i64.reinterpret_f64 (f64.add (f64.const 0.5) (f64.min (local.get 3) (f64.const 9)))))
    (f64.sub (f64.const 1) (local.get 3)) (f32.mul (f32.const 2) (local.get 2)) (local.get 1) (local.get 0))
  (func (export "trap") (param i32) (result i32)
    (call $see (i64.extend_i32_u (local.get 0)))
    (if (i32.eq (i32.const 3) (i32.and (local.get 0) (i32.const 7))) (then (unreachable)))
    (i32.div_s (i32.const 1000) (i32.and (local.get 0) (i32.const 7))))
  (func (export "poke") (param i32 i32) (i32.store16 (i32.and (local.get 0) (i32.const 0xfff)) (local.get 1)))
  (func (export "f32") (result f32) (f32.convert_i32_u (global.get $ptr)))
  (func (export "drop_i32") (param i32)) (func (export "drop_i64") (param i64))
  (func (export "drop_f32") (param f32)) (func (export "drop_f64") (param f64))
  (func (export "f64") (result f64) (f64.div (f64.const 1) (f64.convert_i32_s (global.get $size))))
"""


@dataclass(slots=True)
class Walk:
    """Instructions of one adapter in the making.

    Attributes:
        records: type indices of the records of the module.
        callees: signatures by call-core index.
        allowed: which of them may be called.
    """

    random: Random
    params: Sequence[IType]
    records: Sequence[int]
    callees: Sequence[_Types]
    allowed: Sequence[int]
    stack: list[IType] = field(default_factory=list)
    instructions: list[Instruction] = field(default_factory=list)

    def emit(
        self, mnemonic: str, immediate: int | IType | None = None, pops: int = 0, pushes: Sequence[IType] = ()
    ) -> None:
        """Append an instruction that takes `pops` values and puts `pushes` there."""
        self.instructions.append(Instruction(BY_MNEMONIC[mnemonic], immediate))
        del self.stack[len(self.stack) - pops :]
        self.stack += pushes

    def step(self) -> None:
        """One thing more on the stack, or something done with what is there."""
        top = self.stack[-1] if self.stack else None
        choice = self.random.random()
        if top is not None and choice < 0.12:
            self.emit("dup", None, 1, (top, top))
        elif len(self.stack) > 1 and choice < 0.24:
            self.emit("swap2", None, 2, (self.stack[-1], self.stack[-2]))
        elif top is not None and choice < 0.45:
            self.use(top)
        elif choice < 0.62:
            self.call(self.random.choice(self.allowed))
        elif choice < 0.7:
            self.store()
        else:
            self.value(self.type())

    def use(self, top: IType) -> None:
        """Turn the value on top into something else."""
        if top is Prim.STRING:
            self.emit("string.size", None, 1, (Prim.I32,))
        elif top in (Prim.BYTE_ARRAY, Array(Prim.U8)) and self.random.random() < 0.5:
            self.emit("byte_array.size", None, 1, (Prim.I32,))
        elif top is Prim.BYTE_ARRAY:
            self.emit("array.lower_memory", Prim.U8, 1, _PTR_LEN)
        elif isinstance(top, Array):
            self.emit("array.lower_memory", top.element, 1, _PTR_LEN)
            if self.random.random() < 0.3:  # read again as something of its size
                self.lift(self.type())
        elif isinstance(top, Record):
            self.emit("record.lower_memory", top.id, 1, (Prim.I32,))
        else:
            fitting = [item for item in INSTRUCTIONS if item.is_conversion and item.pops == (top,)]
            if fitting:
                item = self.random.choice(fitting)
                (target,) = item.pushes
                assert isinstance(target, Prim)
                self.emit(item.mnemonic, None, 1, (target,))

    def raw(self) -> None:
        """Bring the top down to numbers of Wasm, and those below it that a call returned beside it."""
        while any(ty not in RAW for ty in self.stack):
            while self.stack[-1] not in RAW:
                self.use(self.stack[-1])
            if self.stack[-1] in RAW and any(ty not in RAW for ty in self.stack):
                self.drop()

    def drop(self) -> None:
        """Take a number off the stack: there is no instruction for that, so it goes to a function without results."""
        self.emit("call-core", list(_CORE).index(f"drop_{self.stack[-1]}"), 1, ())

    def call(self, index: int) -> None:
        """Call something, with arguments made for it."""
        params, results = self.callees[index]
        for param in params:
            self.value(param, 1)
        self.emit("call-core", index, len(params), results)

    def store(self) -> None:
        """Write to a block that is there, or is not."""
        kind, ty = self.random.choice((("string", Prim.STRING), ("byte_array", Prim.BYTE_ARRAY)))
        self.value(Prim.I32, 1)
        self.value(ty, 1)
        self.emit(f"{kind}.lower_memory", None, 2, _PTR_LEN)

    def lift(self, ty: IType) -> None:
        """Read a value of `ty` at the address (and length) on the stack; nothing for numbers."""
        if ty is Prim.STRING:
            self.emit("string.lift_memory", None, 2, (ty,))
        elif ty is Prim.BYTE_ARRAY:
            self.emit("byte_array.lift_memory", None, 2, (ty,))
        elif isinstance(ty, Array):
            self.emit("array.lift_memory", ty.element, 2, (ty,))
        elif isinstance(ty, Record):
            self.emit("record.lift_memory", ty.id, 1, (ty,))

    def value(self, ty: IType, depth: int = 0) -> None:
        """Put a value of `ty` on the stack."""
        given = [index for index, param in enumerate(self.params) if param == ty]
        if given and self.random.random() < 0.6:
            self.emit("arg.get", self.random.choice(given), 0, (ty,))
        elif self.stack and self.stack[-1] == ty and self.random.random() < 0.3:
            self.emit("dup", None, 1, (ty, ty))
        elif ty in (Prim.I32, Prim.I64) and (depth > 2 or self.random.random() < 0.6):
            self.emit(f"{ty}.push", self.constant(64 if ty is Prim.I64 else 32), 0, (ty,))
        elif ty in (Prim.F32, Prim.F64):
            self.call(list(_CORE).index(str(ty)))
        elif isinstance(ty, Prim) and ty in _MAKERS:
            item = self.random.choice(_MAKERS[ty])
            (source,) = item.pops
            assert isinstance(source, Prim)
            self.value(source, depth + 1)
            self.emit(item.mnemonic, None, 1, (ty,))
        else:
            self.emit("i32.push", self.address(), 0, (Prim.I32,))
            if not isinstance(ty, Record):
                self.emit("i32.push", self.length(), 0, (Prim.I32,))
            self.lift(ty)

    def constant(self, bits: int) -> int:
        """A number; edges are as likely as addresses."""
        if self.random.random() < 0.15:
            last = 2 ** (bits - 1) - 1
            return self.random.choice((0, -1, 255, 256, -128, 127, 2**31 - 1, -(2**31), last, -last - 1))
        return self.random.choice((self.address(), self.random.randrange(128), self.random.randrange(8)))

    def address(self) -> int:
        """Mostly one where the memory holds something."""
        if self.random.random() < 0.05:
            return self.random.choice((65_532, -4, 65_536, 65_535))
        return self.random.choice((self.random.randrange(0, 1024, 4), self.random.randrange(1024, 2000)))

    def length(self) -> int:
        """Mostly a small one."""
        if self.random.random() < 0.02:
            return self.random.choice((-1, 2**31 - 1, 70_000))
        return self.random.choice((0, 1, 1, 2, 3, 5, 8, self.random.randrange(20)))

    def type(self) -> IType:
        """Any type; records are those of the module."""
        return any_type(self.random, self.records)


def any_type(random: Random, records: Sequence[int], depth: int = 0) -> IType:
    """A type over these records, nested up to two arrays deep."""
    choice = random.random()
    if choice < 0.2 and records:
        return Record(random.choice(records))
    if choice < 0.4 and depth < 2:
        element = any_type(random, records, depth + 1)
        return Prim.BYTE_ARRAY if element is Prim.U8 else Array(element)
    return random.choice(list(Prim))


@dataclass(frozen=True, slots=True)
class Program:
    """Modules in load order, their interface sections, and the types of what can be called."""

    modules: dict[str, bytes]
    interfaces: dict[str, Interfaces]
    functions: dict[tuple[str, str], tuple[IType, ...]]
    records: dict[int, RecordType]


def draw_value(random: Random, ty: IType, records: dict[int, RecordType], depth: int = 0) -> Any:
    """An internal value of `ty`."""
    if ty is Prim.BYTE_ARRAY:
        return random.randbytes(random.choice((0, 1, 4, 30)))
    if isinstance(ty, Array):
        return [draw_value(random, ty.element, records, depth + 1) for _ in range(random.choice((0, 1, 2, 3)))]
    if isinstance(ty, Record):
        return tuple(draw_value(random, item.type, records, depth + 1) for item in records[ty.id].fields)
    return scalar(random, ty)


def program(random: Random, functions: int) -> Program:
    """Two modules: `m` with random exports; `n` also calls those of `m`, from its adapters and from Wasm."""
    base = list(parse(PRELUDE).types)
    for _ in range(random.randint(1, 3)):
        known = [index for index, ty in enumerate(base) if isinstance(ty, RecordType)]
        members = [Field(f"f{at}", any_type(random, known, 1)) for at in range(random.choice((1, 2, 3, 6)))]
        base.append(RecordType(f"R{len(base)}", tuple(members)))
    inner = _Maker(random, base, [*(f"f{number}" for number in range(functions)), STATE], {})
    taken = random.sample(sorted(inner.signatures), min(functions, 4))
    imported = {name: inner.signatures[name] for name in taken}
    outer = _Maker(random, base, [*(f"g{number}" for number in range(functions // 2)), STATE], imported)
    makers = {"m": inner, "n": outer}
    return Program(
        {name: assemble(maker.wat(), maker.interfaces()) for name, maker in makers.items()},
        {name: maker.interfaces() for name, maker in makers.items()},
        {
            (name, function): tuple(param.type for param in ty.params)
            for name, maker in makers.items()
            for function, ty in maker.signatures.items()
        },
        {index: ty for index, ty in enumerate(base) if isinstance(ty, RecordType)},
    )


class _Maker:
    """One module: its index spaces are laid out first, since calls name positions in them.

    Calls count the core functions, then `run0` and so on, guest functions that call an import, then the core functions
    of the exported adapters, which do nothing, then the imports with interface types.
    """

    def __init__(
        self,
        random: Random,
        types: Sequence[FunctionType | RecordType],
        names: Sequence[str],
        imported: Mapping[str, FunctionType],
    ) -> None:
        self._random = random
        self._types = list(types)
        self._records = [index for index, ty in enumerate(types) if isinstance(ty, RecordType)]
        self._imports: list[Import] = []
        self._adapters: list[Adapter] = []
        self._implementations: list[Implementation] = []
        self._head: list[str] = []
        self._fields = [f'(func (export "{name}"))' for name in names]
        self._data = _data(random)
        self.signatures: dict[str, FunctionType] = {}
        runs = [f"run{position}" for position in range(len(imported))]
        self._exports = [Export(name, 1) for name in (*_CORE, *runs)]
        first = len(_CORE) + len(runs) + len(names)
        wanted = [([param.type for param in ty.params], ty.results) for ty in imported.values()]
        space: list[_Types] = [*_CORE.values(), *[((), ())] * (len(runs) + len(names)), *wanted]
        outside = [*range(len(_CORE)), *range(first, len(space))]
        for position, (name, ty) in enumerate(imported.items()):
            space[len(_CORE) + position] = self._import(name, ty, position, space, outside)
        for name in names:
            self._export(name, space)
        del self.signatures[STATE]

    def _import(
        self, name: str, declared: FunctionType, position: int, space: Sequence[_Types], outside: Sequence[int]
    ) -> _Types:
        """An import with a random adapter, and the guest function that calls it; gives the type of both."""
        params = [self._random.choice(RAW) for _ in range(self._random.choice((0, 1, 2, 4)))]
        walk = Walk(self._random, params, self._records, space, outside)
        for _ in range(self._random.randint(1, 5)):
            walk.step()
            walk.raw()
        walk.call(self._random.choice(outside[len(_CORE) :]))
        walk.raw()
        adapter = self._function(params, walk.stack)
        self._imports += [Import("m", name, self._add(declared)), Import("m", name, self._implement(adapter, walk))]
        given, made = " ".join(map(str, params)), " ".join(map(str, walk.stack))
        signature = f"(param {given}) (result {made})"
        self._head.append(f'(import "m" "{name}" (func $import{position} {signature}))')
        passed = " ".join(f"(local.get {index})" for index in range(len(params)))
        self._fields.append(f'(func (export "run{position}") {signature} (call $import{position} {passed}))')
        return params, tuple(walk.stack)

    def _export(self, name: str, space: Sequence[_Types]) -> None:
        """A function of random parameters over a random adapter."""
        count = 0 if name == STATE else self._random.choice((0, 1, 2, 3))
        params = [any_type(self._random, self._records) for _ in range(count)]
        walk = Walk(self._random, params, self._records, space, range(len(space)))
        if name == STATE:
            walk.call(list(_CORE).index("seen"))
            walk.emit("s64.from_i64", None, 1, (Prim.S64,))
        else:
            for _ in range(self._random.randint(1, 8)):
                walk.step()
        adapter = self._function(params, walk.stack)
        self._exports.append(Export(name, self._implement(adapter, walk)))
        ty = self._types[adapter]
        assert isinstance(ty, FunctionType)
        self.signatures[name] = ty

    def _add(self, ty: FunctionType) -> int:
        self._types.append(ty)
        return len(self._types) - 1

    def _function(self, params: Sequence[IType], results: Sequence[IType]) -> int:
        named = tuple(Field(f"p{index}", ty) for index, ty in enumerate(params))
        return self._add(FunctionType(named, tuple(results)))

    def _implement(self, adapter: int, walk: Walk) -> int:
        """Ties a core type of its own to the adapter."""
        core = self._add(FunctionType())
        self._adapters.append(Adapter(adapter, tuple(walk.instructions)))
        self._implementations.append(Implementation(core, adapter))
        return core

    def interfaces(self) -> Interfaces:
        """The interface section."""
        lists = (self._types, self._imports, self._adapters, self._exports, self._implementations)
        return Interfaces("0.28.0", *map(tuple, lists))

    def wat(self) -> str:
        """The guest."""
        return "\n".join(["(module", *self._head, _WAT, *self._fields, self._data, ")"])


def _data(random: Random) -> str:
    """The first page of a memory: small numbers, addresses of them, and texts that are not all UTF-8."""
    words = [random.choice((0, 1, 1, 2, 3, random.randrange(16, 200))) for _ in range(256)]
    content = struct.pack("<256I", *words)
    texts = bytes(random.choices(b"abcdefgh\xc3\xa9\x00\x01", weights=[9] * 8 + [1, 1, 2, 2], k=1024))
    return '(data (i32.const 0) "' + "".join(f"\\{byte:02x}" for byte in content + texts) + '")'
