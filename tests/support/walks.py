"""Random instruction sequences that no generator would write, well-typed by construction.

A `Walk` keeps the operand stack as types, as `marine_gen.ir.build` does, and appends instructions that fit it: values
from parameters, constants, memory, conversions and calls, renamed by `dup` and `swap2`. What is left on the stack is
what the function returns. Addresses and ranges are right often, not always. The modules around them are `programs`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

from marine_gen.interfaces import BY_MNEMONIC, INSTRUCTIONS, Instruction, InstructionKind, Operator
from marine_runtime.types import Array, IType, Prim, Record

RAW = (Prim.I32, Prim.I64, Prim.F32, Prim.F64)

_MAKERS: dict[Prim, list[Operator]] = {}
for _item in INSTRUCTIONS:
    if _item.kind is InstructionKind.CONVERT:
        assert isinstance(_item.pushes[0], Prim)
        _MAKERS.setdefault(_item.pushes[0], []).append(_item)

Types = tuple[Sequence[IType], Sequence[IType]]
_PTR_LEN = (Prim.I32, Prim.I32)
CORE: dict[str, tuple[tuple[Prim, ...], tuple[Prim, ...]]] = {
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
"""Core functions that adapters call: position, name and types in every guest."""


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
    callees: Sequence[Types]
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
            fitting = [item for item in INSTRUCTIONS if item.kind is InstructionKind.CONVERT and item.pops == (top,)]
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
            if any(ty not in RAW for ty in self.stack):
                self.drop()

    def drop(self) -> None:
        """Take a number off the stack: there is no instruction for that, so it goes to a function without results."""
        self.emit("call-core", list(CORE).index(f"drop_{self.stack[-1]}"), 1, ())

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
            self.call(list(CORE).index(str(ty)))
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
        """A number: seldom an edge, else an address or a small one."""
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
