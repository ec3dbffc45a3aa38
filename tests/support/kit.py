"""Descriptions that try the guest kit, and sources for them."""

from __future__ import annotations

import re

from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Vector,
)
from marine_gen.guest import GuestGlue
from marine_runtime.types import Prim
from tests.support.hostile_names import NAMES, TAKEN


def hostile_description() -> Description:
    """Every difficult name as record, field, parameter, exported and imported function."""
    names = [name for name in dict.fromkeys(NAMES) if "\0" not in name and name not in TAKEN]
    around = {name: tuple(names[index : index + 4]) for index, name in enumerate(names)}
    types = (Prim.U64, Vector(Prim.U16), Prim.STRING, Vector(Vector(Prim.BOOLEAN)))
    fields = {name: tuple(map(Member, near, types)) for name, near in around.items()}
    signatures = tuple(
        Signature(name, (*fields[name], Member("record", Named(name))), Vector(Named(near[-1])))
        for name, near in around.items()
    )
    return Description(
        tuple(RecordDeclaration(name, fields[name]) for name in names),
        signatures,
        (ExternModule('"*/\n', tuple(map(ImportedFunction, signatures))),),
    )


def source_of(glue: GuestGlue, callee: str) -> str:
    """A source that defines every function: it gives its first parameter back, or the result of a call of `callee`.

    `callee` stands in front of the name and may be empty.
    """
    lines = [f'#include "{glue.header_name}"']
    for result, name, params in re.findall(r"^(\S+) (\w+)\((.*)\) MARINE_FUNCTION", glue.header, re.MULTILINE):
        names = re.findall(r" (\w+)(?:,|$)", params)
        body = f"return {callee}{name}({', '.join(names)});" if callee else f"return {names[0]};"
        unused = "" if callee else "".join(f"(void){name}; " for name in names[1:])
        lines.append(f"{result} {name}({params}) {{ {unused}{body} }}")
    return "\n".join(lines) + "\n"


def empty_source(glue: GuestGlue) -> str:
    """A source that defines every function of a module, each with an empty result."""
    prototypes = re.findall(r"^(.*) MARINE_FUNCTION\(.*\);$", glue.header, re.MULTILINE)
    bodies = (f"{item} {{ return ({item.partition(' ')[0]}){{0}}; }}\n" for item in prototypes)
    return f'#include "{glue.header_name}"\n{"".join(bodies)}'
