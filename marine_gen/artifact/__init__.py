"""Artifacts: sources in, built directories and running services out.

`target` reads what the user names, `compile` does one module, `embedding` puts adapters into one, `engines` is the
table of engines and `outputs` the compiler's part in it, `builder` writes a directory under its `key`,
`component_maker` a component, `cache` keeps builds, `first_load` and `on_demand` load what has none yet, `tiers` starts
the processes `optimise` and `completing` that make it, `load` runs any of it, `workbench` adds modules to a service
that runs.

What compiles is imported when it is first used: a service out of the cache or a build needs none of it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Not among those below: a module of the package would hide the function of its name.
from marine_gen.artifact.load import load

if TYPE_CHECKING:
    from marine_gen.artifact.builder import BuildResult, build, compile_service
    from marine_gen.artifact.cache import cache_entries, cached_code, clear_cache
    from marine_gen.artifact.compile import CompiledModule, compile_module
    from marine_gen.artifact.component_maker import check_outputs, component, write_component
    from marine_gen.artifact.embedding import embed_adapters
    from marine_gen.artifact.engines import BACKENDS, BUILT_ENGINES, ENGINES, AdapterForm
    from marine_gen.artifact.key import GENERATOR
    from marine_gen.artifact.progress import CompileStep, ProgressCallback, reporting
    from marine_gen.artifact.target import Source, Target, read_built, read_target, read_wasm_files
    from marine_gen.artifact.workbench import Workbench, open_workbench
    from marine_runtime.artifact import cache_directory

__all__ = [
    "BACKENDS",
    "BUILT_ENGINES",
    "ENGINES",
    "GENERATOR",
    "AdapterForm",
    "BuildResult",
    "CompileStep",
    "CompiledModule",
    "ProgressCallback",
    "Source",
    "Target",
    "Workbench",
    "build",
    "cache_directory",
    "cache_entries",
    "cached_code",
    "check_outputs",
    "clear_cache",
    "compile_module",
    "compile_service",
    "component",
    "embed_adapters",
    "load",
    "open_workbench",
    "read_built",
    "read_target",
    "read_wasm_files",
    "refuse_overwriting",
    "reporting",
    "write_component",
]

_FILES = {
    "builder": ("BuildResult", "build", "compile_service"),
    "cache": ("cache_directory", "cache_entries", "cached_code", "clear_cache"),
    "compile": ("CompiledModule", "compile_module"),
    "component_maker": ("check_outputs", "component", "write_component"),
    "embedding": ("embed_adapters",),
    "engines": ("BACKENDS", "BUILT_ENGINES", "ENGINES", "AdapterForm"),
    "key": ("GENERATOR",),
    "progress": ("CompileStep", "ProgressCallback", "reporting"),
    "target": ("Source", "Target", "read_built", "read_target", "read_wasm_files", "refuse_overwriting"),
    "workbench": ("Workbench", "open_workbench"),
}
_HOMES = {name: f"{__name__}.{file}" for file, names in _FILES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
