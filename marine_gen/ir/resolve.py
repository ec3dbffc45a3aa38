"""The index spaces of a module, and which adapter serves what (spec interface-types §2.2-2.5).

Wasm signatures come from the module itself. Without a module (an adapter text alone) the conventional ones of §6.6 and
§6.8 are assumed. Everything that does not fit is a diagnostic; the rest is still resolved, so that several are
found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from marine_gen.diagnostics import Code, Diagnostic, SourceSpan
from marine_gen.interfaces import Adapter, Import, Interfaces
from marine_gen.interfaces.nesting import record_depths
from marine_gen.ir.model import CoreCallee, ImportedCallee
from marine_gen.wasm.signatures import Signatures
from marine_runtime.abi import BY_EXPORT, CORE_TYPES, MAX_RECORD_DEPTH, Callee, Flat, Kind, is_flat, layout_of, shape
from marine_runtime.types import Field, FunctionType, IType, Record, RecordType, record_in

Report = Callable[[Diagnostic], None]

_CORE_NAMES = {prim.value: prim for prim in CORE_TYPES}


@dataclass(slots=True)
class Resolved:
    """The index spaces of one module.

    Attributes:
        exports: (name, adapter, its type) of the functions that callers see.
        imports: (import, adapter, its type) of the Wasm imports that an adapter provides.
    """

    core: list[CoreCallee] = field(default_factory=list)
    callees: list[ImportedCallee] = field(default_factory=list)
    exports: list[tuple[str, Adapter, FunctionType]] = field(default_factory=list)
    imports: list[tuple[Import, Adapter, FunctionType]] = field(default_factory=list)
    has_memory: bool = True


def resolve(interfaces: Interfaces, signatures: Signatures | None, report: Report) -> Resolved:
    """Resolve every index of `interfaces`, reporting what does not fit."""
    return _Resolver(interfaces, signatures, report).run()


class _Resolver:
    def __init__(self, interfaces: Interfaces, signatures: Signatures | None, report: Report) -> None:
        self._interfaces = interfaces
        self._signatures = signatures
        self._report = report
        self._adapters: dict[int, Adapter] = {}

    def run(self) -> Resolved:
        resolved = Resolved(has_memory=self._signatures is None or bool(self._signatures.memories))
        self._check_types()
        for adapter in self._interfaces.adapters:
            if adapter.type_index in self._adapters:
                self._fail(Code.ADAPTER_DUPLICATE, f"two adapters serve type {adapter.type_index}", adapter.span)
            self._adapters[adapter.type_index] = adapter
        resolved.core = [self._core_callee(position) for position in range(len(self._interfaces.exports))]
        self._resolve_callees(resolved)
        self._resolve_implementations(resolved)
        return resolved

    def _fail(
        self,
        code: Code,
        message: str,
        span: SourceSpan | None = None,
        within: str = "",
        label: str = "",
        help: str = "",
    ) -> None:
        self._report(Diagnostic(code, message, span=span, within=within, label=label, help=help))

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
                    self._fail(Code.INDEX_TYPE, message, within=within)
        self._check_nesting()

    def _record(self, index: int) -> RecordType | None:
        types = self._interfaces.types
        ty = types[index] if index < len(types) else None
        return ty if isinstance(ty, RecordType) else None

    def _check_nesting(self) -> None:
        """Records nested without an array in between must be finite, and not deeper than the runtime admits."""
        depths, circle = record_depths(self._interfaces.records, self._inner_records)
        deep = next((index for index, depth in depths.items() if depth > MAX_RECORD_DEPTH), None)
        if deep is not None:
            self._fail(Code.RECORD_NESTING, f"record type {deep} nests more than {MAX_RECORD_DEPTH} deep")
        elif circle:
            self._fail(
                Code.RECORD_NESTING,
                f"record type {circle[0]} contains itself",
                help="a record may refer to itself through an array only",
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
                Code.EXPORT_MISSING,
                f"the Wasm module exports no function `{export.name}`",
                export.span,
                within,
                help="the interface section does not belong to this module, or the export was stripped",
            )
            return unknown
        if strange := [name for name in (*signature.params, *signature.results) if name not in _CORE_NAMES]:
            self._fail(
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
        """What the ABI says about an export when there is no module to look at."""
        export = self._interfaces.exports[position]
        if (helper := BY_EXPORT.get(export.name)) is not None:
            fields = tuple(Field(f"p{index}", item.type) for index, item in enumerate(helper.core.params))
            return CoreCallee(position, export.name, FunctionType(fields, helper.core.results))
        ty = self._function_type(export.type_index, export.span, f"export `{export.name}`") or FunctionType()
        flat = [carrier for param in ty.params for carrier in layout_of(param.type).carrier]
        results_flat = tuple(layout_of(result).carrier[0] for result in ty.results if is_flat(result))
        fields = tuple(Field(f"p{index}", carrier) for index, carrier in enumerate(flat))
        return CoreCallee(position, export.name, FunctionType(fields, results_flat))

    def _resolve_callees(self, resolved: Resolved) -> None:
        """Implemented imports follow the exports in the call-core index space."""
        core_types = {item.core_type for item in self._interfaces.implementations}
        for item in self._interfaces.imports:
            if item.type_index not in core_types:
                continue
            index = len(resolved.core) + len(resolved.callees)
            declared = self._declared_type(item, core_types)
            within = f"import `{item.namespace}.{item.name}`"
            ty = self._function_type(declared, item.span, within)
            callee = Callee(item.namespace, item.name, ty or FunctionType())
            resolved.callees.append(ImportedCallee(index, callee))

    def _declared_type(self, item: Import, core_types: set[int]) -> int:
        """The interface signature of an import: the other entry of the same name, else the generator's convention."""
        by_convention = item.type_index - 2
        others = [
            other.type_index
            for other in self._interfaces.imports
            if (other.namespace, other.name) == (item.namespace, item.name) and other.type_index not in core_types
        ]
        return others[0] if others and by_convention not in others else by_convention

    def _function_type(self, index: int, span: SourceSpan | None, within: str) -> FunctionType | None:
        if 0 <= index < len(self._interfaces.types):
            ty = self._interfaces.types[index]
            if isinstance(ty, FunctionType):
                return ty
            self._fail(Code.INDEX_TYPE, f"type {index} is a record, a function type is needed", span, within)
            return None
        self._fail(
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
        for item in self._interfaces.implementations:
            within = f"implementation of core type {item.core_type}"
            if item.core_type in seen_core:
                self._fail(Code.ADAPTER_DUPLICATE, f"core type {item.core_type} is implemented twice", item.span)
                continue
            seen_core.add(item.core_type)
            self._function_type(item.core_type, item.span, within)
            ty = self._function_type(item.adapter_type, item.span, within)
            adapter = self._adapters.get(item.adapter_type)
            if adapter is None:
                self._fail(
                    Code.ADAPTER_MISSING,
                    f"no adapter serves type {item.adapter_type}",
                    item.span,
                    within,
                    help=f"add `(@interface func (type {item.adapter_type}) …)`",
                )
            if adapter is None or ty is None:
                continue
            for export in self._interfaces.exports:
                if export.type_index == item.core_type:
                    if export.name in names:
                        self._fail(Code.ADAPTER_DUPLICATE, f"function `{export.name}` is exported twice", export.span)
                    names.add(export.name)
                    resolved.exports.append((export.name, adapter, ty))
            for wanted in self._interfaces.imports:
                if wanted.type_index == item.core_type:
                    key = (wanted.namespace, wanted.name)
                    if key in keys:
                        name = f"`{wanted.namespace}.{wanted.name}`"
                        self._fail(Code.ADAPTER_DUPLICATE, f"two adapters provide the import {name}", wanted.span)
                    keys.add(key)
                    resolved.imports.append((wanted, adapter, ty))
                    self._check_raw_import(wanted, ty)

    def _check_raw_import(self, item: Import, ty: FunctionType) -> None:
        """The type of an import adapter must be numbers only, and match the Wasm import when there is one."""
        name = f"{item.namespace}.{item.name}"
        members: list[IType] = [*(param.type for param in ty.params), *ty.results]
        if not all(map(_is_number, members)):
            self._fail(
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
        for real in self._signatures.imports:
            if (real.namespace, real.name) == (item.namespace, item.name) and (
                real.signature.params != params or real.signature.results != results
            ):
                self._fail(
                    Code.WASM_SIGNATURE,
                    f"the Wasm module imports `{name}` as {real.signature}, its adapter is for "
                    f"({', '.join(params)}) -> ({', '.join(results)})",
                    item.span,
                    f"import `{name}`",
                )


def _is_number(ty: IType) -> bool:
    """Whether a guest can pass a `ty` as it is."""
    part = shape(ty)
    return isinstance(part, Flat) and part.kind is not Kind.BOOLEAN
