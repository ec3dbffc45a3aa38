"""Wasm text of the two modules that stand between a guest and WASI.

The *stub* gives the guest its imports before the guest exists, as calls through a table; the *shim* imports the
guest's memory and fills that table. The shim exports the memory again: native functions look for the caller's memory
under the name `memory`. Both texts depend on the imported functions alone, so modules of equal imports share the
compiled code; what is different between them lies in the private memory.
"""

from __future__ import annotations

from collections.abc import Sequence

from marine_runtime.wasi.bodies import BODIES, FILE_TYPE, HELPERS, PRINT, ShimBody
from marine_runtime.wasi.errnos import BADF
from marine_runtime.wasi.functions import FUNCTIONS, PREVIEW1, WasiFunction
from marine_runtime.wasi.polls import CLOCKS
from marine_runtime.wasm.api import CODE_TYPES, Codes

Keys = Sequence[tuple[str, str]]
"""Namespace and name of the functions that a guest imports; positions are indices into the table."""


def _types(function: WasiFunction) -> str:
    params, results = (" ".join(CODE_TYPES[code] for code in codes) for codes in (function.params, function.results))
    return (f" (param {params})" if params else "") + (f" (result {results})" if results else "")


def _head(codes: Codes, results: Codes) -> str:
    params = "".join(f" (param ${index} {CODE_TYPES[code]})" for index, code in enumerate(codes))
    return params + "".join(f" (result {CODE_TYPES[code]})" for code in results)


def _arguments(function: WasiFunction) -> str:
    return "".join(f" (local.get ${index})" for index in range(len(function.params)))


def stub(keys: Keys) -> str:
    """The module that exports the imports of a guest under their positions."""
    functions = [FUNCTIONS[namespace][name] for namespace, name in keys]
    lines = ["(module $wasi_stub", '  (import "0" "unbound" (func $unbound (param i32)))']
    lines += [f'  (table (export "table") {len(functions)} funcref)']
    lines += [f"  (elem (i32.const 0) func{''.join(f' $unbound.{index}' for index in range(len(functions)))})"]
    for index, function in enumerate(functions):
        lines += [
            f"  ;; {function.name}",
            f"  (func $unbound.{index}{_head(function.params, function.results)}",
            f"    (call $unbound (i32.const {index})) unreachable)",
            f'  (func (export "{index}"){_head(function.params, function.results)}',
            f"    (call_indirect{_types(function)}{_arguments(function)} (i32.const {index})))",
        ]
    return "\n".join([*lines, ")"])


def shim(keys: Keys, captured: Sequence[int] = ()) -> str:
    """The module that answers a guest.

    Args:
        keys: as for `stub`.
        captured: those of the native descriptors 1 and 2 whose output goes to the import `capture`.
    """
    functions = [FUNCTIONS[namespace][name] for namespace, name in keys]
    lines = ["(module $wasi_shim"]
    for name in sorted({name for function in functions for name in function.needs}):
        native = FUNCTIONS[PREVIEW1][name]
        lines += [f'  (import "{PREVIEW1}" "{name}" (func $native.{name}{_types(native)}))']
    lines += ['  (import "0" "memory" (memory $guest 0))', '  (import "0" "state" (memory $state 0))']
    lines += [f'  (import "0" "table" (table {len(functions)} funcref))']
    lines += ['  (import "0" "refuse" (func $refuse (param i32 i64 i32)))']
    if any(function.answer == "exit" for function in functions):
        lines += ['  (import "0" "exit" (func $exit (param i32)))']
    polls = any(function.name == "poll_oneoff" for function in functions)
    if polls:
        lines += ['  (import "0" "patience" (func $patience (result i64)))']
    lists = any(function.name == "fd_readdir" for function in functions)
    if lists:
        lines += ['  (import "0" "listing" (func $listing (param i32 i32 i32 i64 i32) (result i32)))']
        lines += ['  (import "0" "opened" (func $opened (param i32 i32 i32 i32)))']
    if captured:
        lines += ['  (import "0" "capture" (func $capture (param i32 i32 i32) (result i32)))']
    lines += ['  (export "memory" (memory $guest))']
    lines += [f"  (elem (i32.const 0) func{''.join(f' $answer.{index}' for index in range(len(functions)))})", HELPERS]
    lines += [PRINT] if captured else []
    lines += [CLOCKS] if polls else []
    for index, function in enumerate(functions):
        body = BODIES[function.answer] if function.answer else _forwarding(function)
        body = _capturing(function, body, captured)
        if lists and function.name == "path_open":
            body = _noting(body)
        lines += [f"  ;; {function.name}", f"  (func $answer.{index}{_head(function.params, function.results)}"]
        lines += [f"    {body.locals}"] if body.locals else []
        lines += [_translation(position) for position in function.descriptors]
        lines += [f"    {body.code.strip()})"]
    return "\n".join([*lines, ")"])


def _translation(position: int) -> str:
    """Replace a guest's descriptor by the native one, or refuse it. All isolation of directories rests on this."""
    return (
        f"    (local.set ${position} (call $native (local.get ${position})))\n"
        f"    (if (i32.eq (local.get ${position}) (i32.const -1)) (then (return (i32.const {BADF}))))"
    )


def _forwarding(function: WasiFunction) -> ShimBody:
    return ShimBody(f"(call $native.{function.name}{_arguments(function)})")


def _capturing(function: WasiFunction, body: ShimBody, captured: Sequence[int]) -> ShimBody:
    """`body`, but output of captured descriptors goes to the embedder, and none of them is a terminal."""
    if not captured or function.name not in {"fd_write", *FILE_TYPE}:
        return body
    tests = [f"(i32.eq (local.get $0) (i32.const {descriptor}))" for descriptor in captured]
    is_captured = tests[0] if len(tests) == 1 else f"(i32.or {' '.join(tests)})"
    if function.name == "fd_write":
        return ShimBody(f"(if {is_captured} (then (return (call $print{_arguments(function)}))))\n    {body.code}")
    offset = FILE_TYPE[function.name]
    unknown = f"(i32.store8 $guest offset={offset} (local.get $1) (i32.const 0))"
    code = f"""(local.set $errno (block $answer (result i32) {body.code}))
    (if (i32.and (i32.eqz (local.get $errno)) {is_captured}) (then {unknown}))
    (local.get $errno)"""
    return ShimBody(code, f"{body.locals} (local $errno i32)")


def _noting(body: ShimBody) -> ShimBody:
    """`path_open` that tells where it found what is wanted as a directory, for a guest that lists some."""
    code = f"""(local.set $errno (block $answer (result i32) {body.code}))
    (if (i32.and (i32.eqz (local.get $errno)) (i32.and (i32.shr_u (local.get $4) (i32.const 1)) (i32.const 1))) (then
      (call $opened (call $native (i32.load $guest (local.get $8)))
        (local.get $0) (local.get $2) (local.get $3))))
    (local.get $errno)"""
    return ShimBody(code, f"{body.locals} (local $errno i32)")
