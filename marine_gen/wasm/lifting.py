"""Small functions of a guest as text, which glue can have in place of a call.

A function is lifted when every instruction of it is in the tables of `liftable` and its code is short, as that of the
functions that it calls, which are taken in with it. It works on the guest's own memory, globals and tables: the guest
exports what is not exported anyway under reserved names, and so it does with functions that are called but not taken
in. What is not understood stays an ordinary call; nothing is refused here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.wasm import liftable
from marine_gen.wasm.coretypes import read_types
from marine_gen.wasm.immediates import END, next_instruction
from marine_gen.wasm.reader import Reader
from marine_gen.wasm.rewriting import appended, assembled, export_entry, section_reader
from marine_gen.wasm.sections import Binary, Section, WasmModule, scanned
from marine_gen.wasm.signatures import read_signatures
from marine_gen.wasm.table_growth import read_tables
from marine_runtime.types import CoreSignature
from marine_runtime.wasm import LIFTED

LONGEST, DEEPEST, LARGEST = 200, 3, 400
"""Bytes of the code of one function, calls inside each other, and bytes of all that is taken in together."""

FUNCTION, TABLE, GLOBAL = 0, 1, 3
"""Kinds of items, as export sections number them."""

_LETTERS = {FUNCTION: "F", TABLE: "T", GLOBAL: "G"}

_TYPE, _FUNCTIONS, _TABLES, _MEMORY, _GLOBALS, _EXPORT, _CODE = 1, 3, 4, 5, 6, 7, 10


class _NotLiftedError(Exception):
    """A function that stays an ordinary call."""


@dataclass(frozen=True, order=True, slots=True)
class Need:
    """An item of the guest that lifted code names, beside the memory.

    Attributes:
        kind: `FUNCTION`, `TABLE` or `GLOBAL`.
        type: its type in an import, behind its symbol.
    """

    kind: int
    index: int
    type: str

    @property
    def name(self) -> str:
        """The reserved name under which the guest exports it."""
        return f"{LIFTED}{_LETTERS[self.kind].lower()}{self.index}"

    @property
    def operand(self) -> str:
        """The item in the lines of lifted code."""
        return f"@{_LETTERS[self.kind]}{self.index}"

    @property
    def word(self) -> str:
        """The kind in Wasm text."""
        return {FUNCTION: "func", TABLE: "table", GLOBAL: "global"}[self.kind]


def kind_of(export: str) -> int:
    """The kind of what a guest exports under that name for glue: reserved names say it, others are of functions."""
    if not export.startswith(LIFTED):
        return FUNCTION
    letter = export[len(LIFTED) : len(LIFTED) + 1].upper()
    return next(kind for kind, known in _LETTERS.items() if known == letter)


@dataclass(frozen=True, slots=True)
class Lifted:
    """A function that can be taken over.

    Attributes:
        signature: its parameters and results; no more than one result.
        locals: the types of all its locals, parameters first; none of them may be used by other code.
        lines: its instructions. `@L3` is a local, `@B2` a label, `@M` the memory, `@G1`, `@T0` and `@F7` are items of
            the guest by index. `@B0` is the label of the whole: a branch there, with the result, returns.
        needs: the items that `lines` names.
        size: the bytes of its code.
    """

    signature: CoreSignature
    locals: tuple[str, ...]
    lines: tuple[str, ...]
    needs: tuple[Need, ...]
    size: int


def lifted(binary: Binary, service: Iterable[str], others: Iterable[str] = ()) -> dict[str, Lifted]:
    """The functions that can be lifted, by the names of their exports.

    Args:
        binary: the guest.
        service: exported functions that allocate, release and hand over results.
        others: further exported functions, which are lifted only if they call nothing.
    """
    try:
        guest = _Guest(scanned(binary))
        found = {}
        for depth, names in ((DEEPEST, service), (0, others)):
            for name in names:
                try:
                    found[name] = guest.lift(name, depth)
                except _NotLiftedError:
                    continue
    except (DiagnosticError, _NotLiftedError):
        return {}  # a module that is malformed is refused elsewhere, where its code is compiled
    return found


def with_exports(binary: Binary, functions: Mapping[str, Lifted]) -> bytes:
    """`binary` with the exports that `functions` of it need; the same bytes when there are none."""
    needs = sorted({need for item in functions.values() for need in item.needs})
    module = scanned(binary)
    if not needs:
        return module.data
    section = next((item for item in module.sections if item.id == _EXPORT), None)
    entries = [export_entry(need.name, need.kind, need.index) for need in needs]
    return assembled(module, {_EXPORT: appended(module.data, section, entries)})


class _Guest:
    """The parts of a module that lifting needs; raises where nothing of it can be lifted."""

    def __init__(self, module: WasmModule) -> None:
        self._wasm = module.data
        self._sections = {item.id: item for item in module.sections if item.id}
        signatures = read_signatures(module)
        if not {_TYPE, _FUNCTIONS, _MEMORY, _EXPORT, _CODE} <= self._sections.keys() or signatures.other_imports:
            raise _NotLiftedError
        self._check_memory()
        self._types = read_types(self._reader(_TYPE))
        self._imported = len(signatures.imports)
        reader = self._reader(_FUNCTIONS)
        self._functions = [reader.u32("a type index") for _ in range(reader.u32("the number of functions"))]
        self._exports = self._read_exports()
        if any(name.startswith(LIFTED) for name in self._exports):  # check: wasm claimed names
            raise _NotLiftedError
        self._globals = list(self._read_globals())
        self._tables = read_tables(self._wasm, self._sections[_TABLES]) if _TABLES in self._sections else ()
        self._bodies = self._read_bodies()

    def lift(self, name: str, depth: int) -> Lifted:
        kind, index = self._exports.get(name, (-1, 0))
        if kind != FUNCTION:
            raise _NotLiftedError
        return _Lifting(self).whole(index, depth)

    def signature(self, index: int) -> CoreSignature:
        """The type of a function that the module defines."""
        number = index - self._imported
        if not 0 <= number < len(self._functions):
            raise _NotLiftedError
        return self.type(self._functions[number])

    def type(self, index: int) -> CoreSignature:
        """A function type whose values are integers, with no more than one result."""
        found = self._types[index] if index < len(self._types) else None
        if found is None or len(found.results) > 1 or not {*found.params, *found.results} <= {*liftable.TYPES.values()}:
            raise _NotLiftedError
        return found

    def body(self, index: int) -> Reader:
        """The code of a function, with its locals."""
        number = index - self._imported
        if not 0 <= number < len(self._bodies):
            raise _NotLiftedError
        start, end = self._bodies[number]
        if end - start > LONGEST:  # check: wasm longest lifted function
            raise _NotLiftedError
        return Reader(self._wasm, start, end, "the code section", Code.WASM_MALFORMED)

    def need(self, kind: int, index: int) -> Need:
        if kind == GLOBAL:
            if index >= len(self._globals) or not self._globals[index]:
                raise _NotLiftedError
            return Need(kind, index, self._globals[index])
        if kind == TABLE:
            if index >= len(self._tables) or self._tables[index].element != b"\x70" or self._tables[index].wide:
                raise _NotLiftedError
            return Need(kind, index, "0 funcref")
        return Need(kind, index, type_text(self.signature(index)).strip())

    def _reader(self, number: int) -> Reader:
        return section_reader(self._wasm, self._section(number))

    def _section(self, number: int) -> Section:
        return self._sections[number]

    def _check_memory(self) -> None:
        """Lifted code names one memory: the only one, of 32 bits and not shared."""
        reader = self._reader(_MEMORY)
        if reader.u32("the number of memories") != 1 or reader.byte("the flags of a limit") > 1:
            raise _NotLiftedError

    def _read_exports(self) -> dict[str, tuple[int, int]]:
        reader = self._reader(_EXPORT)
        found = {}
        for _ in range(reader.u32("the number of exports")):
            name = reader.name("the name of an export")
            found[name] = reader.byte("the kind of an export"), reader.u32("an index")
        return found

    def _read_globals(self) -> Iterable[str]:
        """The descriptions of imports of the globals; empty for those that lifted code can't name."""
        if _GLOBALS not in self._sections:
            return
        reader = self._reader(_GLOBALS)
        for _ in range(reader.u32("the number of globals")):
            ty, mutable = liftable.TYPES.get(reader.byte("a value type")), reader.byte("a mutability flag")
            if ty is None or mutable > 1:
                raise _NotLiftedError  # the number of bytes of other types is not known here
            while next_instruction(reader)[0] != END:
                pass
            yield f"(mut {ty})" if mutable else ty

    def _read_bodies(self) -> Sequence[tuple[int, int]]:
        reader = self._reader(_CODE)
        found = []
        for _ in range(reader.u32("the number of bodies")):
            size = reader.u32("the size of a body")
            found.append((reader.position, reader.position + size))
            reader.position += size
        return found


def type_text(signature: CoreSignature) -> str:
    """A function type, behind a blank where there is something to say."""
    params = "".join(f" (param {ty})" for ty in signature.params)
    return params + "".join(f" (result {ty})" for ty in signature.results)


class _Lifting:
    """The text of one function with those that it takes in."""

    def __init__(self, guest: _Guest) -> None:
        self._guest = guest
        self._locals: list[str] = []
        self._lines: list[str] = []
        self._needs: dict[Need, None] = {}
        self._labels = 0
        self._size = 0

    def whole(self, index: int, depth: int) -> Lifted:
        signature = self._guest.signature(index)
        self._function(index, signature, depth)
        return Lifted(signature, tuple(self._locals), tuple(self._lines), tuple(self._needs), self._size)

    def _label(self) -> str:
        self._labels += 1
        return f"@B{self._labels - 1}"

    def _function(self, index: int, signature: CoreSignature, depth: int) -> None:
        """Its code, up to and without its end, with its parameters as the next locals."""
        reader = self._guest.body(index)
        self._size += reader.end - reader.position
        if self._size > LARGEST:
            raise _NotLiftedError
        first = len(self._locals)
        types = list(signature.params)
        for _ in range(reader.u32("the number of groups of locals")):
            count, ty = reader.u32("a number of locals"), liftable.TYPES.get(reader.byte("a value type"))
            if ty is None or count > LONGEST:
                raise _NotLiftedError
            types += [ty] * count
        self._locals += types
        # Locals start at 0 each time.
        for number, ty in enumerate(types[len(signature.params) :], first + len(signature.params)):
            self._lines += [f"{ty}.const 0", f"local.set @L{number}"]
        self._block(reader, [self._label()], first, depth)
        if not reader.exhausted:
            raise _NotLiftedError

    def _block(self, reader: Reader, labels: list[str], first: int, depth: int) -> None:
        """Instructions up to the end of the function; `labels` are those of the blocks around, the innermost last."""
        out = self._lines
        while True:
            opcode = reader.byte("an instruction")
            if opcode in liftable.SIMPLE:
                out.append(liftable.SIMPLE[opcode])
            elif opcode in liftable.LOCAL:
                out.append(f"{liftable.LOCAL[opcode]} @L{first + reader.u32('a local')}")
            elif opcode in (liftable.I32, liftable.I64):
                bits = 32 if opcode == liftable.I32 else 64
                out.append(f"i{bits}.const {reader.signed('a constant', bits)}")
            elif opcode in liftable.ACCESS:
                alignment, offset = reader.u32("an alignment"), reader.u32("an offset")
                if alignment > 3:
                    raise _NotLiftedError
                out.append(f"{liftable.ACCESS[opcode]} @M offset={offset} align={1 << alignment}")
            elif opcode in liftable.GLOBAL_ACCESS:
                out.append(f"{liftable.GLOBAL_ACCESS[opcode]} {self._item(GLOBAL, reader.u32('a global'))}")
            elif opcode in liftable.OPENING:
                labels.append(self._label())
                out.append(f"{liftable.OPENING[opcode]} {labels[-1]}{_block_type(reader)}")
            elif opcode == liftable.ELSE:
                out.append("else")
            elif opcode == END:
                labels.pop()
                if not labels:
                    return
                out.append("end")
            elif opcode in (liftable.BR, liftable.BR_IF):
                out.append(f"{'br' if opcode == liftable.BR else 'br_if'} {_target(labels, reader)}")
            elif opcode == liftable.BR_TABLE:
                targets = [_target(labels, reader) for _ in range(reader.u32("a number of targets") + 1)]
                out.append(f"br_table {' '.join(targets)}")
            elif opcode == liftable.RETURN:
                out.append(f"br {labels[0]}")
            elif opcode == liftable.CALL:
                self._call(reader.u32("a function"), depth)
            elif opcode == liftable.CALL_INDIRECT and depth > 0:
                ty, table = self._guest.type(reader.u32("a type index")), reader.u32("a table")
                out.append(f"call_indirect {self._item(TABLE, table)}{type_text(ty)}")
            elif opcode in liftable.SIZE:
                if reader.byte("a memory"):
                    raise _NotLiftedError
                out.append(liftable.SIZE[opcode])
            elif opcode == liftable.BULK:
                out.append(_bulk(reader))
            else:
                raise _NotLiftedError

    def _item(self, kind: int, index: int) -> str:
        need = self._guest.need(kind, index)
        self._needs[need] = None
        return need.operand

    def _call(self, index: int, depth: int) -> None:
        """A call: what is called is taken in, or stays a function of the guest."""
        if not depth:
            raise _NotLiftedError
        signature = self._guest.signature(index)
        before = list(self._locals), list(self._lines), dict(self._needs), self._labels, self._size
        first, result = len(self._locals), "".join(f" (result {ty})" for ty in signature.results)
        try:
            self._lines += [f"local.set @L{first + number}" for number in reversed(range(len(signature.params)))]
            self._lines.append(f"block @B{self._labels}{result}")
            self._function(index, signature, depth - 1)
            self._lines.append("end")
        except _NotLiftedError:
            self._locals[:], self._lines[:], self._needs, self._labels, self._size = before
            self._lines.append(f"call {self._item(FUNCTION, index)}")


def _block_type(reader: Reader) -> str:
    form = reader.byte("a block type")
    if form == liftable.NO_RESULT:
        return ""
    if form not in liftable.TYPES:
        raise _NotLiftedError
    return f" (result {liftable.TYPES[form]})"


def _target(labels: Sequence[str], reader: Reader) -> str:
    depth = reader.u32("a label")
    if depth >= len(labels):
        raise _NotLiftedError
    return labels[-1 - depth]


def _bulk(reader: Reader) -> str:
    number = reader.u32("an instruction behind a prefix")
    if number == liftable.COPY and not (reader.byte("a memory") or reader.byte("a memory")):
        return "memory.copy @M @M"
    if number == liftable.FILL and not reader.byte("a memory"):
        return "memory.fill @M"
    raise _NotLiftedError
