"""Names of the types and functions of a description in C.

A record is a struct with natural alignment, a vector a struct of `data` and `count`. Functions that the author writes
have the names of the interface, imported ones `NAMESPACE_NAME`, those of the host `host_NAME`. All names of one file
are distinct. It does not say how values cross.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import assert_never

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError
from marine_gen.generate import Description, ExternModule, ImportedFunction, Member, Named, Signature, Type, Vector
from marine_gen.generate.model import DESCRIBED_PRIMS, form
from marine_gen.guest.names import c_names
from marine_runtime.abi import Flat, Form, Kind, shape
from marine_runtime.types import Prim


def c_type(flat: Flat) -> str:
    """The C type of flat values."""
    match flat.kind:
        case Kind.BOOLEAN:
            return "bool"
        case Kind.SIGNED:
            return f"int{flat.bits}_t"
        case Kind.UNSIGNED:
            return f"uint{flat.bits}_t"
        case Kind.FLOAT:
            return {32: "float", 64: "double"}[flat.bits]
        case _:
            assert_never(flat.kind)


_SCALARS = {
    Prim.STRING: "marine_string",
    **{prim: c_type(part) for prim in DESCRIBED_PRIMS if isinstance(part := shape(prim), Flat)},
}
_BYTES = Vector(Prim.U8)
_ARRAYS: dict[Type, str] = {
    _BYTES: "marine_bytes",
    Vector(_BYTES): "marine_bytes_array",
    **{Vector(ty): f"marine_{ty}_array" for ty in _SCALARS if ty is not Prim.U8},
}
"""The arrays that `marine.h` declares itself."""

_RECORD_FUNCTIONS = ("keep", "free")
_ARRAY_FUNCTIONS = (*_RECORD_FUNCTIONS, "new", "push", "copy", "keep_push")

_LOCALS = frozenset({"array", "body", "copy", "count", "element", "i", "raw", "result", "slots", "source", "value"})
"""Names of parameters and variables of `marine.h` and glue, which would hide a type of the same name."""


@dataclass(frozen=True, slots=True)
class CStruct:
    """A record in C: its name, and name and type of its fields."""

    name: str
    fields: tuple[tuple[str, Type], ...]


@dataclass(frozen=True, slots=True)
class GuestExport:
    """A function that the author writes."""

    name: str
    signature: Signature


@dataclass(frozen=True, slots=True)
class GuestImport:
    """A function that the author calls."""

    name: str
    namespace: str
    function: ImportedFunction


class Spelling:
    """The C names of one description.

    Attributes:
        structs: by record name, in the order in which C can define them.
        arrays: C name by type, inner ones first; those of `marine.h` are left out.
        exports: the author's functions, in order.
        imports: all imported functions, in order.
        taken: the names of types and of what belongs to them, which nothing may hide.

    Raises:
        DiagnosticError: a type names a record that is not declared.
    """

    def __init__(self, description: Description) -> None:
        declared = {record.name: record.fields for record in reversed(description.records) if record.fields}
        order = [name for name in dict.fromkeys(record.name for record in description.records) if name in declared]
        self.taken: set[str] = set(_LOCALS)
        self.structs: dict[str, CStruct] = {}
        self.arrays: dict[Type, str] = {}
        self._names = {name: self._claim(name, _RECORD_FUNCTIONS) for name in order}
        for ty, within in _mentioned(description):
            self._declare(ty, within)
        for name in order:
            self._define(name, declared)
        functions = [signature.name for signature in description.functions]
        imported = [(module, function) for module in description.imports for function in module.functions]
        wanted = functions + [_import_name(module, function) for module, function in imported]
        self.taken -= _LOCALS  # only types may not be called so
        chosen = c_names(wanted, self.taken)
        self.exports = [
            GuestExport(*pair) for pair in zip(chosen[: len(functions)], description.functions, strict=True)
        ]
        self.imports = [
            GuestImport(name, module.namespace, function)
            for name, (module, function) in zip(chosen[len(functions) :], imported, strict=True)
        ]

    def type(self, ty: Type) -> str:
        """The C type of a value."""
        match ty:
            case Prim():
                return _SCALARS[ty]
            case Named(name=name):
                return self._names[name]
            case Vector():
                return _ARRAYS.get(ty) or self.arrays[ty]
            case _:
                assert_never(ty)

    def parameters(self, members: tuple[Member, ...], *, around: str = "") -> list[str]:
        """Names for the parameters of a function; of a raw one when it is `around` the function of this name.

        A raw function has two parameters for what is passed as pointer and count.
        """
        wanted = []
        for index, member in enumerate(members):
            name = member.name or f"argument_{index}"
            pair = around and form(member.type) is Form.PAIR
            wanted += [f"{name}_data", f"{name}_count"] if pair else [name]
        return c_names(wanted, {*self.taken, around})

    def prototype(self, name: str, signature: Signature) -> str:
        """The declaration of a function over natural values."""
        names = self.parameters(signature.params)
        shown = [f"{self.type(member.type)} {name}" for member, name in zip(signature.params, names, strict=True)]
        result = "void" if signature.result is None else self.type(signature.result)
        return f"{result} {name}({', '.join(shown) or 'void'})"

    def _declare(self, ty: Type, within: str) -> None:
        """Names the arrays that `ty` consists of."""
        chain = []
        while isinstance(ty, Vector):
            chain.append(ty)
            ty = ty.element
        if isinstance(ty, Named) and ty.name not in self._names:
            message = f"record `{ty.name}` is not declared"
            raise DiagnosticError([Diagnostic(Code.SECTION_CONTENT, message, within=within, help="declare it")])
        for array in reversed(chain):
            if array in _ARRAYS or array in self.arrays:
                continue
            base = f"{self.type(array.element)}_array"
            # Those of built-in types start with `marine_`, which names of an interface never do.
            self.arrays[array] = base if base.startswith("marine_") else self._claim(base, _ARRAY_FUNCTIONS)

    def _claim(self, name: str, functions: tuple[str, ...]) -> str:
        """A free name for a type whose functions are called after it, all of them free too."""
        refused: set[str] = set()
        while True:
            chosen = c_names([name], self.taken | refused)[0]
            belonging = {chosen, *(f"{chosen}_{function}" for function in functions)}
            if not belonging & self.taken:
                self.taken |= belonging
                return chosen
            refused.add(chosen)

    def _define(self, name: str, declared: Mapping[str, tuple[Member, ...]]) -> None:
        """Adds a struct behind those that it contains; `generate` has refused records that contain themselves."""
        pending = [name]
        while pending:
            current = pending[-1]
            fields = declared[current]
            missing = [
                member.type.name
                for member in fields
                if isinstance(member.type, Named) and member.type.name not in self.structs
            ]
            if missing:
                pending += missing
                continue
            pending.pop()
            names = c_names([member.name or f"field_{index}" for index, member in enumerate(fields)])
            types = (member.type for member in fields)
            self.structs[current] = CStruct(self._names[current], tuple(zip(names, types, strict=True)))


def converts(ty: Type) -> bool:
    """True if values of `ty` look different in the ABI: those that hold records."""
    while isinstance(ty, Vector):
        ty = ty.element
    return isinstance(ty, Named)


def _import_name(module: ExternModule, function: ImportedFunction) -> str:
    return f"{'host' if module.is_host else module.namespace}_{function.signature.name}"


def _mentioned(description: Description) -> Iterator[tuple[Type, str]]:
    """Every type that the description mentions, with its place."""
    for record in description.records:
        for member in record.fields or ():
            yield member.type, f"record `{record.name}`"
    signatures = [(signature, f"function `{signature.name}`") for signature in description.functions]
    signatures += [
        (function.signature, f"import `{module.namespace}.{function.name}`")
        for module in description.imports
        for function in module.functions
    ]
    for signature, within in signatures:
        for member in signature.params:
            yield member.type, within
        if signature.result is not None:
            yield signature.result, within
