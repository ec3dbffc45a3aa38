"""The fused output of a whole service: glue for every module, and the Python that goes with it.

What can't be generated stays a closure: an adapter that exceeds a limit of Wasm or of Python's stack takes neither the
others with it, nor the other engines.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from marine_gen.artifact.compile import GENERATOR, CompiledModule
from marine_gen.ir.model import ModuleIR
from marine_gen.passes import fuse_service
from marine_gen.passes.pipeline import FusedModule
from marine_gen.python_backend import FusedSide, Generated, generate
from marine_gen.wasm_backend import FusedCode, generate_glue
from marine_runtime import LoadError
from marine_runtime.adapters import MAX_MODULES, MAX_SITES
from marine_runtime.wasm import assemble, open_runtime


@dataclass(frozen=True, slots=True)
class FusedOutput:
    """The fused output of one module.

    Attributes:
        module: its adapters after all passes.
        code: the glue and stub modules.
        python: the generated Python module that belongs to them.
        wasm: `glue` and, where there is one, `stub` in binary form.
    """

    module: FusedModule
    code: FusedCode
    python: Generated
    wasm: Mapping[str, bytes]


@dataclass(frozen=True, slots=True)
class Fusion:
    """The outcome for one module.

    Attributes:
        output: None when nothing is fused.
        unfused: the reason of every adapter that is not fused, by side and function, as in `export greeting`.
        failed: those among them that would be fused if they were smaller.
    """

    output: FusedOutput | None
    unfused: Mapping[str, str] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @property
    def sentences(self) -> tuple[str, ...]:
        """`failed` in words."""
        return tuple(
            f"the {side} adapter of `{function}` runs as a closure, as it can't be fused: {reason}"
            for (side, _, function), reason in ((key.partition(" "), reason) for key, reason in self.failed.items())
        )


def fuse(compiled: Sequence[CompiledModule]) -> list[FusedOutput | None]:
    """Fuse a service, modules in load order; None for a module with nothing to fuse."""
    return [item.output for item in fusions([(item.ir, item.digest) for item in compiled])]


def fusions(service: Sequence[tuple[ModuleIR, str]]) -> list[Fusion]:
    """Fuse a service, given as IR and digest of every module in load order."""
    fused = fuse_service([ir for ir, _ in service])
    known: dict[str, ModuleIR] = {}
    found: list[Fusion] = []
    for ordinal, (ir, digest) in enumerate(service):
        known[ir.name] = ir
        found.append(_fusion(fused.modules[ir.name], digest, dict(known), ordinal, len(service)))
    return found


def fuse_last(compiled: Sequence[CompiledModule], ordinal: int) -> Fusion:
    """Fuse the last module of a service, whose others are there already, under a number of its own."""
    known = {item.name: item.ir for item in compiled}
    last = compiled[-1]
    return _fusion(fuse_service(list(known.values())).modules[last.name], last.digest, known, ordinal)


def fuse_module(service: Sequence[tuple[ModuleIR, str]]) -> tuple[FusedOutput | None, dict[str, str]]:
    """Fuse the last module of a service, given as IR and digest of every module in load order.

    Returns:
        The output, None when there is nothing to fuse; and the reason of every adapter that is not fused, by side and
        function, as in `export greeting`.
    """
    known = {ir.name: ir for ir, _ in service}
    last, digest = service[-1]
    module = fuse_service(list(known.values())).modules[last.name]
    found = _fusion(module, digest, known, len(service) - 1)
    return found.output, dict(found.unfused)


def _fusion(
    module: FusedModule, digest: str, known: dict[str, ModuleIR], ordinal: int, modules: int | None = None
) -> Fusion:
    """One module, without the adapters that can't be generated; `modules` is their number in the service."""
    failed = dict(module.exceeding)
    if (ordinal + 1 if modules is None else modules) > MAX_MODULES:
        return _nothing(module, failed, f"the service has more than {MAX_MODULES} modules")
    problem, output = _attempt(module, digest, known, ordinal)
    if problem:
        for part in _parts(module):
            reason, _ = _attempt(part, digest, known, ordinal)
            if reason:
                failed |= dict.fromkeys(_names(part), reason)
        module = _without(module, failed)
        problem, output = _attempt(module, digest, known, ordinal)
    if problem:
        return _nothing(module, failed, problem)
    return Fusion(output, {**module.unfused, **failed}, failed)


def _nothing(module: FusedModule, failed: dict[str, str], reason: str) -> Fusion:
    failed = failed | dict.fromkeys(_names(module), reason)
    return Fusion(None, {**module.unfused, **failed}, failed)


def _attempt(
    module: FusedModule, digest: str, known: dict[str, ModuleIR], ordinal: int
) -> tuple[str, FusedOutput | None]:
    """The code of a module that Wasm takes, or what stands against it."""
    if not module.exports and not module.imports:
        return "", None
    try:
        code = generate_glue(module, known, ordinal, generator=GENERATOR, digest=digest)
        if len(code.sites) > MAX_SITES:
            return f"the glue of the module has more than {MAX_SITES} sites", None
        wasm = {kind: assemble(text) for kind, text in (("glue", code.glue), ("stub", code.stub)) if text}
        for binary in wasm.values():
            open_runtime().validate(binary)
        side = FusedSide(tuple(module.exports), code.imports, code.hosts, code.needs, code.sites)
        python = generate(module.ir, generator=GENERATOR, digest=digest, fused=side)
    except RecursionError:
        return "its types or its code nest too deeply", None
    except LoadError as error:
        return str(error).partition("\n")[0], None
    return "", FusedOutput(module, code, python, wasm)


def _parts(module: FusedModule) -> list[FusedModule]:
    """The module with each of its fused adapters alone."""
    exports = [replace(module, exports={name: item}, imports={}) for name, item in module.exports.items()]
    return exports + [replace(module, exports={}, imports={key: item}) for key, item in module.imports.items()]


def _names(module: FusedModule) -> list[str]:
    return [f"export {name}" for name in module.exports] + [f"import {'.'.join(key)}" for key in module.imports]


def _without(module: FusedModule, failed: Mapping[str, str]) -> FusedModule:
    return replace(
        module,
        exports={name: item for name, item in module.exports.items() if f"export {name}" not in failed},
        imports={key: item for key, item in module.imports.items() if f"import {'.'.join(key)}" not in failed},
    )
