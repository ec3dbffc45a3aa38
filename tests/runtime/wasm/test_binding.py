"""Versions of the binding: what the fast layer expects of it, and what differs between those that are supported."""

from __future__ import annotations

import ctypes
import warnings
from typing import Any

import pytest
import wasmtime

from marine_runtime.wasm import ffi
from marine_runtime.wasm.runtimes import open_runtime
from marine_runtime.wasm.traps import describe, text_of
from tests.support.engines import guest, load


def test_the_installed_binding_is_as_expected() -> None:
    assert ffi.problem() is None


@pytest.mark.parametrize("name", [*ffi._FUNCTIONS, *(f"wasmtime_config_{name}_set" for name in ffi._OPTIONS)])
def test_functions_of_another_prototype_are_not_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function: Any = getattr(wasmtime._ffi.dll, name)
    declared = list(function.argtypes)
    monkeypatch.setattr(function, "argtypes", [*declared, ctypes.c_void_p])
    told = f"`{name}` has another prototype"
    assert told in (ffi.problem(), ffi.memory_creator_problem())
    monkeypatch.setattr(function, "argtypes", [ctypes.c_char, *declared[1:]])
    assert told in (ffi.problem(), ffi.memory_creator_problem())


@pytest.mark.parametrize("name", ["wasmtime_val_raw_t", "wasmtime_func_t"])
def test_structures_of_another_size_are_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wasmtime._ffi, name, ctypes.c_uint64)
    assert "bytes long" in (ffi.problem() or "")


def test_the_public_layer_takes_the_place_of_the_fast_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a runtime of an unusual stack, which no other test shares."""
    monkeypatch.setattr(ffi, "problem", lambda: "the binding is too new")
    for stack, told in (((1 << 20) + 4096, 1), ((1 << 20) + 12288, 0)):  # once a process
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runtime = open_runtime(max_wasm_stack=stack)
        assert (runtime.name, runtime.fallback_reason) == ("public", "the binding is too new")
        assert [item.filename for item in caught] == [__file__] * told
        assert all("the binding is too new" in str(item.message) for item in caught)


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binding has properties for some options only; to others a value would be assigned without an effect."""
    given = []
    set_option = ffi.set_option

    def spy(config: wasmtime.Config, name: str, value: int) -> None:
        given.append(name)
        set_option(config, name, value)

    monkeypatch.setattr(ffi, "set_option", spy)
    with load({"m": guest("greeting")}, "fused", max_wasm_stack=(1 << 20) + 8192) as service:
        assert service.modules.m.greeting("x") == "Hi, x"
    assert {"memory_may_move", "max_wasm_stack"} <= set(given)


def test_backtraces_of_the_library_are_left_out() -> None:
    told = "error while executing\n\nCaused by:\n    wasm trap: wasm `unreachable` instruction executed"
    fault = wasmtime.WasmtimeError(f"{told}\n\nStack backtrace:\n   0: anyhow::error\n   1: wasmtime_func_call")
    assert text_of(fault) == told
    error = describe(fault)
    assert str(error) == "wasm trap: wasm `unreachable` instruction executed"
    assert error.__notes__ == [told]
