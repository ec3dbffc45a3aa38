"""Adapter texts with the part that all modules share left out."""

from __future__ import annotations

from marine_gen.interfaces import Interfaces
from marine_gen.ir import ModuleIR, build_module, verify_module
from marine_gen.text import parse
from marine_gen.wasm import read_signatures
from tests.support.engines import assemble

PRELUDE = (
    '(@interface it_version "0.28.0") '
    "(@interface type (func (param $size: i32) (result i32))) (@interface type (func)) "
    "(@interface type (func (result i32))) (@interface type (func (result i32))) "
    "(@interface type (func (param $result_size: i32))) (@interface type (func (param $result_ptr: i32))) "
    '(@interface export "allocate" (func 0)) (@interface export "release_objects" (func 1)) '
    '(@interface export "get_result_size" (func 2)) (@interface export "get_result_ptr" (func 3)) '
    '(@interface export "set_result_size" (func 4)) (@interface export "set_result_ptr" (func 5))'
)
"""Version, types 0 to 5 and exports 0 to 5. It is one line, so that what follows begins on line 2."""


def with_prelude(text: str) -> str:
    """A whole text; `text` may bring a version of its own, and then gets nothing."""
    return text if text.startswith("(@interface it_version") else f"{PRELUDE}\n{text}"


def read(text: str) -> Interfaces:
    """The interfaces of a text that may lack the prelude."""
    return parse(with_prelude(text), "adapter.it")


def build(text: str, name: str = "m") -> ModuleIR:
    """Verified IR of adapters alone, with the conventional signatures of a module."""
    module = build_module(name, read(text))
    verify_module(module)
    return module


def build_with_wasm(text: str, name: str = "m") -> ModuleIR:
    """Verified IR of `(module …)` followed by a line `;; adapters` and adapters."""
    wat, _, adapters = text.partition("\n;; adapters\n")
    interfaces = read(adapters)
    module = build_module(name, interfaces, read_signatures(assemble(wat, interfaces)))
    verify_module(module)
    return module
