"""Interfaces from the bytes of an `interface-types` section.

The format has no lengths to skip by, so decoding stops at the first error. Every node of the result carries the byte
offset at which it starts. Indices are not resolved here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn, TypeVar

from marine_gen.binary.leb import read_uleb
from marine_gen.binary.limits import MAX_LEB_BYTES, MAX_TYPE_DEPTH, U32_MAX
from marine_gen.binary.tags import ARRAY_TAG, PRIM_BY_TAG, RECORD_TAG, SECTION_TITLES, SectionId, SectionKind
from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.interfaces import (
    BY_OPCODE,
    Adapter,
    Export,
    Immediate,
    Implementation,
    Import,
    Instruction,
    Interfaces,
    Operator,
)
from marine_gen.wasm.semver import parse_version
from marine_runtime.texts import are, counted
from marine_runtime.types import Array, Field, FunctionType, IType, Record, RecordType

_T = TypeVar("_T")


def decode(payload: bytes, section: str = "interface-types") -> Interfaces:
    """Decode the content of an interface section.

    Args:
        payload: the content.
        section: the section's name, for spans and errors.

    Raises:
        DiagnosticError: the content is malformed (IT_TRUNCATED, IT_BAD_BYTE, IT_BAD_VALUE, IT_VERSION).
    """
    return _Decoder(payload, section).interfaces()


class _Decoder:
    def __init__(self, data: bytes, section: str) -> None:
        self._data = data
        self._section = section
        self._position = 0
        self._within = ""
        self._version: str | None = None
        self._types: list[FunctionType | RecordType] = []
        self._imports: list[Import] = []
        self._adapters: list[Adapter] = []
        self._exports: list[Export] = []
        self._implementations: list[Implementation] = []

    def interfaces(self) -> Interfaces:
        """Read all sections."""
        while self._position < len(self._data):
            self._read_section()
        if self._version is None:
            self._within = ""
            help_line = "generators before 0.18 wrote none: build the module again, or embed its adapters again"
            self._fail(Code.IT_VERSION, "the section has no version", help=help_line)
        return Interfaces(
            self._version,
            tuple(self._types),
            tuple(self._imports),
            tuple(self._adapters),
            tuple(self._exports),
            tuple(self._implementations),
        )

    def _read_section(self) -> None:
        start = self._position
        self._within = ""
        identifier = self._byte("a section id")
        if identifier == SectionId.TYPES:
            self._entries(identifier, self._types, self._type)
        elif identifier == SectionId.IMPORTS:
            self._entries(identifier, self._imports, self._import)
        elif identifier == SectionId.ADAPTERS:
            self._entries(identifier, self._adapters, self._adapter)
        elif identifier == SectionId.EXPORTS:
            self._entries(identifier, self._exports, self._export)
        elif identifier == SectionId.IMPLEMENTATIONS:
            self._entries(identifier, self._implementations, self._implementation)
        elif identifier == SectionId.VERSION:
            self._read_version(start)
        else:
            self._fail(Code.IT_BAD_BYTE, f"0x{identifier:02x} is not the id of a section", start)

    def _entries(self, identifier: int, entries: list[_T], read: Callable[[], _T]) -> None:
        title = SECTION_TITLES[SectionId(identifier)]
        self._within = f"the {title} section"
        for _ in range(self._count(f"the number of entries in the {title} section")):
            self._within = f"{title} #{len(entries)}"
            entries.append(read())

    def _read_version(self, start: int) -> None:
        self._within = "the version section"
        if self._version is not None:
            self._fail(Code.IT_VERSION, "the section has a second version", start)
        at = self._position
        self._version = self._name("the version")
        try:
            parse_version(self._version)
        except ValueError as error:
            self._fail(Code.IT_VERSION, str(error), at)

    def _type(self) -> FunctionType | RecordType:
        start = self._position
        kind = self._byte("the kind of a type")
        if kind == SectionKind.FUNCTION:
            params = tuple([self._field("a parameter") for _ in range(self._count("the number of parameters"))])
            return FunctionType(params, tuple([self._itype() for _ in range(self._count("the number of results"))]))
        if kind != SectionKind.RECORD:
            self._fail(Code.IT_BAD_BYTE, f"0x{kind:02x} is not the kind of a type", start)
        name = self._name("the name of a record")
        fields = tuple([self._field("a field") for _ in range(self._count("the number of fields"))])
        if not fields:
            self._fail(Code.IT_BAD_VALUE, f"record `{name}` has no fields", start)
        return RecordType(name, fields)

    def _field(self, what: str) -> Field:
        name = self._name(f"the name of {what}")
        return Field(name, self._itype())

    def _import(self) -> Import:
        span = self._span()
        namespace = self._name("the namespace of an import")
        return Import(namespace, self._name("the name of an import"), self._index("a type index"), span)

    def _adapter(self) -> Adapter:
        span = self._span()
        type_index = self._index("a type index")
        within = f"{self._within} (type {type_index})"
        instructions = []
        for index in range(self._count("the number of instructions")):
            self._within = f"{within}, instruction #{index}"
            instructions.append(self._instruction())
        return Adapter(type_index, tuple(instructions), span)

    def _export(self) -> Export:
        span = self._span()
        name = self._name("the name of an export")
        return Export(name, self._index("a type index"), span)

    def _implementation(self) -> Implementation:
        span = self._span()
        core_type = self._index("a core type index")
        return Implementation(core_type, self._index("an adapter type index"), span)

    def _instruction(self) -> Instruction:
        span = self._span()
        opcode = self._byte("an opcode")
        operator = BY_OPCODE.get(opcode)
        if operator is None:
            self._fail(Code.IT_BAD_BYTE, f"0x{opcode:02x} is not an opcode", span.offset)
        return Instruction(operator, self._immediate(operator), span)

    def _immediate(self, operator: Operator) -> int | IType | None:
        start = self._position
        match operator.immediate:
            case Immediate.NONE:
                return None
            case Immediate.TYPE:
                return self._itype()
            case Immediate.I32:
                number = self._uleb("a constant")
                if number > U32_MAX:
                    self._fail(Code.IT_BAD_VALUE, f"constant {number} does not fit 32 bits", start)
                return _signed(number, 32)
            case Immediate.I64:
                return _signed(self._uleb("a constant", MAX_LEB_BYTES + 1), 64)
            case _:
                return self._index(f"a {operator.immediate.value}")

    def _itype(self) -> IType:
        """One type; a loop, because the bytes decide how deep it goes."""
        start = self._position
        depth = 0
        while (tag := self._byte("a type")) == ARRAY_TAG:
            depth += 1
            if depth > MAX_TYPE_DEPTH:
                message = f"a type nests more than {MAX_TYPE_DEPTH} arrays"
                self._fail(Code.IT_BAD_VALUE, message, start)
        ty: IType
        if tag == RECORD_TAG:
            ty = Record(self._uleb("the type index of a record"))
        elif (prim := PRIM_BY_TAG.get(tag)) is not None:
            ty = prim
        else:
            self._fail(Code.IT_BAD_BYTE, f"0x{tag:02x} is not the tag of a type", self._position - 1)
        for _ in range(depth):
            ty = Array(ty)
        return ty

    def _byte(self, what: str) -> int:
        if self._position >= len(self._data):
            self._fail(Code.IT_TRUNCATED, f"the section ends where {what} should be")
        self._position += 1
        return self._data[self._position - 1]

    def _uleb(self, what: str, max_bytes: int = MAX_LEB_BYTES) -> int:
        try:
            result = read_uleb(self._data, self._position, max_bytes)
        except ValueError as error:
            self._fail(Code.IT_BAD_VALUE, f"{what} {error}")
        if result is None:
            self._fail(Code.IT_TRUNCATED, f"the section ends inside {what}")
        number, self._position = result
        return number

    def _index(self, what: str) -> int:
        start = self._position
        index = self._uleb(what)
        if index > U32_MAX:
            self._fail(Code.IT_BAD_VALUE, f"{what} of {index} does not fit 32 bits", start)
        return index

    def _count(self, what: str) -> int:
        """A number of items, each of which has at least one byte: a wrong count is found before a long loop."""
        start = self._position
        count = self._uleb(what)
        left = len(self._data) - self._position
        if count > left:
            self._fail(
                Code.IT_TRUNCATED, f"{what} is {count}, but only {counted(left, 'byte')} {are(left)} left", start
            )
        return count

    def _name(self, what: str) -> str:
        start = self._position
        size = self._byte(f"the length of {what}")
        left = len(self._data) - self._position
        if size > left:
            self._fail(
                Code.IT_TRUNCATED, f"{what} has {counted(size, 'byte')}, but only {left} {are(left)} left", start
            )
        end = self._position + size
        try:
            name = self._data[self._position : end].decode()
        except UnicodeDecodeError:
            self._fail(Code.IT_BAD_VALUE, f"{what} is not UTF-8", start)
        self._position = end
        return name

    def _span(self) -> SourceSpan:
        return SourceSpan(offset=self._position, section=self._section)

    def _fail(self, code: Code, message: str, offset: int | None = None, help: str = "") -> NoReturn:
        span = self._span() if offset is None else SourceSpan(offset=offset, section=self._section)
        raise DiagnosticError([Diagnostic(code, message, span=span, within=self._within, help=help)])


def _signed(number: int, bits: int) -> int:
    return number - (1 << bits) if number >> (bits - 1) else number
