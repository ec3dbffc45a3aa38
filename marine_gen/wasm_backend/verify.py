"""Verifies that the code of guests in finished glue keeps to what belongs to them.

It reads the glue's binary, knows nothing of how it was written, and trusts no more than the list of what the glue
imports. Code of a guest is a region: a block that begins with a mark. The rules:

* the mark names the memory of a guest, and the region names no other memory, nor globals and tables of anyone else;
* it calls nothing but functions that its guest exports for that;
* it has no instructions but those in the tables of `liftable`, and does not branch out of its block;
* its locals are used by no other code, which may set them, to pass arguments, and never reads them;
* there is no region inside a region; and what guests export for regions is used nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.wasm import liftable
from marine_gen.wasm.coretypes import read_types
from marine_gen.wasm.immediates import END, next_instruction, skip_value_type
from marine_gen.wasm.reader import Reader
from marine_gen.wasm.rewriting import section_reader, spellings
from marine_gen.wasm.sections import scanned
from marine_gen.wasm_backend.guests import MARK, MARKED
from marine_runtime.wasm import LIFTED

Needs = Sequence[tuple[str, str | None]]

_TYPE, _IMPORT, _FUNCTION, _CODE = 1, 2, 3, 10
_FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS = range(4)
_OF_GUESTS = "1"
_HAS_MAXIMUM, _MEMORY_INDEX = 1, 0x40
_ACCESSES = range(0x28, 0x3F)


class GlueError(Exception):
    """Glue that breaks a rule; the text says which one, and where."""


@dataclass(frozen=True, slots=True)
class _Item:
    """An import that belongs to a guest; `lent` when the guest exports it for regions alone."""

    owner: str
    lent: bool


@dataclass(slots=True)
class _Region:
    """The region that is being read: its guest, the index of its memory, and the blocks around it."""

    owner: str
    memory: int
    depth: int


@dataclass(slots=True)
class _Locals:
    """The locals of a function: those that other code reads, and those of regions."""

    params: int
    read: set[int] = field(default_factory=set)
    inside: dict[int, _Region] = field(default_factory=dict)


def verify_glue(glue: bytes, needs: Needs) -> None:
    """Check all code of a glue module.

    Args:
        glue: its binary, which is valid Wasm.
        needs: its imports from guests, by number: (module, export name), the name being None for its memory.

    Raises:
        GlueError: it breaks a rule.
    """
    try:
        _Glue(glue, needs).check()
    except DiagnosticError as error:
        raise GlueError(f"its code can't be read: {error}") from None


class _Glue:
    def __init__(self, glue: bytes, needs: Needs) -> None:
        self._wasm = glue
        self._sections = {item.id: item for item in scanned(glue).sections if item.id}
        self._items: dict[tuple[int, int], _Item] = {}
        self._imported = dict.fromkeys((_FUNCTIONS, _TABLES, _MEMORIES, _GLOBALS), 0)
        self._read_imports(needs)

    def check(self) -> None:
        """Check every function."""
        types = read_types(section_reader(self._wasm, self._sections[_TYPE]))
        reader = section_reader(self._wasm, self._sections[_FUNCTION])
        functions = [reader.u32("a type index") for _ in range(reader.u32("the number of functions"))]
        reader = section_reader(self._wasm, self._sections[_CODE])
        telling = self._telling()
        for number in range(reader.u32("the number of bodies")):
            size = reader.u32("the size of a body")
            if not telling.search(self._wasm, reader.position, reader.position + size):
                reader.position += size
                continue
            body = Reader(self._wasm, reader.position, reader.position + size, reader.within, Code.WASM_MALFORMED)
            signature = types[functions[number]]
            assert signature is not None
            self._function(body, _Locals(len(signature.params)))
            reader.position += size

    def _telling(self) -> re.Pattern[bytes]:
        """Bytes of which some are in every function that has a region, or names what is lent to regions."""
        patterns = [_ANY_MARK]
        for (kind, index), item in self._items.items():
            if item.lent:
                patterns.append(_BEFORE[kind] + spellings(index))
        return re.compile(b"|".join(patterns), re.DOTALL)

    def _read_imports(self, needs: Needs) -> None:
        if _IMPORT not in self._sections:
            return
        reader = section_reader(self._wasm, self._sections[_IMPORT])
        for _ in range(reader.u32("the number of imports")):
            namespace, name = reader.name("a namespace"), reader.name("a name")
            kind = reader.byte("the kind of an import")
            index = self._imported[kind]
            self._imported[kind] += 1
            if namespace == _OF_GUESTS:
                owner, export = needs[int(name)]
                self._items[kind, index] = _Item(owner, export is not None and export.startswith(LIFTED))
            _skip_description(reader, kind)

    def _function(self, reader: Reader, local: _Locals) -> None:
        for _ in range(reader.u32("the number of groups of locals")):
            reader.u32("a number of locals")
            skip_value_type(reader)
        depth = 0
        region: _Region | None = None
        opened = False  # the instruction before opens a block
        data = reader.data
        while not reader.exhausted:
            if not opened and (plain := _PLAIN[region is not None].match(data, reader.position, reader.end)):
                reader.position = plain.end()
                continue
            start = reader.position
            if data[start] in liftable.LOCAL:  # a third of all instructions
                reader.position += 1
                self._local(data[start], reader.u32("a local"), region, local, start)
                opened = False
                continue
            opcode, sub = next_instruction(reader)
            operands = Reader(reader.data, start + 1, reader.position, reader.within, reader.code)
            if opened and opcode == liftable.I32 and (memory := self._marked(operands)) is not None:
                if region is not None:  # check: lifting regions in regions
                    raise GlueError(f"a region inside a region, at byte {start}")
                region = _Region(self._owner_of_memory(memory, start), memory, depth)
            elif region is None:
                self._outside(opcode, sub, operands, start)
            else:
                self._inside(opcode, sub, operands, region, depth, start)
            opened = opcode in liftable.OPENING
            if opened:
                depth += 1
            elif opcode == END:
                depth -= 1
                if region is not None and depth < region.depth:
                    region = None
        shared = sorted(local.read & local.inside.keys())
        if shared:  # check: lifting locals that other code reads
            raise GlueError(f"local {shared[0]} of a region is read outside of it")

    def _marked(self, operands: Reader) -> int | None:
        number = operands.signed("a constant", 32) - MARK
        return number if 0 <= number < MARKED else None

    def _owner_of_memory(self, index: int, at: int) -> str:
        found = self._items.get((_MEMORIES, index))
        if found is None:  # check: lifting memories that are no guest's
            raise GlueError(f"the region at byte {at} has the mark of memory {index}, which is not a guest's")
        return found.owner

    def _local(self, opcode: int, index: int, region: _Region | None, local: _Locals, at: int) -> None:
        """A use of a local."""
        if region is None:
            if liftable.LOCAL[opcode] != "local.set":
                local.read.add(index)
            return
        where = f"in the region of `{region.owner}`, at byte {at}"
        if index < local.params:  # check: lifting parameters of adapters
            raise GlueError(f"a parameter of the adapter is used {where}")
        if local.inside.setdefault(index, region) is not region:  # check: lifting locals of one region
            raise GlueError(f"local {index} of another region is used {where}")

    def _outside(self, opcode: int, sub: int, operands: Reader, at: int) -> None:
        """Code of the glue itself."""
        for kind, index in _named(opcode, sub, operands):
            found = self._items.get((kind, index))
            if found is not None and found.lent:  # check: lifting items that are lent to regions
                raise GlueError(f"what `{found.owner}` exports for regions is used outside of them, at byte {at}")

    def _inside(self, opcode: int, sub: int, operands: Reader, region: _Region, depth: int, at: int) -> None:
        """Code of a guest."""
        where = f"in the region of `{region.owner}`, at byte {at}"
        # check: lifting instructions
        if opcode not in _ALLOWED or (opcode == liftable.BULK and sub not in (liftable.COPY, liftable.FILL)):
            raise GlueError(f"an instruction that is not lifted (0x{opcode:02x} {sub}) {where}")
        for target in _targets(opcode, operands):
            if target > depth - region.depth:  # check: lifting branches out of a region
                raise GlueError(f"a branch out of the block {where}")
        for kind, index in _named(opcode, sub, operands):
            if kind == _MEMORIES:
                if index != region.memory:  # check: lifting memories of others
                    raise GlueError(f"another memory is used {where}")
                continue
            found = self._items.get((kind, index))
            # check: lifting items of others
            if found is None or found.owner != region.owner or not found.lent:
                raise GlueError(f"{_WORDS[kind]} {index}, which is not lent by that guest, is used {where}")


def _any_of(opcodes: Iterable[int]) -> bytes:
    """A pattern of one of these bytes."""
    return rb"[" + b"".join(rb"\x%02x" % opcode for opcode in sorted(opcodes)) + rb"]"


_LEB = rb"[\x80-\xff]*[\x00-\x7f]"
_HARMLESS = rb"%s|[\x41\x42]%s" % (_any_of(liftable.SIMPLE), _LEB)
_ACCESS = rb"[\x28-\x3e](?:[\x00-\x3f]|[\x40-\x7f]%s)%s" % (_LEB, _LEB)
_PLAIN = (
    re.compile(rb"(?:%s|[\x0c\x0d\x21]%s|%s)+" % (_HARMLESS, _LEB, _ACCESS), re.DOTALL),
    re.compile(rb"(?:%s)+" % _HARMLESS, re.DOTALL),
)
"""Instructions of which there is nothing to look at, outside of a region and inside, unless they open it."""

_ANY_MARK = rb"\x41...[" + re.escape(bytes([MARK >> 21 & 0x7F | 0x80])) + rb"]" + re.escape(bytes([MARK >> 28]))
_BEFORE = {_FUNCTIONS: rb"\x10", _TABLES: rb"\x11[\x80-\xff]*[\x00-\x7f]", _GLOBALS: rb"[\x23\x24]"}
_WORDS = {_FUNCTIONS: "function", _TABLES: "table", _GLOBALS: "global"}
_BRANCHES = (liftable.BR, liftable.BR_IF)
_ALLOWED = frozenset(
    {
        *liftable.SIMPLE,
        *liftable.ACCESS,
        *liftable.SIZE,
        *liftable.GLOBAL_ACCESS,
        *liftable.OPENING,
        *_BRANCHES,
        *(liftable.ELSE, END, liftable.BR_TABLE, liftable.CALL, liftable.CALL_INDIRECT),
        *(liftable.I32, liftable.I64, liftable.BULK),
    }
)


def _named(opcode: int, sub: int, operands: Reader) -> Iterator[tuple[int, int]]:
    """The items that an instruction of the tables names, as kind and index."""
    if opcode in _ACCESSES:
        flags = operands.u32("an alignment")
        yield _MEMORIES, operands.u32("a memory") if flags & _MEMORY_INDEX else 0
    elif opcode in liftable.SIZE:
        yield _MEMORIES, operands.u32("a memory")
    elif opcode in liftable.GLOBAL_ACCESS:
        yield _GLOBALS, operands.u32("a global")
    elif opcode == liftable.CALL:
        yield _FUNCTIONS, operands.u32("a function")
    elif opcode == liftable.CALL_INDIRECT:
        operands.u32("a type")
        yield _TABLES, operands.u32("a table")
    elif opcode == liftable.BULK and sub in (liftable.COPY, liftable.FILL):
        operands.u32("an instruction behind a prefix")
        while not operands.exhausted:
            yield _MEMORIES, operands.u32("a memory")


def _targets(opcode: int, operands: Reader) -> Iterator[int]:
    """The labels that an instruction branches to, counted from the innermost."""
    if opcode in _BRANCHES:
        yield operands.u32("a label")
    elif opcode == liftable.BR_TABLE:
        for _ in range(operands.u32("a number of labels") + 1):
            yield operands.u32("a label")


def _skip_description(reader: Reader, kind: int) -> None:
    """The description of an import, behind its kind."""
    if kind == _FUNCTIONS:
        reader.u32("a type index")
    elif kind == _GLOBALS:
        skip_value_type(reader)
        reader.byte("a mutability flag")
    else:
        if kind == _TABLES:
            skip_value_type(reader)
        flags = reader.byte("the flags of a limit")
        reader.u64("a minimum size")
        if flags & _HAS_MAXIMUM:
            reader.u64("a maximum size")
