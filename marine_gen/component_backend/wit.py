"""Interfaces as WIT text, in the form that `wasm-tools component wit` prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from marine_gen.codegen.writer import Style, Writer
from marine_gen.component_backend.interface import NamedType, WitFunction, WitInterface
from marine_runtime.abi import Bytes, Flat, Kind, List, Shape, Struct, Text, shape
from marine_runtime.types import IType

_WIT = Style("  ", opening=" {", closing="}")


@dataclass(frozen=True, slots=True)
class Foreign:
    """An interface that is not of Marine, such as one of WASI: its name, and its declarations as WIT."""

    name: str
    body: str


KEYWORDS = frozenset(
    (
        *("as", "async", "bool", "borrow", "char", "constructor", "enum", "export", "f32", "f64", "flags", "from"),
        *("func", "future", "import", "include", "interface", "list", "map", "option", "own", "package", "record"),
        *("resource", "result", "s16", "s32", "s64", "s8", "static", "stream", "string", "tuple", "type", "u16"),
        *("u32", "u64", "u8", "use", "variant", "with", "world"),
    )
)
"""Words that are written with a `%` where they are names."""


def flat_name(part: Flat) -> str:
    """The component type of a truth value or number."""
    match part.kind:
        case Kind.BOOLEAN:
            return "bool"
        case Kind.SIGNED:
            return f"s{part.bits}"
        case Kind.UNSIGNED:
            return f"u{part.bits}"
        case Kind.FLOAT:
            return f"f{part.bits}"
        case _:
            assert_never(part.kind)


def wit_text(imports: Sequence[WitInterface | Foreign], exports: Sequence[WitInterface]) -> str:
    """The WIT of a component: a world, and the packages of its interfaces."""
    writer = Writer(_WIT)
    writer.line("package root:component;")
    writer.gap()
    with writer.block("world root"):
        for item in imports:
            writer.line(f"import {_path(item.name)};")
        if imports:
            writer.gap()
        for item in exports:
            writer.line(f"export {_path(item.name)};")
    packages: dict[str, list[WitInterface | Foreign]] = {}
    for item in (*imports, *exports):
        packages.setdefault(_package(item.name), []).append(item)
    for package, members in packages.items():
        with writer.block(f"package {package}"):
            for member in members:
                _interface(writer, member)
    return writer.text() + "\n"


def _package(interface: str) -> str:
    name, at, version = interface.partition("@")
    return f"{_path(name.partition('/')[0])}{at}{version}"


def _path(interface: str) -> str:
    """The full name of an interface, or of a package, with a `%` before each keyword in it."""
    name, at, version = interface.partition("@")
    package, slash, short = name.partition("/")
    parts = ":".join(map(_named, package.split(":")))
    return f"{parts}{slash}{_named(short)}{at}{version}"


def _interface(writer: Writer, interface: WitInterface | Foreign) -> None:
    short = interface.name.partition("@")[0].partition("/")[2]
    with writer.block(f"interface {_named(short)}"):
        if isinstance(interface, Foreign):
            for line in interface.body.splitlines():
                writer.line(line)
            return
        for record in interface.records:
            with writer.block(f"record {_named(record.name)}"):
                for name, ty in record.fields:
                    writer.line(f"{_named(name)}: {_type(shape(ty), interface)},")
            writer.gap()
        for function in interface.functions:
            writer.line(f"{_named(function.name)}: {_signature(function, interface)};")
            writer.gap()
        if not writer.lines[-1]:
            writer.lines.pop()


def _signature(function: WitFunction, interface: WitInterface) -> str:
    params = ", ".join(_param(param, interface) for param in function.params)
    result = "" if function.result is None else f" -> {_of(function.result, interface)}"
    return f"func({params}){result}"


def _param(param: NamedType, interface: WitInterface) -> str:
    name, ty = param
    return f"{_named(name)}: {_of(ty, interface)}"


def _of(ty: IType, interface: WitInterface) -> str:
    return _type(shape(ty), interface)


def _named(name: str) -> str:
    return f"%{name}" if name in KEYWORDS else name


def _type(part: Shape, interface: WitInterface) -> str:
    match part:
        case Flat():
            return flat_name(part)
        case Text():
            return "string"
        case Bytes():
            return "list<u8>"
        case List(element=element):
            return f"list<{_type(element, interface)}>"
        case Struct(id=index):
            return _named(interface.record_names[index])
        case _:
            assert_never(part)
