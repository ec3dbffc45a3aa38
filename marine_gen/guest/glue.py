"""The glue of a module in C: a header for its author, and the raw functions (docs/spec/memory.md#raw-signatures).

For every exported function the header declares a plain function, which the author writes, and the source has the raw
one that the host calls. For every imported function it is the other way round. The output depends on its input alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from marine_gen.codegen.literals import c_comment, c_string
from marine_gen.codegen.templating import render
from marine_gen.codegen.writer import C, Writer
from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError
from marine_gen.generate import Description, Member, Named, Type, Vector, generate
from marine_gen.generate.model import form
from marine_gen.guest.conversions import Conversions, is_truth
from marine_gen.guest.spelling import GuestExport, GuestImport, Spelling, converts
from marine_runtime.abi import Form, raw_codes
from marine_runtime.texts import identifier
from marine_runtime.types import Prim

INCLUDE = Path(__file__).parent / "include"
"""The folder of `marine.h`."""

_OWN_EXPORTS = ("memory", "_initialize", "_start")
"""The exports that the linker adds under names of its own."""


@dataclass(frozen=True, slots=True)
class GuestGlue:
    """Header and source of one module, and the name that their files begin with."""

    name: str
    header: str
    source: str

    @property
    def header_name(self) -> str:
        """The file that the author includes."""
        return f"{self.name}_glue.h"

    @property
    def source_name(self) -> str:
        """The file that is compiled together with the author's."""
        return f"{self.name}_glue.c"


def write_glue(description: Description, name: str, *, generator: str) -> GuestGlue:
    """The glue of a described module.

    Args:
        description: the exports and imports of the module.
        name: the module's name; file names are made of it.
        generator: name and version, for the head of the files.

    Raises:
        DiagnosticError: the description is wrong (see `generate`), or exports what the linker defines.
    """
    generate(description)  # for its findings: from here on records are declared, finite, and named once
    _check_names(description)
    spelling = Spelling(description)
    name = identifier(name)
    header = {
        "generator": generator,
        "title": c_comment(name),
        "guard": f"MARINE_GLUE_{name.upper()}_H",
        "structs": [struct.name for struct in spelling.structs.values()],
        "array_types": _array_types(spelling),
        "bodies": [
            {
                "name": struct.name,
                "fields": [f"{spelling.type(ty)} {field};" for field, ty in struct.fields],
                "owning": [(field, spelling.type(ty)) for field, ty in struct.fields if _in_memory(ty)],
            }
            for struct in spelling.structs.values()
        ],
        "exports": [
            f"{spelling.prototype(item.name, item.signature)} MARINE_FUNCTION({c_string(item.name)});"
            for item in spelling.exports
        ],
        "imports": [f"{spelling.prototype(item.name, item.function.signature)};" for item in spelling.imports],
    }
    source = {"generator": generator, "title": c_comment(name), "header": f"{name}_glue.h", "lines": _source(spelling)}
    package = "marine_gen.guest"
    return GuestGlue(name, render(package, "glue.h.j2", header), render(package, "glue.c.j2", source))


def glue_files(glue: GuestGlue) -> Mapping[str, bytes]:
    """All files that an author's source includes, by file name."""
    files = {path.name: path.read_bytes() for path in sorted(INCLUDE.glob("*.h"))}
    return files | {glue.header_name: glue.header.encode(), glue.source_name: glue.source.encode()}


def _check_names(description: Description) -> None:
    names = [(f"function `{signature.name}`", signature.name) for signature in description.functions]
    for module in description.imports:
        names += [
            (f"import `{module.namespace}.{item.name}`", module.namespace + item.name) for item in module.functions
        ]
    findings = [
        Diagnostic(Code.SECTION_CONTENT, "C can't have a NUL or a lone surrogate in a name", within=within)
        for within, name in names
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in name)
    ]
    findings += [
        Diagnostic(
            Code.ADAPTER_DUPLICATE,
            f"`{signature.name}` is what the linker itself exports under this name",
            within=f"function `{signature.name}`",
            help="rename it",
        )
        for signature in description.functions
        if signature.name in _OWN_EXPORTS
    ]
    if findings:
        raise DiagnosticError(findings)


def _array_types(spelling: Spelling) -> list[dict[str, str]]:
    return [
        {"name": name, "element": spelling.type(ty.element)}
        for ty, name in spelling.arrays.items()
        if isinstance(ty, Vector)
    ]


def _source(spelling: Spelling) -> list[str]:
    conversions = Conversions(spelling)
    functions = Writer(C)
    for item in spelling.exports:
        functions.gap()
        _export(functions, spelling, conversions, item)
    for index, imported in enumerate(spelling.imports):
        functions.gap()
        _import(functions, spelling, conversions, imported, f"marine_import_{index}")
    writer = Writer(C)
    conversions.write(writer)
    writer.gap()
    return [*writer.lines, *functions.lines]


def _export(writer: Writer, spelling: Spelling, conversions: Conversions, item: GuestExport) -> None:
    """The raw function behind an exported name: lifts, calls the author's function, announces the result."""
    signature = item.signature
    declared, names = _raw_parameters(spelling, conversions, signature.params, item.name)
    left = iter(names)
    values = []
    for member in signature.params:
        if _is_pair(member.type):
            pair = f"{{{next(left)}, {next(left)}}}"
            values.append(_from_pair(spelling, conversions, member.type, pair))
        elif isinstance(member.type, Named):
            values.append(conversions.lift(member.type, next(left)))
        else:
            values.append(_from_carrier(spelling, member.type, next(left)))
    call = f"{item.name}({', '.join(values)})"
    head = f"marine_export_{item.name}({', '.join(declared) or 'void'})"
    ty = signature.result
    result = "void" if ty is None or _in_memory(ty) else _carrier(ty)
    writer.line(f"MARINE_EXPORT({c_string(signature.name)})")
    with writer.block(f"{result} {head}"):
        writer.line("marine_call_begin();")
        if ty is None:
            writer.line(f"{call};")
            writer.line("marine_call_end();")
            return
        writer.line(f"{spelling.type(ty)} marine_result = {call};")
        if not _in_memory(ty):
            writer.line("marine_call_end();")
            writer.line("return marine_result;")
        elif isinstance(ty, Named):
            writer.line(f"marine_return({conversions.lower(ty, 'marine_result')}, 0);")
        elif converts(ty):
            writer.line(f"marine_raw_array marine_raw = {conversions.lower(ty, 'marine_result')};")
            writer.line("marine_return(marine_raw.data, marine_raw.count);")
        else:
            writer.line("marine_return(marine_result.data, marine_result.count);")


def _import(writer: Writer, spelling: Spelling, conversions: Conversions, item: GuestImport, raw: str) -> None:
    """The callable function in front of an import: lowers, calls, takes the result."""
    signature = item.function.signature
    declared, _ = _raw_parameters(spelling, conversions, signature.params, raw)
    ty = signature.result
    raw_result = "void" if ty is None or _in_memory(ty) else _carrier(ty)
    writer.line(f"MARINE_IMPORT({c_string(item.namespace)}, {c_string(item.function.name)})")
    writer.line(f"{raw_result} {raw}({', '.join(declared) or 'void'});")
    with writer.block(spelling.prototype(item.name, signature)):
        writer.line("marine_import_begin();")
        values = []
        for index, (member, name) in enumerate(
            zip(signature.params, spelling.parameters(signature.params), strict=True)
        ):
            if not _is_pair(member.type):
                values.append(conversions.lower(member.type, name))
            elif converts(member.type):
                lowered = f"marine_raw_{index}"
                writer.line(f"marine_raw_array {lowered} = {conversions.lower(member.type, name)};")
                values += [f"{lowered}.data", f"{lowered}.count"]
            else:
                values += [f"{name}.data", f"{name}.count"]
        call = f"{raw}({', '.join(values)})"
        if ty is None or _in_memory(ty):
            writer.line(f"{call};")
        else:
            writer.line(f"{raw_result} marine_result = {call};")
        writer.line("marine_import_end();")
        if ty is None:
            return
        if _is_pair(ty):
            value = _from_pair(spelling, conversions, ty, "{marine_result_ptr, marine_result_size}")
        elif isinstance(ty, Named):
            value = conversions.lift(ty, "marine_result_ptr")
        else:
            value = _from_carrier(spelling, ty, "marine_result")
        writer.line(f"return {value};")


def _raw_parameters(
    spelling: Spelling, conversions: Conversions, members: tuple[Member, ...], around: str
) -> tuple[list[str], list[str]]:
    """Declarations and names of the raw parameters of a function around the one called `around`."""
    names = spelling.parameters(members, around=around)
    left = iter(names)
    declared = []
    for member in members:
        if _is_pair(member.type):
            declared += [f"void *{next(left)}", f"uint32_t {next(left)}"]
        elif isinstance(member.type, Named):
            declared.append(f"{conversions.slot(member.type)}{next(left)}")
        else:
            declared.append(f"{_carrier(member.type)} {next(left)}")
    return declared, names


def _is_pair(ty: Type) -> bool:
    """True if values are passed as pointer and count."""
    return form(ty) is Form.PAIR


def _in_memory(ty: Type) -> bool:
    """True if a result is announced through the result cells."""
    return form(ty) is not Form.FLAT


def _from_pair(spelling: Spelling, conversions: Conversions, ty: Type, pair: str) -> str:
    """The natural form of a pointer and a count, given in braces."""
    return conversions.lift(ty, f"({'marine_raw_array' if converts(ty) else spelling.type(ty)}){pair}")


def _from_carrier(spelling: Spelling, ty: Type, value: str) -> str:
    """The natural form of a scalar. Small integers are cut here, as hosts may leave their upper half open."""
    if is_truth(ty):
        return f"{value} != 0"
    natural = spelling.type(ty)
    return value if natural == _carrier(ty) else f"({natural}){value}"


_CARRIERS = {"i": "int32_t", "I": "uint32_t", "q": "int64_t", "Q": "uint64_t", "f": "float", "d": "double"}


def _carrier(ty: Type) -> str:
    """The C type that crosses for a scalar."""
    assert isinstance(ty, Prim)
    return _CARRIERS[raw_codes(ty)]
