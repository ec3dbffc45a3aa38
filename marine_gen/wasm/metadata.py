"""The SDK's version section and manifest section.

Both are read; only the version is written, as manifests are made by the SDK.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import NoReturn

from marine_gen.diagnostics import Code, Diagnostic, DiagnosticError, SourceSpan
from marine_gen.wasm.sections import (
    Binary,
    append_custom_section,
    custom_section_names,
    remove_custom_sections,
    scanned,
    unique_custom_section,
)
from marine_gen.wasm.semver import Version, parse_version
from marine_runtime.texts import are, counted

SDK_VERSION_SECTION = "__fluence_sdk_version"
MANIFEST_SECTION = "__fluence_wasm_module_manifest"

_PREFIX_SIZE = 8
_U64_MAX = 2**64 - 1
_RFC3339 = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt ]([0-9]{2}:[0-9]{2}):([0-9]{2})(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class ModuleManifest:
    """The manifest of a module, written by its author.

    Attributes:
        build_time: RFC 3339 text, checked but kept as written because it may be finer than a microsecond.
    """

    authors: str
    version: Version
    description: str
    repository: str
    build_time: str

    @property
    def build_time_display(self) -> str:
        """The build time as listings show it: `2022-04-12 18:16:34.487366668 +00:00 UTC`."""
        match = _RFC3339.fullmatch(self.build_time)
        if match is None:  # only a manifest made by hand
            return self.build_time
        date, minutes, seconds, fraction, offset = match.groups()
        digits = (fraction or "")[1:]
        digits = digits.ljust(-(-len(digits) // 3) * 3, "0")
        while digits.endswith("000"):
            digits = digits[:-3]
        clock = f"{minutes}:{seconds}" + (f".{digits}" if digits else "")
        return f"{date} {clock} {'+00:00' if offset in 'Zz' else offset} UTC"


def read_sdk_version(wasm: Binary) -> Version:
    """The SDK version that the module was built with.

    Raises:
        DiagnosticError: the section is absent (SECTION_MISSING), repeated (SECTION_DUPLICATE), or not a semantic
            version in UTF-8 (SECTION_CONTENT).
    """
    help_line = (
        "the module was built with an old SDK, or not for Marine; "
        "`marine-gen set version -i FILE.wasm -v 0.14.0` embeds a version"
    )
    payload = unique_custom_section(wasm, SDK_VERSION_SECTION, help_line)
    try:
        return parse_version(payload.decode())
    except UnicodeDecodeError as error:
        _fail("the SDK version is not UTF-8", error.start, SDK_VERSION_SECTION)
    except ValueError as error:
        _fail(f"the SDK version is malformed: {error}", 0, SDK_VERSION_SECTION)


def find_sdk_version(wasm: Binary) -> Version | None:
    """Like `read_sdk_version`, but None when the section is absent."""
    module = scanned(wasm)
    return read_sdk_version(module) if SDK_VERSION_SECTION in custom_section_names(module) else None


def embed_sdk_version(wasm: Binary, version: Version | str) -> bytes:
    """The module with `version` as its only SDK version, in a section at the end.

    Raises:
        DiagnosticError: `wasm` is not a well-formed module, or `version` is not a semantic version.
    """
    try:
        text = str(parse_version(str(version)))
    except ValueError as error:
        raise DiagnosticError([Diagnostic(Code.SECTION_CONTENT, f"cannot embed the SDK version: {error}")]) from error
    return append_custom_section(
        remove_custom_sections(wasm, {SDK_VERSION_SECTION}), SDK_VERSION_SECTION, text.encode()
    )


def read_manifest(wasm: Binary) -> ModuleManifest | None:
    """The module's manifest, or None when it has none.

    Raises:
        DiagnosticError: the section is repeated (SECTION_DUPLICATE) or malformed (SECTION_CONTENT).
    """
    module = scanned(wasm)
    if MANIFEST_SECTION not in custom_section_names(module):
        return None
    return parse_manifest(unique_custom_section(module, MANIFEST_SECTION))


def parse_manifest(payload: bytes) -> ModuleManifest:
    """Parse the content of a manifest section.

    Raises:
        DiagnosticError: the content is malformed (SECTION_CONTENT).
    """
    authors, position = _field(payload, 0, "authors")
    version_text, after_version = _field(payload, position, "version")
    try:
        version = parse_version(version_text)
    except ValueError as error:
        _fail(f"the module version is malformed: {error}", position + _PREFIX_SIZE)
    description, position = _field(payload, after_version, "description")
    repository, position = _field(payload, position, "repository")
    build_time, end = _field(payload, position, "build time")
    if end < len(payload):
        _fail(f"trailing bytes behind the last field: {len(payload) - end}", end)
    if not _is_rfc3339(build_time):
        _fail("the build time is not an RFC 3339 date and time", position + _PREFIX_SIZE)
    return ModuleManifest(authors, version, description, repository, build_time)


def _field(payload: bytes, position: int, name: str) -> tuple[str, int]:
    """One length-prefixed field and the offset behind it."""
    left = len(payload) - position
    if left < _PREFIX_SIZE:
        _fail(f"field `{name}` needs a length of {_PREFIX_SIZE} bytes, but {left} {are(left)} left", position)
    size = int.from_bytes(payload[position : position + _PREFIX_SIZE], "little")
    if size + _PREFIX_SIZE > _U64_MAX:
        _fail(f"the length of field `{name}` is too big: {size}", position)
    start = position + _PREFIX_SIZE
    left = len(payload) - start
    if size > left:
        _fail(f"field `{name}` needs {counted(size, 'byte')}, but {left} {are(left)} left", start)
    try:
        return payload[start : start + size].decode(), start + size
    except UnicodeDecodeError as error:
        _fail(f"field `{name}` is not UTF-8", start + error.start)


def _is_rfc3339(text: str) -> bool:
    match = _RFC3339.fullmatch(text)
    if match is None:
        return False
    date, minutes, seconds, _, offset = match.groups()
    # A leap second is legal in RFC 3339 but unknown to `datetime`.
    moment = f"{date}T{minutes}:{'59' if seconds == '60' else seconds}{'+00:00' if offset in 'Zz' else offset}"
    try:
        datetime.fromisoformat(moment)
    except ValueError:
        return False
    return True


def _fail(message: str, offset: int, section: str = MANIFEST_SECTION) -> NoReturn:
    span = SourceSpan(offset=offset, section=section)
    raise DiagnosticError([Diagnostic(Code.SECTION_CONTENT, message, span=span)])
