"""Writes a description as text. What can't be described is not found here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from marine_gen.generate import Description, ExternModule, Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_gen.idl.names import TYPE_WORDS, write_name, write_record_name

_WIDTH = 100


def print_description(description: Description) -> str:
    """The text of a description, with a line break at the end of every line.

    `parse_description` reads the same description back, when it is one that `generate` takes and whose names are
    unique and types declared, host functions included.

    Raises:
        KeyError: a type has no place in descriptions (a raw i32 or i64, a byte array instead of a vector of u8).
    """
    blocks = [_record(record) for record in description.records]
    blocks += [_module(module) for module in description.imports]
    if description.functions:
        blocks.append(["export:", *(line for function in description.functions for line in _function(function))])
    return "\n".join("".join(f"{line}\n" for line in block) for block in blocks)


def _record(record: RecordDeclaration) -> list[str]:
    head = f"data {write_record_name(record.name)}"
    if record.fields is None:
        return [head]
    if record.fields and not any(field.name for field in record.fields):
        return _list(head, [_type(field.type) for field in record.fields], "")
    return [f"{head}:", *(f"  {_member(field)}" for field in record.fields)]


def _module(module: ExternModule) -> list[str]:
    lines = [f"import {write_name(module.namespace)}:"]
    for function in module.functions:
        lines += _function(function.signature, function.link_name)
    return lines


def _function(signature: Signature, link_name: str | None = None) -> Iterator[str]:
    link = "" if link_name is None else f"{write_name(link_name)} as "
    result = "" if signature.result is None else f" -> {_type(signature.result)}"
    head = f"fn {link}{write_name(signature.name)}"
    return (f"  {line}" for line in _list(head, [_member(param) for param in signature.params], result))


def _list(head: str, items: Sequence[str], tail: str) -> list[str]:
    """`head(items)tail` on one line, or on several when that would be long."""
    line = f"{head}({', '.join(items)}){tail}"
    if len(line) <= _WIDTH or not items:
        return [line]
    return [f"{head}(", *(f"  {item}," for item in items), f"){tail}"]


def _member(member: Member) -> str:
    return f"{write_name(member.name)}: {_type(member.type)}"


_WORDS = {prim: word for word, prim in reversed(TYPE_WORDS.items())}


def _type(ty: Type) -> str:
    depth = 0
    while isinstance(ty, Vector):
        depth += 1
        ty = ty.element
    word = write_record_name(ty.name) if isinstance(ty, Named) else _WORDS[ty]
    return "[" * depth + word + "]" * depth
