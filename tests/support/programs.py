"""Modules of random adapters that no generator would write (see `walks`), and guests for them that compute and trap."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from marine_gen.interfaces import Adapter, Export, Implementation, Import, Interfaces
from marine_gen.text import parse
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from tests.support.adapters import PRELUDE
from tests.support.draw import scalar
from tests.support.engines import assemble
from tests.support.walks import CORE, RAW, Types, Walk, any_type

STATE = "state"
"""A function of every module: a number for all that the guest was asked for, and for what its memory holds."""

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


@dataclass(frozen=True, slots=True)
class Program:
    """Modules in load order, the parameters of what can be called, and the records of both modules."""

    modules: dict[str, bytes]
    functions: dict[tuple[str, str], tuple[IType, ...]]
    records: dict[int, RecordType]


def draw_value(random: Random, ty: IType, records: dict[int, RecordType]) -> Any:
    """An internal value of `ty`."""
    if ty is Prim.BYTE_ARRAY:
        return random.randbytes(random.choice((0, 1, 4, 30)))
    if isinstance(ty, Array):
        return [draw_value(random, ty.element, records) for _ in range(random.choice((0, 1, 2, 3)))]
    if isinstance(ty, Record):
        return tuple(draw_value(random, item.type, records) for item in records[ty.id].fields)
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
        self._exports = [Export(name, 1) for name in (*CORE, *runs)]
        first = len(CORE) + len(runs) + len(names)
        wanted = [([param.type for param in ty.params], ty.results) for ty in imported.values()]
        space: list[Types] = [*CORE.values(), *[((), ())] * (len(runs) + len(names)), *wanted]
        outside = [*range(len(CORE)), *range(first, len(space))]
        for position, (name, ty) in enumerate(imported.items()):
            space[len(CORE) + position] = self._import(name, ty, position, space, outside)
        for name in names:
            self._export(name, space)
        del self.signatures[STATE]

    def _import(
        self, name: str, declared: FunctionType, position: int, space: Sequence[Types], outside: Sequence[int]
    ) -> Types:
        """An import with a random adapter, and the guest function that calls it; gives the type of both."""
        params = [self._random.choice(RAW) for _ in range(self._random.choice((0, 1, 2, 4)))]
        walk = Walk(self._random, params, self._records, space, outside)
        for _ in range(self._random.randint(1, 5)):
            walk.step()
            walk.raw()
        walk.call(self._random.choice(outside[len(CORE) :]))
        walk.raw()
        adapter = self._function(params, walk.stack)
        self._imports += [Import("m", name, self._add(declared)), Import("m", name, self._implement(adapter, walk))]
        given, made = " ".join(map(str, params)), " ".join(map(str, walk.stack))
        signature = f"(param {given}) (result {made})"
        self._head.append(f'(import "m" "{name}" (func $import{position} {signature}))')
        passed = " ".join(f"(local.get {index})" for index in range(len(params)))
        self._fields.append(f'(func (export "run{position}") {signature} (call $import{position} {passed}))')
        return params, tuple(walk.stack)

    def _export(self, name: str, space: Sequence[Types]) -> None:
        """A function of random parameters over a random adapter."""
        count = 0 if name == STATE else self._random.choice((0, 1, 2, 3))
        params = [any_type(self._random, self._records) for _ in range(count)]
        walk = Walk(self._random, params, self._records, space, range(len(space)))
        if name == STATE:
            walk.call(list(CORE).index("seen"))
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
