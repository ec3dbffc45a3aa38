"""The Wasm container: sections, core signatures, and the SDK's version and manifest sections.

Nothing here parses or validates function bodies; that is the engine's work. Every function takes arbitrary bytes and
answers with a value or a `DiagnosticError` (codes MG1xx).
"""

from marine_gen.wasm.metadata import (
    MANIFEST_SECTION,
    SDK_VERSION_SECTION,
    ModuleManifest,
    embed_sdk_version,
    find_sdk_version,
    parse_manifest,
    read_manifest,
    read_sdk_version,
)
from marine_gen.wasm.sections import (
    Binary,
    Section,
    WasmModule,
    append_custom_section,
    custom_section_names,
    custom_sections,
    custom_sections_with_prefix,
    remove_custom_sections,
    scan,
    scanned,
    unique_custom_section,
)
from marine_gen.wasm.semver import Version, parse_version
from marine_gen.wasm.signatures import CoreImport, OtherImport, Signatures, read_signatures

__all__ = [
    "MANIFEST_SECTION",
    "SDK_VERSION_SECTION",
    "Binary",
    "CoreImport",
    "ModuleManifest",
    "OtherImport",
    "Section",
    "Signatures",
    "Version",
    "WasmModule",
    "append_custom_section",
    "custom_section_names",
    "custom_sections",
    "custom_sections_with_prefix",
    "embed_sdk_version",
    "find_sdk_version",
    "parse_manifest",
    "parse_version",
    "read_manifest",
    "read_sdk_version",
    "read_signatures",
    "remove_custom_sections",
    "scan",
    "scanned",
    "unique_custom_section",
]
