"""The fused output of a whole service: glue for every module, and the Python that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marine_gen.artifact.compile import GENERATOR, CompiledModule
from marine_gen.ir.model import ModuleIR
from marine_gen.passes import fuse_service
from marine_gen.passes.pipeline import FusedModule
from marine_gen.python_backend import FusedSide, Generated, generate
from marine_gen.wasm_backend import FusedCode, generate_glue
from marine_runtime.adapters import MAX_MODULES, MAX_SITES


@dataclass(frozen=True, slots=True)
class FusedOutput:
    """The fused output of one module.

    Attributes:
        module: its adapters after all passes.
        code: the glue and stub modules.
        python: the generated Python module that belongs to them.
    """

    module: FusedModule
    code: FusedCode
    python: Generated


def fuse(compiled: Sequence[CompiledModule]) -> list[FusedOutput | None]:
    """Fuse a service, modules in load order; None for a module with nothing to fuse."""
    if len(compiled) > MAX_MODULES:
        return [None] * len(compiled)
    service = fuse_service([item.ir for item in compiled])
    known: dict[str, ModuleIR] = {}
    outputs: list[FusedOutput | None] = []
    for ordinal, item in enumerate(compiled):
        known[item.name] = item.ir
        outputs.append(_output(service.modules[item.name], item.ir, item.digest, dict(known), ordinal))
    return outputs


def fuse_last(compiled: Sequence[CompiledModule], ordinal: int) -> FusedOutput | None:
    """Fuse the last module of a service, whose others are there already, under a number of its own."""
    if ordinal >= MAX_MODULES:
        return None
    known = {item.name: item.ir for item in compiled}
    last = compiled[-1]
    return _output(fuse_service(list(known.values())).modules[last.name], last.ir, last.digest, known, ordinal)


def fuse_module(service: Sequence[tuple[ModuleIR, str]]) -> tuple[FusedOutput | None, dict[str, str]]:
    """Fuse the last module of a service, given as IR and digest of every module in load order.

    Returns:
        The output, None when there is nothing to fuse; and the reason of every adapter that is not fused, by side and
        function, as in `export greeting`.
    """
    known = {ir.name: ir for ir, _ in service}
    last, digest = service[-1]
    module = fuse_service(list(known.values())).modules[last.name]
    return _output(module, last, digest, known, len(service) - 1), dict(module.unfused)


def _output(
    module: FusedModule, ir: ModuleIR, digest: str, known: dict[str, ModuleIR], ordinal: int
) -> FusedOutput | None:
    if not module.exports and not module.imports:
        return None
    code = generate_glue(module, known, ordinal, generator=GENERATOR, digest=digest)
    if len(code.sites) > MAX_SITES:
        return None
    side = FusedSide(tuple(module.exports), code.imports, code.needs, code.sites)
    python = generate(ir, generator=GENERATOR, digest=digest, fused=side)
    return FusedOutput(module, code, python)
