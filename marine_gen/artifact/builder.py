"""Building: from a service's sources to a directory that `marine_runtime.load` runs.

The content is a function of the sources, the versions and the options, whose digest is the build's key: an up-to-date
directory is left alone. A directory is written beside its place and moved there when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import keyword
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from marine_gen.artifact.ahead import Ahead
from marine_gen.artifact.compile import CompiledModule, compile_module
from marine_gen.artifact.engines import BACKENDS, BUILT_ENGINES
from marine_gen.artifact.key import GENERATOR, build_key
from marine_gen.artifact.machine_code import compile_guest, validate_guest
from marine_gen.artifact.outputs import EngineFiles
from marine_gen.artifact.progress import Steps
from marine_gen.artifact.room import with_room
from marine_gen.artifact.target import Source
from marine_gen.diagnostics import Diagnostic, DiagnosticError
from marine_gen.links import check_links
from marine_gen.package import RESERVED_FILES, generate_package
from marine_runtime import LoadError
from marine_runtime.artifact import (
    BYTECODE_END,
    BYTECODE_KINDS,
    MANIFEST,
    FileEntry,
    Manifest,
    ModuleEntry,
    compiled_python,
    is_intact,
    manifest_text,
    parse_manifest,
)
from marine_runtime.host import in_order
from marine_runtime.texts import identifiers, os_reason, quoted
from marine_runtime.wasm import open_runtime, wasmtime_version


@dataclass(frozen=True, slots=True)
class BuildResult:
    """The record of a build.

    Attributes:
        directory: the output directory.
        fresh: whether the directory was up to date already, so that nothing was written.
    """

    directory: Path
    manifest: Manifest
    fresh: bool

    @property
    def warnings(self) -> list[str]:
        """Warnings about adapters left out, adapters not fused, and a directory that can't be imported."""
        name = self.directory.resolve().name
        sentences = [] if is_importable(name) else [unimportable(name)]
        for entry in self.manifest.modules:
            sentences += [item.sentence(entry.plan.name) for item in entry.plan.left_out]
            sentences += [f"module `{entry.plan.name}`: {item}" for item in entry.unfused]
        return sentences


def is_importable(name: str) -> bool:
    """Return whether Python's `import` takes a directory of this name."""
    return name.isidentifier() and not keyword.iskeyword(name)


def unimportable(name: str) -> str:
    """The warning that a directory `name` can't be imported, with a name that can."""
    return (
        f"the directory {quoted(name)} can't be imported as a Python package, only loaded by its path; "
        f"a name such as {quoted(identifiers([name])[0])} can be imported"
    )


def compile_service(source: Source, *, strict: bool = True, steps: Steps | None = None) -> list[CompiledModule]:
    """Compile all modules and check how they fit together; `strict` is as for `compile_module`.

    `steps` is called for each module.

    Raises:
        DiagnosticError: with the findings of all modules.
    """
    compiled: list[CompiledModule] = []
    findings: list[Diagnostic] = []
    for name, wasm in source.modules.items():
        if steps is not None:
            steps.begin(f"reading `{name}`")
        try:
            compiled.append(compile_module(name, wasm, strict=strict))
        except DiagnosticError as error:
            findings += error.diagnostics
    if not findings:
        parts = in_order(compiled, list(source.python.values()), source.order)
        findings += check_links([part.plan for part in parts])
    if findings:
        raise DiagnosticError(findings)
    return compiled


def build(
    source: Source,
    output: Path,
    *,
    engine: str = BUILT_ENGINES[0],
    force: bool = False,
    native: bool = True,
    metered: bool = False,
    strict: bool = False,
    complete: bool = True,
    baseline: bool = False,
    steps: Steps | None = None,
) -> BuildResult:
    """Build a service into `output`.

    Args:
        source: the service to build.
        output: the directory to write; an older build there is replaced, anything else is refused.
        engine: the engine whose glue is written.
        force: write even when the directory is up to date.
        native: write machine code too; without it the build is portable, and compiled when it is first loaded.
        metered: make machine code that uses fuel, for services that are loaded with some.
        strict: refuse modules with invalid adapters, which are otherwise left out.
        complete: write what other engines, tools and importers read; without it only this engine can load the build.
        baseline: make machine code of the baseline compiler, which fails for modules that it does not support.
        steps: called for each step; not at all when the directory is up to date.

    Raises:
        DiagnosticError: the modules are wrong or do not fit together.
        LoadError: `output` can't be written, or is not a build.
    """
    make = partial(_build, source, output, engine, force=force, native=native, metered=metered, strict=strict)
    told = Steps() if steps is None else steps
    return with_room(lambda: make(complete=complete, baseline=baseline, steps=told))


def _build(
    source: Source,
    output: Path,
    engine: str,
    *,
    force: bool,
    native: bool,
    metered: bool,
    strict: bool,
    complete: bool,
    baseline: bool,
    steps: Steps,
) -> BuildResult:
    write = BACKENDS[engine].output.files if engine in BACKENDS else None
    if write is None:
        raise LoadError(f"there is nothing to build for the engine `{engine}`; choose {', '.join(BUILT_ENGINES)}")
    key = build_key(source, engine, native=native, metered=metered, complete=complete, baseline=baseline)
    if not force and (found := _up_to_date(output, key)) is not None:
        if strict and any(entry.plan.left_out for entry in found.modules):
            compile_service(source)
        return BuildResult(output, found, fresh=True)
    steps.start(source.sizes)
    compiled = compile_service(source, strict=strict, steps=steps)
    stems = identifiers([module.name for module in compiled], RESERVED_FILES)
    try:
        # Of two builds of the same thing, the one that is ready first stays: it may be in use already.
        with _replacing(output, lambda: not force and _up_to_date(output, key) is not None) as directory:
            compiler = Ahead(open_runtime(metered=metered, baseline=baseline)) if native else None
            charged = [module.charged() for module in compiled]
            if compiler is not None:
                for wasm in charged:
                    compiler.begin(wasm)
            steps.begin("generating adapters")
            items = zip(stems, compiled, charged, write(compiled, complete), strict=True)
            entries = [_write_module(directory, compiler, *item, complete=complete, steps=steps) for item in items]
            manifest = Manifest(
                source.name,
                GENERATOR,
                engine,
                wasmtime_version(),
                key,
                tuple(entries),
                source.options,
                _write_package(directory, source.name, compiled) if complete else (),
            )
            (directory / MANIFEST).write_text(manifest.text(), "utf-8")
    except OSError as error:
        raise LoadError(f"`{output}` can't be written: {os_reason(error)}") from None
    return BuildResult(output, manifest, fresh=False)


def _write_module(
    directory: Path,
    compiler: Ahead | None,
    stem: str,
    module: CompiledModule,
    charged: bytes,
    engine: EngineFiles,
    *,
    complete: bool,
    steps: Steps,
) -> ModuleEntry:
    steps.begin(f"compiling `{module.name}`")
    contents: dict[str, tuple[str, bytes]] = {"wasm": (".wasm", module.wasm), **engine.files}
    if complete:
        contents["text"] = (".it", module.text().encode())
    if charged is not module.wasm:
        contents["charged"] = (".charged.wasm", charged)
    shapes = {}
    if compiler is not None:
        for _, wasm in engine.wasm.values():
            compiler.begin(wasm)
        for kind in [kind for kind in BYTECODE_KINDS if kind in contents]:
            end, data = contents[kind]
            code = compiled_python(data.decode(), f"{stem}{end}")
            contents[BYTECODE_KINDS[kind]] = (end.removesuffix(".py") + BYTECODE_END, code)
        made = {"code": (".cwasm", compile_guest(compiler, module, charged))}
        made |= {kind: (end, compiler.compile(wasm)) for kind, (end, wasm) in engine.wasm.items()}
        for kind, (end, item) in made.items():
            contents[kind], shapes[kind] = (end, item.serialize()), item.shape
    else:
        validate_guest(open_runtime(), module.name, module.wasm)
    files = {kind: _write(directory, f"{stem}{end}", data) for kind, (end, data) in contents.items()}
    steps.finish(module.name)
    return ModuleEntry(module.plan, files, shapes, engine.unfused)


def _write_package(directory: Path, name: str, compiled: Sequence[CompiledModule]) -> tuple[FileEntry, ...]:
    """The files that make the directory a typed Python package."""
    package = generate_package(name, [module.plan for module in compiled], generator=GENERATOR)
    contents = {"__init__.py": package.init, "pool.py": package.pool, "client.py": package.client, "py.typed": ""}
    return tuple(_write(directory, file, text.encode()) for file, text in contents.items())


def _write(directory: Path, name: str, data: bytes) -> FileEntry:
    (directory / name).write_bytes(data)
    return FileEntry(name, hashlib.sha256(data).hexdigest())


def _up_to_date(output: Path, key: str) -> Manifest | None:
    """The manifest of a complete, undamaged build of `key` in `output`, if there is one."""
    try:
        text = manifest_text(output)
        if key not in text or not is_intact(text):
            return None
        manifest = parse_manifest(output, text)
        if manifest.key != key:
            return None
        for item in manifest.all_files():
            if hashlib.sha256((output / item.name).read_bytes()).hexdigest() != item.sha256:
                return None
    except (LoadError, OSError):
        return None
    return manifest


@contextlib.contextmanager
def _replacing(output: Path, ready: Callable[[], bool]) -> Iterator[Path]:
    """A new directory that takes the place of `output` when the block succeeds, unless that is `ready` by then."""
    for place in (output, *output.parents):
        if place.exists() and not place.is_dir():
            raise LoadError(f"`{output}` can't be written, as `{place}` is a file: choose another directory")
    if output.exists() and not _replaceable(output):
        raise LoadError(f"`{output}` is not empty and was not written by `marine-gen build`: choose another directory")
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        fresh.chmod(0o755)
        yield fresh
        if ready():
            pass
        elif output.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
            os.replace(output, old / "old")
            os.replace(fresh, output)
            shutil.rmtree(old)
        else:
            os.replace(fresh, output)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)


def _replaceable(output: Path) -> bool:
    if not output.is_dir():
        return False
    names = _names(output)
    return not names or MANIFEST in names


def _names(directory: Path) -> Sequence[str]:
    return [item.name for item in directory.iterdir()]
