"""The engines: one row for each, with what the compiler does for it and how the runtime loads it.

Nothing else compares the names of engines. Those that a built directory can be loaded for without the compiler have
their loaders in `marine_runtime.artifact.engines`; those here may use the compiler to load.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from marine_gen.artifact.compile import CompiledModule, compile_module
from marine_gen.artifact.fuse import FusedOutput, fuse_last, fusions
from marine_gen.artifact.room import with_room
from marine_gen.interpreter import InterpreterGlue
from marine_runtime import LoadError
from marine_runtime.adapters import FusedModules, GeneratedGlue, Glue
from marine_runtime.artifact import CLOSURES, FUSED, BuiltModule, Engine
from marine_runtime.artifact import ENGINES as LOADABLE
from marine_runtime.wasm import WasmRuntime

Contents = Mapping[str, tuple[str, bytes]]
"""Files by their kind in the manifest: the end of the name behind that of the module, and the bytes."""


class AdapterForm(Enum):
    """The form in which an engine runs adapters; `explain` and `graph` show it."""

    INSTRUCTIONS = "instructions"
    PYTHON = "Python"
    WASM = "Wasm"


@dataclass(frozen=True, slots=True)
class EngineFiles:
    """The files of one module that an engine needs, beside the Wasm file.

    Attributes:
        files: files that are written as they are.
        wasm: Wasm whose machine code is written; a portable build has none.
        unfused: the adapters that the engine could not fuse, with the reason each.
    """

    files: Contents
    wasm: Contents
    unfused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Addition:
    """A module that is linked behind others in a running service.

    Attributes:
        modules: all modules, the new one last.
        ordinal: its number in the service; None when it must not be fused with the others.
        runtime: compiles what it needs.
    """

    modules: Sequence[CompiledModule]
    ordinal: int | None
    runtime: WasmRuntime


AddedGlue = tuple[Glue, tuple[str, ...]]
"""The glue of a module that is added, and sentences about adapters that could not be fused."""


@dataclass(frozen=True, slots=True)
class EngineBackend:
    """An engine with its part in the compiler.

    Attributes:
        engine: its name, and how it is loaded out of a build.
        form: the form in which it runs adapters.
        glue: makes the glue of a module that is added, in memory; with sentences about adapters that could not be
            fused.
        files: what `build` writes for the modules of a service; None when there is nothing to write ahead of time.
    """

    engine: Engine
    form: AdapterForm
    glue: Callable[[Addition], AddedGlue]
    files: Callable[[Sequence[CompiledModule]], list[EngineFiles]] | None = None

    @property
    def fuses(self) -> bool:
        """True if calls between modules stay in Wasm."""
        return self.form is AdapterForm.WASM


def _closure_files(modules: Sequence[CompiledModule]) -> list[EngineFiles]:
    found = []
    for module in modules:
        generated = module.generate()
        files = {"python": (".py", generated.source.encode()), "types": (".pyi", generated.stub.encode())}
        found.append(EngineFiles(files, {}))
    return found


def _fused_files(modules: Sequence[CompiledModule]) -> list[EngineFiles]:
    """Those of closures, which run where nothing can be fused, and more where something is."""
    found = fusions([item.fusible for item in modules])
    return [
        replace(closures if item.output is None else _with_glue(closures, item.output), unfused=item.sentences)
        for closures, item in zip(_closure_files(modules), found, strict=True)
    ]


def _with_glue(closures: EngineFiles, fused: FusedOutput) -> EngineFiles:
    files = {**closures.files, "fused_python": ("_fused.py", fused.python.source.encode())}
    wasm: dict[str, tuple[str, bytes]] = {}
    for what, text in (("glue", fused.code.glue), ("stub", fused.code.stub)):
        if text:
            binary = fused.wasm[what]
            files[f"{what}_text"] = (f".{what}.wat", text.encode())
            files[f"{what}_wasm"] = (f".{what}.wasm", binary)
            wasm[f"{what}_code"] = (f".{what}.cwasm", binary)
    return EngineFiles(files, wasm)


def _added_closures(addition: Addition) -> AddedGlue:
    module = addition.modules[-1]
    return _generated(CLOSURES, module, module.generate().source, None), ()


def _added_fused(addition: Addition) -> AddedGlue:
    if addition.ordinal is None:
        return _added_closures(addition)
    found = fuse_last(addition.modules, addition.ordinal)
    fused = found.output
    if fused is None:
        return _added_closures(addition)[0], found.sentences
    compile_wasm = addition.runtime.compile
    stub = compile_wasm(fused.wasm["stub"]) if fused.code.stub else None
    wasm = FusedModules(compile_wasm(fused.wasm["glue"]), stub)
    return _generated(FUSED, addition.modules[-1], fused.python.source, wasm), found.sentences


def _generated(engine: Engine, module: CompiledModule, source: str, fused: FusedModules | None) -> Glue:
    with tempfile.TemporaryDirectory(prefix="marine-gen-") as directory:
        path = Path(directory, f"{module.digest[:16]}.py")
        path.write_text(source, "utf-8")
        return GeneratedGlue.from_file(engine.name, path, source, module.plan, fused)


def _load_interpreted(module: BuiltModule) -> Glue:
    """Adapters out of the Wasm file; the build holds machine code only."""
    compiled = with_room(lambda: compile_module(module.plan.name, module.wasm(), strict=False))
    return InterpreterGlue(compiled.ir)


def _added_interpreted(addition: Addition) -> AddedGlue:
    return InterpreterGlue(addition.modules[-1].ir), ()


_INTERPRETER = Engine(InterpreterGlue.engine, tuple(LOADABLE), _load_interpreted)

BACKENDS: Mapping[str, EngineBackend] = {
    row.engine.name: row
    for row in (
        EngineBackend(FUSED, AdapterForm.WASM, _added_fused, _fused_files),
        EngineBackend(CLOSURES, AdapterForm.PYTHON, _added_closures, _closure_files),
        EngineBackend(_INTERPRETER, AdapterForm.INSTRUCTIONS, _added_interpreted),
    )
}
"""The engines by name, the default one first."""

ENGINES = tuple(BACKENDS)
"""The names of all engines, the default one first."""

BUILT_ENGINES = tuple(name for name, row in BACKENDS.items() if row.files is not None)
"""The names of those with something to build, the default one first."""

LOADERS: Mapping[str, Engine] = {name: row.engine for name, row in BACKENDS.items()}
"""The loader of each engine, out of a build."""


def check_engine(name: object) -> None:
    """Refuse what is not the name of an engine.

    Raises:
        LoadError: with the names that there are.
    """
    if name not in ENGINES:
        raise LoadError(f"unknown engine `{name}`: choose {', '.join(ENGINES)}")
