"""The public side of an interface section: its interface, and a description from which it can be generated.

Only index spaces are resolved; adapters are neither typed nor compared with the Wasm module, so this also works for
modules that are too old to run.
"""

from __future__ import annotations

from typing import assert_never

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Type,
    Vector,
)
from marine_gen.generate.model import DESCRIBED_PRIMS
from marine_gen.interfaces import Interfaces
from marine_gen.ir.resolve import Resolved, resolve
from marine_runtime import ModuleInterface
from marine_runtime.types import Field, FunctionType, IType, Prim, Record, RecordType, record_in, stripped

_MAX_ORDERED = 2000  # the search below is quadratic


def module_interface(interfaces: Interfaces) -> ModuleInterface:
    """The functions that callers see, in the order of their exports, and all records.

    Raises:
        DiagnosticError: an index of the section is wrong; carries every finding.
    """
    resolved = _resolve(interfaces)
    order = {export.name: position for position, export in enumerate(interfaces.exports)}
    functions = sorted(resolved.exports, key=lambda item: order[item.key[1]])
    return ModuleInterface({item.key[1]: item.type for item in functions if item.type}, interfaces.records)


def describe_module(interfaces: Interfaces) -> Description:
    """A description that gives these interfaces again, as far as they were generated from one.

    Functions that the host provides have no adapters, so they are not in it; neither are local names of imports.

    Raises:
        DiagnosticError: an index is wrong, or something can't be described: raw numbers, several results, two records
            of one name.
    """
    return _Describer(interfaces).run(_resolve(interfaces))


def _resolve(interfaces: Interfaces) -> Resolved:
    resolved = resolve(interfaces, None)
    if resolved.findings:
        raise DiagnosticError(resolved.findings)
    return resolved


class _Describer:
    def __init__(self, interfaces: Interfaces) -> None:
        self._interfaces = interfaces
        self._records = interfaces.records
        self._findings: list[Diagnostic] = []

    def run(self, resolved: Resolved) -> Description:
        names: set[str] = set()
        for record in self._records.values():
            if record.name in names:
                self._fail("two records have this name", f"record `{record.name}`")
            names.add(record.name)
        records = tuple(
            RecordDeclaration(record.name, self._members(record.fields, f"record `{record.name}`"))
            for record in map(self._records.__getitem__, _declaration_order(self._records))
        )
        interface = module_interface(self._interfaces)
        functions = tuple(self._signature(name, ty, "function") for name, ty in interface.functions.items())
        modules: dict[str, list[ImportedFunction]] = {}
        for item in resolved.callees:
            signature = self._signature(item.callee.name, item.callee.type, f"import from `{item.callee.namespace}`,")
            modules.setdefault(item.callee.namespace, []).append(ImportedFunction(signature))
        if self._findings:
            raise DiagnosticError(self._findings)
        imports = tuple(ExternModule(namespace, tuple(wanted)) for namespace, wanted in modules.items())
        return Description(records, functions, imports)

    def _fail(self, message: str, within: str) -> None:
        help_line = "only the adapter text says everything about this module"
        self._findings.append(
            Diagnostic(Code.TEXT_VALUE, f"this can't be described: {message}", within=within, help=help_line)
        )

    def _signature(self, name: str, ty: FunctionType, what: str) -> Signature:
        within = f"{what} `{name}`"
        if len(ty.results) > 1:
            self._fail(f"{len(ty.results)} results", within)
        result = self._type(ty.results[0], f"{within}, result") if ty.results else None
        return Signature(name, self._members(ty.params, within), result)

    def _members(self, members: tuple[Field, ...], within: str) -> tuple[Member, ...]:
        return tuple(Member(item.name, self._type(item.type, f"{within}, `{item.name}`")) for item in members)

    def _type(self, ty: IType, within: str) -> Type:
        depth, inner = stripped(ty)
        described: Type
        match inner:
            case Record(id=index):
                described = Named(self._records[index].name)
            case Prim.BYTE_ARRAY:
                described = Vector(Prim.U8)
            case Prim():
                described = inner
                if inner not in DESCRIBED_PRIMS:
                    self._fail(f"the type {inner} is not one of interfaces", within)
            case _:
                assert_never(inner)
        for _ in range(depth):
            described = Vector(described)
        return described


def _declaration_order(records: dict[int, RecordType]) -> list[int]:
    """An order of declarations that numbers the records as they are, where there is one.

    A record takes its number where it is declared or, when that is earlier, where a field first mentions it. So a
    record may come next when what it mentions and itself take exactly the next numbers.
    """
    if len(records) > _MAX_ORDERED:
        return list(records)
    rank = {number: position for position, number in enumerate(records)}
    mentions = {
        number: [rank[inner] for item in record.fields if (inner := record_in(item.type)) is not None] + [rank[number]]
        for number, record in records.items()
    }
    order: list[int] = []
    waiting, taken = list(records), 0
    while waiting:
        for number in waiting:
            fresh = [inner for inner in dict.fromkeys(mentions[number]) if inner >= taken]
            if fresh == list(range(taken, taken + len(fresh))):
                break
        else:
            return [*order, *waiting]  # not numbered by a generator
        order.append(number)
        waiting.remove(number)
        taken += len(fresh)
    return order
