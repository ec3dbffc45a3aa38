"""Entries in C, by the optional extension (`wasm.speedups`).

A function in C does the usual case of one whose values are numbers, truth values, strings and bytes, over the same
guard, staging memory and cells as the generated entry. It leaves everything else to that entry, and a call that failed
to `_breaking`. So results are the same, and every error is made in Python.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import FunctionType

from marine_runtime.abi.layout import Bytes, Flat, List, Struct, Text, raw_codes, shape
from marine_runtime.adapters.contract import Link
from marine_runtime.adapters.staging import Staging
from marine_runtime.calls.guard import Guard
from marine_runtime.errors import CallError
from marine_runtime.lazy.typing import Any, NoReturn, assert_never
from marine_runtime.types import FunctionType as Signature
from marine_runtime.types import IType
from marine_runtime.wasm import ffi
from marine_runtime.wasm.covered import covered
from marine_runtime.wasm.fast import FastMemory
from marine_runtime.wasm.traps import Parking

_ENTRY, _CALL, _FUSED, _LARGE = "__entry_", "__call_", "__fused_", "__large_"
"""The beginnings of names in generated code: of the entry, of what that calls, of the core function which this calls,
and of its variable that says if the last result was large."""

_MOST_PARAMS = 32


def accelerated(extension: Any, entry: Callable[..., Any], signature: Signature, link: Link) -> Callable[..., Any]:
    """The entry in C, or `entry` itself: where a value has parts, nothing is fused, or calls are not fast ones."""
    python: Callable[..., Any] = entry
    codes = _codes(signature)
    found = codes and _core_function(entry)
    if not codes or not found:
        return python
    staged, core = found
    staging, guard = link.staging, link.guard
    function, cells = core.keep
    memory = staging.memory
    params = "".join(raw_codes(item.type) for item in signature.params)
    wire = params + ("I" if "s" in codes[0] or "y" in codes[0] else ""), "".join(map(raw_codes, signature.results))
    if core.codes != wire or not isinstance(memory, FastMemory) or not isinstance(guard, extension.GuardState):
        return python
    call, size = _addresses()
    made: Callable[..., Any] = extension.Call(
        entry,
        guard,
        _breaking(cells.fail, cells.parking, staging, guard),
        _settling(staging, staged, _LARGE + entry.__code__.co_name.removeprefix(_ENTRY)),
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


def _settling(staging: Staging, staged: FunctionType, large: str) -> Callable[[], None]:
    """A function for what follows a large result: generated code foresees another one, in the variable `large`."""
    code, cell = staged.__code__, None
    if large in code.co_freevars and staged.__closure__ is not None:
        cell = staged.__closure__[code.co_freevars.index(large)]

    def settle() -> None:
        if cell is not None:
            cell.cell_contents = staging.foresees
        elif large in staged.__globals__:
            staged.__globals__[large] = staging.foresees
        staging.settle()

    return settle


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


def _core_function(entry: Any) -> tuple[FunctionType, Any] | None:
    """The function under a generated entry, and the core function under that; None when they are others."""
    if not isinstance(entry, FunctionType) or not entry.__code__.co_name.startswith(_ENTRY):
        return None
    name = entry.__code__.co_name.removeprefix(_ENTRY)
    staged = _variable(entry, _CALL + name)
    core = _variable(staged, _FUSED + name) if isinstance(staged, FunctionType) else None
    return (staged, core) if hasattr(core, "keep") else None


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
