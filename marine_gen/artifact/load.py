"""Loading any target with any engine. Sources are built first, into the user's cache."""

from __future__ import annotations

from pathlib import Path
from typing import Unpack

from marine_gen.artifact.cache import built
from marine_gen.artifact.engines import ENGINES, LOADERS
from marine_gen.artifact.target import Source, Target, read_built, read_target, with_python
from marine_runtime import LoadError, LoadOptions, Service
from marine_runtime.artifact import load_with, read_manifest, refuse_unknown, with_keywords


@with_keywords(LoadOptions)
def load(target: Target, *, engine: str = ENGINES[0], cache: bool = True, **options: Unpack[LoadOptions]) -> Service:
    """Load a service and run its initialisers.

    A mapping may list Python modules too; its order is the one in which modules are listed, unless `order` says
    otherwise. With `fuel`, the cache keeps code that counts it apart; what `marine-gen build` wrote is compiled at
    every load.

    Args:
        target: a `.wasm` file, a service `.toml`, a directory written by `marine-gen build`, or a mapping of module
            names to paths, bytes or Python modules, in load order.
        engine: `fused`, `closures` or `interpreter`.
        cache: keep compiled code in the user's cache directory.
        options: `host_functions`, `config`, `timeout`, `fuel` and others; see `marine_runtime.LoadOptions`.

    Raises:
        LoadError: a file, module or adapter can't be used (DiagnosticError with all findings, LinkError, …).
        ConfigError: the configuration is wrong.
        CallError: an initialiser of a guest failed.
    """
    refuse_unknown("load", options, LoadOptions)
    if engine not in ENGINES:
        raise LoadError(f"unknown engine `{engine}`: choose {', '.join(ENGINES)}")
    python, order = options.get("python_modules", ()), options.get("order", ())
    if isinstance(target, (str, Path)) and Path(target).is_dir():
        directory = Path(target)
        if read_manifest(directory).engine in LOADERS[engine].builds:
            return _load(directory, engine, with_python(Source("", {}), python, order), options)
        source = read_built(directory)  # what the engine needs has to be made first
    else:
        source = read_target(target)
    source = with_python(source, python, order)
    with built(source, cache=cache, metered=options.get("fuel") is not None) as directory:
        return _load(directory, engine, source, options)


def _load(directory: Path, engine: str, source: Source, options: LoadOptions) -> Service:
    """A service out of the build in `directory` and the Python modules of `source`."""
    options["python_modules"], options["order"] = list(source.python.values()), source.order
    return load_with(LOADERS, engine, directory, Service, options)
