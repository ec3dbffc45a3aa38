"""Functions that a guest imports and that need the guest: a stub calls them through a table, which is filled later."""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.types import CoreSignature


def declared(signature: CoreSignature) -> str:
    """Parameters and results as Wasm text."""
    params = "".join(f" (param {ty})" for ty in signature.params)
    return params + "".join(f" (result {ty})" for ty in signature.results)


def stub(signatures: Sequence[CoreSignature]) -> str:
    """The module that exports the functions by their numbers; a call before the table is filled traps."""
    lines = ["(module $late", f'  (table (export "table") {len(signatures)} funcref)']
    for number, signature in enumerate(signatures):
        ty = declared(signature)
        arguments = "".join(f" (local.get {index})" for index in range(len(signature.params)))
        lines.append(f'  (func (export "{number}"){ty} (call_indirect{ty}{arguments} (i32.const {number})))')
    return "\n".join(lines) + ")"


def fill(signatures: Sequence[CoreSignature]) -> str:
    """The module that imports the functions and puts them into the table."""
    lines = ["(module $fill"]
    for number, signature in enumerate(signatures):
        lines.append(f'  (import "1" "{number}" (func $f{number}{declared(signature)}))')
    lines.append(f'  (import "0" "table" (table {len(signatures)} funcref))')
    names = " ".join(f"$f{number}" for number in range(len(signatures)))
    return "\n".join(lines) + f"\n  (elem (i32.const 0) func {names}))"
