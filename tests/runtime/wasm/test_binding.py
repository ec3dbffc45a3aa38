"""Versions of Wasmtime: the table of prototypes, its comparison, and what differs between versions."""

from __future__ import annotations

import builtins
import ctypes
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from marine_runtime.config.cache_directory import CACHE_VARIABLE
from marine_runtime.errors import LoadError
from marine_runtime.wasm import ffi
from marine_runtime.wasm.capi import verdict as verdicts
from marine_runtime.wasm.capi.library import declarations, library_file
from marine_runtime.wasm.capi.prototypes import CREATOR_STRUCTURES, PREOPEN, PREOPENS, PROTOTYPES, STRUCTURES
from marine_runtime.wasm.capi.verdict import Verdict, compared, verdict
from marine_runtime.wasm.installed import wasmtime_version
from marine_runtime.wasm.runtimes import open_runtime
from marine_runtime.wasm.traps import describe, text_of
from tests.support.engines import guest, load


@pytest.fixture
def no_verdict() -> Iterator[None]:
    """The library is looked at again in the test, and after it."""
    verdict.cache_clear()
    yield
    verdict.cache_clear()


def test_the_installed_library_is_as_expected() -> None:
    assert verdict() == Verdict(None, None, None, verdict().preopen)
    assert library_file() == str(wasmtime._ffi.filename)


def _reasons(found: Verdict) -> str:
    return " ".join(filter(None, (found.calls, found.deadline, found.creator)))


@pytest.mark.parametrize("name", [*PROTOTYPES, PREOPEN])
def test_functions_of_another_prototype_are_not_called(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    function: Any = getattr(wasmtime._ffi.dll, name)
    declared = list(function.argtypes)
    monkeypatch.setattr(function, "argtypes", [*declared, ctypes.c_void_p])
    assert f"`{name}` has another prototype" in _reasons(compared())
    monkeypatch.setattr(function, "argtypes", [ctypes.c_int16, *declared[1:]])
    assert f"`{name}` has another prototype" in _reasons(compared())


@pytest.mark.parametrize("name", [*STRUCTURES, *CREATOR_STRUCTURES])
def test_structures_of_another_layout_are_not_used(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Other(ctypes.Structure):
        _fields_ = (("of", ctypes.c_uint8), ("kind", ctypes.c_uint8), ("data", ctypes.c_uint8))

    monkeypatch.setattr(wasmtime._ffi, name, Other)
    assert name in _reasons(compared())


def test_functions_that_are_missing_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(wasmtime._ffi, "wasm_limits_t")
    assert "wasm_limits_t" in _reasons(compared())


@pytest.mark.parametrize("prototype", PREOPENS)
def test_each_prototype_of_preopened_directories_is_known(prototype: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from marine_runtime.wasm.capi.prototypes import KINDS

    function: Any = getattr(wasmtime._ffi.dll, PREOPEN)
    monkeypatch.setattr(function, "argtypes", [KINDS[kind] for kind in prototype[1:]])
    assert compared() == Verdict(None, None, None, prototype)


def test_the_comparison_is_kept_for_the_library(
    no_verdict: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setattr(verdicts, "tested", lambda: None)
    first = verdict()
    (file,) = (tmp_path / "cache").iterdir()
    verdict.cache_clear()
    monkeypatch.setattr(verdicts, "compared", lambda: pytest.fail("it is compared again"))
    assert verdict() == first

    monkeypatch.setattr(verdicts, "compared", lambda: Verdict("compared", None, None, PREOPENS[0]))
    identity, found = json.loads(file.read_text())
    # another library in its place, one that changed, and rubbish
    for content in (json.dumps([["elsewhere", *identity[1:]], found]), json.dumps([identity[:-1], found]), "[", "[1]"):
        file.write_text(content)
        verdict.cache_clear()
        assert verdict().calls == "compared"
        assert json.loads(file.read_text())[1][0] == "compared"


def test_the_installed_declarations_are_among_those_that_were_tested() -> None:
    """The newest version of wasmtime-py has a row, which this comparison holds; older ones have none."""
    newest = wasmtime_version().partition(".")[0] >= "50"
    assert verdicts.tested() == (compared() if newest else None)


def test_other_declarations_are_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "package_folder", lambda: str(tmp_path))
    assert verdicts.tested() is None
    (tmp_path / "_bindings.py").write_text("another version")
    assert verdicts.tested() is None
    monkeypatch.setattr(verdicts, "package_folder", lambda: None)
    assert verdicts.tested() is None


def test_a_library_without_a_function_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, "PROTOTYPES", {**PROTOTYPES, "wasmtime_no_such_function": "v"})
    assert verdicts.tested() is None


@pytest.mark.parametrize("known", [True, False])
def test_without_a_cache_there_is_an_outcome(
    no_verdict: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, known: bool
) -> None:
    (tmp_path / "cache").write_text("in the way")
    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path / "cache"))
    if known:
        found = compared()
        other = {"tested": lambda: found, "compared": lambda: pytest.fail("wasmtime-py is imported")}
    else:
        other = {"tested": lambda: None}
    for name, value in other.items():
        monkeypatch.setattr(verdicts, name, value)
    assert verdict() == Verdict(None, None, None, verdict().preopen)


def test_the_public_layer_takes_the_place_of_the_fast_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a runtime of an unusual stack, which no other test shares."""
    monkeypatch.setattr(ffi, "problem", lambda: "the library is too new")
    for stack, told in (((1 << 20) + 4096, 1), ((1 << 20) + 12288, 0)):  # once a process
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            runtime = open_runtime(max_wasm_stack=stack)
        assert (runtime.name, runtime.fallback_reason) == ("public", "the library is too new")
        assert [item.filename for item in caught] == [__file__] * told
        assert all("the library is too new" in str(item.message) for item in caught)


def test_every_option_reaches_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """The binding has properties for some options only; to others a value would be assigned without an effect."""
    given = []
    set_option = ffi.set_option

    def spy(config: Any, name: str, value: int) -> None:
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


@pytest.mark.parametrize("error", [ImportError("no module"), OSError("no file"), RuntimeError("unsupported processor")])
def test_no_binding(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str, *args: Any) -> Any:
        if name == "wasmtime":
            raise error
        return real(name, *args)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(LoadError, match=rf"wasmtime-py can't be imported \({error}\): install it .* shared library"):
        declarations()
