"""Loading any target with any engine. Sources are built first, into the user's cache."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Unpack

from marine_gen.artifact.cache import Built, Flavour, built, found_build, place_of
from marine_gen.artifact.engines import BUILT_ENGINES, ENGINES, LOADERS, check_engine
from marine_gen.artifact.progress import ProgressCallback, Steps, reporting
from marine_gen.artifact.target import Source, Target, read_built, read_target, with_python
from marine_runtime import ArgumentError, LoadError, LoadOptions, Service
from marine_runtime.artifact import (
    check_options,
    check_path,
    known_manifest,
    load_with,
    read_manifest,
    read_pack,
    refuse_unknown,
    with_keywords,
)


@with_keywords(LoadOptions)
def load(
    target: Target,
    *,
    engine: str = ENGINES[0],
    cache: bool = True,
    progress: ProgressCallback | None = None,
    **options: Unpack[LoadOptions],
) -> Service:
    """Load a service and run its initialisers.

    A mapping may list Python modules too; its order is the one in which modules are listed, unless `order` says
    otherwise. Code that counts fuel is cached separately; a directory that `marine-gen build` wrote is compiled at
    every load with `fuel`.

    Args:
        target: a `.wasm` file, a service `.toml`, a directory written by `marine-gen build`, or a mapping of module
            names to paths, bytes or Python modules, in load order.
        engine: `fused`, `closures` or `interpreter`.
        cache: keep compiled code in the user's cache directory.
        progress: called with each `CompileStep`, in the thread that compiles: this one, or one of the compiler while
            this one waits. It is not called when nothing has to be compiled. What it raises ends the
            load, and the cache is as it was. Nothing is ever written to a terminal.
        options: `host_functions`, `config`, `timeout`, `fuel` and others; see `marine_runtime.LoadOptions`.

    Raises:
        LoadError: a file, module or adapter can't be used (DiagnosticError with all findings, LinkError, …).
        ConfigError: the configuration is wrong.
        CallError: an initialiser of a guest failed.
    """
    refuse_unknown("load", options, LoadOptions)
    check_options(options)
    if not isinstance(cache, bool):
        raise ArgumentError(f"`cache` must be True or False, not {cache!r:.80}")
    check_engine(engine)
    with reporting(progress) as steps:
        return _load_reporting(target, engine, options, steps, cache=cache)


def _load_reporting(target: Target, engine: str, options: LoadOptions, steps: Steps, *, cache: bool) -> Service:
    python, order = options.get("python_modules", ()), options.get("order", ())
    place = check_path(target, "the path of a service") if isinstance(target, (str, os.PathLike)) else None
    if place is not None and place.is_dir():
        directory = place
        manifest = known_manifest(directory) or read_manifest(directory)
        if manifest.engine in LOADERS[engine].builds:
            source = with_python(Source("", {}), python, order)
            return _load(Built(directory, manifest), engine, source, options, steps, checked=False)
        source = read_built(directory)  # what the engine needs has to be made first
    else:
        limited = options.get("config") is not None
        source = read_target(target, strict=options.get("strict", False), limited=limited)
    source = with_python(source, python, order)
    with suppress(_RemovedError):
        return _load_source(source, engine, options, steps, cache=cache)
    try:
        return _load_source(source, engine, options, steps, cache=cache)
    except _RemovedError as error:
        raise LoadError(str(error)) from None


class _RemovedError(Exception):
    """A build that another process removed from the cache while it was loaded."""


def _load_source(source: Source, engine: str, options: LoadOptions, steps: Steps, *, cache: bool) -> Service:
    strict = options.get("strict", False)
    flavour = _flavour(engine, options)
    at = place_of(source, flavour) if cache else None
    found = None if at is None else found_build(at, strict=strict)
    if found is not None:
        return _load(found, engine, source, options, steps, checked=True)
    from marine_gen.artifact.first_load import load_first  # a load out of the cache imports no compiler

    service = load_first(source, engine, flavour, options, steps, at)
    if service is not None:
        return service
    with built(source, flavour, steps, at, strict=strict) as whole:
        return _load(whole, engine, source, options, steps, checked=True)


def _flavour(engine: str, options: LoadOptions) -> Flavour:
    """The build that an engine runs. Calls that are traced run as closures, where the engine alone needs none."""
    kind = engine if engine in BUILT_ENGINES else BUILT_ENGINES[0]
    return Flavour(kind, metered=options.get("fuel") is not None, complete=options.get("trace") is not None)


def _load(build: Built, engine: str, source: Source, options: LoadOptions, steps: Steps, *, checked: bool) -> Service:
    """A service out of a build and the Python modules of `source`."""
    options.pop("python_modules", None)
    options.pop("order", None)
    if source.python or source.order:
        options["python_modules"], options["order"] = list(source.python.values()), source.order

    def watch(module: str, *, over: bool) -> None:
        if over:
            steps.finish(module)
        else:
            steps.start(_sizes(build))
            steps.begin(f"compiling `{module}`")

    place, manifest = build.directory, build.manifest
    kind = {"baseline": build.baseline, "lasting": build.lasting, "checked": checked}
    try:
        return load_with(LOADERS, engine, place, manifest, Service, options, watch=watch, pack=build.pack, **kind)
    except LoadError as error:
        if type(error) is LoadError and checked and build.lasting and read_pack(str(place)) is None:
            raise _RemovedError(str(error)) from None
        raise


def _sizes(build: Built) -> dict[str, int]:
    """Bytes of the Wasm of each module; 0 for a file that is missing, which loading reports."""

    def size(name: str) -> int:
        try:
            return os.stat(os.path.join(build.directory, name)).st_size
        except OSError:
            return 0

    return {entry.plan.name: size(entry.files["wasm"].name) for entry in build.manifest.modules}
