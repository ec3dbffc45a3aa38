"""One more module for a running service: compiled, fused with those that are there, linked behind them.

Nothing is kept: the machine code and the glue are made in memory. `Workbench` remembers the sources and the compiled
form of every module, which fusing and `explain` need; the runtime does the linking (`Service.load_module`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Unpack, cast

from marine_gen.artifact.compile import CompiledModule, compile_module
from marine_gen.artifact.engines import BACKENDS, ENGINES, check_engine
from marine_gen.artifact.load import load
from marine_gen.artifact.machine_code import compile_guest
from marine_gen.artifact.outputs import AddedGlue, Addition
from marine_gen.artifact.progress import ProgressCallback, Steps, check_progress, reporting
from marine_gen.artifact.room import with_room
from marine_gen.artifact.target import Source, read_built, read_target
from marine_gen.diagnostics import DiagnosticError
from marine_gen.links import check_links
from marine_runtime import ArgumentError, LoadError, LoadOptions, ModuleConfig, RunOptions, Service, ServiceConfig
from marine_runtime.artifact import (
    LinkableModule,
    check_boolean,
    check_name,
    check_options,
    check_path,
    refuse_unknown,
    with_keywords,
)
from marine_runtime.texts import listed
from marine_runtime.wasm import WasmRuntime, initial_table_elements, open_runtime


class Workbench:
    """A running service together with the sources of its modules.

    Attributes:
        service: the service, which the caller closes.
        sources: Wasm binaries by module name, in load order.
        stale: whether a module still calls one that was unloaded; what is loaded later is then not fused, because the
            glue could not tell the old module from a new one of its name.
    """

    def __init__(
        self,
        service: Service,
        sources: Mapping[str, bytes],
        engine: str,
        runtime: WasmRuntime,
        *,
        traced: bool = False,
        strict: bool = False,
        progress: ProgressCallback | None = None,
    ) -> None:
        """Take a service that was loaded from `sources` with `engine`, over `runtime`, with a tracer or not.

        A workbench that is `strict` refuses modules with invalid adapters, which are otherwise left out. Each load
        calls `progress`, as that of `load`.
        """
        self.service = service
        self.sources = dict(sources)
        self.stale = False
        self._engine = engine
        self._runtime = runtime
        self._traced, self._strict = traced, strict
        self._progress = progress
        self._compiled: dict[str, CompiledModule] = {}

    @property
    def compiled(self) -> list[CompiledModule]:
        """The loaded modules, in load order."""
        for name, wasm in self.sources.items():
            if name not in self._compiled:
                self._compiled[name] = compile_module(name, wasm, strict=False)
        return [self._compiled[name] for name in self.sources]

    def load(self, name: str, wasm: bytes, config: ModuleConfig | None = None, *, timeout: float | None = None) -> None:
        """Compile a module and link it behind the others, which keep their state.

        Raises:
            DiagnosticError: the module is wrong, or does not fit the others.
            LoadError, ConfigError, CallError, StateError: as `Service.load_module`.
        """
        if not isinstance(name, str) or not isinstance(wasm, bytes):
            given = f"{type(name).__name__} and {type(wasm).__name__}"
            raise ArgumentError(f"a module must be given as its name (str) and its Wasm binary (bytes), not {given}")
        check_name(name, "a module")
        with reporting(self._progress) as steps:
            self._load(name, wasm, config, steps, timeout)

    def _load(self, name: str, wasm: bytes, config: ModuleConfig | None, steps: Steps, timeout: float | None) -> None:
        steps.start({name: len(wasm)})
        steps.begin(f"compiling `{name}`")
        compiled = with_room(lambda: compile_module(name, wasm, strict=self._strict))
        everything = [*self.compiled, compiled]
        # What others import may be unloaded by now, which is nothing to complain about.
        findings = [item for item in check_links([other.plan for other in everything]) if item.source == name]
        if findings:
            raise DiagnosticError(findings)
        limit = self.service.config.total_memory_limit
        tables = 0 if limit is None else initial_table_elements(wasm)
        code = compile_guest(self._runtime, compiled)
        glue, unfused = self._glue(everything)
        steps.finish(name)
        module = LinkableModule(compiled.plan, code, glue, tables, unfused)
        self.service.load_module(module, config, timeout=timeout)
        self.sources[name] = wasm
        self._compiled[name] = compiled

    def unload(self, name: str) -> None:
        """Forget a module; see `Service.unload_module`, also for what it raises."""
        self.service.unload_module(name)
        del self.sources[name]
        self._compiled.pop(name, None)
        self.stale = self.stale or bool(self._importers(name))

    def importers(self, name: str) -> list[str]:
        """The modules that import functions from module `name`, which may have been unloaded.

        Raises:
            ArgumentError: there is no such module, and none imports from it.
        """
        found = self._importers(name)
        if not found and name not in self.sources:
            raise ArgumentError(f"there is no module `{name}`; available: {listed(self.sources)}")
        return found

    def _importers(self, name: str) -> list[str]:
        return [item.name for item in self.compiled if any(callee.namespace == name for callee in item.plan.callees)]

    @with_keywords(RunOptions)
    def reopened(
        self,
        engine: str,
        **options: Unpack[RunOptions],
    ) -> Workbench:
        """The same modules in a new service, with `engine` and the current settings; this one is unchanged.

        Raises:
            MarineError: as `load`; also when a module needs one that was unloaded.
        """
        refuse_unknown("Workbench.reopened", options, RunOptions)
        options.setdefault("config", self.service.config)
        return _opened(
            self.sources, self.sources, engine, self._runtime.name, options, self._progress, strict=self._strict
        )

    def _glue(self, everything: list[CompiledModule]) -> AddedGlue:
        """The glue of the last module, with sentences about what could not be fused."""
        ordinal = None if self.stale or self._traced else self.service.next_ordinal
        return BACKENDS[self._engine].output.glue(Addition(everything, ordinal, self._runtime))


@with_keywords(RunOptions)
def open_workbench(
    target: str | Path | None = None,
    *,
    engine: str = ENGINES[0],
    call_layer: str = "fast",
    service_id: str | None = None,
    working_dir: Path | None = None,
    strict: bool = False,
    progress: ProgressCallback | None = None,
    **options: Unpack[RunOptions],
) -> Workbench:
    """Load a service to which modules can be added.

    Args:
        target: a `.wasm` file, a service `.toml`, a directory that `build` wrote; None for a service without modules.
        engine: `fused`, `closures` or `interpreter`.
        call_layer: call layer, `fast` or `public`.
        service_id: value of the variable `service_id` of all modules; None for no such variable.
        working_dir: the base of relative `mapped_dirs`, instead of that of a configuration.
        strict: refuse modules with invalid adapters, also those that are loaded later, and what configurations warn of.
        progress: called for each step of compiling, as that of `load`; also for modules that are loaded later.
        options: `host_functions`, `timeout`, `trace` and others; see `marine_runtime.service.options.RunOptions`.

    Raises:
        MarineError: as `load`.
    """
    refuse_unknown("open_workbench", options, RunOptions)
    check_options(cast("LoadOptions", options))
    check_engine(engine)
    check_boolean(strict, "`strict`")
    check_progress(progress)
    if working_dir is not None and not check_path(working_dir, "`working_dir`").is_dir():
        raise LoadError(f"`working_dir` is `{working_dir}`, which is not a directory; create it first")
    source, place = Source("service", {}), None
    if target is not None:
        place = check_path(target, "the path of a service")
        source = read_built(place) if place.is_dir() else read_target(place, working_dir=working_dir, strict=strict)
    config = options.get("config") or ServiceConfig.from_json(source.options)
    options["config"] = config if service_id is None else replace(config, service_id=service_id)
    return _opened(place, source.modules, engine, call_layer, options, progress, strict=strict)


def _opened(
    target: Path | Mapping[str, bytes] | None,
    sources: Mapping[str, bytes],
    engine: str,
    call_layer: str,
    options: RunOptions,
    progress: ProgressCallback | None,
    *,
    strict: bool,
) -> Workbench:
    """`target`, whose modules come from `sources`, in a service of its own; nothing gives one without modules."""
    chosen = open_runtime(call_layer, metered=options.get("fuel") is not None)
    if target:
        service = load(target, engine=engine, call_layer=call_layer, strict=strict, progress=progress, **options)
    else:
        service = Service([], chosen, **options)
    traced = options.get("trace") is not None
    return Workbench(service, sources, engine, chosen, traced=traced, strict=strict, progress=progress)
