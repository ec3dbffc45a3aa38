"""The fused output of a whole service: glue for every module, and the Python that goes with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marine_gen.artifact.compile import GENERATOR, CompiledModule
from marine_gen.ir.model import ModuleIR
from marine_gen.passes import fuse_service
from marine_gen.passes.pipeline import FusedModule
from marine_gen.python_backend import FusedSide, generate, literal, type_expression
from marine_gen.wasm_backend import FusedCode, generate_glue
from marine_gen.wasm_backend.adapters import Row
from marine_runtime.adapters import MAX_MODULES, MAX_SITES
from marine_runtime.types import Array, Prim, Record


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
    python: str


def fuse(compiled: Sequence[CompiledModule]) -> list[FusedOutput | None]:
    """Fuse a service, modules in load order; None for a module with nothing to fuse."""
    if len(compiled) > MAX_MODULES:
        return [None] * len(compiled)
    service = fuse_service([item.ir for item in compiled])
    known: dict[str, ModuleIR] = {}
    outputs: list[FusedOutput | None] = []
    for ordinal, item in enumerate(compiled):
        known[item.name] = item.ir
        outputs.append(_output(service.modules[item.name], item, dict(known), ordinal))
    return outputs


def fuse_last(compiled: Sequence[CompiledModule], ordinal: int) -> FusedOutput | None:
    """Fuse the last module of a service, whose others are there already, under a number of its own."""
    if ordinal >= MAX_MODULES:
        return None
    known = {item.name: item.ir for item in compiled}
    last = compiled[-1]
    return _output(fuse_service(list(known.values())).modules[last.name], last, known, ordinal)


def _output(module: FusedModule, item: CompiledModule, known: dict[str, ModuleIR], ordinal: int) -> FusedOutput | None:
    if not module.exports and not module.imports:
        return None
    code = generate_glue(module, known, ordinal, generator=GENERATOR, digest=item.digest)
    if len(code.sites) > MAX_SITES:
        return None
    side = FusedSide(tuple(module.exports), code.imports, code.needs, tuple(_spell(row) for row in code.sites))
    python = generate(item.ir, generator=GENERATOR, digest=item.digest, fused=side)
    return FusedOutput(module, code, python.source)


def _spell(row: Row) -> str:
    """A row of the site table as a Python expression; `marine_runtime.adapters.staging.step_info` reads it."""
    trail, info = row
    frames = [
        f"({literal(frame.module)}, {literal(frame.function)}, {literal(frame.side.value)}, "
        f"{frame.index}, {literal(frame.text)})"
        for frame in trail
    ]
    parts = [f"({', '.join(frames)},)"]
    match info:
        case ("lift", str(module), Prim() | Array() | Record() as ty):
            parts += [literal("lift"), literal(module), type_expression(ty)]
        case ("range", Prim() as ty, unsigned):
            parts += [literal("range"), type_expression(ty), str(unsigned)]
    return f"({', '.join(parts)}{',' if len(parts) == 1 else ''})"
