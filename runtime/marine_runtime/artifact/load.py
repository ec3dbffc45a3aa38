"""Loading a directory that `marine-gen build` wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Unpack

from marine_runtime.artifact.engines import ENGINES, Engine
from marine_runtime.artifact.files import BuiltModule
from marine_runtime.artifact.manifest import read_manifest
from marine_runtime.calls.options import refuse_unknown, with_keywords
from marine_runtime.errors import LoadError
from marine_runtime.host.python_module import in_order
from marine_runtime.linking.context import LinkableModule
from marine_runtime.service.options import LoadOptions, open_runtime_for, run_options
from marine_runtime.service.service import Service


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
    return load_with(ENGINES, engine, Path(directory), service_type, options)


def load_with(
    engines: Mapping[str, Engine], name: str | None, directory: Path, service_type: type[Service], options: LoadOptions
) -> Service:
    """Load a built directory with the engine called `name`, out of `engines`; raises as `load`."""
    manifest = read_manifest(directory)
    name = name or manifest.engine
    engine = engines.get(name)
    if engine is None or manifest.engine not in engine.builds:
        raise LoadError(f"`{directory}` was built for the engine `{manifest.engine}`, it can't run with `{name}`")
    runtime = open_runtime_for(options)
    given = run_options(options)
    config = given.get("config")
    given["config"] = config = manifest.config if config is None else config
    traced = given.get("trace") is not None
    modules = []
    for entry in manifest.modules:
        built = BuiltModule(directory, entry, runtime, service_type.record_classes(entry.plan.name), traced)
        modules.append(LinkableModule(built.plan, built.code(), engine.load_glue(built), built.table_elements(config)))
    everything = in_order(modules, options.get("python_modules", ()), options.get("order", ()))
    return service_type(everything, runtime, name=manifest.name, **given)
