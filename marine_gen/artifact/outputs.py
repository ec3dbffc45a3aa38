"""The compiler's part in each engine: the files of a build, and the glue of a module that is added to a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from marine_gen.artifact.compile import CompiledModule, compile_module
from marine_gen.artifact.fuse import FusedOutput, fuse_last, fusions
from marine_gen.artifact.room import with_room
from marine_gen.artifact.scratch import scratch_directory
from marine_gen.interpreter import InterpreterGlue
from marine_runtime import LoadError
from marine_runtime.adapters import FusedModules, GeneratedGlue, Glue
from marine_runtime.artifact import CLOSURES, FUSED, BuiltModule, Engine
from marine_runtime.texts import os_reason
from marine_runtime.wasm import WasmRuntime

Contents = Mapping[str, tuple[str, bytes]]
"""Files by their kind in the manifest: the end of the name behind that of the module, and the bytes."""


@dataclass(frozen=True, slots=True)
class EngineFiles:
    """The files of one module that an engine needs, apart from the Wasm file.

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
class EngineOutput:
    """The compiler's part in an engine.

    Attributes:
        glue: makes the glue of a module that is added, in memory; with sentences about adapters that could not be
            fused.
        files: the files that `build` writes for the modules of a service; without those that only other engines and
            people read when it need not be complete. None when there is nothing to write ahead of time.
    """

    glue: Callable[[Addition], AddedGlue]
    files: Callable[[Sequence[CompiledModule], bool], list[EngineFiles]] | None = None


def _closure_files(modules: Sequence[CompiledModule], complete: bool) -> list[EngineFiles]:
    return [EngineFiles(_closures(module, complete), {}) for module in modules]


def _closures(module: CompiledModule, complete: bool) -> dict[str, tuple[str, bytes]]:
    generated = module.generate(typed=complete)
    files = {"python": (".py", generated.source.encode())}
    if complete:
        files["types"] = (".pyi", generated.stub.encode())
    return files


def _fused_files(modules: Sequence[CompiledModule], complete: bool) -> list[EngineFiles]:
    """Those of closures where nothing can be fused, else those of glue; both when they have to be complete."""
    found = []
    for module, fusion in zip(modules, fusions([item.fusible for item in modules]), strict=True):
        closures = _closures(module, complete) if complete or fusion.output is None else {}
        glue = EngineFiles({}, {}) if fusion.output is None else _glue_files(fusion.output, complete)
        found.append(EngineFiles({**closures, **glue.files}, glue.wasm, fusion.sentences))
    return found


def _glue_files(fused: FusedOutput, complete: bool) -> EngineFiles:
    files = {"fused_python": ("_fused.py", fused.python.source.encode())}
    wasm: dict[str, tuple[str, bytes]] = {}
    for what, text in (("glue", fused.code.glue), ("stub", fused.code.stub)):
        if text:
            binary = fused.wasm[what]
            if complete:
                files[f"{what}_text"] = (f".{what}.wat", text.encode())
            files[f"{what}_wasm"] = (f".{what}.wasm", binary)
            wasm[f"{what}_code"] = (f".{what}.cwasm", binary)
    return EngineFiles(files, wasm)


def _added_closures(addition: Addition) -> AddedGlue:
    module = addition.modules[-1]
    return _generated(CLOSURES, module, module.generate(typed=False).source, None), ()


def _added_fused(addition: Addition) -> AddedGlue:
    if addition.ordinal is None or addition.runtime.baseline:  # which has no tail calls, as glue between modules has
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
    with scratch_directory() as directory:
        path = directory / f"{module.digest[:16]}.py"
        try:
            path.write_text(source, "utf-8")
        except OSError as error:
            raise LoadError(f"`{path}` can't be written: {os_reason(error)}") from None
        return GeneratedGlue.from_file(engine.name, str(path), source, module.plan, fused)


def interpreted(module: BuiltModule) -> Glue:
    """The glue of the interpreter: adapters out of the Wasm file of a built module."""
    compiled = with_room(lambda: compile_module(module.plan.name, module.wasm(), strict=False))
    return InterpreterGlue(compiled.ir)


def _added_interpreted(addition: Addition) -> AddedGlue:
    return InterpreterGlue(addition.modules[-1].ir), ()


OUTPUTS: Mapping[str, EngineOutput] = {
    FUSED.name: EngineOutput(_added_fused, _fused_files),
    CLOSURES.name: EngineOutput(_added_closures, _closure_files),
    InterpreterGlue.engine: EngineOutput(_added_interpreted),
}
"""The rows by the names of engines; `engines` has the other half of each."""
