"""Wasm start functions that call WASI, before anything else of the module runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

import marine_gen
import marine_runtime
from marine_gen.generate import Description, ExternModule, ImportedFunction
from marine_gen.wasm.late_start import defer_start
from marine_gen.wasm.signatures import read_signatures
from marine_gen.wasm.table_growth import charge_table_growth
from marine_runtime import CallError, ExitError, FuelLimitError, TrapError
from marine_runtime.config.model import ModuleConfig, ServiceConfig
from marine_runtime.types import Prim
from marine_runtime.wasi.functions import NAMESPACES, PREVIEW1
from marine_runtime.wasm.tables import START_HOOK
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import Configuration, load
from tests.support.wasi import load_configured

pytestmark = pytest.mark.host_side

PRINT = "(call $say (i32.const {}) (i32.const {}))"
SAY = """
  (func $say (param $at i32) (param $size i32)
    (i32.store (i32.const 65544) (local.get $at)) (i32.store (i32.const 65548) (local.get $size))
    (drop (call $fd_write (i32.const 1) (i32.const 65544) (i32.const 1) (i32.const 65552))))
  (data (i32.const 65560) "start, initialise, main")"""
START = "(func $start (call $say (i32.const 65560) (i32.const 5)) {}) (start $start)"


def module(namespace: str = PREVIEW1, body: str = "", fields: str = "") -> bytes:
    """A module whose start function prints, and does some more."""
    head = "\n".join(
        f'(import "{namespace}" "{name}" (func ${name} {kind}))'
        for name, kind in (("proc_exit", "(param i32)"), ("fd_write", "(param i32 i32 i32 i32) (result i32)"))
    )
    initialise = '(func (export "_initialize") (call $say (i32.const 65567) (i32.const 10)))'
    return echo_module(
        Description((), (function("f", Prim.S32),)),
        Memory(pages=2, base=65536 + 1000),
        {},
        f"{SAY} {START.format(body)} {initialise} {fields}",
        head,
    )


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_start_function_prints(configuration: Configuration, namespace: str) -> None:
    printed: list[bytes] = []
    settings = {"m": ModuleConfig(stdout=printed.append)}
    with load_configured({"m": module(namespace)}, configuration, settings) as service:
        assert service.call("m", "f", [5]) == 5
    assert printed == [b"start", b"initialise"]


def test_as_the_reference_does(tmp_path: Path) -> None:
    """Wasmtime's own WASI is there for start functions."""
    engine = wasmtime.Engine()
    store, linker, config = wasmtime.Store(engine), wasmtime.Linker(engine), wasmtime.WasiConfig()
    linker.define_wasi()
    config.stdout_file = str(tmp_path / "printed")
    store.set_wasi(config)
    linker.instantiate(store, wasmtime.Module(engine, module()))
    assert (tmp_path / "printed").read_bytes() == b"start"


def test_what_ends_a_start_function(configuration: Configuration) -> None:
    where = r"module `m`, initialiser `\(start function\)`: "
    with pytest.raises(ExitError, match=rf"{where}the guest called `proc_exit\(3\)`") as caught:
        load_configured({"m": module(body="(call $proc_exit (i32.const 3))")}, configuration, {})
    assert caught.value.code == 3
    with pytest.raises(TrapError, match=rf"{where}wasm trap: wasm `unreachable`"):
        load_configured({"m": module(body="unreachable")}, configuration, {})
    body = "(drop (call $fd_write (i32.const 2) (i32.const -8) (i32.const 1) (i32.const 0)))"
    with pytest.raises(TrapError, match=rf"{where}.*a pointer that is out of bounds"):
        load_configured({"m": module(body=body)}, configuration, {})
    with pytest.raises(FuelLimitError, match=rf"{where}ran out of"):
        load({"m": module(body="(loop $l (br $l))")}, configuration.engine, configuration.call_layer, fuel=9000)


def test_an_error_of_the_embedder_comes_out(configuration: Configuration) -> None:
    def refuse(data: bytes) -> None:
        raise ZeroDivisionError(data)

    with pytest.raises(ZeroDivisionError, match="start"):
        load_configured({"m": module()}, configuration, {"m": ModuleConfig(stdout=refuse)})


def test_tables_that_grow_are_paid_for(configuration: Configuration) -> None:
    """Both reasons to make a start function wait at once."""
    printed: list[bytes] = []
    table = "(table $t 0 funcref)"
    body = "(drop (table.grow $t (ref.null func) (i32.const 5)))"
    config = ServiceConfig(1 << 24, {"m": ModuleConfig(stdout=printed.append)})
    made = module(body=body, fields=table)
    assert defer_start(charge_table_growth(made)) == charge_table_growth(made)
    with load({"m": made}, configuration.engine, configuration.call_layer, config=config) as service:
        assert service.call("m", "f", [5]) == 5
    assert printed == [b"start", b"initialise"]


def test_other_modules_can_not_be_called_that_early(configuration: Configuration) -> None:
    echo = function("f", Prim.S32)
    description = Description((), (echo,), (ExternModule("inner", (ImportedFunction(echo),)),))
    start = "(func $start (drop (call $import0 (i32.const 1)))) (start $start)"
    outer = echo_module(description, Memory(), {}, start)
    inner = echo_module(Description((), (echo,)), Memory())
    with pytest.raises(CallError, match="called before linking is complete"):
        load_configured({"inner": inner, "outer": outer}, configuration, {})


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_a_built_service_starts(engine: str, tmp_path: Path) -> None:
    wasm = tmp_path / "m.wasm"
    wasm.write_bytes(module())
    built = marine_gen.build(wasm, tmp_path / "built", engine=engine)
    printed: list[bytes] = []
    config = ServiceConfig(modules={"m": ModuleConfig(stdout=printed.append)})
    for _ in range(2):
        with marine_runtime.load(built.directory, config=config) as service:
            assert service.call("m", "f", [5]) == 5
    assert printed == [b"start", b"initialise"] * 2


@pytest.mark.parametrize(
    "text",
    [
        "(module)",
        "(module (func $f) (start $f))",
        f'(module (import "{PREVIEW1}" "sched_yield" (func (result i32))))',
    ],
)
def test_other_modules_stay_as_they_are(text: str) -> None:
    wasm = bytes(wasmtime.wat2wasm(text))
    assert defer_start(wasm) is wasm


@pytest.mark.parametrize("exports", ["", '(export "g" (func $f))'])
def test_the_start_function_becomes_an_export(exports: str) -> None:
    text = f'(module (import "a" "b" (func)) (import "{NAMESPACES[1]}" "x" (func)) (func $f) {exports} (start $f))'
    found = read_signatures(defer_start(bytes(wasmtime.wat2wasm(text))))
    assert not found.has_start
    assert list(found.exports) == [*(["g"] if exports else []), START_HOOK]
