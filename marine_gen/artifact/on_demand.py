"""Services whose functions are generated when they are first called, for first loads.

What instantiation needs is made at once: machine code of the guests, and the adapters of imports. Everything stays in
memory. Complete builds are made elsewhere, see `tiers`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from marine_gen.artifact.ahead import Ahead
from marine_gen.artifact.compile import CompiledModule
from marine_gen.artifact.engines import BACKENDS
from marine_gen.artifact.fuse import FusedOutput, fusion_of_part
from marine_gen.artifact.key import GENERATOR
from marine_gen.artifact.machine_code import compile_guest
from marine_gen.artifact.progress import Steps
from marine_gen.artifact.room import with_room
from marine_gen.interpreter import InterpreterGlue
from marine_gen.ir import AdapterIR, ModuleIR
from marine_gen.ir.model import Call, ImportedCallee
from marine_gen.passes import UnfusableError, fuse_adapter
from marine_gen.python_backend import DeclaredClasses, generate
from marine_runtime.adapters import MAX_MODULES, FusedModules, GeneratedGlue, Glue, GlueOnDemand, path_of_generated
from marine_runtime.artifact import CLOSURES, FUSED, LinkableModule, Turns, compiled_in_memory
from marine_runtime.wasm import WasmRuntime, initial_table_elements

FEW = 8
"""Functions of a module that are generated one by one; the next one brings all others, which share their helpers."""

_STEPS, _WIDTH, _DEPTH = 2000, 200, 50
"""Operations of an adapter, fields or parameters, and modules in a row up to which everything fits into glue."""

_numbers = count()


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The way in which modules are loaded.

    Attributes:
        engine: its name.
        traced: whether calls are recorded, which nobody can do inside Wasm.
        limited: whether the service has a memory limit.
    """

    engine: str
    runtime: WasmRuntime
    traced: bool
    limited: bool


def linkable(compiled: Sequence[CompiledModule], request: LoadRequest, steps: Steps) -> list[LinkableModule]:
    """The modules of a service, whose functions are generated when they are first called.

    Raises:
        DiagnosticError: a module is not valid Wasm, or uses what services don't have.
    """
    ahead = Ahead(request.runtime)
    charged = [module.charged() for module in compiled]
    for wasm in charged:
        ahead.begin(wasm)
    steps.begin("generating adapters")
    glues = [_glue(compiled, at, request, ahead) for at in range(len(compiled))]
    found = []
    for module, wasm, glue in zip(compiled, charged, glues, strict=True):
        steps.begin(f"compiling `{module.name}`")
        code = compile_guest(ahead, module, wasm)
        tables = initial_table_elements(module.wasm) if request.limited else 0
        found.append(LinkableModule(module.plan, code, glue(), tables))
        steps.finish(module.name)
    return found


def _glue(compiled: Sequence[CompiledModule], at: int, request: LoadRequest, ahead: Ahead) -> Callable[[], Glue]:
    """A function that gives the glue of a module, the Wasm of whose base begins to be compiled here."""
    module = compiled[at]
    if not BACKENDS[request.engine].built:
        return lambda: InterpreterGlue(module.ir)
    parts = _Parts(compiled, at, request)
    ir = replace(module.ir, exports={})
    base = parts.fused(ir, parts.classes) if ir.imports else None
    if base is not None and base.output.code.stub and request.traced:
        base, parts.fuses = None, False
    elif base is None:
        parts.fuses = parts.fuses and any(map(parts.can_fuse, module.ir.exports))
    else:
        for wasm in base.output.wasm.values():
            ahead.begin(wasm)

    def finish() -> Glue:
        if base is None:
            fused = None
            glue = parts.load(parts.closures(ir, parts.classes), None, {})
        else:
            wasm = {kind: ahead.compile(binary) for kind, binary in base.output.wasm.items()}
            fused = FusedModules(wasm["glue"], wasm.get("stub"), grows=True)
            glue = parts.load(base.output.python.source, fused, {})
        parts.base = glue
        fused = glue.fused or (FusedModules(None, grows=True) if parts.fuses else None)
        return GlueOnDemand(glue, fused, module.ir.exports, parts.find)

    return finish


@dataclass(frozen=True, slots=True)
class _Fused:
    """Fused glue of some adapters, and the number of the first of its sites."""

    output: FusedOutput
    first_site: int


def suits(compiled: Sequence[CompiledModule]) -> bool:
    """True if every adapter is of a usual size: a build tells which others can't be fused, and warns of them."""
    if len(compiled) > MAX_MODULES:
        return False
    known: dict[str, ModuleIR] = {}
    for module in compiled:
        known[module.name] = module.ir
        if any(len(record.fields) > _WIDTH for record in module.ir.records.values()):
            return False
        for adapter in module.ir.adapters:
            if len(adapter.params) + len(adapter.returns) > _WIDTH or _steps(known, adapter) > _STEPS:
                return False
    return True


def _steps(known: Mapping[str, ModuleIR], adapter: AdapterIR, depth: int = 0) -> int:
    """The operations of an adapter, with those of the adapters that it calls; more than `_STEPS` when they are many."""
    if depth > _DEPTH:
        return _STEPS + 1
    count = len(adapter.operations)
    for item in adapter.operations:
        if count > _STEPS:
            break
        if isinstance(item, Call) and isinstance(item.callee, ImportedCallee):
            callee = item.callee.callee
            provider = known.get(callee.namespace)
            if provider is not None and callee.name in provider.exports:
                count += _steps(known, provider.exports[callee.name], depth + 1)
    return count


class _Parts:
    """The parts of the glue of one module, for all of its instances.

    Attributes:
        fuses: whether its functions are fused where that is possible.
        classes: the record classes, which the base declares.
        base: the glue of its imports.
    """

    base: GeneratedGlue

    def __init__(self, compiled: Sequence[CompiledModule], at: int, request: LoadRequest) -> None:
        self._fusible = [module.fusible for module in compiled]
        self._module = compiled[at]
        self._at = at
        self._runtime = request.runtime
        self._turns = Turns()
        self._found: dict[tuple[str, bool], GeneratedGlue] = {}
        self._sites = 0
        self._starts: dict[int, tuple[object, int]] = {}  # first sites that are taken: by whom, and where theirs end
        self.fuses = BACKENDS[request.engine].fuses
        self.classes = DeclaredClasses.of(self._module.ir)

    def find(self, function: str, fused: bool) -> GeneratedGlue:
        """The glue of a function: fused if that is wanted and possible, or closures."""
        with self._turns.lock:
            if (function, fused) not in self._found:
                missing = [name for name in self._module.ir.exports if (name, fused) not in self._found]
                group = missing if len(self._found) >= FEW else [function]
                glue = with_room(lambda: self._generated(group, fused))
                self._found |= dict.fromkeys(((name, fused) for name in group), glue)
            return self._found[function, fused]

    def can_fuse(self, function: str) -> bool:
        """True if the passes take a function."""
        known = {item.ir.name: item.ir for item in self._fusible[: self._at + 1]}
        try:
            fuse_adapter(known, self._module.name, self._module.ir.exports[function])
        except (UnfusableError, RecursionError):
            return False
        return True

    def _generated(self, functions: Collection[str], fused: bool) -> GeneratedGlue:
        ir = self._module.ir
        part = replace(ir, exports={name: ir.exports[name] for name in functions}, imports={})
        names = {index: self.classes.names[index] for index in DeclaredClasses.of(part).names}
        classes = DeclaredClasses(names, declared=False)
        known = {name: self.base.record_classes[index] for index, name in names.items()}
        made = self.fused(part, classes) if fused else None
        if made is None:
            return self.load(self.closures(part, classes), None, known)
        wasm = self._runtime.compile(made.output.wasm["glue"])
        return self.load(made.output.python.source, FusedModules(wasm, first_site=made.first_site), known)

    def fused(self, part: ModuleIR, classes: DeclaredClasses) -> _Fused | None:
        """Fused glue of some adapters, whose sites follow those that there are; None when nothing of it is fused."""
        if not self.fuses:
            return None
        while True:
            first = self._sites
            output = fusion_of_part(self._fusible, self._at, part, classes, first).output
            if output is None:
                return None
            # The handler of a signal may have others made, and a thread goes on when the wait for it is interrupted.
            mine = object(), first + max(len(output.code.sites), 1)
            taken = self._starts.setdefault(first, mine)
            self._sites = max(self._sites, taken[1])
            if taken is mine:
                return _Fused(output, first)

    def closures(self, part: ModuleIR, classes: DeclaredClasses) -> str:
        """The Python of some adapters as closures."""
        digest = self._module.digest
        return generate(part, generator=GENERATOR, digest=digest, classes=classes, typed=False).source

    def load(self, source: str, fused: FusedModules | None, known: Mapping[str, Any]) -> GeneratedGlue:
        """The glue out of generated Python; `known` are the record classes that it does not declare."""
        engine, end = (FUSED, "_fused.py") if self.fuses else (CLOSURES, ".py")
        path = path_of_generated(self._module.name, next(_numbers), end)
        code = compiled_in_memory(source, path, apart=bool(self.classes.names) and not known)
        return GeneratedGlue.from_file(engine.name, path, source, self._module.plan, fused, None, code, known)
