"""The fused output of a whole service: glue for every module, and the Python that goes with it.

What can't be generated stays a closure: an adapter that exceeds a limit of Wasm or of Python's stack takes neither the
others with it, nor the other engines.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from marine_gen.artifact.compile import CompiledModule, Fusible
from marine_gen.artifact.key import GENERATOR
from marine_gen.ir import ModuleIR
from marine_gen.passes import fuse_part, fuse_service
from marine_gen.passes.pipeline import FusedModule
from marine_gen.python_backend import DeclaredClasses, FusedSide, Generated, generate
from marine_gen.wasm_backend import Caller, FusedCode, GlueError, generate_glue, verify_glue
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


@dataclass(frozen=True, slots=True)
class _Place:
    """A module's place in a service.

    Attributes:
        known: it, behind the modules before it.
        ordinal: its number.
        caller: the caller of its export adapters.
        first_site: the number of the first row of its site table.
        classes: its record classes, where only some of its adapters are generated.
    """

    known: Sequence[Fusible]
    ordinal: int
    caller: Caller = Caller.PYTHON
    first_site: int = 0
    classes: DeclaredClasses | None = None


def fuse(compiled: Sequence[CompiledModule]) -> list[FusedOutput | None]:
    """Fuse a service, modules in load order; None for a module with nothing to fuse."""
    return [item.output for item in fusions([item.fusible for item in compiled])]


def fusions(service: Sequence[Fusible]) -> list[Fusion]:
    """Fuse a service, given as its modules in load order."""
    fused = fuse_service([module.ir for module in service])
    return [
        _fusion(fused.modules[module.ir.name], _Place(service[: ordinal + 1], ordinal), len(service))
        for ordinal, module in enumerate(service)
    ]


def component_fusions(service: Sequence[Fusible], exports: Collection[str], caller: Caller) -> list[Fusion]:
    """Fuse a service for a component, as `fusions` does; only `exports` of the last module are called from outside."""
    fused = fuse_service([module.ir for module in service])
    found: list[Fusion] = []
    for ordinal, item in enumerate(service):
        module = fused.modules[item.ir.name]
        wanted = exports if ordinal + 1 == len(service) else ()
        module = replace(module, exports={name: part for name, part in module.exports.items() if name in wanted})
        found.append(_fusion(module, _Place(service[: ordinal + 1], ordinal, caller), len(service)))
    return found


def fusion_of_part(
    service: Sequence[Fusible], ordinal: int, part: ModuleIR, classes: DeclaredClasses, first_site: int
) -> Fusion:
    """Fuse some adapters of module `ordinal` of a service, given as its modules in load order.

    Args:
        service: the modules.
        ordinal: the position of the module.
        part: it, with those adapters alone.
        classes: the record classes of the whole module.
        first_site: the number of the first row of the site table.
    """
    known = service[: ordinal + 1]
    module = fuse_part({item.ir.name: item.ir for item in known}, part)
    return _fusion(module, _Place(known, ordinal, first_site=first_site, classes=classes), len(service))


def fuse_last(compiled: Sequence[CompiledModule], ordinal: int) -> Fusion:
    """Fuse the last module of a service with the loaded ones, under a separate number."""
    known = {item.name: item.fusible for item in compiled}
    module = fuse_service([item.ir for item in known.values()]).modules[compiled[-1].name]
    return _fusion(module, _Place(list(known.values()), ordinal))


def fuse_module(service: Sequence[Fusible]) -> tuple[FusedOutput | None, dict[str, str]]:
    """Fuse the last module of a service, given as its modules in load order.

    Returns:
        The output, None when there is nothing to fuse; and the reason of every adapter that is not fused, by side and
        function, as in `export greeting`.
    """
    module = fuse_service([item.ir for item in service]).modules[service[-1].ir.name]
    found = _fusion(module, _Place(service, len(service) - 1))
    return found.output, dict(found.unfused)


def _fusion(module: FusedModule, place: _Place, modules: int | None = None) -> Fusion:
    """One module, without the adapters that can't be generated; `modules` is their number in the service."""
    failed = dict(module.exceeding)
    if (place.ordinal + 1 if modules is None else modules) > MAX_MODULES:
        return _nothing(module, failed, f"the service has more than {MAX_MODULES} modules")
    problem, output = _attempt(module, place)
    if problem:
        failed |= _failing(module, place)
        module = _without(module, failed)
        problem, output = _attempt(module, place)
    if problem:
        names = _names(module)
        count, output = _most(module, place)
        failed |= dict.fromkeys(names[count:], f"together with others, {problem}")
    return Fusion(output, {**module.unfused, **failed}, failed)


def _failing(module: FusedModule, place: _Place) -> dict[str, str]:
    """The adapters of a module that can't be generated as a whole which can't be generated alone, with the reason."""
    found: dict[str, str] = {}
    for part in _halves(module):
        reason, _ = _attempt(part, place)
        names = _names(part)
        if reason:
            found |= {names[0]: reason} if len(names) == 1 else _failing(part, place)
    return found


def _halves(module: FusedModule) -> list[FusedModule]:
    """The module with each half of its fused adapters; one that has a single adapter is all there is."""
    count = len(_names(module))
    if count < 2:
        return [module]
    first = _first(module, count // 2)
    return [first, _without(module, dict.fromkeys(_names(first), ""))]


def _most(module: FusedModule, place: _Place) -> tuple[int, FusedOutput | None]:
    """As many adapters as one glue module can have, exports first, when each of them would do alone."""
    fitting, output = 0, None
    beyond = len(_names(module))
    while beyond - fitting > 1:
        count = (fitting + beyond) // 2
        problem, made = _attempt(_first(module, count), place)
        if problem:
            beyond = count
        else:
            fitting, output = count, made
    return fitting, output


def _first(module: FusedModule, count: int) -> FusedModule:
    exports = dict(list(module.exports.items())[:count])
    return replace(module, exports=exports, imports=dict(list(module.imports.items())[: count - len(exports)]))


def _nothing(module: FusedModule, failed: dict[str, str], reason: str) -> Fusion:
    failed = failed | dict.fromkeys(_names(module), reason)
    return Fusion(None, {**module.unfused, **failed}, failed)


def _attempt(module: FusedModule, place: _Place) -> tuple[str, FusedOutput | None]:
    """The code of a module that Wasm takes, or what stands against it."""
    if not module.exports and not module.imports:
        return "", None
    digest = place.known[-1].digest
    modules = {item.ir.name: item.ir for item in place.known}
    lifted = {item.ir.name: item.lifted for item in place.known}
    try:
        code = generate_glue(
            module,
            modules,
            place.ordinal,
            lifted,
            generator=GENERATOR,
            digest=digest,
            caller=place.caller,
            first_site=place.first_site,
        )
        if place.first_site + len(code.sites) > MAX_SITES:
            return f"the glue of the module has more than {MAX_SITES} sites", None
        wasm = {kind: assemble(text) for kind, text in (("glue", code.glue), ("stub", code.stub)) if text}
        for binary in wasm.values():
            open_runtime().validate(binary)
        verify_glue(wasm["glue"], code.needs)
        if "stub" in wasm:
            verify_glue(wasm["stub"], code.stub_needs)
        side = FusedSide(tuple(module.exports), code.imports, code.hosts, code.needs, code.stub_needs, code.sites)
        python = generate(module.ir, generator=GENERATOR, digest=digest, fused=side, classes=place.classes, typed=False)
    except RecursionError:
        return "its types or its code nest too deeply", None
    except LoadError as error:
        return str(error).partition("\n")[0], None
    except GlueError as error:
        return f"the code of guests in its glue breaks a rule: {error}", None
    return "", FusedOutput(module, code, python, wasm)


def _names(module: FusedModule) -> list[str]:
    return [f"export {name}" for name in module.exports] + [f"import {'.'.join(key)}" for key in module.imports]


def _without(module: FusedModule, failed: Mapping[str, str]) -> FusedModule:
    return replace(
        module,
        exports={name: item for name, item in module.exports.items() if f"export {name}" not in failed},
        imports={key: item for key, item in module.imports.items() if f"import {'.'.join(key)}" not in failed},
    )
