"""Interfaces as the bytes of an `interface-types` section, in the writer's order.

What the format cannot carry is refused; all such findings are reported together. Indices are written as they are.
A negative i64 constant becomes a number of ten bytes, which our decoder reads and the reference's does not: the format
has no other form for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar, assert_never

from marine_gen.binary.leb import write_uleb
from marine_gen.binary.limits import MAX_LEB_BYTES, MAX_NAME_BYTES, MAX_TYPE_DEPTH, U32_MAX
from marine_gen.binary.tags import ARRAY_TAG, RECORD_TAG, SECTION_TITLES, TAG_BY_PRIM, SectionId, SectionKind
from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError
from marine_gen.interfaces import Adapter, Export, Immediate, Implementation, Import, Instruction, Interfaces
from marine_gen.wasm.semver import parse_version
from marine_runtime.types import Field, FunctionType, IType, Prim, Record, RecordType, stripped

_T = TypeVar("_T")
_RECORD_ID_MAX = 2 ** (7 * MAX_LEB_BYTES) - 1


def encode(interfaces: Interfaces) -> bytes:
    """Encode `interfaces`; `decode` gives an equal value back.

    Raises:
        DiagnosticError: a name, number or type exceeds what the format can carry, or a record is empty (IT_LIMIT), or
            the version is not a semantic version (IT_VERSION).
    """
    encoder = _Encoder()
    payload = encoder.interfaces(interfaces)
    if encoder.findings:
        raise DiagnosticError(encoder.findings)
    return payload


class _Encoder:
    """Collects findings and keeps going: what it returns counts only when there are none."""

    def __init__(self) -> None:
        self.findings: list[Diagnostic] = []
        self._within = ""

    def interfaces(self, interfaces: Interfaces) -> bytes:
        return b"".join(
            (
                self._version(interfaces.version),
                self._section(SectionId.TYPES, interfaces.types, self._type),
                self._section(SectionId.IMPORTS, interfaces.imports, self._import),
                self._section(SectionId.ADAPTERS, interfaces.adapters, self._adapter),
                self._section(SectionId.EXPORTS, interfaces.exports, self._export),
                self._section(SectionId.IMPLEMENTATIONS, interfaces.implementations, self._implementation),
            )
        )

    def _version(self, version: str) -> bytes:
        try:
            parse_version(version)
        except ValueError as error:
            self.findings.append(Diagnostic(Code.IT_VERSION, str(error)))
        return bytes([SectionId.VERSION]) + self._name(version, "the version")

    def _section(self, identifier: SectionId, entries: Sequence[_T], write: Callable[[_T], bytes]) -> bytes:
        if not entries:
            return b""
        encoded = [bytes([identifier]), write_uleb(len(entries))]
        for index, entry in enumerate(entries):
            self._within = f"{SECTION_TITLES[identifier]} #{index}"
            encoded.append(write(entry))
        return b"".join(encoded)

    def _type(self, ty: FunctionType | RecordType) -> bytes:
        if isinstance(ty, RecordType):
            if not ty.fields:
                self._limit(f"record `{ty.name}` has no fields")
            return bytes([SectionKind.RECORD]) + self._name(ty.name, "the name of a record") + self._fields(ty.fields)
        params = self._fields(ty.params)
        results = b"".join([self._itype(result) for result in ty.results])
        return bytes([SectionKind.FUNCTION]) + params + write_uleb(len(ty.results)) + results

    def _fields(self, fields: Sequence[Field]) -> bytes:
        encoded = [write_uleb(len(fields))]
        for field in fields:
            encoded += [self._name(field.name, "the name of a field or parameter"), self._itype(field.type)]
        return b"".join(encoded)

    def _import(self, item: Import) -> bytes:
        names = self._name(item.namespace, "the namespace of an import") + self._name(
            item.name, "the name of an import"
        )
        return names + self._index(item.type_index)

    def _adapter(self, adapter: Adapter) -> bytes:
        within = self._within
        encoded = [self._index(adapter.type_index), write_uleb(len(adapter.instructions))]
        for index, instruction in enumerate(adapter.instructions):
            self._within = f"{within}, instruction #{index}"
            encoded.append(self._instruction(instruction))
        return b"".join(encoded)

    def _export(self, export: Export) -> bytes:
        return self._name(export.name, "the name of an export") + self._index(export.type_index)

    def _implementation(self, item: Implementation) -> bytes:
        return self._index(item.core_type) + self._index(item.adapter_type)

    def _instruction(self, instruction: Instruction) -> bytes:
        operator, immediate = instruction.operator, instruction.immediate
        opcode = bytes([operator.opcode])
        if immediate is None:
            return opcode
        if not isinstance(immediate, int):
            return opcode + self._itype(immediate)
        if operator.immediate is Immediate.I32:
            return opcode + self._constant(immediate, 32)
        if operator.immediate is Immediate.I64:
            return opcode + self._constant(immediate, 64)
        return opcode + self._index(immediate)

    def _constant(self, value: int, bits: int) -> bytes:
        if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
            self._limit(f"constant {value} does not fit a signed number of {bits} bits")
        return write_uleb(value & ((1 << bits) - 1))

    def _itype(self, ty: IType) -> bytes:
        depth, inner = stripped(ty)
        if depth > MAX_TYPE_DEPTH:
            self._limit(f"a type nests more than {MAX_TYPE_DEPTH} arrays")
        arrays = bytes([ARRAY_TAG]) * depth
        match inner:
            case Record(id=index):
                return arrays + bytes([RECORD_TAG]) + self._number(index, _RECORD_ID_MAX)
            case Prim():
                return arrays + bytes([TAG_BY_PRIM[inner]])
            case _:
                assert_never(inner)

    def _index(self, index: int) -> bytes:
        return self._number(index, U32_MAX)

    def _number(self, number: int, maximum: int) -> bytes:
        if 0 <= number <= maximum:
            return write_uleb(number)
        self._limit(f"index {number} is not between 0 and {maximum}")
        return b""

    def _name(self, name: str, what: str) -> bytes:
        try:
            encoded = name.encode()
        except UnicodeEncodeError:
            self._limit(f"{what} contains a lone surrogate, which UTF-8 has no form for")
            return b""
        if len(encoded) > MAX_NAME_BYTES:
            self._limit(
                f"{what} has {len(encoded)} bytes, but the format allows {MAX_NAME_BYTES}",
                f"the name starts with `{name[:32]}`",
            )
            return b""
        return bytes([len(encoded)]) + encoded

    def _limit(self, message: str, *notes: str) -> None:
        self.findings.append(Diagnostic(Code.IT_LIMIT, message, within=self._within, notes=notes))
