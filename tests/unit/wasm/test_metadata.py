"""SDK version and manifest sections: values, embedding, and every malformed content as a diagnostic."""

from __future__ import annotations

import pytest

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.wasm import (
    MANIFEST_SECTION,
    SDK_VERSION_SECTION,
    ModuleManifest,
    append_custom_section,
    custom_section_names,
    embed_sdk_version,
    find_sdk_version,
    parse_manifest,
    parse_version,
    read_manifest,
    read_sdk_version,
)
from tests.support.golden import GOLDEN, Case, load_cases
from tests.support.notation import read_bytes

EMPTY = b"\0asm\x01\0\0\0"
FIELDS = ("Fluence Labs", "0.1.0", "The greeting module", "https://example.org/greeting")
BUILD_TIME = "2022-04-12T18:16:34.487366668+00:00"


def manifest(*fields: str) -> bytes:
    return b"".join(len(field.encode()).to_bytes(8, "little") + field.encode() for field in fields)


def failure(wasm: bytes) -> Code:
    with pytest.raises(DiagnosticError) as caught:
        read_sdk_version(wasm)
    (diagnostic,) = caught.value.diagnostics
    return diagnostic.code


def test_sdk_version_is_read() -> None:
    assert read_sdk_version(append_custom_section(EMPTY, SDK_VERSION_SECTION, b"0.14.0")) == parse_version("0.14.0")


def test_embedding_replaces_all_old_versions() -> None:
    wasm = append_custom_section(EMPTY, SDK_VERSION_SECTION, b"0.1.0")
    wasm = append_custom_section(wasm, SDK_VERSION_SECTION, b"junk")
    wasm = append_custom_section(wasm, "other", b"")
    embedded = embed_sdk_version(wasm, "0.14.0")
    assert custom_section_names(embedded) == ["other", SDK_VERSION_SECTION]
    assert str(read_sdk_version(embedded)) == "0.14.0"
    assert embed_sdk_version(embedded, parse_version("0.14.0")) == embedded


def test_only_versions_can_be_embedded() -> None:
    with pytest.raises(DiagnosticError, match="cannot embed the SDK version: `14` is not a semantic version"):
        embed_sdk_version(EMPTY, "14")


def test_sdk_version_failures() -> None:
    once = append_custom_section(EMPTY, SDK_VERSION_SECTION, b"0.14.0")
    assert failure(EMPTY) is Code.SECTION_MISSING
    assert failure(append_custom_section(once, SDK_VERSION_SECTION, b"0.14.0")) is Code.SECTION_DUPLICATE
    assert failure(append_custom_section(EMPTY, SDK_VERSION_SECTION, b"\xff")) is Code.SECTION_CONTENT
    assert failure(append_custom_section(EMPTY, SDK_VERSION_SECTION, b"0.14")) is Code.SECTION_CONTENT
    assert find_sdk_version(EMPTY) is None
    assert find_sdk_version(once) == parse_version("0.14.0")


def test_manifest_is_read() -> None:
    wasm = append_custom_section(EMPTY, MANIFEST_SECTION, manifest(*FIELDS, BUILD_TIME))
    authors, version, description, repository = FIELDS
    assert read_manifest(wasm) == ModuleManifest(authors, parse_version(version), description, repository, BUILD_TIME)
    assert read_manifest(EMPTY) is None


def test_a_repeated_manifest_is_an_error() -> None:
    wasm = append_custom_section(append_custom_section(EMPTY, MANIFEST_SECTION, b""), MANIFEST_SECTION, b"")
    with pytest.raises(DiagnosticError) as caught:
        read_manifest(wasm)
    assert [item.code for item in caught.value.diagnostics] == [Code.SECTION_DUPLICATE]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (BUILD_TIME, "2022-04-12 18:16:34.487366668 +00:00 UTC"),
        ("2022-04-12T18:16:34Z", "2022-04-12 18:16:34 +00:00 UTC"),
        ("2022-04-12t18:16:34.5-01:30", "2022-04-12 18:16:34.500 -01:30 UTC"),
        ("2022-04-12T18:16:34.000000z", "2022-04-12 18:16:34 +00:00 UTC"),
        ("2016-12-31T23:59:60Z", "2016-12-31 23:59:60 +00:00 UTC"),
    ],
)
def test_build_times(text: str, shown: str) -> None:
    assert parse_manifest(manifest(*FIELDS, text)).build_time_display == shown


@pytest.mark.parametrize(
    "text", ["", "yesterday", "2022-13-01T00:00:00Z", "2022-04-12T18:16:34", "2022-04-12T25:00:00Z"]
)
def test_bad_build_times(text: str) -> None:
    with pytest.raises(DiagnosticError, match="not an RFC 3339 date and time"):
        parse_manifest(manifest(*FIELDS, text))


@pytest.mark.parametrize("case", load_cases(GOLDEN / "wasm" / "manifest.golden"), ids=str)
def test_manifest_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        parse_manifest(read_bytes(case.input))
    assert [item.code for item in caught.value.diagnostics] == [Code.SECTION_CONTENT]
    case.check(str(caught.value.with_source("module.wasm")))


@pytest.mark.parametrize("case", load_cases(GOLDEN / "wasm" / "sdk_version.golden"), ids=str)
def test_sdk_version_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_sdk_version(EMPTY + read_bytes(case.input))
    case.check(str(caught.value.with_source("module.wasm")))
