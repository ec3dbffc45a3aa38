"""Artifacts: sources in, built directories and running services out.

`target` reads what the user names, `compile` does one module, `embedding` puts adapters into one, `engines` is the
table of engines, `build` writes a directory, `component` a component, `cache` keeps builds, `load` runs any of it,
`workbench` adds modules to a service that runs.
"""

from marine_gen.artifact.build import BuildResult, build, compile_service
from marine_gen.artifact.cache import cache_entries, cached_code, clear_cache
from marine_gen.artifact.compile import GENERATOR, CompiledModule, compile_module
from marine_gen.artifact.component import check_outputs, component, write_component
from marine_gen.artifact.embedding import embed_adapters
from marine_gen.artifact.engines import BACKENDS, BUILT_ENGINES, ENGINES, AdapterForm
from marine_gen.artifact.load import load
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
    "CompiledModule",
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
    "write_component",
]
