"""Loading any target with any engine.

Sources are built into the user's cache, under the build's key, and loaded from there, so a second `load` of the same
service compiles nothing. The cache is read only when it is the user's own; a damaged entry is built again.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import platformdirs

from marine_gen.artifact.build import ENGINES as BUILT_ENGINES
from marine_gen.artifact.build import build, build_key
from marine_gen.artifact.compile import compile_module
from marine_gen.artifact.target import Source, Target, read_built, read_target, with_python
from marine_gen.interpreter import InterpreterGlue
from marine_runtime.artifact import manifest as artifact
from marine_runtime.artifact.code_cache import CACHE_VARIABLE, FOLDER, own_directory
from marine_runtime.calls.limits import check_stack
from marine_runtime.config.model import ServiceConfig
from marine_runtime.errors import LoadError
from marine_runtime.host.python_module import PythonModule, in_order
from marine_runtime.host.resolve import HostFunctions
from marine_runtime.linking.context import LinkableModule
from marine_runtime.service.service import Service
from marine_runtime.tracing.recorder import Tracer
from marine_runtime.wasm import open_runtime

ENGINES = (*BUILT_ENGINES, "interpreter")
"""Engines that run adapters, the default one first."""

_LEFTOVER = re.compile(r"\.[0-9a-f]{64}-")
_CODE = re.compile(r"\.?[0-9a-f]{64}\.cwasm")


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
    with _BuiltSource(source, cache=cache, metered=fuel is not None) as directory:
        return _load_built(directory, engine, source, call_layer, max_wasm_stack, **options)


def _load_built(
    directory: Path, engine: str, source: Source, call_layer: str, stack: int | None, **options: Any
) -> Service:
    """A service out of the build in `directory` and the Python modules of `source`."""
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


class _BuiltSource:
    """A directory with the build of `source`: in the cache, or a temporary one that goes away after loading."""

    def __init__(self, source: Source, *, cache: bool, metered: bool) -> None:
        self._source = source
        self._metered = metered
        self._cache = cache_directory() if cache else None
        self._temporary: Path | None = None

    def __enter__(self) -> Path:
        if self._cache is not None:
            place = self._cache / build_key(self._source, BUILT_ENGINES[0], metered=self._metered)
            if place.is_dir() and not (place / artifact.MANIFEST).is_file():
                shutil.rmtree(place, ignore_errors=True)  # a build would not replace what it does not recognise
            try:
                return build(self._source, place, metered=self._metered).directory
            except LoadError as error:
                if type(error) is not LoadError:  # the service is wrong, not the cache
                    raise
        self._temporary = Path(tempfile.mkdtemp(prefix="marine-gen-"))
        return build(self._source, self._temporary / "service", metered=self._metered).directory

    def __exit__(self, *_: object) -> None:
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)


def cache_directory() -> Path | None:
    """The user's cache directory, made when missing; None when it is not the user's own or can't be made."""
    chosen = os.environ.get(CACHE_VARIABLE)
    path = Path(chosen) if chosen else platformdirs.user_cache_path("marine-gen", appauthor=False)
    return own_directory(path)


def cache_entries() -> Sequence[Path]:
    """The builds in the cache."""
    directory = cache_directory()
    if directory is None:
        return []
    return sorted(item for item in directory.iterdir() if (item / artifact.MANIFEST).is_file())


def cached_code() -> Sequence[Path]:
    """The files with machine code of portable builds, and what killed programs left of such files."""
    directory = cache_directory()
    return (
        [] if directory is None else sorted(file for file in (directory / FOLDER).glob("*") if _CODE.match(file.name))
    )


def clear_cache() -> int:
    """Remove every build from the cache; gives their number.

    Machine code of portable builds, and what killed builds left behind, goes too.
    """
    entries = cache_entries()
    directory = cache_directory()
    leftovers = [] if directory is None else [item for item in directory.iterdir() if _LEFTOVER.match(item.name)]
    for entry in (*entries, *leftovers):
        shutil.rmtree(entry, ignore_errors=True)
    for file in cached_code():
        file.unlink(missing_ok=True)
    if directory is not None:
        with contextlib.suppress(OSError):  # not there, or with something of somebody else's
            (directory / FOLDER).rmdir()
    return len(entries)
