"""Built directories: the manifest, loading, the cache of machine code, typed packages.

What is listed here is the interface for the compiler; files of the runtime import each other directly.
"""

from __future__ import annotations

from marine_runtime.lazy.exports import exports
from marine_runtime.lazy.typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marine_runtime.artifact.bytecode import BYTECODE_END, BYTECODE_KINDS, compiled_in_memory, compiled_python
    from marine_runtime.artifact.cache_limit import CHECKED, CODE_FOLDER, FIRST_FOLDER, note_use, read_limit, trim
    from marine_runtime.artifact.code_cache import cache_directory, cache_to_use
    from marine_runtime.artifact.engines import CLOSURES, ENGINES, FUSED, Engine
    from marine_runtime.artifact.files import BuiltModule, read_wasm
    from marine_runtime.artifact.load import load_with
    from marine_runtime.artifact.manifest import (
        MANIFEST,
        FileEntry,
        Manifest,
        ModuleEntry,
        is_intact,
        manifest_text,
        parse_manifest,
        read_manifest,
    )
    from marine_runtime.artifact.pack import PACK, CachedBuild, read_pack, write_pack
    from marine_runtime.artifact.shared import known_manifest
    from marine_runtime.calls.options import refuse_unknown, with_keywords
    from marine_runtime.config.cache_directory import cache_problem, write_replacing
    from marine_runtime.config.checks import (
        check_boolean,
        check_mapping,
        check_name,
        check_path,
        check_rows,
        check_seconds,
    )
    from marine_runtime.errors import warn
    from marine_runtime.lazy.digest import sha256
    from marine_runtime.lazy.turns import Turns
    from marine_runtime.linking.context import LinkableModule
    from marine_runtime.service.handles import (
        MODULE_MEMBERS,
        MODULES_MEMBERS,
        UNDECLARED,
        Declared,
        ModuleHandle,
        Modules,
    )
    from marine_runtime.service.options import check_options, open_runtime_for, run_options
    from marine_runtime.wasm.capi.verdict import LIBRARY_FILES

__all__ = [
    "BYTECODE_END",
    "BYTECODE_KINDS",
    "CHECKED",
    "CLOSURES",
    "CODE_FOLDER",
    "ENGINES",
    "FIRST_FOLDER",
    "FUSED",
    "LIBRARY_FILES",
    "MANIFEST",
    "MODULES_MEMBERS",
    "MODULE_MEMBERS",
    "PACK",
    "UNDECLARED",
    "BuiltModule",
    "CachedBuild",
    "Declared",
    "Engine",
    "FileEntry",
    "LinkableModule",
    "Manifest",
    "ModuleEntry",
    "ModuleHandle",
    "Modules",
    "Turns",
    "cache_directory",
    "cache_problem",
    "cache_to_use",
    "check_boolean",
    "check_mapping",
    "check_name",
    "check_options",
    "check_path",
    "check_rows",
    "check_seconds",
    "compiled_in_memory",
    "compiled_python",
    "is_intact",
    "known_manifest",
    "load_with",
    "manifest_text",
    "note_use",
    "open_runtime_for",
    "parse_manifest",
    "read_limit",
    "read_manifest",
    "read_pack",
    "read_wasm",
    "refuse_unknown",
    "run_options",
    "sha256",
    "trim",
    "warn",
    "with_keywords",
    "write_pack",
    "write_replacing",
]

__getattr__, __dir__ = exports(
    __name__,
    {
        "marine_runtime.artifact.bytecode": (
            *("BYTECODE_END", "BYTECODE_KINDS", "compiled_in_memory", "compiled_python"),
        ),
        "marine_runtime.artifact.cache_limit": (
            *("CHECKED", "CODE_FOLDER", "FIRST_FOLDER", "note_use", "read_limit", "trim"),
        ),
        "marine_runtime.artifact.code_cache": ("cache_directory", "cache_to_use"),
        "marine_runtime.artifact.engines": ("CLOSURES", "ENGINES", "FUSED", "Engine"),
        "marine_runtime.artifact.files": ("BuiltModule", "read_wasm"),
        "marine_runtime.artifact.load": ("load_with",),
        "marine_runtime.artifact.pack": ("PACK", "CachedBuild", "read_pack", "write_pack"),
        "marine_runtime.artifact.shared": ("known_manifest",),
        "marine_runtime.artifact.manifest": (
            "MANIFEST",
            "FileEntry",
            "Manifest",
            "ModuleEntry",
            "is_intact",
            "manifest_text",
            "parse_manifest",
            "read_manifest",
        ),
        "marine_runtime.calls.options": ("refuse_unknown", "with_keywords"),
        "marine_runtime.config.cache_directory": ("cache_problem", "write_replacing"),
        "marine_runtime.config.checks": (
            *("check_boolean", "check_mapping", "check_name", "check_path", "check_rows", "check_seconds"),
        ),
        "marine_runtime.errors": ("warn",),
        "marine_runtime.lazy.digest": ("sha256",),
        "marine_runtime.lazy.turns": ("Turns",),
        "marine_runtime.linking.context": ("LinkableModule",),
        "marine_runtime.service.handles": (
            "MODULE_MEMBERS",
            "MODULES_MEMBERS",
            "UNDECLARED",
            "Declared",
            "ModuleHandle",
            "Modules",
        ),
        "marine_runtime.service.options": ("check_options", "open_runtime_for", "run_options"),
        "marine_runtime.wasm.capi.verdict": ("LIBRARY_FILES",),
    },
)
