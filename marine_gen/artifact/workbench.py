"""One more module for a running service: compiled, fused with those that are there, linked behind them.

Nothing is kept: the machine code and the glue are made in memory. `Workbench` remembers the sources and the compiled
form of every module, which fusing and `explain` need; the runtime does the linking (`Service.load_module`).
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from marine_gen.artifact.compile import CompiledModule, compile_module
from marine_gen.artifact.fuse import FusedOutput, fuse_last
from marine_gen.artifact.load import ENGINES, load
from marine_gen.artifact.target import Source, read_built, read_target
from marine_gen.diagnostics import DiagnosticError
from marine_gen.interpreter import InterpreterGlue
from marine_gen.links import check_links
from marine_runtime.adapters.contract import FusedModules, Glue
from marine_runtime.adapters.loader import GeneratedGlue
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.linking.linker import HostFunctions, LinkableModule
from marine_runtime.service.service import Service
from marine_runtime.tracing.recorder import Tracer
from marine_runtime.wasm import WasmRuntime, assemble, open_runtime
from marine_runtime.wasm.tables import initial_table_elements


class Workbench:
    """A running service together with the sources of its modules.

    Attributes:
        service: the service; it belongs to whoever closes it.
        sources: Wasm binaries by module name, in load order.
        stale: whether a module still calls one that was unloaded; what is loaded later is then not fused, because the
            glue could not tell the old module from a new one of its name.
    """

    def __init__(
        self, service: Service, sources: Mapping[str, bytes], engine: str, runtime: WasmRuntime, *, traced: bool = False
    ) -> None:
        """Take a service that was loaded from `sources` with `engine`, over `runtime`, and whether with a tracer."""
        self.service = service
        self.sources = dict(sources)
        self.stale = False
        self._engine = engine
        self._runtime = runtime
        self._traced = traced
        self._compiled: dict[str, CompiledModule] = {}

    @property
    def compiled(self) -> list[CompiledModule]:
        """The modules that are there, in load order."""
        for name, wasm in self.sources.items():
            if name not in self._compiled:
                self._compiled[name] = compile_module(name, wasm)
        return [self._compiled[name] for name in self.sources]

    def load(self, name: str, wasm: bytes, config: ModuleConfig | None = None, *, timeout: float | None = None) -> None:
        """Compile a module and link it behind the others, which keep their state.

        Raises:
            DiagnosticError: the module is wrong, or does not fit the others.
            LoadError, ConfigError, CallError, StateError: as `Service.load_module`.
        """
        compiled = compile_module(name, wasm)
        everything = [*self.compiled, compiled]
        # What others import may be unloaded by now, which is nothing to complain about.
        findings = [item for item in check_links([other.plan for other in everything]) if item.source == name]
        if findings:
            raise DiagnosticError(findings)
        limit = self.service.config.total_memory_limit
        tables = 0 if limit is None else initial_table_elements(wasm)
        part = LinkableModule(compiled.plan, self._runtime.compile(compiled.charged()), self._glue(everything), tables)
        self.service.load_module(part, config, timeout=timeout)
        self.sources[name] = wasm
        self._compiled[name] = compiled

    def unload(self, name: str) -> None:
        """Forget a module; see `Service.unload_module`, also for what it raises."""
        self.service.unload_module(name)
        del self.sources[name]
        self._compiled.pop(name, None)
        self.stale = self.stale or bool(self.importers(name))

    def importers(self, name: str) -> list[str]:
        """The modules that import functions from module `name`."""
        return [item.name for item in self.compiled if any(callee.namespace == name for callee in item.plan.callees)]

    def reopened(
        self,
        engine: str,
        *,
        host_functions: HostFunctions | None = None,
        timeout: float | None = None,
        trace: Tracer | None = None,
    ) -> Workbench:
        """The same modules in a new service, with `engine` and the settings of now; this one is left alone.

        Raises:
            MarineError: as `load`; also when a module needs one that was unloaded.
        """
        return _opened(
            self.sources,
            self.sources,
            engine,
            self._runtime.name,
            config=self.service.config,
            host_functions=host_functions,
            timeout=timeout,
            trace=trace,
        )

    def _glue(self, everything: list[CompiledModule]) -> Glue:
        """The glue of the last module."""
        compiled = everything[-1]
        if self._engine == "interpreter":
            return InterpreterGlue(compiled.ir)
        fusable = self._engine == "fused" and not self.stale and not self._traced
        fused = fuse_last(everything, self.service.next_ordinal) if fusable else None
        source = fused.python.source if fused else compiled.generate().source
        with tempfile.TemporaryDirectory(prefix="marine-gen-") as directory:
            path = Path(directory, f"{compiled.digest[:16]}.py")
            path.write_text(source, "utf-8")
            return GeneratedGlue.from_file(path, source, compiled.plan, self._wasm(fused) if fused else None)

    def _wasm(self, fused: FusedOutput) -> FusedModules:
        glue = self._runtime.compile(assemble(fused.code.glue))
        return FusedModules(glue, self._runtime.compile(assemble(fused.code.stub)) if fused.code.stub else None)


def open_workbench(
    target: Path | None = None,
    *,
    engine: str = ENGINES[0],
    call_layer: str = "fast",
    host_functions: HostFunctions | None = None,
    service_id: str | None = None,
    working_dir: Path | None = None,
    timeout: float | None = None,
    trace: Tracer | None = None,
) -> Workbench:
    """Load a service to which modules can be added.

    Args:
        target: a `.wasm` file, a service `.toml`, a directory that `build` wrote; None for a service without modules.
        engine: `fused`, `closures` or `interpreter`.
        call_layer: call layer, `fast` or `public`.
        host_functions: Python functions that modules import.
        service_id: what modules are told about their service, if anything.
        working_dir: where relative `mapped_dirs` of a configuration start, instead of what it says.
        timeout: seconds that loading may take, and each call.
        trace: records the calls, while it is started.

    Raises:
        MarineError: as `load`.
    """
    source = Source("service", {})
    if target is not None:
        source = read_built(target) if target.is_dir() else read_target(target, working_dir=working_dir)
    config = ServiceConfig.from_json(source.options)
    if service_id is not None:
        config = replace(config, service_id=service_id)
    return _opened(
        target,
        source.modules,
        engine,
        call_layer,
        config=config,
        host_functions=host_functions,
        timeout=timeout,
        trace=trace,
    )


def _opened(
    target: Path | Mapping[str, bytes] | None,
    sources: Mapping[str, bytes],
    engine: str,
    call_layer: str,
    **options: Any,
) -> Workbench:
    """`target`, whose modules come from `sources`, in a service of its own; nothing gives one without modules."""
    chosen = open_runtime(call_layer)
    if target:
        service = load(target, engine=engine, call_layer=call_layer, **options)
    else:
        service = Service([], chosen, **options)
    return Workbench(service, sources, engine, chosen, traced=options["trace"] is not None)
