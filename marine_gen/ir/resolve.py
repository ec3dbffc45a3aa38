"""The index spaces of a module, and which adapter serves what (docs/spec/binary.md#index-spaces).

Wasm signatures come from the module itself. Without a module (an adapter text alone) the conventional ones
(docs/spec/memory.md#raw-signatures) are assumed. Everything that does not fit is a diagnostic, kept with the part that
it makes unusable; the rest is still resolved, so that several are found, and adapters that do not touch such a part can
be built.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from marine_gen.diagnostics import Code, Diagnostic, SourceSpan
from marine_gen.interfaces import Adapter, Export, Import, InstructionKind, Interfaces
from marine_gen.interfaces.nesting import record_depths
from marine_gen.ir.model import CoreCallee, ImportedCallee
from marine_gen.wasm.signatures import CoreImport, Signatures
from marine_runtime.abi import BY_EXPORT, CORE_TYPES, MAX_RECORD_DEPTH, Callee, Flat, Kind, is_flat, layout_of, shape
from marine_runtime.types import Field, FunctionType, IType, Record, RecordType, reachable_records, record_in

_Item = TypeVar("_Item", Export, Import)

_CORE_NAMES = {prim.value: prim for prim in CORE_TYPES}


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a module that may be unusable: a type, or what a call reaches, by index; an export or import by key."""

    kind: str
    key: int | tuple[str, str]


@dataclass(frozen=True, slots=True)
class Served:
    """A function that an adapter serves: an export under ("", name), an import under (namespace, name).

    Attributes:
        core_type: the type that ties it to the adapter.
        adapter: None when there is none.
        type: that of the adapter; None when it is not a function type.
    """

    key: tuple[str, str]
    core_type: int
    adapter: Adapter | None
    type: FunctionType | None


@dataclass(slots=True)
class Resolved:
    """The index spaces of one module.

    Attributes:
        exports: the functions that callers see.
        imports: the Wasm imports that an adapter provides.
        findings: everything that does not fit.
        problems: the same by the part that it makes unusable.
    """

    core: list[CoreCallee] = field(default_factory=list)
    callees: list[ImportedCallee] = field(default_factory=list)
    exports: list[Served] = field(default_factory=list)
    imports: list[Served] = field(default_factory=list)
    has_memory: bool = True
    findings: list[Diagnostic] = field(default_factory=list)
    problems: dict[Part, list[Diagnostic]] = field(default_factory=dict)

    def problems_of(self, served: Served, kind: str, interfaces: Interfaces) -> list[Diagnostic]:
        """Findings about parts that the adapter of `served` needs, in the order in which they were found."""
        if not self.problems:
            return []
        touched = {Part(kind, served.key), *_touched(served, interfaces)}
        about = [item for part in touched for item in self.problems.get(part, ())]
        return [item for item in self.findings if item in about]

    def sound_records(self, records: Mapping[int, RecordType]) -> dict[int, RecordType]:
        """Those of `records` that need no unusable type."""
        bad = {part.key for part in self.problems if part.kind == "type"}
        if not bad:
            return dict(records)
        return {
            index: ty for index, ty in records.items() if bad.isdisjoint(reachable_records([Record(index)], records))
        }


def _touched(served: Served, interfaces: Interfaces) -> Iterator[Part]:
    """The parts that the adapter of `served` needs: its types, what it calls, and the records that it moves."""
    yield Part("type", served.core_type)
    moved: list[IType] = []
    if served.type is not None:
        moved += _members(served.type)
    if served.adapter is not None:
        yield Part("type", served.adapter.type_index)
        for instruction in served.adapter.instructions:
            immediate = instruction.immediate
            if instruction.operator.kind is InstructionKind.CALL:
                assert isinstance(immediate, int)
                yield Part("call", immediate)
            elif isinstance(immediate, int):
                moved.append(Record(immediate))
            elif immediate is not None:
                moved.append(immediate)
    for index in reachable_records(moved, interfaces.records):
        yield Part("type", index)


def resolve(interfaces: Interfaces, signatures: Signatures | None) -> Resolved:
    """Resolve every index of `interfaces`."""
    return _Resolver(interfaces, signatures).run()


class _Resolver:
    def __init__(self, interfaces: Interfaces, signatures: Signatures | None) -> None:
        self._interfaces = interfaces
        self._signatures = signatures
        self._resolved = Resolved(has_memory=signatures is None or bool(signatures.memories))
        self._adapters: dict[int, Adapter] = {}
        self._wasm_imports: dict[tuple[str, str], list[CoreImport]] = {}
        for item in signatures.imports if signatures else ():
            self._wasm_imports.setdefault((item.namespace, item.name), []).append(item)

    def run(self) -> Resolved:
        resolved = self._resolved
        self._check_types()
        for adapter in self._interfaces.adapters:
            if adapter.type_index in self._adapters:
                message = f"two adapters serve type {adapter.type_index}"
                self._fail(Part("type", adapter.type_index), Code.ADAPTER_DUPLICATE, message, adapter.span)
            self._adapters[adapter.type_index] = adapter
        resolved.core = [self._core_callee(position) for position in range(len(self._interfaces.exports))]
        self._resolve_callees(resolved)
        self._resolve_implementations(resolved)
        return resolved

    def _fail(
        self,
        parts: Part | Iterable[Part],
        code: Code,
        message: str,
        span: SourceSpan | None = None,
        within: str = "",
        label: str = "",
        help: str = "",
    ) -> None:
        found = Diagnostic(code, message, span=span, within=within, label=label, help=help)
        self._resolved.findings.append(found)
        for part in (parts,) if isinstance(parts, Part) else parts:
            self._resolved.problems.setdefault(part, []).append(found)

    # Types

    def _check_types(self) -> None:
        for index, ty in enumerate(self._interfaces.types):
            if isinstance(ty, RecordType):
                members = [(f"field `{item.name}`", item.type) for item in ty.fields]
                within = f"record `{ty.name}` (type {index})"
            else:
                members = [(f"parameter `{item.name}`", item.type) for item in ty.params]
                members += [("result", result) for result in ty.results]
                within = f"function type {index}"
            for what, member in members:
                named = record_in(member)
                if named is not None and self._record(named) is None:
                    message = f"{what} names type {named}, which is not a record"
                    self._fail(Part("type", index), Code.INDEX_TYPE, message, within=within)
        self._check_nesting()

    def _record(self, index: int) -> RecordType | None:
        types = self._interfaces.types
        ty = types[index] if index < len(types) else None
        return ty if isinstance(ty, RecordType) else None

    def _check_nesting(self) -> None:
        """Records nested without an array in between must be finite, and not deeper than the runtime admits."""
        known = dict(self._interfaces.records)
        while True:
            depths, circle = record_depths(
                known, lambda index: [inner for inner in self._inner_records(index) if inner in known]
            )
            if not circle:
                break
            self._fail(
                [Part("type", index) for index in circle],
                Code.RECORD_NESTING,
                f"record type {circle[0]} contains itself",
                help="a record may refer to itself through an array only",
            )
            for index in circle:
                del known[index]
        if deep := [index for index, depth in depths.items() if depth > MAX_RECORD_DEPTH]:
            parts = [Part("type", index) for index in deep]
            self._fail(
                parts, Code.RECORD_NESTING, f"record type {deep[0]} is nested more than {MAX_RECORD_DEPTH} levels deep"
            )

    def _inner_records(self, index: int) -> list[int]:
        record = self._record(index)
        fields = record.fields if record else ()
        return [item.type.id for item in fields if isinstance(item.type, Record) and self._record(item.type.id)]

    # call-core index space

    def _core_callee(self, position: int) -> CoreCallee:
        export = self._interfaces.exports[position]
        unknown = CoreCallee(position, export.name, FunctionType())
        within = f"export `{export.name}`"
        if self._signatures is None:
            return self._conventional(position)
        signature = self._signatures.exports.get(export.name)
        if signature is None:
            self._fail(
                Part("call", position),
                Code.EXPORT_MISSING,
                f"the Wasm module exports no function `{export.name}`",
                export.span,
                within,
                help="the interface section does not belong to this module, or the export was stripped",
            )
            return unknown
        if strange := [name for name in (*signature.params, *signature.results) if name not in _CORE_NAMES]:
            self._fail(
                Part("call", position),
                Code.WASM_SIGNATURE,
                f"Wasm export `{export.name}` uses the type {strange[0]}, which adapters can't pass",
                export.span,
                within,
            )
            return unknown
        params = tuple(Field(f"p{index}", _CORE_NAMES[name]) for index, name in enumerate(signature.params))
        return CoreCallee(
            position, export.name, FunctionType(params, tuple(_CORE_NAMES[name] for name in signature.results))
        )

    def _conventional(self, position: int) -> CoreCallee:
        """The signature that the ABI gives an export when there is no module to look at."""
        export = self._interfaces.exports[position]
        if (helper := BY_EXPORT.get(export.name)) is not None:
            fields = tuple(Field(f"p{index}", item.type) for index, item in enumerate(helper.core.params))
            return CoreCallee(position, export.name, FunctionType(fields, helper.core.results))
        ty = self._function_type(Part("call", position), export.type_index, export.span, f"export `{export.name}`")
        ty = ty or FunctionType()
        flat = [carrier for param in ty.params for carrier in layout_of(param.type).carrier]
        results_flat = tuple(layout_of(result).carrier[0] for result in ty.results if is_flat(result))
        fields = tuple(Field(f"p{index}", carrier) for index, carrier in enumerate(flat))
        return CoreCallee(position, export.name, FunctionType(fields, results_flat))

    def _resolve_callees(self, resolved: Resolved) -> None:
        """Implemented imports follow the exports in the call-core index space."""
        core_types = {item.core_type for item in self._interfaces.implementations}
        records = self._interfaces.records
        others: dict[tuple[str, str], list[int]] = {}
        for item in self._interfaces.imports:
            if item.type_index not in core_types:
                others.setdefault((item.namespace, item.name), []).append(item.type_index)
        for item in self._interfaces.imports:
            if item.type_index not in core_types:
                continue
            index = len(resolved.core) + len(resolved.callees)
            declared = self._declared_type(item, others.get((item.namespace, item.name), ()))
            within = f"import `{item.namespace}.{item.name}`"
            part = Part("call", index)
            ty = self._function_type(part, declared, item.span, within)
            moved = reachable_records(_members(ty), records) if ty and self._resolved.problems else ()
            for needed in (declared, *moved):
                for problem in self._resolved.problems.get(Part("type", needed), ()):
                    self._resolved.problems.setdefault(part, []).append(problem)
            callee = Callee(item.namespace, item.name, ty or FunctionType())
            resolved.callees.append(ImportedCallee(index, callee))

    def _declared_type(self, item: Import, others: Sequence[int]) -> int:
        """The interface signature of an import: the other entry of the same name, else the generator's convention."""
        by_convention = item.type_index - 2
        return others[0] if others and by_convention not in others else by_convention

    def _function_type(self, part: Part, index: int, span: SourceSpan | None, within: str) -> FunctionType | None:
        if 0 <= index < len(self._interfaces.types):
            ty = self._interfaces.types[index]
            if isinstance(ty, FunctionType):
                return ty
            self._fail(part, Code.INDEX_TYPE, f"type {index} is a record, a function type is needed", span, within)
            return None
        self._fail(
            part,
            Code.INDEX_TYPE,
            f"type index {index} is out of range",
            span,
            within,
            label=f"there are {len(self._interfaces.types)} types",
        )
        return None

    # Implementations

    def _resolve_implementations(self, resolved: Resolved) -> None:
        seen_core: set[int] = set()
        names: set[str] = set()
        keys: set[tuple[str, str]] = set()
        exports, imports = _by_type(self._interfaces.exports), _by_type(self._interfaces.imports)
        for item in self._interfaces.implementations:
            within = f"implementation of core type {item.core_type}"
            part = Part("type", item.core_type)
            if item.core_type in seen_core:
                self._fail(part, Code.ADAPTER_DUPLICATE, f"core type {item.core_type} is implemented twice", item.span)
                continue
            seen_core.add(item.core_type)
            self._function_type(part, item.core_type, item.span, within)
            ty = self._function_type(part, item.adapter_type, item.span, within)
            adapter = self._adapters.get(item.adapter_type)
            if adapter is None:
                self._fail(
                    part,
                    Code.ADAPTER_MISSING,
                    f"no adapter serves type {item.adapter_type}",
                    item.span,
                    within,
                    help=f"add `(@interface func (type {item.adapter_type}) …)`",
                )
            for export in exports.get(item.core_type, ()):
                key = ("", export.name)
                if export.name in names:
                    message = f"function `{export.name}` is exported twice"
                    self._fail(Part("export", key), Code.ADAPTER_DUPLICATE, message, export.span)
                names.add(export.name)
                resolved.exports.append(Served(key, item.core_type, adapter, ty))
            for wanted in imports.get(item.core_type, ()):
                key = (wanted.namespace, wanted.name)
                if key in keys:
                    message = f"two adapters provide the import `{wanted.namespace}.{wanted.name}`"
                    self._fail(Part("import", key), Code.ADAPTER_DUPLICATE, message, wanted.span)
                keys.add(key)
                resolved.imports.append(Served(key, item.core_type, adapter, ty))
                if adapter is not None and ty is not None:
                    self._check_raw_import(wanted, ty)

    def _check_raw_import(self, item: Import, ty: FunctionType) -> None:
        """The type of an import adapter must be numbers only, and match the Wasm import when there is one."""
        name = f"{item.namespace}.{item.name}"
        part = Part("import", (item.namespace, item.name))
        if not all(map(_is_number, _members(ty))):
            self._fail(
                part,
                Code.WASM_SIGNATURE,
                f"the import adapter of `{name}` has the type {ty}, but a guest can only pass and take numbers",
                item.span,
                f"import `{name}`",
            )
            return
        if self._signatures is None:
            return
        params = tuple(str(layout_of(param.type).carrier[0]) for param in ty.params)
        results = tuple(str(layout_of(result).carrier[0]) for result in ty.results)
        for real in self._wasm_imports.get((item.namespace, item.name), ()):
            if real.signature.params != params or real.signature.results != results:
                self._fail(
                    part,
                    Code.WASM_SIGNATURE,
                    f"the Wasm module imports `{name}` as {real.signature}, its adapter is for "
                    f"({', '.join(params)}) -> ({', '.join(results)})",
                    item.span,
                    f"import `{name}`",
                )


def _members(ty: FunctionType) -> list[IType]:
    return [*(param.type for param in ty.params), *ty.results]


def _by_type(items: Iterable[_Item]) -> dict[int, list[_Item]]:
    found: dict[int, list[_Item]] = {}
    for item in items:
        found.setdefault(item.type_index, []).append(item)
    return found


def _is_number(ty: IType) -> bool:
    """True if a guest can pass a `ty` as it is."""
    part = shape(ty)
    return isinstance(part, Flat) and part.kind is not Kind.BOOLEAN
