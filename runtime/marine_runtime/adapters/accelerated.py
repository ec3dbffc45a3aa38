"""Entries in C, by the optional extension (`wasm.speedups`).

A function in C does the usual case of one whose values are numbers, truth values, strings and bytes, over the same
guard, staging memory and cells as the generated entry. It leaves everything else to that entry, and a call that failed
to `_breaking`. So results are the same, and every error is made in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType
from typing import Any, NoReturn, assert_never

from marine_runtime.abi.layout import Bytes, Flat, List, Struct, Text, raw_codes, shape
from marine_runtime.adapters.contract import Link
from marine_runtime.adapters.staging import Staging
from marine_runtime.calls.guard import Guard
from marine_runtime.errors import CallError
from marine_runtime.types import FunctionType as Signature
from marine_runtime.types import IType
from marine_runtime.wasm import ffi
from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.fast import FastMemory
from marine_runtime.wasm.traps import Parking

_ENTRY, _CALL, _FUSED = "__entry_", "__call_", "__fused_"
"""The beginnings of names in generated code: of the entry, of what it calls, of the core function that this calls."""

_MOST_PARAMS = 32


def accelerated(extension: Any, entry: Callable[..., Any], signature: Signature, link: Link) -> Callable[..., Any]:
    """The entry in C, or `entry` itself: where a value has parts, nothing is fused, or calls are not fast ones."""
    codes = _codes(signature)
    core = codes and _core_function(entry)
    if not codes or not core:
        return entry
    staging, guard = link.staging, link.guard
    function, cells = core.keep
    memory = staging.memory
    params = "".join(raw_codes(item.type) for item in signature.params)
    wire = params + ("I" if "s" in codes[0] or "y" in codes[0] else ""), "".join(map(raw_codes, signature.results))
    if core.codes != wire or not isinstance(memory, FastMemory) or not isinstance(guard, extension.GuardState):
        return entry
    call, size = _addresses()
    made: Callable[..., Any] = extension.Call(
        entry,
        guard,
        _breaking(cells.fail, cells.parking, staging, guard),
        staging.settle,
        (core, staging),
        *codes,
        (call, cells.context, function.handle, cells.address, cells.count, cells.trap_address),
        (size, memory.address, memory.base, staging.direct, staging.foresees),
    )
    return made


def _breaking(fail: Callable[[int], None], parking: Parking, staging: Staging, guard: Guard) -> Callable[[int], Any]:
    """A function that raises what a failed call means, as generated code around the core function does."""

    @covered
    def broken(error: int) -> NoReturn:
        try:
            try:
                fail(error)
            except BaseException:
                # A signal handler may have raised before `fail` took them.
                parking.trap[0], parking.exception = 0, None
                raise
        except BaseException as raised:
            found = staging.explain(raised)
            if isinstance(found, CallError):
                located = guard.explain(found)
                raise located from located.__cause__
            if found is raised:
                raise
            raise found from found.__cause__
        raise AssertionError("a call failed without a reason")

    return broken


def _codes(signature: Signature) -> tuple[str, str] | None:
    """The codes of all parameters and of the result, or None when the extension has none for them."""
    params = [_code(item.type) for item in signature.params]
    results = [_code(item) for item in signature.results]
    if not all([*params, *results]) or len(results) > 1 or len(params) > _MOST_PARAMS:
        return None
    return "".join(params), "".join(results)


def _code(ty: IType) -> str:
    """The code of a type, or nothing."""
    part = shape(ty)
    match part:
        case Flat(layout=layout):
            return layout.format
        case Text():
            return "s"
        case Bytes():
            return "y"
        case List() | Struct():
            return ""
        case _:
            assert_never(part)


def _core_function(entry: Callable[..., Any]) -> Any | None:
    """The core function under a generated entry, or None when there is another one, or none of the fast layer."""
    found: Any = entry
    if not isinstance(found, FunctionType) or not found.__code__.co_name.startswith(_ENTRY):
        return None
    name = found.__code__.co_name.removeprefix(_ENTRY)
    for wanted in (_CALL + name, _FUSED + name):
        found = _variable(found, wanted)
        if not isinstance(found, FunctionType):
            return None
    return found if hasattr(found, "keep") else None


def _variable(function: FunctionType, name: str) -> Any:
    """A variable that a function uses, of the function around it or of its module; None when it uses none so named."""
    code = function.__code__
    if name in code.co_freevars and function.__closure__ is not None:
        return function.__closure__[code.co_freevars.index(name)].cell_contents
    return function.__globals__.get(name) if name in code.co_names else None


@cache
def _addresses() -> tuple[int, int]:
    """Those of the functions of Wasmtime that calls need."""
    return ffi.function_address(ffi.FUNC_CALL), ffi.function_address("wasmtime_memory_data_size")
