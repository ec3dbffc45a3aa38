"""Components: from a service's sources to one WebAssembly component."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from marine_gen.artifact.builder import compile_service
from marine_gen.artifact.compile import CompiledModule
from marine_gen.artifact.fuse import Fusion, component_fusions
from marine_gen.artifact.key import GENERATOR
from marine_gen.artifact.progress import Steps
from marine_gen.artifact.provided_imports import ProvidedImports
from marine_gen.artifact.room import with_room
from marine_gen.artifact.target import Source, refuse_overwriting
from marine_gen.binary import SECTION
from marine_gen.component_backend import (
    Component,
    ComponentError,
    ComponentGlue,
    ComponentModule,
    ComponentOptions,
    exportable,
    make_component,
    site_texts,
)
from marine_gen.wasm import MANIFEST_SECTION, SDK_VERSION_SECTION, remove_custom_sections
from marine_gen.wasm.late_start import defer_start
from marine_gen.wasm.lifting import with_exports
from marine_gen.wasm.program_exit import with_program_exit
from marine_gen.wasm.signatures import read_signatures
from marine_runtime import ArgumentError, HostFunctions, LoadError, ServiceConfig
from marine_runtime.texts import os_reason, quoted
from marine_runtime.wasm import open_runtime


def component(
    source: Source,
    options: ComponentOptions,
    host_functions: HostFunctions | None = None,
    steps: Steps | None = None,
) -> Component:
    """Make the component of a service.

    Args:
        source: the service.
        options: the options of the component.
        host_functions: functions that modules import; their types are used, they are not called.
        steps: called for each step.

    Raises:
        DiagnosticError: the modules are wrong or do not fit together.
        ComponentError: the service can't be a component.
    """
    functions = {} if host_functions is None else host_functions
    told = Steps() if steps is None else steps
    return with_room(lambda: _component(source, options, functions, told))


def _component(source: Source, options: ComponentOptions, host_functions: HostFunctions, steps: Steps) -> Component:
    if source.python:
        names = ", ".join(map(quoted, source.python))
        raise ComponentError(f"a component has no Python modules, and this service has {names}: write them in Wasm")
    steps.start(source.sizes)
    compiled = compile_service(source, strict=options.strict, steps=steps)
    exports = exportable(compiled[-1].plan)
    steps.begin("generating adapters")
    fused = component_fusions([item.fusible for item in compiled], exports, options.caller)
    imports = ProvidedImports(ServiceConfig.from_json(source.options), options, host_functions)
    modules = [_module(item, fusion, imports, steps) for item, fusion in zip(compiled, fused, strict=True)]
    imports.refuse_unknown_stubs(modules)
    return make_component(source.name, modules, options, generator=GENERATOR)


def _module(compiled: CompiledModule, fusion: Fusion, imports: ProvidedImports, steps: Steps) -> ComponentModule:
    steps.begin(f"compiling `{compiled.name}`")
    started = remove_custom_sections(defer_start(compiled.binary), _of_marine)
    try:
        open_runtime().validate(started)  # check: component valid modules
    except LoadError as error:
        raise ComponentError(f"module {quoted(compiled.name)}: {error}") from None
    started = with_program_exit(started)
    signatures = read_signatures(started)
    wasm = with_exports(started, compiled.lifted)
    host = imports.of(compiled.plan, signatures)
    wasi = imports.wasi(compiled.name)
    steps.finish(compiled.name)
    return ComponentModule(compiled.plan, compiled.digest, wasm, signatures, _glue(fusion), fusion.unfused, host, wasi)


def _of_marine(section: str) -> bool:
    """True if a custom section is of no use once the adapters are compiled."""
    return section in (SECTION, SDK_VERSION_SECTION, MANIFEST_SECTION)


def _glue(fusion: Fusion) -> ComponentGlue | None:
    if fusion.output is None:
        return None
    code, wasm = fusion.output.code, fusion.output.wasm
    assert not code.hosts  # there are no modules in Python
    return ComponentGlue(
        wasm["glue"], wasm.get("stub", b""), code.imports, code.needs, tuple(code.entries), site_texts(code.sites)
    )


def check_outputs(output: Path | None, wit: Path | None, targets: Sequence[Path]) -> None:
    """Refuse output files that can't be written, or would overwrite each other or the modules of a component.

    Raises:
        ArgumentError: there is such a file.
    """
    given = [path for path in (output, wit) if path is not None]
    for path in given:
        if "\0" in str(path):
            raise ArgumentError(f"{str(path)!r} can't be written: a path must not contain a NUL character")
        refuse_overwriting(path, targets)
    if len(given) != len({os.path.realpath(path) for path in given}):
        raise ArgumentError(f"the component and its WIT can't both be {quoted(str(output))}: choose another file")


def write_component(made: Component, output: Path | None, wit: Path | None = None) -> None:
    """Write a component and its WIT, each where a path is given.

    Raises:
        LoadError: a file can't be written.
    """
    for path, data in ((output, made.wasm), (wit, made.wit.encode())):
        if path is None:
            continue
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        except (FileExistsError, NotADirectoryError):
            raise LoadError(
                f"`{path}` can't be written, as `{path.parent}` is not a directory: choose another"
            ) from None
        except OSError as error:
            raise LoadError(f"`{path}` can't be written: {os_reason(error)}") from None
