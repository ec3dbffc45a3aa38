"""A compiler for Marine services: interface-types adapters become fused core Wasm and specialised Python.

import marine_gen
with marine_gen.load("Config.toml") as service:      # or a .wasm file, a mapping, a built directory
    service.call("facade", "get_n_save", [url, name])

What the package exports is imported when it is first used, so that `marine-gen --help` loads no Wasm engine.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from marine_gen._version import __version__

if TYPE_CHECKING:
    from pathlib import Path

    from marine_gen.artifact import BuildResult, Target, load
    from marine_gen.diagnostics import Diagnostic, DiagnosticError
    from marine_runtime import HostFunction, MarineError, MarineWarning, Service, ServiceHost

__all__ = [
    "BuildResult",
    "Diagnostic",
    "DiagnosticError",
    "HostFunction",
    "MarineError",
    "MarineWarning",
    "Service",
    "ServiceHost",
    "Target",
    "__version__",
    "build",
    "load",
]

_HOMES = {
    "BuildResult": "marine_gen.artifact",
    "Target": "marine_gen.artifact",
    "load": "marine_gen.artifact",
    "Diagnostic": "marine_gen.diagnostics",
    "DiagnosticError": "marine_gen.diagnostics",
    "HostFunction": "marine_runtime",
    "MarineError": "marine_runtime",
    "MarineWarning": "marine_runtime",
    "Service": "marine_runtime",
    "ServiceHost": "marine_runtime",
}


def build(
    target: Target,
    output: str | Path,
    *,
    engine: str | None = None,
    force: bool = False,
    native: bool = True,
    strict: bool = False,
) -> BuildResult:
    """Build a service ahead of time into the directory `output`; `marine_runtime.load` runs it.

    An up-to-date directory is left alone unless `force` is set. Without `engine` the default one is built. A build that
    is not `native` holds no machine code: it is compiled into the user's cache when it is first loaded on a machine.
    Invalid adapters are left out with a `MarineWarning` each, or refused when `strict`,
    and so are configurations that warn.

    Raises:
        LoadError, ConfigError: the target can't be read; DiagnosticError: its modules are wrong.
    """
    from marine_gen import artifact
    from marine_runtime import ArgumentError
    from marine_runtime.artifact import check_boolean, check_path, warn

    place = check_path(output, "the output of a build")
    if "\0" in str(place):
        raise ArgumentError("the output of a build must not contain a NUL character")
    for value, what in ((force, "`force`"), (native, "`native`"), (strict, "`strict`")):
        check_boolean(value, what)
    source = artifact.read_target(target, strict=strict)
    chosen = artifact.BUILT_ENGINES[0] if engine is None else engine
    result = artifact.build(source, place, engine=chosen, force=force, native=native, strict=strict)
    for sentence in result.warnings:
        warn(sentence)
    return result


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
