"""All passes over all adapters of a service."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from marine_gen.ir.model import AdapterIR, ModuleIR, Side
from marine_gen.passes.fuse import fuse
from marine_gen.passes.inline import inline
from marine_gen.passes.model import FusedAdapter, Modules, UnfusableError
from marine_gen.passes.sink import sink_release
from marine_gen.passes.verify import verify_fused


@dataclass(frozen=True, slots=True)
class FusedModule:
    """The fused adapters of one module, and why the others are not.

    Attributes:
        exports: by function name.
        imports: by (namespace, name).
        unfused: reason by the text `export NAME` or `import NS.NAME`.
        exceeding: those among them that are too large, or nest too deeply.
    """

    ir: ModuleIR
    exports: Mapping[str, FusedAdapter] = field(default_factory=dict)
    imports: Mapping[tuple[str, str], FusedAdapter] = field(default_factory=dict)
    unfused: Mapping[str, str] = field(default_factory=dict)
    exceeding: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ServiceIR:
    """A service after all passes, modules in load order."""

    modules: Mapping[str, FusedModule]


def fuse_adapter(modules: Modules, module: str, adapter: AdapterIR) -> FusedAdapter:
    """One adapter through all passes, verified.

    Raises:
        UnfusableError: it has to stay a closure.
    """
    fused = sink_release(fuse(inline(modules, module, adapter)))
    verify_fused(fused)
    return fused


def fuse_service(irs: Sequence[ModuleIR]) -> ServiceIR:
    """Every adapter of a service, fused where that is possible."""
    known: dict[str, ModuleIR] = {}
    modules: dict[str, FusedModule] = {}
    for ir in irs:
        known[ir.name] = ir
        modules[ir.name] = fuse_part(known, ir)
    return ServiceIR(modules)


def fuse_part(known: Modules, part: ModuleIR) -> FusedModule:
    """Some adapters, or all, of a module that is one of `known`, which has the modules before it too."""
    exports: dict[str, FusedAdapter] = {}
    imports: dict[tuple[str, str], FusedAdapter] = {}
    unfused: dict[str, str] = {}
    exceeding: dict[str, str] = {}
    for adapter in part.adapters:
        try:
            fused = fuse_adapter(known, part.name, adapter)
        except (UnfusableError, RecursionError) as error:
            key = f"{adapter.side.value} {adapter.function}"
            unfused[key] = str(error) if isinstance(error, UnfusableError) else "its types or its code nest too deeply"
            if not isinstance(error, UnfusableError) or error.exceeding:
                exceeding[key] = unfused[key]
        else:
            if adapter.side is Side.EXPORT:
                exports[adapter.function] = fused
            else:
                imports[adapter.key] = fused
    return FusedModule(part, exports, imports, unfused, exceeding)
