"""Verification of what a module wants of its surroundings, as far as no host can change it."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from marine_gen.diagnostics import Code, Diagnostic
from marine_gen.wasm import CoreImport, Signatures
from marine_runtime.texts import did_you_mean
from marine_runtime.types import CoreSignature
from marine_runtime.wasi import FUNCTIONS

_INITIALISERS = ("_initialize", "_start")
_NOTHING = CoreSignature((), ())


def check_outside(name: str, signatures: Signatures, adapted: Collection[tuple[str, str]]) -> list[Diagnostic]:
    """Everything that would stop module `name` from being linked, whatever the host provides.

    `adapted` are the imports that have an adapter.
    """
    return list(_findings(name, signatures, adapted))


def _findings(name: str, signatures: Signatures, adapted: Collection[tuple[str, str]]) -> Iterator[Diagnostic]:
    for other in signatures.other_imports:
        message = f"module `{name}` imports `{other.namespace}.{other.name}`, which is a {other.kind}"
        advice = "modules share nothing but functions: build it so that it has a memory, tables and globals of its own"
        yield Diagnostic(Code.IMPORT_UNRESOLVED, message, name, help=advice)
    for item in signatures.imports:
        if item.namespace in FUNCTIONS and (item.namespace, item.name) not in adapted:
            yield from _wasi(name, item)
    for initialiser in _INITIALISERS:
        signature = signatures.exports.get(initialiser, _NOTHING)
        if signature != _NOTHING:
            message = f"export `{initialiser}` has the Wasm signature {signature}, expected {_NOTHING}"
            advice = "it runs when the module is loaded; rename the function if it is not an initialiser"
            yield Diagnostic(Code.WASM_SIGNATURE, message, name, help=advice)
    memory = signatures.memories[0] if signatures.memories else ""
    if reason := signatures.unusable_memories.get(memory):
        yield Diagnostic(Code.WASM_FEATURE, f"the memory `{memory}` can't be used: {reason}", name)


def _wasi(name: str, item: CoreImport) -> Iterator[Diagnostic]:
    functions = FUNCTIONS[item.namespace]
    known = functions.get(item.name)
    where = f"module `{name}` imports `{item.namespace}.{item.name}`"
    if known is None:
        version = "preview 1" if item.namespace == "wasi_snapshot_preview1" else "unstable"
        message = f"{where}, which WASI {version} does not have"
        yield Diagnostic(Code.IMPORT_UNRESOLVED, message, name, help=did_you_mean(item.name, functions))
    elif item.signature != known.signature:
        message = f"{where} with the Wasm signature {item.signature}, but WASI has it as {known.signature}"
        yield Diagnostic(Code.WASM_SIGNATURE, message, name)
