"""Artifacts: sources in, built directories and running services out.

`target` reads what the user names, `compile` does one module and `fuse` a whole service, `build` writes a directory,
`cache` keeps builds, `load` runs any of it, `workbench` adds modules to a running service.
"""

from marine_gen.artifact.build import ENGINES as BUILT_ENGINES
from marine_gen.artifact.build import BuildResult, build, compile_service
from marine_gen.artifact.cache import cache_directory, cache_entries, cached_code, clear_cache
from marine_gen.artifact.compile import GENERATOR, CompiledModule, compile_module
from marine_gen.artifact.load import ENGINES, load
from marine_gen.artifact.target import Source, Target, read_target, read_wasm_files
from marine_gen.artifact.workbench import Workbench, open_workbench

__all__ = [
    "BUILT_ENGINES",
    "ENGINES",
    "GENERATOR",
    "BuildResult",
    "CompiledModule",
    "Source",
    "Target",
    "Workbench",
    "build",
    "cache_directory",
    "cache_entries",
    "cached_code",
    "clear_cache",
    "compile_module",
    "compile_service",
    "load",
    "open_workbench",
    "read_target",
    "read_wasm_files",
]
