"""The sections of a Wasm binary: find them, read custom ones, remove and append them.

Only section headers and the names of custom sections are read. Contents, order and uniqueness of the other sections
are left to those who read them. Stages that look at one module hand on a `WasmModule`, so that it is scanned once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.wasm.reader import Reader, write_u32

CUSTOM = 0
SECTION_NAMES = (
    "custom",
    "type",
    "import",
    "function",
    "table",
    "memory",
    "global",
    "export",
    "start",
    "element",
    "code",
    "data",
    "data count",
    "tag",
)
"""The names that the Wasm specification gives sections 0, 1, 2, …"""

_MAGIC = b"\0asm"
_CORE_VERSION = b"\x01\0\0\0"
_COMPONENT_LAYER = b"\x01\0"
_U32_MAX = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Section:
    """The place of one section in the file.

    Attributes:
        id: the section id; 0 is a custom section.
        name: the name of a custom section, otherwise empty.
        start: offset of the id byte.
        payload_start: offset of the content, behind the size and behind the name of a custom section.
        end: offset of the first byte after the section.
    """

    id: int
    name: str
    start: int
    payload_start: int
    end: int

    def payload(self, wasm: bytes) -> bytes:
        """The content, cut out of the file that was scanned."""
        return wasm[self.payload_start : self.end]


@dataclass(frozen=True, slots=True)
class WasmModule:
    """A Wasm binary with its sections.

    Attributes:
        data: the bytes of the file.
        sections: all sections in file order.
    """

    data: bytes
    sections: tuple[Section, ...]


Binary = bytes | WasmModule
"""A module as its bytes, or scanned already."""


def scanned(wasm: Binary) -> WasmModule:
    """`wasm` with its sections; raises as `scan`."""
    return wasm if isinstance(wasm, WasmModule) else WasmModule(wasm, scan(wasm))


def scan(wasm: bytes) -> tuple[Section, ...]:
    """All sections in file order.

    Raises:
        DiagnosticError: the bytes are not a core Wasm module (WASM_HEADER), or a section header is malformed or
            overruns the file (WASM_SECTION).
    """
    _check_header(wasm)
    reader = Reader(wasm, 8, len(wasm), "the section headers", Code.WASM_SECTION)
    sections = []
    while not reader.exhausted:
        sections.append(_section(reader))
    return tuple(sections)


def _section(reader: Reader) -> Section:
    start = reader.position
    identifier = reader.byte("a section id")
    if identifier >= len(SECTION_NAMES):
        reader.fail(f"unknown section id {identifier}", start)
    what = f"the {SECTION_NAMES[identifier]} section"
    size = reader.u32(f"the size of {what}")
    payload = reader.position
    reader.take(size, what)
    end = reader.position
    if identifier != CUSTOM:
        return Section(identifier, "", start, payload, end)
    inner = Reader(reader.data, payload, end, what, Code.WASM_SECTION)
    name = inner.name("the name of the custom section")
    return Section(identifier, name, start, inner.position, end)


def _check_header(wasm: bytes) -> None:
    help_line = ""
    if wasm[:4] != _MAGIC[: len(wasm)] or not wasm:
        message = "the file is empty" if not wasm else "the file is not a WebAssembly binary"
        help_line = _other_text(wasm)
    elif len(wasm) < 8:
        message = "the file ends inside the WebAssembly header"
    elif wasm[4:8] == _CORE_VERSION:
        return
    elif wasm[6:8] == _COMPONENT_LAYER:
        message = "the file is a WebAssembly component, not a core module"
        help_line = "Marine modules are core modules: build for a core target, without componentising"
    else:
        message = f"version {int.from_bytes(wasm[4:8], 'little')} of the WebAssembly binary format is not supported"
    raise DiagnosticError([Diagnostic(Code.WASM_HEADER, message, span=SourceSpan(), help=help_line)])


def _other_text(content: bytes) -> str:
    """Help for a file that is a text of another kind than its reader wants; empty when that can't be told."""
    if _ADAPTERS.search(content):
        return "this is an adapter text: name the module; `marine-gen set it` embeds the text in one"
    if _SERVICE.search(content):
        return "this is the configuration of a service: name a module, or give the file the extension `.toml`"
    if _DESCRIPTION.search(content):
        return "this is an interface description: `marine-gen guest build` makes a module from it and its C source"
    if content.lstrip()[:1] in (b"(", b";"):
        return "this looks like WebAssembly text: assemble it to a binary first"
    return ""


_ADAPTERS = re.compile(rb"^\s*\(@interface\b", re.MULTILINE)
_SERVICE = re.compile(rb"^\s*\[\[module\]\]", re.MULTILINE)
_DESCRIPTION = re.compile(rb"^(?:export:|import [^\n]*:|data [^\n]*:)[ \t]*(?:#[^\n]*)?\r?$", re.MULTILINE)


def custom_sections(wasm: Binary, name: str) -> list[bytes]:
    """The contents of all custom sections called `name`, in file order."""
    module = scanned(wasm)
    return [section.payload(module.data) for section in _custom(module) if section.name == name]


def custom_section_names(wasm: Binary) -> list[str]:
    """The names of all custom sections in file order, repetitions included."""
    return [section.name for section in _custom(wasm)]


def custom_sections_with_prefix(wasm: Binary, prefix: str) -> list[tuple[str, bytes]]:
    """Names and contents of the custom sections whose name starts with `prefix`, in file order."""
    module = scanned(wasm)
    found = [section for section in _custom(module) if section.name.startswith(prefix)]
    return [(section.name, section.payload(module.data)) for section in found]


def unique_custom_section(wasm: Binary, name: str, missing_help: str = "") -> bytes:
    """The content of the only custom section called `name`.

    Raises:
        DiagnosticError: there is none (SECTION_MISSING, with `missing_help`), or several (SECTION_DUPLICATE).
    """
    module = scanned(wasm)
    found = [section for section in _custom(module) if section.name == name]
    if not found:
        message = f"the module has no custom section `{name}`"
        raise DiagnosticError([Diagnostic(Code.SECTION_MISSING, message, help=missing_help)])
    if len(found) > 1:
        raise DiagnosticError(
            [
                Diagnostic(
                    Code.SECTION_DUPLICATE,
                    f"the module has {len(found)} custom sections `{name}`, but exactly one is allowed",
                    span=SourceSpan(offset=found[1].start),
                    label="the second one",
                    help="the file is damaged, or a tool appended the section without removing the old one",
                )
            ]
        )
    return found[0].payload(module.data)


def remove_custom_sections(wasm: Binary, which: Collection[str] | Callable[[str], bool]) -> bytes:
    """The module without the custom sections that `which` names or accepts; all else stays byte for byte."""
    matches = which if callable(which) else which.__contains__
    module = scanned(wasm)
    kept = [module.data[:8]]
    kept += [
        module.data[item.start : item.end] for item in module.sections if item.id != CUSTOM or not matches(item.name)
    ]
    return b"".join(kept)


def append_custom_section(wasm: Binary, name: str, payload: bytes) -> bytes:
    """The module with one more custom section at its end.

    Raises:
        DiagnosticError: `wasm` is not a well-formed module, or the section would exceed 4 GiB.
    """
    module = scanned(wasm)
    encoded = name.encode()
    content = write_u32(len(encoded)) + encoded + payload
    if len(content) > _U32_MAX:
        message = f"the custom section `{name}` would exceed 4 GiB"
        raise DiagnosticError([Diagnostic(Code.WASM_SECTION, message)])
    return module.data + bytes([CUSTOM]) + write_u32(len(content)) + content


def _custom(wasm: Binary) -> list[Section]:
    return [section for section in scanned(wasm).sections if section.id == CUSTOM]
