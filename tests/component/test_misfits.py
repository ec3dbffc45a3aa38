"""Modules that no component can have: refused by name, when the component is made and not when it is run."""

from __future__ import annotations

import pytest
import wasmtime

from marine_gen.component_backend import Component, ComponentError
from marine_gen.diagnostics import DiagnosticError
from marine_gen.generate import Description, generate
from marine_runtime import LoadError
from marine_runtime.types import Prim
from tests.security.misfits import MISFITS, misfit
from tests.support.components import ComponentService, made
from tests.support.echo import function
from tests.support.engines import assemble

ECHO = generate(Description(functions=(function("echo", Prim.STRING),)))
HELPERS = """
  (func (export "allocate") (param i32 i32) (result i32) (i32.const 4096)) (func (export "release_objects"))
  (func (export "get_result_size") (result i32) (i32.const 0))
  (func (export "get_result_ptr") (result i32) (i32.const 0))
  (func (export "set_result_size") (param i32)) (func (export "set_result_ptr") (param i32))
  (func (export "echo") (param i32 i32))"""


@pytest.mark.parametrize("kind", sorted({title.partition(":")[0] for title in MISFITS}))
def test_a_component_is_refused_or_valid(kind: str) -> None:
    """Assert that the output is valid, and runs as far as its initialisers let it."""
    refused = 0
    for title in (title for title in MISFITS if title.startswith(f"{kind}:")):
        component, refusal = attempt(title)
        if component is None:
            refused += 1
            assert "`m" in refusal or "m:" in refusal, title
        elif not title.endswith(("loop", "2^32-1")):
            assert trap(component) in (None, "trap"), title
    assert refused or kind.startswith(("set_result", "start"))


def attempt(title: str) -> tuple[Component | None, str]:
    try:
        return made(misfit(title)), ""
    except LoadError as error:
        return None, str(error)


def trap(component: Component) -> str | None:
    """The failure of a component: `trap` for a trap, the message of anything else; None when it runs."""
    try:
        ComponentService(component, wasi=wasmtime.WasiConfig)
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        return "trap" if "wasm trap" in str(error) else str(error)
    return None


@pytest.mark.parametrize(
    ("title", "message"),
    [
        ("memory: 64-bit", "^the memory `memory` of the module `m` can't be used: it has 64-bit .* for `wasm32`$"),
        ("memory: imported", "^the module `m` imports the memory `env.memory`"),
        ("_initialize: parameters", "^the initialiser `_initialize` of the module `m` has .*; one takes and returns"),
        ("_start: result", "^the initialiser `_start` of the module `m` has the Wasm signature"),
    ],
)
def test_refusals(title: str, message: str) -> None:
    with pytest.raises(ComponentError, match=message):
        made(misfit(title))


def test_a_program_that_is_done() -> None:
    """It says so in `_start`, as programs of Go do; with another code, or elsewhere, it ends the instance."""
    service = ComponentService(made(misfit("_start: exit 0")), wasi=wasmtime.WasiConfig)
    assert service.call("echo", ["there"]) == "there"
    for title in ("_start: exit", "_initialize: exit 0", "start: exit 0"):
        with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
            ComponentService(made(misfit(title)), wasi=wasmtime.WasiConfig)


def test_a_shared_memory() -> None:
    wasm = assemble(f'(module (memory (export "memory") 1 1 shared) {HELPERS})', ECHO)
    with pytest.raises(DiagnosticError, match=r"^error\[MG107\]: the module has a memory that threads share"):
        made({"m": wasm})


def test_a_module_that_is_not_valid() -> None:
    wasm = assemble(f'(module (memory (export "memory") 1) {HELPERS} (func i32.const 0 drop))', ECHO)
    code = b"\x00\x41\x00\x1a\x0b"  # no locals, the body, end
    assert wasm.count(code) == 1
    broken = wasm.replace(code, b"\x00\x41\x00\x01\x0b")
    with pytest.raises(ComponentError, match=r"^module `m`: not a valid Wasm module: type mismatch"):
        made({"m": broken})
