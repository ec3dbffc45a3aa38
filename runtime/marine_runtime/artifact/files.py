"""The files of one module in a built directory, checked against the manifest.

Like any Python package a built directory is code: load directories that you trust. Serialised machine code is used only
when its hash is the recorded one and Wasmtime accepts it for this version, configuration and processor; otherwise the
module is compiled again from the Wasm file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.contract import FusedModules
from marine_runtime.adapters.loader import GeneratedGlue
from marine_runtime.artifact.bytecode import BYTECODE_KINDS, read_compiled
from marine_runtime.artifact.manifest import FileEntry, ModuleEntry
from marine_runtime.errors import LoadError
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.digest import sha256
from marine_runtime.texts.messages import os_reason
from marine_runtime.wasm import CodeMemoryError, Module, WasmRuntime

if TYPE_CHECKING:
    from pathlib import Path


def read_wasm(directory: str | Path, entry: ModuleEntry) -> bytes:
    """The Wasm file that was built.

    Raises:
        LoadError: it is missing or was changed since.
    """
    return _Files(directory, entry).required("wasm")


@dataclass(frozen=True, slots=True)
class BuiltModule:
    """One module of a build, and what it is loaded for. Files are read when they are asked for.

    Attributes:
        directory: the built directory.
        entry: the module in its manifest.
        runtime: compiles and runs its Wasm.
        records: the record classes that a package declares for it, by type index; None for those of its glue.
        traced: whether its calls are recorded, which nobody can do inside Wasm.
        checked: whether the files have been compared with their digests.
    """

    directory: str | Path
    entry: ModuleEntry
    runtime: WasmRuntime
    records: Mapping[int, type] | None = None
    traced: bool = False
    checked: bool = False

    @property
    def plan(self) -> ModulePlan:
        """The plan of the module."""
        return self.entry.plan

    def has(self, kind: str) -> bool:
        """True if the build has a file of this kind."""
        return kind in self.entry.files

    def wasm(self) -> bytes:
        """The Wasm file; raises as `read_wasm`."""
        return self._files().required("wasm")

    def code(self) -> Module:
        """The compiled module: from serialised code when that can be trusted, else compiled from the Wasm file.

        A portable build has no serialised code; that of the user's cache is used then.

        Raises:
            LoadError: the Wasm file is missing or not the one that was built.
        """
        return self._compiled("code", "charged" if self.has("charged") else "wasm")

    def helper(self, what: str) -> Module:
        """A generated Wasm module, `glue` or `stub`, likewise."""
        return self._compiled(f"{what}_code", f"{what}_wasm")

    def glue(self, engine: str, kind: str, fused: FusedModules | None = None) -> GeneratedGlue:
        """The generated Python file of that kind as the glue of `engine`.

        Raises:
            LoadError: it is missing, was changed, or can't be executed.
        """
        files = self._files()
        path, source = os.path.join(self.directory, files.entry_of(kind).name), files.required(kind)
        try:
            text = source.decode()
        except UnicodeDecodeError as error:
            raise LoadError(f"module `{self.plan.name}`: `{path}` is not Python: {error}") from None
        code = None
        if self.has(marshalled := BYTECODE_KINDS[kind]) and (data := files.unchanged(marshalled)) is not None:
            code = read_compiled(data, path)
        return GeneratedGlue.from_file(engine, path, text, self.plan, fused, self.records, code)

    def _files(self) -> _Files:
        return _Files(self.directory, self.entry, self.checked)

    def _compiled(self, code: str, wasm: str) -> Module:
        files = self._files()
        if not self.has(code):
            from marine_runtime.artifact.code_cache import compile_cached

            return compile_cached(self.runtime, files.required(wasm))
        data, shape = files.unchanged(code), self.entry.shapes.get(code)
        if data is None or shape is None:
            self._compiled_again("its serialised code is missing, or the build was changed")
        else:
            try:
                return self.runtime.deserialize(data, shape)
            except CodeMemoryError:
                raise
            except LoadError as error:
                self._compiled_again(error)
        return self.runtime.compile(files.required(wasm))

    def _compiled_again(self, reason: object) -> None:
        import logging

        logging.getLogger("marine_runtime").info("module %s is compiled again: %s", self.plan.name, reason)


@dataclass(frozen=True, slots=True)
class _Files:
    """Reads the files of one module."""

    directory: str | Path
    module: ModuleEntry
    checked: bool = False

    def entry_of(self, kind: str) -> FileEntry:
        """The file of that kind; raises LoadError when the manifest has none."""
        if kind not in self.module.files:
            raise LoadError(f"the manifest names no {kind} file for module `{self.module.plan.name}`: build again")
        return self.module.files[kind]

    def required(self, kind: str) -> bytes:
        """Its bytes; raises LoadError when it is missing or was changed."""
        item = self.entry_of(kind)
        path = f"{self.directory}/{item.name}"  # a plain name, see `manifest`
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise LoadError(f"module `{self.module.plan.name}`: `{path}` can't be read: {os_reason(error)}") from None
        if not self.checked and sha256(data).hexdigest() != item.sha256:
            raise LoadError(f"module `{self.module.plan.name}`: `{path}` was changed after the build: build again")
        return data

    def unchanged(self, kind: str) -> bytes | None:
        """Its bytes; None when it is missing or was changed."""
        try:
            return self.required(kind)
        except LoadError:
            return None
