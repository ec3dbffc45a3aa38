"""A compiler for Marine services: interface-types adapters become fused core Wasm and specialised Python.

    import marine_gen

    with marine_gen.load("Config.toml") as service:  # or a .wasm file, a mapping, a built directory
        service.call("facade", "get_n_save", [url, name])

Exports are imported at their first use, so that `marine-gen --help` loads no Wasm engine.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from marine_gen._version import __version__

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from marine_gen.artifact import BuildResult, CompileStep, ProgressCallback, Target, load
    from marine_gen.component_backend import Component
    from marine_gen.diagnostics import Diagnostic, DiagnosticError
    from marine_runtime import HostFunction, HostFunctions, MarineError, MarineWarning, Service, ServiceHost

__all__ = [
    "BuildResult",
    "CompileStep",
    "Component",
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
    "component",
    "load",
]

_HOMES = {
    "BuildResult": "marine_gen.artifact",
    "CompileStep": "marine_gen.artifact",
    "Target": "marine_gen.artifact",
    "Component": "marine_gen.component_backend",
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
    progress: ProgressCallback | None = None,
) -> BuildResult:
    """Build a service ahead of time into the directory `output`; `marine_runtime.load` runs it.

    An up-to-date directory is left alone unless `force` is set. Without `engine` the default one is built. A build that
    is not `native` holds no machine code: it is compiled into the user's cache when it is first loaded on a machine.
    Invalid adapters are left out with a `MarineWarning` each, or refused when `strict`,
    and so are configurations that warn. `progress` is called for each step, as that of `load`.

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
    with artifact.reporting(progress) as steps:
        result = artifact.build(source, place, engine=chosen, force=force, native=native, strict=strict, steps=steps)
    for sentence in result.warnings:
        warn(sentence)
    return result


def component(
    target: Target,
    output: str | Path | None = None,
    *,
    wit: str | Path | None = None,
    package: str = "",
    logger: str = "stderr",
    call_parameters: str = "import",
    stub_imports: Collection[str] = (),
    host_functions: HostFunctions | None = None,
    fault_import: bool = False,
    strict: bool = False,
    progress: ProgressCallback | None = None,
) -> Component:
    """Make one WebAssembly component of a whole service, and write it to `output`, and its WIT to `wit`, if given.

    It exports the functions of the last module as the interface `marine:SERVICE/MODULE`, or as that of another
    `package`, such as `acme:tools@1.0.0`. Functions that modules import from the host become imports of the component;
    their types come from the configuration and from `host_functions`, which are not called. Imports among
    `stub_imports`, such as `host.curl`, trap instead. Log messages go to the standard error, to an import, or nowhere:
    `logger` must be `stderr`, `import` or `none`. Modules get the parameters of a call from an import, or empty ones:
    `call_parameters` is `import` or `empty`. With `fault_import` an import is told about a failure before the trap.
    What can't be in a component is left out with a `MarineWarning` each, or refused when `strict`. `progress` is called
    for each step, as that of `load`.

    Raises:
        LoadError, ConfigError: the target can't be read, or can't be a component; DiagnosticError: its modules are
            wrong; ArgumentError: an option has a wrong value.
    """
    from marine_gen import artifact
    from marine_gen.component_backend import component_options
    from marine_runtime.artifact import check_boolean, check_path, warn

    for value, what in ((fault_import, "`fault_import`"), (strict, "`strict`")):
        check_boolean(value, what)
    place = None if output is None else check_path(output, "the output of a component")
    wit_place = None if wit is None else check_path(wit, "`wit`")
    sources = [check_path(target, "the path of a service")] if isinstance(target, (str, os.PathLike)) else []
    artifact.check_outputs(place, wit_place, sources)
    options = component_options(
        package=package,
        logger=logger,
        call_parameters=call_parameters,
        stub_imports=stub_imports,
        fault_import=fault_import,
        strict=strict,
    )
    built = bool(sources) and sources[0].is_dir()
    source = artifact.read_built(sources[0]) if built else artifact.read_target(target, strict=strict)
    with artifact.reporting(progress) as steps:
        made = artifact.component(source, options, host_functions, steps)
    for sentence in made.warnings:
        warn(sentence)
    artifact.write_component(made, place, wit_place)
    return made


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
