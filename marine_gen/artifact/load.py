"""Loading any target with any engine. Sources are built into the cache first, and loaded from there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from marine_gen.artifact.build import ENGINES as BUILT_ENGINES
from marine_gen.artifact.cache import BuiltSource
from marine_gen.artifact.compile import compile_module
from marine_gen.artifact.target import Source, Target, read_built, read_target, with_python
from marine_gen.interpreter import InterpreterGlue
from marine_runtime.artifact import manifest as artifact
from marine_runtime.calls.limits import check_stack
from marine_runtime.config.model import ServiceConfig
from marine_runtime.errors import LoadError
from marine_runtime.host.python_module import PythonModule, in_order
from marine_runtime.linking.linker import HostFunctions, LinkableModule
from marine_runtime.service.service import Service
from marine_runtime.tracing.recorder import Tracer
from marine_runtime.wasm import open_runtime

ENGINES = (*BUILT_ENGINES, "interpreter")
"""Engines that run adapters, the default one first."""


def load(
    target: Target,
    *,
    engine: str = ENGINES[0],
    host_functions: HostFunctions | None = None,
    call_layer: str = "fast",
    config: ServiceConfig | None = None,
    timeout: float | None = None,
    max_wasm_stack: int | None = None,
    fuel: int | None = None,
    collect_statistics: bool = False,
    python_modules: Sequence[PythonModule] = (),
    order: Sequence[str] = (),
    trace: Tracer | None = None,
    cache: bool = True,
) -> Service:
    """Load a service and run its initialisers.

    Args:
        target: a `.wasm` file, a service `.toml`, a directory written by `marine-gen build`, or a mapping of module
            names to paths, bytes or Python modules, in load order.
        engine: `fused`, `closures` or `interpreter`.
        host_functions: Python functions that modules import, by name or (namespace, name), or a `ServiceHost`.
        call_layer: call layer, `fast` or `public`.
        config: settings to use instead of those of the target.
        timeout: seconds that each call may take, and loading as well; none by default.
        max_wasm_stack: bytes of stack that guests may use; 2 MiB where the thread has enough.
        fuel: units of fuel that each call may use, and loading as well; none by default. The cache keeps code that
            counts fuel apart; what `marine-gen build` wrote is compiled at every load.
        collect_statistics: whether to count calls and their time for every function.
        python_modules: modules in Python that those of the target import, besides those that a mapping lists.
        order: the names of all modules, in the order in which they are listed; that of a mapping by default, else
            Python modules come first.
        trace: records the calls, while it is started; modules that import from others then run as closures.
        cache: keep compiled code in the user's cache directory.

    Raises:
        LoadError: a file, module or adapter can't be used (DiagnosticError with all findings, LinkError, …).
        ConfigError: the configuration is wrong.
        CallError: an initialiser of a guest failed.
    """
    if engine not in ENGINES:
        raise LoadError(f"unknown engine `{engine}`: choose {', '.join(ENGINES)}")
    options = {
        "host_functions": host_functions,
        "config": config,
        "timeout": timeout,
        "fuel": fuel,
        "collect_statistics": collect_statistics,
        "trace": trace,
    }
    if isinstance(target, (str, Path)) and Path(target).is_dir():
        directory = Path(target)
        if engine != "fused" or artifact.read_manifest(directory).engine == "fused":
            python = with_python(Source("", {}), python_modules, order)
            return _load_built(directory, engine, python, call_layer, max_wasm_stack, **options)
        source = read_built(directory)  # built for closures: the fused glue has to be made first
    else:
        source = read_target(target)
    source = with_python(source, python_modules, order)
    with BuiltSource(source, cache=cache, metered=fuel is not None) as directory:
        return _load_built(directory, engine, source, call_layer, max_wasm_stack, **options)


def _load_built(
    directory: Path, engine: str, source: Source, call_layer: str, stack: int | None, **options: Any
) -> Service:
    """A service from the build in `directory` and the Python modules of `source`."""
    python = list(source.python.values())
    if engine == "interpreter":
        return _interpret(directory, source, python, call_layer, stack, **options)
    return artifact.load(
        directory,
        engine=engine,
        call_layer=call_layer,
        max_wasm_stack=stack,
        python_modules=python,
        order=source.order,
        **options,
    )


def _interpret(
    directory: Path, source: Source, python: Sequence[PythonModule], call_layer: str, stack: int | None, **options: Any
) -> Service:
    """A built service, interpreted: adapters come from the Wasm files, machine code from the build."""
    manifest = artifact.read_manifest(directory)
    settings = options["config"] = options["config"] or manifest.config
    chosen = open_runtime(call_layer, check_stack(stack), metered=options["fuel"] is not None)
    parts = []
    for entry in manifest.modules:
        compiled = compile_module(entry.plan.name, artifact.read_wasm(directory, entry))
        code = artifact.load_code(directory, entry, chosen)
        tables = artifact.table_elements(directory, entry, settings)
        parts.append(LinkableModule(compiled.plan, code, InterpreterGlue(compiled.ir), tables))
    everything = in_order(parts, python, source.order)
    return Service(everything, chosen, name=manifest.name, **options)
