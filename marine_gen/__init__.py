"""A compiler for Marine services: interface-types adapters become specialised Python closures.

import marine_gen
with marine_gen.load("Config.toml") as service:      # or a .wasm file, a mapping, a built directory
    service.call("facade", "get_n_save", [url, name])
"""

from pathlib import Path

from marine_gen._version import __version__
from marine_gen.artifact import BuildResult, Target, load, read_target
from marine_gen.artifact import build as _build
from marine_gen.diagnostics import Diagnostic, DiagnosticError
from marine_runtime import HostFunction, MarineError, Service

__all__ = [
    "BuildResult",
    "Diagnostic",
    "DiagnosticError",
    "HostFunction",
    "MarineError",
    "Service",
    "Target",
    "__version__",
    "build",
    "load",
]


def build(target: Target, output: str | Path, *, engine: str = "closures", force: bool = False) -> BuildResult:
    """Build a service ahead of time into the directory `output`; `marine_runtime.load` runs it.

    An up-to-date directory is left alone unless `force` is set.

    Raises:
        LoadError, ConfigError: the target can't be read; DiagnosticError: its modules are wrong.
    """
    return _build(read_target(target), Path(output), engine=engine, force=force)
