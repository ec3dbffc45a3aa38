"""Opening Wasm runtimes: one per call layer and stack size, shared by the process, or those of one owner."""

from __future__ import annotations

from _thread import _local as local
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache

from marine_runtime.errors import ArgumentError, LoadError, warn
from marine_runtime.wasm import ffi, interpreters
from marine_runtime.wasm.api import CallLayer
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.runtime import WasmRuntime
from marine_runtime.wasm.stack import default_stack

RuntimeKey = tuple[str, int, bool, bool]
"""Call layer, bytes of stack, whether it is metered, and whether the baseline compiler makes its code."""


class _OwnRuntimes(local):
    """The runtimes that this thread opens now instead of the process-wide ones; None for those."""

    runtimes: dict[RuntimeKey, WasmRuntime] | None = None


_own = _OwnRuntimes()


@contextmanager
def own_runtimes(runtimes: dict[RuntimeKey, WasmRuntime]) -> Iterator[None]:
    """Let services that this thread loads meanwhile run on `runtimes`, so that `interrupt` stops nobody else.

    What is missing in there is made and added.
    """
    before, _own.runtimes = _own.runtimes, runtimes
    try:
        yield
    finally:
        _own.runtimes = before


def open_runtime(
    name: str = "fast", max_wasm_stack: int | None = None, *, metered: bool = False, baseline: bool = False
) -> WasmRuntime:
    """The process-wide Wasm runtime with the given call layer, `fast` or `public`, and stack for Wasm in bytes.

    Inside `own_runtimes` it is one of those.

    By default the stack is what suits the current thread; services of that runtime then belong on this thread.

    What runs on a `metered` one uses fuel, and traps when there is none; see `Store.fuelled`. The code of a `baseline`
    one is made sooner and runs longer; ask for it only when `baseline.problem()` gave None.

    The fast layer falls back to the public one when the installed wasmtime-py is not as expected; `fallback_reason`
    then says why.

    Raises:
        ArgumentError: `name` is neither.
        LoadError: this interpreter is a sub-interpreter, or has no GIL.
    """
    if name not in ("fast", "public"):
        raise ArgumentError(f"unknown call layer {name!r:.80}: choose `fast` or `public`")
    key = (name, default_stack() if max_wasm_stack is None else max_wasm_stack, metered, baseline)
    if _own.runtimes is None:
        return _shared_runtime(*key)
    if key not in _own.runtimes:
        _own.runtimes[key] = _new_runtime(*key)
    return _own.runtimes[key]


@cache
def _shared_runtime(*key: *RuntimeKey) -> WasmRuntime:
    return _new_runtime(*key)


def _new_runtime(name: str, max_wasm_stack: int, metered: bool, baseline: bool) -> WasmRuntime:
    if why := interpreters.problem():
        raise LoadError(f"the runtime can't run here: {why}")
    if name == "public":
        return WasmRuntime(_public_layer(), None, max_wasm_stack, metered=metered, baseline=baseline)
    reason = ffi.problem()
    if reason:
        _warn_of_fallback(reason)
    layer = _public_layer() if reason else FastLayer()
    return WasmRuntime(layer, reason, max_wasm_stack, metered=metered, baseline=baseline)


def _public_layer() -> CallLayer:
    from marine_runtime.wasm.public import PublicLayer  # imports wasmtime-py

    return PublicLayer()


@cache
def _warn_of_fallback(reason: str) -> None:
    """Once a process, as every service of it is slower for the same reason."""
    warn(
        f"the fast call layer does not support the installed version of wasmtime ({reason}): calls take the public "
        'layer, which is slower. Install another version of wasmtime, or load with `call_layer="public"`'
    )
