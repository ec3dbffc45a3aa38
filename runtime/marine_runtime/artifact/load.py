"""Loading a directory that `marine-gen build` wrote."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.artifact.engines import ENGINES, Engine
from marine_runtime.artifact.files import BuiltModule
from marine_runtime.artifact.manifest import Manifest, read_manifest
from marine_runtime.artifact.shared import known_manifest, open_build
from marine_runtime.calls.options import refuse_unknown, with_keywords
from marine_runtime.config.checks import check_place
from marine_runtime.errors import LoadError
from marine_runtime.lazy.typing import TYPE_CHECKING, Protocol, Unpack
from marine_runtime.linking.context import LinkableModule
from marine_runtime.service.options import LoadOptions, check_options, open_runtime_for, run_options
from marine_runtime.service.service import Service
from marine_runtime.wasm.tables import initial_table_elements

if TYPE_CHECKING:
    from pathlib import Path

    from marine_runtime.artifact.pack import CachedBuild
    from marine_runtime.host.python_module import PythonModule


class CompileWatch(Protocol):
    """Callback for the compiling of a module's Wasm, and for its end (`over`)."""

    def __call__(self, module: str, *, over: bool) -> None:
        """See the class."""


@with_keywords(LoadOptions)
def load(
    directory: str | Path,
    service_type: type[Service] = Service,
    *,
    engine: str | None = None,
    **options: Unpack[LoadOptions],
) -> Service:
    """Load a service that `marine-gen build` wrote. Nothing is compiled as long as the directory is fresh.

    A directory holds no code that counts fuel: with `fuel` it is compiled at every load.

    Args:
        directory: the output of `marine-gen build`.
        service_type: the class of the result; a generated package gives its own, with classes for modules and records.
        engine: `fused` or `closures`; the one that the directory was built for by default.
        options: `host_functions`, `config`, `timeout`, `fuel` and others; see `LoadOptions`.

    Raises:
        LoadError: the directory is incomplete, stale or not of this version; LinkError: an import has no provider.
        ConfigError: the settings do not fit the service, or the host.
    """
    refuse_unknown("load", options, LoadOptions)
    place = check_place(directory, "a built directory")
    return load_with(ENGINES, engine, place, known_manifest(place) or read_manifest(place), service_type, options)


def load_with(
    engines: Mapping[str, Engine],
    name: str | None,
    directory: str | Path,
    manifest: Manifest,
    service_type: type[Service],
    options: LoadOptions,
    *,
    checked: bool = False,
    lasting: bool = True,
    baseline: bool = False,
    pack: CachedBuild | None = None,
    watch: CompileWatch | None = None,
) -> Service:
    """Load a built directory with the engine called `name`, out of `engines`; raises as `load`.

    Args:
        engines: the engines to choose from, by name.
        name: the engine; None means the one that the directory was built for.
        directory: the built directory.
        manifest: the result of `read_manifest` for it.
        service_type: the class of the result.
        options: as for `load`.
        checked: the files have been compared with their digests.
        lasting: the directory is still there when the service runs.
        baseline: its machine code is that of the baseline compiler.
        pack: the pack of the directory, if it was read.
        watch: told which modules have to be compiled.
    """
    check_options(options)
    if options.get("strict", False):
        refuse_left_out([entry.plan for entry in manifest.modules])
    name = name or manifest.engine
    engine = engines.get(name)
    if engine is None or manifest.engine not in engine.builds:
        raise LoadError(f"`{directory}` was built for the engine `{manifest.engine}`, it can't run with `{name}`")
    runtime = open_runtime_for(options, baseline=baseline)
    given = run_options(options)
    config = given.get("config")
    build = open_build(directory, manifest, settled=checked, known=None if pack is None else pack.identities)
    given["config"] = config = build.config if config is None else config
    traced, limited = given.get("trace") is not None, config.total_memory_limit is not None
    key = engine, runtime, service_type, traced, limited
    modules = build.modules.get(key)
    if modules is None:
        made = []
        for entry in manifest.modules:
            name = entry.plan.name
            compiling = None if watch is None else partial(watch, name, over=False)
            records = service_type.record_classes(name)
            packed = None if pack is None else pack.get
            whole = BuiltModule(directory, entry, runtime, records, traced, checked, lasting, compiling, packed)
            made.append(_linkable(whole, engine, manifest, limited=limited))
            if watch is not None:
                watch(name, over=True)
        modules = build.modules[key] = made
    everything: list[LinkableModule | PythonModule] = [*modules]
    if options.get("python_modules") or options.get("order"):
        from marine_runtime.host.python_module import in_order

        everything = in_order(modules, options.get("python_modules", ()), options.get("order", ()))
    service = service_type(everything, runtime, name=manifest.name, **given)
    service.keep_alive(build)
    return service


def _linkable(built: BuiltModule, engine: Engine, manifest: Manifest, *, limited: bool) -> LinkableModule:
    """One module; the initial size of its tables is read only for a service that is `limited`."""
    unfused = built.entry.unfused if engine.name == manifest.engine else ()
    tables = initial_table_elements(built.wasm()) if limited else 0
    return LinkableModule(built.plan, built.code(), engine.load_glue(built), tables, unfused)


def refuse_left_out(plans: Sequence[ModulePlan]) -> None:
    """Refuse modules with invalid adapters, for `strict`.

    Raises:
        LoadError: an adapter was left out.
    """
    details = [item.details for plan in plans for item in plan.left_out]
    if details:
        raise LoadError.report("\n".join(dict.fromkeys(details)))
