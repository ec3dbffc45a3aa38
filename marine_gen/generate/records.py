"""The type index space of a generated section (docs/spec/adapters.md#order-of-types).

The order of numbers is part of the format's identity: a record that is mentioned before its declaration gets its number
at the mention. Functions take the numbers after the records; `generator` adds them.
"""

from __future__ import annotations

from collections.abc import Sequence

from marine_gen.binary.limits import MAX_TYPE_DEPTH
from marine_gen.diagnostics import Code, Diagnostic
from marine_gen.generate.model import DESCRIBED_PRIMS, Member, Named, RecordDeclaration, Type, Vector
from marine_gen.interfaces.nesting import record_depths
from marine_runtime.abi import MAX_RECORD_DEPTH
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType


class TypeSpace:
    """Types in their final order, with a list of findings.

    Attributes:
        types: the finished types; None means a reserved record number.
        findings: the mistakes of the description so far.
    """

    def __init__(self) -> None:
        self.types: list[FunctionType | RecordType | None] = []
        self.findings: list[Diagnostic] = []
        self._numbers: dict[str, int] = {}
        self._mentions: dict[str, str] = {}
        self._units: set[str] = set()

    def add(self, ty: FunctionType) -> int:
        """Appends a function type and returns its number."""
        self.types.append(ty)
        return len(self.types) - 1

    def report(self, code: Code, message: str, within: str, help_line: str = "") -> None:
        """Notes a finding."""
        self.findings.append(Diagnostic(code, message, within=within, help=help_line))

    def resolve(self, ty: Type, within: str, *, reserve: bool = False) -> IType:
        """The interface type of a described one.

        Args:
            ty: the type in the description.
            within: the place, for findings.
            reserve: whether the mention of an unknown record gives it a number; else it is a finding.
        """
        depth = 0
        while isinstance(ty, Vector):
            ty = ty.element
            depth += 1
        if depth > MAX_TYPE_DEPTH:
            message = f"vectors are nested {depth} deep, and {MAX_TYPE_DEPTH} is the limit"
            self.report(Code.SECTION_CONTENT, message, within)
            depth = 0
        resolved: IType = self._record(ty.name, within, reserve=reserve) if isinstance(ty, Named) else ty
        if isinstance(ty, Prim) and ty not in DESCRIBED_PRIMS:
            message = f"the type `{ty}` can't be used in a description"
            self.report(Code.SECTION_CONTENT, message, within, "write byte arrays as vectors of u8")
            resolved = Prim.BOOLEAN  # any type that adapters can be made for, so that the search goes on
        if resolved is Prim.U8 and depth:
            resolved = Prim.BYTE_ARRAY
            depth -= 1
        for _ in range(depth):
            resolved = Array(resolved)
        return resolved

    def members(self, members: Sequence[Member], within: str, *, reserve: bool = False) -> tuple[Field, ...]:
        """Resolves fields or parameters."""
        return tuple(
            Field(
                member.name,
                self.resolve(member.type, f"{within}, `{member.name}`" if member.name else within, reserve=reserve),
            )
            for member in members
        )

    def declare(self, records: Sequence[RecordDeclaration]) -> None:
        """Numbers and adds all records of a description."""
        declared: dict[str, RecordDeclaration] = {}
        for record in records:
            within = f"record `{record.name}`"
            if record.name in declared:
                if record != declared[record.name]:
                    self.report(
                        Code.SECTION_CONTENT,
                        f"record `{record.name}` is declared twice, with different fields",
                        within,
                        "rename one of the two, or make them equal",
                    )
                continue
            declared[record.name] = record
            if record.fields is None:
                self._units.add(record.name)
            elif not record.fields:
                self.report(Code.SECTION_CONTENT, f"record `{record.name}` has no fields", within, "give it a field")
                self._record(record.name, within, reserve=True)
            else:
                self._define(record.name, self.members(record.fields, within, reserve=True))
        self._check_mentions(declared)
        self._check_nesting()

    def _record(self, name: str, within: str, *, reserve: bool) -> Record:
        number = self._numbers.get(name)
        if number is None:
            if not reserve:
                self.report(Code.SECTION_CONTENT, *self._unknown(name, within))
            number = self._numbers[name] = len(self.types)
            self.types.append(None)
            self._mentions[name] = within
        return Record(number)

    def _define(self, name: str, fields: tuple[Field, ...]) -> None:
        if name in self._numbers:
            self.types[self._numbers[name]] = RecordType(name, fields)
        else:
            self._numbers[name] = len(self.types)
            self.types.append(RecordType(name, fields))

    def _unknown(self, name: str, within: str) -> tuple[str, str, str]:
        if name in self._units:
            return f"record `{name}` has no fields, so it has no values", within, "leave it out"
        return f"record `{name}` is not declared", within, "declare it, or correct the name"

    def _check_mentions(self, declared: dict[str, RecordDeclaration]) -> None:
        for name, within in self._mentions.items():
            if name not in declared or name in self._units:
                self.report(Code.SECTION_CONTENT, *self._unknown(name, within))

    def _check_nesting(self) -> None:
        """Finds records that hold themselves without a vector in between, and nesting that is too deep."""
        depths, circle = record_depths(range(len(self.types)), self._direct)
        if circle:
            self._report_circle(circle)
            return
        deepest = max(depths, key=lambda number: depths[number], default=0)
        if depths.get(deepest, 0) > MAX_RECORD_DEPTH:
            record = self.types[deepest]
            assert isinstance(record, RecordType)
            message = f"records are nested {depths[deepest]} deep, and {MAX_RECORD_DEPTH} is the limit"
            help_line = "put a vector in between, or nest fewer records"
            self.report(Code.RECORD_NESTING, message, f"record `{record.name}`", help_line)

    def _direct(self, number: int) -> list[int]:
        record = self.types[number]
        if not isinstance(record, RecordType):
            return []
        return [field.type.id for field in record.fields if isinstance(field.type, Record)]

    def _report_circle(self, circle: Sequence[int]) -> None:
        names = [record.name for number in circle if isinstance(record := self.types[number], RecordType)]
        shown = " → ".join(f"`{name}`" for name in [*names, names[0]])
        message = f"record `{names[0]}` contains itself: {shown}"
        self.report(Code.RECORD_NESTING, message, f"record `{names[0]}`", "put a vector in between")
