"""Reading a directory that `marine-gen build` wrote.

The directory holds, per module, the Wasm file, its serialised machine code, the generated glue and the adapter text,
and one `manifest.json` with the plan and a hash of every file. Like any Python package it is code: load directories
that you trust. Serialised code is used only when its hash is the recorded one and wasmtime accepts it for this
version, configuration and processor; otherwise the module is compiled again from the Wasm file.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from marine_runtime.abi.plan import FORMAT, ModulePlan
from marine_runtime.adapters.contract import FusedModules
from marine_runtime.adapters.loader import GeneratedGlue
from marine_runtime.artifact.code_cache import compile_cached
from marine_runtime.calls.limits import check_stack
from marine_runtime.config.model import ServiceConfig
from marine_runtime.errors import ConfigError, LoadError
from marine_runtime.host.python_module import PythonModule, in_order
from marine_runtime.linking.linker import HostFunctions, LinkableModule
from marine_runtime.service.service import Service
from marine_runtime.tracing.recorder import Tracer
from marine_runtime.wasm import Module, WasmRuntime, open_runtime
from marine_runtime.wasm.tables import initial_table_elements

MANIFEST = "manifest.json"


class WrongFormatError(LoadError):
    """A manifest of another format than this version reads."""

    def __init__(self, found: object) -> None:
        super().__init__(f"it has format {found!r}, this version reads format {FORMAT}: build it again")
        self.found = found


_log = logging.getLogger("marine_runtime")


def other_format(directory: Path | str, found: object) -> str:
    """The message about a built directory of format `found`, with the command that mends it."""
    return (
        f"`{directory}` was built in format {found}, this version reads format {FORMAT}: build it again with "
        f"`marine-gen build SOURCE -o {directory}`, where SOURCE is the .toml or .wasm file of the service"
    )


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One file of a module: its name in the directory and its sha256."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class ModuleEntry:
    """One module in the manifest, with its files by kind.

    `wasm`, its machine `code`, adapter `text`; `charged`, which is compiled in the place of `wasm` when tables of the
    module grow; `python` and `types` for closures. A build for the fused engine also has `fused_python`, the glue as
    `glue_text`, `glue_wasm` and `glue_code`, and the stub likewise, where there is anything to fuse. A portable build
    has no machine code.
    """

    plan: ModulePlan
    files: Mapping[str, FileEntry]


@dataclass(frozen=True, slots=True)
class Manifest:
    """The content of `manifest.json`.

    Attributes:
        key: digest of everything that determines the directory's content; equal keys mean nothing to rebuild.
        options: settings of the service, the JSON form of its configuration.
        package: what makes the directory a typed Python package.
    """

    name: str
    generator: str
    engine: str
    wasmtime: str
    key: str
    modules: tuple[ModuleEntry, ...]
    options: Mapping[str, Any] = field(default_factory=dict)
    package: tuple[FileEntry, ...] = ()

    @property
    def config(self) -> ServiceConfig:
        """The settings of the service.

        Raises:
            LoadError: the options are not settings.
        """
        try:
            return ServiceConfig.from_json(self.options)
        except ConfigError as error:
            raise LoadError(f"the options in {MANIFEST} of service `{self.name}` can't be used: {error}") from None

    def all_files(self) -> Iterator[FileEntry]:
        """Every file that the build wrote, except the manifest."""
        yield from self.package
        for entry in self.modules:
            yield from entry.files.values()

    def text(self) -> str:
        """The content of the file, with a digest by which accidents are noticed when it is built again."""
        document = self.to_json()
        digest = hashlib.sha256(json.dumps(document).encode()).hexdigest()
        return json.dumps({**document, "sha256": digest}, indent=1, ensure_ascii=False) + "\n"

    def to_json(self) -> dict[str, Any]:
        """The manifest as a JSON document."""
        return {
            "format": FORMAT,
            "name": self.name,
            "generator": self.generator,
            "engine": self.engine,
            "wasmtime": self.wasmtime,
            "key": self.key,
            "options": dict(self.options),
            "package": [[item.name, item.sha256] for item in self.package],
            "modules": [
                {
                    "plan": entry.plan.to_json(),
                    "files": {kind: [item.name, item.sha256] for kind, item in entry.files.items()},
                }
                for entry in self.modules
            ],
        }

    @classmethod
    def from_json(cls, document: Any) -> Manifest:
        """The inverse of `to_json`.

        Raises:
            LoadError: the document is not a manifest of this format.
        """
        if not isinstance(document, dict) or "format" not in document:
            raise LoadError("it is not a manifest of a built service")
        if document["format"] != FORMAT:
            raise WrongFormatError(document["format"])
        try:
            return cls(
                name=_text(document["name"]),
                generator=_text(document["generator"]),
                engine=_text(document["engine"]),
                wasmtime=_text(document["wasmtime"]),
                key=_text(document["key"]),
                options=dict(document["options"]),
                package=tuple(_file(*item) for item in document.get("package", ())),
                modules=tuple(
                    ModuleEntry(
                        ModulePlan.from_json(entry["plan"]),
                        {kind: _file(*item) for kind, item in entry["files"].items()},
                    )
                    for entry in document["modules"]
                ),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise LoadError(f"its content is not as expected ({type(error).__name__}: {error})") from None


def _text(value: Any) -> str:
    """Text that can be written, so without the lone surrogates that JSON admits."""
    text = str(value)
    text.encode()
    return text


def _file(name: Any, sha256: Any) -> FileEntry:
    if not isinstance(name, str) or not isinstance(sha256, str):
        raise TypeError("a file entry is a name and a hash")
    _text(name)
    if name in ("", ".", "..") or "/" in name or "\\" in name or "\x00" in name:
        raise ValueError(f"not a plain file name: {name!r}")
    return FileEntry(name, sha256)


def read_manifest(directory: Path) -> Manifest:
    """The manifest of a built directory.

    Raises:
        LoadError: it is missing or malformed.
    """
    path = directory / MANIFEST
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise LoadError(f"`{directory}` has no {MANIFEST}: it was not written by `marine-gen build`") from None
    except (OSError, UnicodeDecodeError) as error:
        raise LoadError(f"`{path}` can't be read: {error}") from None
    try:
        return Manifest.from_json(json.loads(text))
    except (json.JSONDecodeError, RecursionError) as error:
        raise LoadError(f"`{path}` is not JSON: {error}") from None
    except WrongFormatError as error:
        raise LoadError(other_format(directory, error.found)) from None
    except LoadError as error:
        raise LoadError(f"`{path}` can't be used: {error}") from None


def load(
    directory: str | Path,
    service_type: type[Service] = Service,
    *,
    engine: str | None = None,
    host_functions: HostFunctions | None = None,
    call_layer: str = "fast",
    config: ServiceConfig | None = None,
    timeout: float | None = None,
    max_wasm_stack: int | None = None,
    fuel: int | None = None,
    collect_statistics: bool = False,
    trace: Tracer | None = None,
    python_modules: Sequence[PythonModule] = (),
    order: Sequence[str] = (),
) -> Service:
    """Load a service that `marine-gen build` wrote. Nothing is compiled as long as the directory is fresh.

    Args:
        directory: the output of `marine-gen build`.
        service_type: the class of the result; a generated package gives its own, with classes for modules and records.
        engine: `fused` or `closures`; the one that the directory was built for by default.
        host_functions: Python functions that modules import, by name or (namespace, name), or a `ServiceHost`.
        call_layer: call layer, `fast` or `public`.
        config: settings to use instead of those that the service was built with.
        timeout: seconds that each call may take, and loading as well; none by default.
        max_wasm_stack: bytes of stack that guests may use; 2 MiB where the thread has enough.
        fuel: units of fuel that each call may use, and loading as well; none by default. A directory holds no code
            that counts fuel, so it is compiled at every load.
        collect_statistics: whether to count calls and their time for every function.
        trace: records the calls, while it is started; modules that import from others then run as closures.
        python_modules: modules in Python that those of the directory import; they are not part of it.
        order: the names of all modules, in the order in which they are listed; Python modules come first by default.

    Raises:
        LoadError: the directory is incomplete, stale or not of this version; LinkError: an import has no provider.
        ConfigError: the settings do not fit the service, or the host.
    """
    path = Path(directory)
    manifest = read_manifest(path)
    engine = engine or manifest.engine
    if engine not in ("fused", "closures") or (engine, manifest.engine) == ("fused", "closures"):
        raise LoadError(f"`{path}` was built for the engine `{manifest.engine}`, it can't run with `{engine}`")
    chosen = open_runtime(call_layer, check_stack(max_wasm_stack), metered=fuel is not None)
    config = manifest.config if config is None else config
    parts = [
        LinkableModule(
            entry.plan,
            load_code(path, entry, chosen),
            _load_glue(
                path, entry, chosen, _engine_of(entry, engine, trace), service_type.record_classes(entry.plan.name)
            ),
            table_elements(path, entry, config),
        )
        for entry in manifest.modules
    ]
    return service_type(
        in_order(parts, python_modules, order),
        chosen,
        name=manifest.name,
        host_functions=host_functions,
        config=config,
        timeout=timeout,
        fuel=fuel,
        collect_statistics=collect_statistics,
        trace=trace,
    )


def _engine_of(entry: ModuleEntry, engine: str, trace: Tracer | None) -> str:
    """The engine of one module. Fused imports never leave Wasm, where nobody could record them."""
    return "closures" if trace is not None and "stub_wasm" in entry.files else engine


def table_elements(directory: Path, entry: ModuleEntry, config: ServiceConfig) -> int:
    """How many elements a module's tables start with, when a limit makes that worth reading its Wasm file."""
    return 0 if config.total_memory_limit is None else initial_table_elements(read_wasm(directory, entry))


def load_code(directory: Path, entry: ModuleEntry, runtime: WasmRuntime) -> Module:
    """The compiled module: from serialised code when that can be trusted, else compiled from the Wasm file.

    A portable build has no serialised code; that of the user's cache is used then.

    Raises:
        LoadError: the Wasm file is missing or not the one that was built.
    """
    found = _deserialise(directory, entry, "code", runtime)
    if found is not None:
        return found
    if "charged" in entry.files:
        wasm = _read(directory, entry.files["charged"], entry)
        assert wasm is not None
    else:
        wasm = read_wasm(directory, entry)
    return runtime.compile(wasm) if "code" in entry.files else compile_cached(runtime, wasm)


def _deserialise(directory: Path, entry: ModuleEntry, kind: str, runtime: WasmRuntime) -> Module | None:
    """A module from its serialised code; None when that can't be trusted."""
    code = entry.files.get(kind)
    if code is not None:
        data = _read(directory, code, entry, required=False)
        if data is not None:
            try:
                return runtime.deserialize(data)
            except LoadError as error:
                _log.info("module %s is compiled again: %s", entry.plan.name, error)
        else:
            _log.info("module %s is compiled again: its serialised code is missing or changed", entry.plan.name)
    return None


def read_wasm(directory: Path, entry: ModuleEntry) -> bytes:
    """The Wasm file that was built.

    Raises:
        LoadError: it is missing or was changed since.
    """
    data = _read(directory, _entry_file(entry, "wasm"), entry)
    assert data is not None
    return data


def _load_glue(
    directory: Path, entry: ModuleEntry, runtime: WasmRuntime, engine: str, records: Mapping[int, type] | None
) -> GeneratedGlue:
    fused: FusedModules | None = None
    if engine == "fused" and "fused_python" in entry.files:
        stub = _load_generated(directory, entry, "stub", runtime) if "stub_wasm" in entry.files else None
        fused = FusedModules(_load_generated(directory, entry, "glue", runtime), stub)
    item = _entry_file(entry, "fused_python" if fused else "python")
    source = _read(directory, item, entry)
    assert source is not None
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        raise LoadError(f"module `{entry.plan.name}`: `{directory / item.name}` is not Python: {error}") from None
    return GeneratedGlue.from_file(directory / item.name, text, entry.plan, fused, records)


def _load_generated(directory: Path, entry: ModuleEntry, what: str, runtime: WasmRuntime) -> Module:
    """The glue or stub module: from serialised code, else compiled from its Wasm file."""
    found = _deserialise(directory, entry, f"{what}_code", runtime)
    if found is not None:
        return found
    data = _read(directory, _entry_file(entry, f"{what}_wasm"), entry)
    assert data is not None
    return runtime.compile(data) if f"{what}_code" in entry.files else compile_cached(runtime, data)


def _entry_file(entry: ModuleEntry, kind: str) -> FileEntry:
    if kind not in entry.files:
        raise LoadError(f"the manifest names no {kind} file for module `{entry.plan.name}`: build again")
    return entry.files[kind]


def _read(directory: Path, item: FileEntry, entry: ModuleEntry, *, required: bool = True) -> bytes | None:
    """The file's bytes; None when it is missing or changed and not `required`."""
    path = directory / item.name
    try:
        data = path.read_bytes()
    except OSError as error:
        if required:
            raise LoadError(f"module `{entry.plan.name}`: `{path}` can't be read: {error.strerror}") from None
        return None
    if hashlib.sha256(data).hexdigest() != item.sha256:
        if required:
            raise LoadError(f"module `{entry.plan.name}`: `{path}` was changed after the build: build again")
        return None
    return data
