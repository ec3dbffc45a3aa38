"""WASI of one module of a component: the shim of the runtime, over native functions of its own.

The shim has the module's descriptors, environment and names of directories in private memory, as in the runtime. What
is the engine's there is a module here that knows which handle of the component a descriptor stands for; no guest
reaches either memory, so the handles that the modules of a component share are as far apart as their descriptors.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Mapping

from marine_gen.codegen.literals import wat_string
from marine_gen.codegen.templating import render
from marine_gen.component_backend.binary import Core, CoreItem
from marine_gen.component_backend.errors import ComponentError
from marine_gen.component_backend.frame import ComponentFrame
from marine_gen.component_backend.late import declared
from marine_gen.component_backend.model import ComponentModule, Key
from marine_gen.component_backend.wasi import WasiImports
from marine_gen.component_backend.wasi_files import ERRORS
from marine_runtime.texts import quoted
from marine_runtime.types import CoreSignature
from marine_runtime.wasi import DESCRIPTORS, FUNCTIONS, HEADER, NAMESPACES, STANDARD, image, shim

CHUNK = 1 << 16
"""Bytes of a file, or of random numbers, that one call takes at most; a guest goes on behind them."""

KINDS = {"stdin": 1, "stdout": 2, "stderr": 3, "directory": 4, "file": 5}
"""Kinds of descriptors; those from `directory` on have a handle."""

ERRNO = {
    "badf": 8,
    "inval": 28,
    "io": 29,
    "mfile": 33,
    "notdir": 54,
    "notsock": 57,
    "notsup": 58,
    "pipe": 64,
    "spipe": 70,
}
"""Error numbers of preview 1."""

_PAGE = 1 << 16
_FILES = frozenset(
    name
    for name in FUNCTIONS[NAMESPACES[0]]
    if name.startswith("path_") or (name.startswith("fd_") and name != "fd_write")
)
_OUTSIDE = """(module $outside
  (func (export "refuse") (param i32 i64 i32) unreachable)
  (func (export "exit") (param i32) unreachable)
  (func (export "patience") (result i64) (i64.const -1))
  (func (export "opened") (param i32 i32 i32 i32)))"""


class WasiGuest:
    """WASI of a module, from before it is instantiated.

    Attributes:
        functions: its imports; they work from `tie` on.
    """

    def __init__(
        self, frame: ComponentFrame, imports: WasiImports, module: ComponentModule, keys: Collection[Key]
    ) -> None:
        """Take the imports of WASI that the module has.

        Raises:
            ComponentError: WASI has no such function, or has it with another signature.
        """
        self._frame = frame
        self._imports = imports
        self._module = module
        self._keys = sorted(keys)
        for item in module.signatures.imports:
            if (item.namespace, item.name) in keys:
                _check(module.plan.name, item.namespace, item.name, item.signature)
        self._signatures = [FUNCTIONS[namespace][name].signature for namespace, name in self._keys]
        self._stub = frame.late(self._signatures) if self._keys else None
        self.functions: dict[Key, CoreItem] = {}
        if self._stub is not None:
            self.functions = {key: frame.core_export(self._stub, Core.FUNC, str(n)) for n, key in enumerate(self._keys)}

    def tie(self) -> None:
        """Put the shim behind the imports of the module, whose instance exists now."""
        if self._stub is None:
            return
        frame, state = self._frame, self._module.wasi
        memories = self._module.signatures.memories
        if memories:
            memory = frame.memory_of(self._module.plan.name, "memory" if "memory" in memories else memories[0])
        else:
            empty = frame.instance_of('(module $none (memory (export "memory") 0))', {})
            memory = frame.core_export(empty, Core.MEMORY, "memory")
        private = frame.instance_of(_state_text(image(state, STANDARD), STANDARD + len(state.mapped_dirs)), {})
        outside = frame.instance_of(_OUTSIDE, {})
        needs = {name for namespace, name in self._keys for name in FUNCTIONS[namespace][name].needs}
        native = self._native(memory, needs)
        listing = {"listing": frame.core_export(native, Core.FUNC, "listing")}
        given = {
            "memory": memory,
            "state": frame.core_export(private, Core.MEMORY, "state"),
            "table": frame.core_export(self._stub, Core.TABLE, "table"),
            **{name: frame.core_export(outside, Core.FUNC, name) for name in ("refuse", "exit", "patience", "opened")},
            **listing,
        }
        wanted = {name: frame.core_export(native, Core.FUNC, name) for name in sorted(needs)}
        frame.instance_of(shim(self._keys), {"0": given, **({NAMESPACES[0]: wanted} if wanted else {})})

    def _native(self, memory: CoreItem, needs: Collection[str]) -> CoreItem:
        """The instance of the native functions."""
        uses: dict[str, Mapping[str, CoreItem]] = {}
        if "random_get" in needs:
            uses["random"] = self._imports.random()
        if {"clock_time_get", "clock_res_get", "poll_oneoff"} & {*needs}:
            uses["clocks"] = self._imports.clocks()
        if "poll_oneoff" in needs:
            uses["poll"] = self._imports.poll()
        if "fd_write" in needs:
            uses["output"] = self._imports.output("stdout", "stderr")
        directories = [f"{self._module.plan.name}/{name}" for name in self._module.wasi.mapped_dirs]
        if directories and any(name in _FILES for _, name in self._keys):
            uses["files"] = {**self._imports.files(), **self._imports.output("stderr")}
        imports = {name: item for used in uses.values() for name, item in used.items()}
        context = {
            "imports": [(name, declared(_LOWERED[name])) for name in imports],
            "uses": [*uses],
            "kinds": KINDS,
            "errno": ERRNO,
            "chunk": CHUNK,
            "directories": len(directories),
            "names_at": _PAGE,
            **_names(self._module.plan.name, directories),
            "error_numbers": [*ERRORS.values()],
            "of_descriptor": [("fd_sync", "sync"), ("fd_datasync", "sync-data"), ("fd_filestat_set_size", "set-size")],
            "of_path": [
                ("path_create_directory", "create-directory-at"),
                ("path_remove_directory", "remove-directory-at"),
                ("path_unlink_file", "unlink-file-at"),
            ],
            "without_directories": [
                (name, declared(function.signature))
                for name, function in FUNCTIONS[NAMESPACES[0]].items()
                if name.startswith("path_")
            ],
        }
        text = render("marine_gen.component_backend", "wasi_native.wat.j2", context)
        frame = self._frame
        own = {
            "guest": memory,
            "staging": frame.memory,
            **{name: frame.staging(name) for name in ("stage", "mark", "release")},
        }
        return frame.instance_of(text, {"0": own, **({"2": imports} if imports else {})})


def _names(module: str, directories: Collection[str]) -> dict[str, object]:
    """The names of directories behind the table of descriptors, and what is said when one is missing.

    First address and length of each of the two texts, for each directory, then the texts.
    """
    texts = []
    for name in directories:
        missing = f"component: the host gives no directory {quoted(name)}, which the module {quoted(module)} needs\n"
        texts += [name.encode(), missing.encode()]
    at, heads = _PAGE + 8 * len(texts), b""
    for text in texts:
        heads += struct.pack("<II", at, len(text))
        at += len(text)
    content = heads + b"".join(texts)
    return {"pages": 1 + -(-len(content) // _PAGE), "data": [(_PAGE, wat_string(content))] if content else []}


def _state_text(content: bytes, opened: int) -> str:
    """The private memory of a shim. Nearly all of its table is -1, which is filled in when it is made."""
    used, table = 8 * opened, 8 * DESCRIPTORS
    pages = -(-len(content) // _PAGE)
    return f"""(module $state
  (memory (export "state") {pages})
  (data (i32.const 0) {wat_string(content[:used])})
  (data (i32.const {HEADER}) {wat_string(content[HEADER:])})
  (func $fill (memory.fill (i32.const {used}) (i32.const 255) (i32.const {table - used})))
  (start $fill))"""


def _check(module: str, namespace: str, name: str, signature: CoreSignature) -> None:
    where = f"the module {quoted(module)} imports {quoted(f'{namespace}.{name}')}"
    function = FUNCTIONS[namespace].get(name)
    if function is None:  # check: component functions that WASI does not have
        raise ComponentError(f"{where}, which WASI preview 1 does not have: leave it out with `--stub-import`")
    if signature != function.signature:  # check: component signatures of WASI
        raise ComponentError(f"{where} with the Wasm signature {signature}, but WASI has it as {function.signature}")


def _core(params: str, results: str = "") -> CoreSignature:
    names = {"i": "i32", "q": "i64"}
    return CoreSignature(tuple(names[code] for code in params), tuple(names[code] for code in results))


_LOWERED: Mapping[str, CoreSignature] = {
    "get-random-bytes": _core("qi"),
    "wall-now": _core("i"),
    "wall-resolution": _core("i"),
    "monotonic-now": _core("", "q"),
    "monotonic-resolution": _core("", "q"),
    "subscribe-duration": _core("q", "i"),
    "block": _core("i"),
    "drop-pollable": _core("i"),
    "get-stdout": _core("", "i"),
    "get-stderr": _core("", "i"),
    "write-output": _core("iiii"),
    "drop-error": _core("i"),
    "get-directories": _core("i"),
    "drop-descriptor": _core("i"),
    "drop-stream": _core("i"),
    "open-at": _core("iiiiiii"),
    "get-type": _core("ii"),
    "read": _core("iqqi"),
    "write": _core("iiiqi"),
    "stat": _core("ii"),
    "stat-at": _core("iiiii"),
    "metadata-hash": _core("ii"),
    "metadata-hash-at": _core("iiiii"),
    "sync": _core("ii"),
    "sync-data": _core("ii"),
    "set-size": _core("iqi"),
    "set-times": _core("iiqiiqii"),
    "set-times-at": _core("iiiiiqiiqii"),
    "create-directory-at": _core("iiii"),
    "remove-directory-at": _core("iiii"),
    "unlink-file-at": _core("iiii"),
    "rename-at": _core("iiiiiii"),
    "link-at": _core("iiiiiiii"),
    "symlink-at": _core("iiiiii"),
    "readlink-at": _core("iiii"),
    "read-directory": _core("ii"),
    "read-directory-entry": _core("ii"),
}
"""The core signatures of the lowered functions."""
