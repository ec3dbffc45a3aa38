"""Building: from a service's sources to a directory that `marine_runtime.load` runs.

The content is a function of the sources, the versions and the options, whose digest is the build's key: an up-to-date
directory is left alone. A directory is written beside its place and moved there when it is complete.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path

import marine_runtime
from marine_gen.artifact.compile import GENERATOR, CompiledModule, compile_module
from marine_gen.artifact.fused import FusedOutput, fuse
from marine_gen.artifact.target import Source
from marine_gen.check import check_links
from marine_gen.diagnostics import Diagnostic, DiagnosticError
from marine_gen.wasm.table_growth import charge_table_growth
from marine_runtime.artifact import FORMAT, MANIFEST, FileEntry, Manifest, ModuleEntry, read_manifest
from marine_runtime.backend import assemble, open_backend
from marine_runtime.errors import LoadError
from marine_runtime.names import identifiers
from marine_runtime.python_module import in_order

ENGINES = ("fused", "closures")
"""Engines that have ahead-of-time output, the default one first; `fused` output holds that of `closures` too."""


_SOURCES = (".py", ".j2")


@dataclass(frozen=True, slots=True)
class BuildResult:
    """What a build did.

    Attributes:
        directory: where the output is.
        fresh: whether the directory was up to date already, so that nothing was written.
    """

    directory: Path
    manifest: Manifest
    fresh: bool


def compile_service(source: Source) -> list[CompiledModule]:
    """Compile all modules and check how they fit together.

    Raises:
        DiagnosticError: with the findings of all modules.
    """
    compiled: list[CompiledModule] = []
    findings: list[Diagnostic] = []
    for name, wasm in source.modules.items():
        try:
            compiled.append(compile_module(name, wasm))
        except DiagnosticError as error:
            findings += error.diagnostics
    if not findings:
        parts = in_order(compiled, list(source.python.values()), source.order)
        findings += check_links([part.plan for part in parts])
    if findings:
        raise DiagnosticError(findings)
    return compiled


def build_key(source: Source, engine: str, *, metered: bool = False) -> str:
    """A digest of everything that determines the output; `metered` is as for `build`."""
    parts = [
        str(FORMAT),
        GENERATOR,
        _edition(),
        engine,
        f"wasmtime {version('wasmtime')}, epochs, no images, charged tables{', fuel' if metered else ''}",
        f"{platform.python_implementation()} {platform.python_version()}",
        f"{platform.system()} {platform.machine()}",
        source.name,
        json.dumps(dict(source.options), sort_keys=True),
        *(f"{name} {hashlib.sha256(wasm).hexdigest()}" for name, wasm in source.modules.items()),
        *(f"Python {json.dumps(module.plan.to_json())}" for module in source.python.values()),
        *source.order,
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@cache
def _edition() -> str:
    """Tells apart compilers of one version: in a checkout, its sources change without the version."""
    packages = [Path(__file__).parents[1], Path(marine_runtime.__file__).parent]
    if not (packages[0].parent / "pyproject.toml").is_file():
        return "installed"
    times = [item.stat().st_mtime_ns for root in packages for item in root.rglob("*") if item.suffix in _SOURCES]
    return f"{len(times)} {max(times)}"


def build(
    source: Source, output: Path, *, engine: str = ENGINES[0], force: bool = False, metered: bool = False
) -> BuildResult:
    """Build a service into `output`.

    Args:
        source: what to build.
        output: the directory to write; an older build there is replaced, anything else is refused.
        engine: which engine's glue to write.
        force: write even when the directory is up to date.
        metered: make machine code that uses fuel, for services that are loaded with some.

    Raises:
        DiagnosticError: the modules are wrong or do not fit together.
        LoadError: `output` can't be written, or is not a build.
    """
    if engine not in ENGINES:
        raise LoadError(f"there is nothing to build for the engine `{engine}`; choose {', '.join(ENGINES)}")
    key = build_key(source, engine, metered=metered)
    if not force and (found := _up_to_date(output, key)) is not None:
        return BuildResult(output, found, fresh=True)
    compiled = compile_service(source)
    stems = identifiers([module.name for module in compiled], {"manifest"})
    try:
        with _replacing(output) as directory:
            fused = fuse(compiled) if engine == "fused" else [None] * len(compiled)
            entries = [_write_module(directory, *item, metered) for item in zip(stems, compiled, fused, strict=True)]
            manifest = Manifest(
                source.name, GENERATOR, engine, version("wasmtime"), key, tuple(entries), source.options
            )
            (directory / MANIFEST).write_text(
                json.dumps(manifest.to_json(), indent=1, ensure_ascii=False) + "\n", "utf-8"
            )
    except OSError as error:
        raise LoadError(f"`{output}` can't be written: {error.strerror or error}") from None
    return BuildResult(output, manifest, fresh=False)


def _write_module(
    directory: Path, stem: str, module: CompiledModule, fused: FusedOutput | None, metered: bool
) -> ModuleEntry:
    generated = module.generate()
    try:
        charged = charge_table_growth(module.wasm)
    except DiagnosticError as error:
        raise error.with_source(module.name) from None
    contents = {
        "wasm": (f"{stem}.wasm", module.wasm),
        "code": (f"{stem}.cwasm", _machine_code(charged, metered)),
        "text": (f"{stem}.it", module.text().encode()),
        "python": (f"{stem}.py", generated.source.encode()),
        "types": (f"{stem}.pyi", generated.stub.encode()),
    }
    if charged is not module.wasm:
        contents["charged"] = (f"{stem}.charged.wasm", charged)
    if fused is not None:
        contents["fused_python"] = (f"{stem}_fused.py", fused.python.encode())
        for what, text in (("glue", fused.code.glue), ("stub", fused.code.stub)):
            if text:
                wasm = assemble(text)
                contents[f"{what}_text"] = (f"{stem}.{what}.wat", text.encode())
                contents[f"{what}_wasm"] = (f"{stem}.{what}.wasm", wasm)
                contents[f"{what}_code"] = (f"{stem}.{what}.cwasm", _machine_code(wasm, metered))
    files = {}
    for kind, (name, data) in contents.items():
        (directory / name).write_bytes(data)
        files[kind] = FileEntry(name, hashlib.sha256(data).hexdigest())
    return ModuleEntry(module.plan, files)


def _machine_code(wasm: bytes, metered: bool) -> bytes:
    return open_backend(metered=metered).compile(wasm).serialize()


def _up_to_date(output: Path, key: str) -> Manifest | None:
    """The manifest of a complete build of `key` in `output`, if there is one."""
    try:
        manifest = read_manifest(output)
    except LoadError:
        return None
    if manifest.key != key:
        return None
    for entry in manifest.modules:
        for item in entry.files.values():
            try:
                data = (output / item.name).read_bytes()
            except OSError:
                return None
            if hashlib.sha256(data).hexdigest() != item.sha256:
                return None
    return manifest


@contextlib.contextmanager
def _replacing(output: Path) -> Iterator[Path]:
    """A new directory that takes the place of `output` when the block succeeds."""
    if output.exists() and not _replaceable(output):
        raise LoadError(f"`{output}` is not empty and was not written by `marine-gen build`: choose another directory")
    output.parent.mkdir(parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=f".{output.name}-", dir=output.parent))
    try:
        fresh.chmod(0o755)
        yield fresh
        if output.exists():
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
