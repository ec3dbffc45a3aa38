"""Imports and exports read from Wasm bytes: those that Wasmtime tells, and those for which it would end the process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import wasmtime

import marine_gen
from marine_gen.interfaces import Interfaces
from marine_runtime import LinkError
from marine_runtime.types import CoreSignature
from marine_runtime.wasm import WasmRuntime
from marine_runtime.wasm.fast import FastLayer
from marine_runtime.wasm.module import MemoryKind, Shape, TableKind
from marine_runtime.wasm.public import PublicLayer
from marine_runtime.wasm.reflection import shape_of
from tests.guests.descriptions import GUESTS
from tests.support.engines import assemble, guest

EVERYTHING = """(module
  (rec (type $s (struct (field i8) (field (mut (ref null $a))))) (type $a (array (mut i16))))
  (type $super (sub (func (param i32)))) (type $sub (sub final $super (func (param i32))))
  (type $f (func (param i32 i64) (result f32 f64))) (type $n (func))
  (import "a" "f" (func $f (type $f))) (import "a" "f" (func (type $n))) (import "b" "m" (memory i64 1 70000))
  (import "b" "t" (table 1 funcref)) (import "b" "g" (global (mut (ref null $s)))) (import "b" "e" (tag (param i32)))
  (func $own (export "own") (param i32) (result i32) (local.get 0)) (func (export "sub") (type $sub))
  (table 300 funcref (ref.func $own)) (table (export "t") 0 1 funcref)
  (table 200 (ref null $s) (struct.new $s (i32.const 11) (array.new_fixed $a 2 (i32.const 11) (i32.const -1))))
  (table 2 (ref i31) (ref.i31 (i32.add (i32.const 0x580b) (i32.const 11))))
  (memory (export "second") 1) (memory 200 300) (export "first" (memory 0)) (export "g" (global 0))
  (export "again" (func $f)) (export "e" (tag 0)))"""


def told(wasm: bytes) -> Shape:
    """The shape of a module, as Wasmtime has it."""
    module = wasmtime.Module(wasmtime.Engine(), wasm)
    imports = [(item.module, item.name or "", described(item.type)) for item in module.imports]
    return Shape.of(imports, [(item.name, described(item.type)) for item in module.exports])


def described(kind: Any) -> Any:
    match kind:
        case wasmtime.FuncType():
            return CoreSignature(tuple(map(str, kind.params)), tuple(map(str, kind.results)))
        case wasmtime.MemoryType():
            return MemoryKind(kind.is_64)
        case wasmtime.TableType():
            return TableKind(str(kind.element), kind.limits.min, kind.limits.max)
        case _:
            return None


@pytest.mark.parametrize("name", [item.name for item in GUESTS])
def test_guests(name: str) -> None:
    assert shape_of(guest(name)) == told(guest(name))


def has_references() -> bool:
    """True if the installed Wasmtime has the types of references and of garbage collection without being asked."""
    try:
        wasmtime.Module(wasmtime.Engine(), wasmtime.wat2wasm('(module (type (struct)) (import "a" "b" (tag)))'))
    except wasmtime.WasmtimeError:
        return False
    return True


needs_references = pytest.mark.skipif(not has_references(), reason="this Wasmtime refuses such types")


@needs_references
def test_every_form() -> None:
    wasm = bytes(wasmtime.wat2wasm(EVERYTHING))
    assert shape_of(wasm) == told(wasm)
    assert shape_of(wasm).memories == ("second", "first")


@needs_references
@pytest.mark.parametrize("layer", [FastLayer, PublicLayer])
@pytest.mark.parametrize("kind", ["v128", "anyref", "(ref extern)", "exnref", "(ref null $s)"])
@pytest.mark.parametrize("serialised", [False, True])
def test_types_that_the_c_interface_does_not_have(layer: Any, kind: str, serialised: bool, tmp_path: Path) -> None:
    """Wasmtime's C API ends the process when it is asked for them."""
    text = f"""(module (type $s (struct)) (func (export "f") (param i32 {kind}))
        (func (export "seven") (result i32) (i32.const 7)))"""
    runtime = WasmRuntime(layer())
    wasm = bytes(wasmtime.wat2wasm(text))
    module = runtime.compile(wasm)
    if serialised:
        module = runtime.deserialize(module.serialize(), module.shape)
    assert module.exports["f"].params == ("i32", "v128" if kind == "v128" else "ref")
    store = runtime.store()
    assert store.instantiate(module, {}).function("seven", "", "I")() == 7
    store.close()


@pytest.mark.parametrize("result", ["v128", pytest.param("anyref", marks=needs_references)])
def test_functions_of_vectors_that_are_imported(result: str) -> None:
    text = f'(module (import "a" "b" (func (param v128) (result {result}))))'
    with pytest.raises(LinkError, match=r"module `m` imports `a\.b`, and nothing provides it"):
        marine_gen.load({"m": assemble(text, Interfaces("0.28.0"))})
