"""The files of one module in a built directory, checked against the manifest.

Like any Python package a built directory is code: load directories that you trust. Serialised machine code is used only
when its hash is the recorded one and Wasmtime accepts it for this version, configuration and processor; otherwise the
module is compiled again from the Wasm file.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from types import CodeType

from marine_runtime.abi.plan import ModulePlan
from marine_runtime.adapters.contract import FusedModules
from marine_runtime.adapters.loader import GeneratedGlue
from marine_runtime.adapters.pieces import Pieces
from marine_runtime.artifact.bytecode import BYTECODE_KINDS, READ_WHOLE, open_compiled, read_compiled
from marine_runtime.artifact.manifest import FileEntry, ModuleEntry
from marine_runtime.errors import LoadError
from marine_runtime.lazy.data import dataclass
from marine_runtime.lazy.digest import sha256
from marine_runtime.lazy.files import read_file
from marine_runtime.lazy.typing import TYPE_CHECKING
from marine_runtime.texts.messages import os_reason
from marine_runtime.wasm import CodeMemoryError, Module, WasmRuntime

if TYPE_CHECKING:
    from pathlib import Path

MAPPED = 1 << 20 if os.name == "posix" else sys.maxsize
"""Bytes from which machine code of the cache is mapped. Wasmtime keeps the file of a mapping open, so small ones would
cost a descriptor of the process each. On other systems a file that is mapped can't be removed or replaced.

In the cache files are replaced and never written again: one that is cut off while it is mapped ends the process. That
may happen to a built directory, which others copy.
"""


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
        traced: whether its calls are recorded, which is impossible inside Wasm.
        checked: whether the files have been compared with their digests.
        lasting: whether the directory stays, so that what only errors want can be read when there is one.
        compiling: called before Wasm is compiled.
        packed: gives the content of a file by its name, or None for one that has to be read.
    """

    directory: str | Path
    entry: ModuleEntry
    runtime: WasmRuntime
    records: Mapping[int, type] | None = None
    traced: bool = False
    checked: bool = False
    lasting: bool = True
    compiling: Callable[[], None] | None = None
    packed: Callable[[str], bytes | None] | None = None

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
        path = os.path.join(self.directory, files.entry_of(kind).name)
        code = self._code_of(files, BYTECODE_KINDS[kind], path)

        def read_source(files: _Files) -> str:
            try:
                return files.required(kind).decode()
            except UnicodeDecodeError as error:
                raise LoadError(f"module `{self.plan.name}`: `{path}` is not Python: {error}; build again") from None

        source: str | Callable[[], str] = partial(read_source, _Files(self.directory, self.entry))
        if code is None or not (self.checked and self.lasting):
            source = read_source(files)
        return GeneratedGlue.from_file(engine, path, source, self.plan, fused, self.records, code)

    def _code_of(self, files: _Files, kind: str, source: str) -> CodeType | Pieces | None:
        """The compiled form of a Python file; None when there is none that can be used.

        It is bound when it is called first. Where the plan was changed, the source is taken, which is bound at once, so
        that the load finds what does not fit.
        """
        if not self.has(kind) or not self.entry.intact:
            return None
        data = files.packed(kind)
        if data is None and not self.checked:
            data = files.unchanged(kind)
            if data is None:
                return None
        if data is not None and len(data) < READ_WHOLE:
            return read_compiled(data, source)
        try:
            return open_compiled(files.path_of(kind), source)
        except OSError:
            return None

    def _files(self) -> _Files:
        return _Files(self.directory, self.entry, self.checked, self.packed)

    def _compiled(self, code: str, wasm: str) -> Module:
        files = self._files()
        if not self.has(code):
            from marine_runtime.artifact.code_cache import compile_cached

            return compile_cached(self.runtime, files.required(wasm), self._begin)
        shape = self.entry.shapes.get(code)
        data = files.packed(code)
        mapped = data is None and self.checked and files.size(code) >= MAPPED
        if data is None and not mapped:
            data = files.unchanged(code)
        if shape is None or (data is None and not mapped):
            self._compiled_again("its serialised code is missing, or the build was changed")
        else:
            try:
                if data is None:
                    return self.runtime.deserialize_file(files.path_of(code), shape)
                return self.runtime.deserialize(data, shape)
            except CodeMemoryError:
                raise
            except LoadError as error:
                self._compiled_again(error)
        self._begin()
        return self.runtime.compile(files.required(wasm))

    def _begin(self) -> None:
        if self.compiling is not None:
            self.compiling()

    def _compiled_again(self, reason: object) -> None:
        import logging

        logging.getLogger("marine_runtime").info("module %s is compiled again: %s", self.plan.name, reason)


@dataclass(frozen=True, slots=True)
class _Files:
    """Reads the files of one module."""

    directory: str | Path
    module: ModuleEntry
    checked: bool = False
    pack: Callable[[str], bytes | None] | None = None

    def entry_of(self, kind: str) -> FileEntry:
        """The file of that kind; raises LoadError when the manifest has none."""
        if kind not in self.module.files:
            raise LoadError(f"the manifest names no {kind} file for module `{self.module.plan.name}`: build again")
        return self.module.files[kind]

    def path_of(self, kind: str) -> str:
        """Its path; raises as `entry_of`."""
        return f"{self.directory}/{self.entry_of(kind).name}"  # a plain name, see `manifest`

    def size(self, kind: str) -> int:
        """Its bytes on the disk; 0 when it is missing. Raises as `entry_of`."""
        try:
            return os.stat(self.path_of(kind)).st_size
        except OSError:
            return 0

    def packed(self, kind: str) -> bytes | None:
        """Its bytes in the pack; None when they are not there."""
        return None if self.pack is None else self.pack(self.module.files[kind].name)

    def required(self, kind: str) -> bytes:
        """Its bytes; raises LoadError when it is missing or was changed."""
        item = self.entry_of(kind)
        path = self.path_of(kind)
        try:
            data = read_file(path)
        except OSError as error:
            raise LoadError(
                f"module `{self.module.plan.name}`: `{path}` can't be read: {os_reason(error)}; build again"
            ) from None
        if not self.checked and sha256(data).hexdigest() != item.sha256:
            raise LoadError(f"module `{self.module.plan.name}`: `{path}` was changed after the build: build again")
        return data

    def unchanged(self, kind: str) -> bytes | None:
        """Its bytes; None when it is missing or was changed."""
        try:
            return self.required(kind)
        except LoadError:
            return None
