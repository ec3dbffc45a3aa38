"""Refusals that nothing else asks for: wide memories, exports of another signature, staging beyond its bounds."""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import partial
from typing import NoReturn

import pytest

from marine_gen import HostFunction
from marine_runtime import CallError, LinkError, Service
from marine_runtime.adapters.staging import DATA, FAULT_KIND, STACK, STACK_TOP
from marine_runtime.types import Prim
from marine_runtime.wasm import assemble, open_runtime
from tests.security.cases import modules
from tests.security.liar import neighbour
from tests.support.engines import assemble as make_guest
from tests.support.fused import staged
from tests.support.interrupted import StopError, entered, interrupt

Serve = Callable[..., Service]


def test_a_memory_with_wide_addresses(serve: Serve) -> None:
    with pytest.raises(
        LinkError, match=r"^module `m`: its memory has 64-bit addresses; modules of a service have 32-bit"
    ):
        serve(modules("memory: 64-bit"))


@pytest.mark.parametrize("call_layer", ["fast", "public"])
def test_a_function_of_another_signature(call_layer: str) -> None:
    """Calls of the fast layer are not checked again, so this is where it ends."""
    engine = open_runtime(call_layer)
    store = engine.store()
    try:
        wasm = assemble('(module (func (export "f") (param i32) (result i32) (local.get 0)))')
        instance = store.instantiate(engine.compile(wasm), {})
        assert instance.function("f", "I", "I")(7) == 7
        for params, results in (("q", "i"), ("i", ""), ("ii", "i"), ("", "i"), ("i", "d")):
            with pytest.raises(LinkError, match="export `f` has the Wasm signature"):
                instance.function("f", params, results)
    finally:
        store.close()


def test_arguments_of_four_gigabytes() -> None:
    wanted = "the arguments take 4294963200 bytes, more than a 32-bit memory"
    with staged({"neighbour": neighbour()}) as (_, staging), pytest.raises(CallError, match=wanted):
        staging.reserve(2**32)


def test_positions_are_read_up_to_the_arguments() -> None:
    """The stack of positions is in a memory that Wasm writes to; what follows it is never taken for positions."""
    with staged({"neighbour": neighbour()}) as (service, staging):
        staging.memory.write(DATA, b"\xff" * 64)
        staging.memory.write(FAULT_KIND, b"\0" * 4)
        staging.memory.write(STACK_TOP, (DATA + 64).to_bytes(4, "little"))
        found = staging.explain(CallError("something"))
        assert isinstance(found, CallError)
        assert int.from_bytes(staging.memory.read(STACK_TOP, 4), "little") == STACK
        assert service.call("neighbour", "text", ["x"]) == "x"


@pytest.mark.parametrize(
    ("explain", "at_entry"),
    [("explain", True), ("explain_call", True), ("explain", False), ("explain_call", False), ("explaining", False)],
)
def test_positions_are_forgotten_when_a_signal_handler_raises(
    monkeypatch: pytest.MonkeyPatch, explain: str, at_entry: bool
) -> None:
    """While an error is explained; the next one would get its places, and be taken for its fault."""

    def fail(*_: object) -> NoReturn:
        raise CallError("something")

    with staged({"neighbour": neighbour()}) as (service, staging):
        staging.memory.write(FAULT_KIND, b"\1\0\0\0")
        run: Callable[[], object] = staging.explaining(fail)
        if explain != "explaining":
            staging.memory.write(STACK_TOP, (STACK + 4).to_bytes(4, "little"))
            run = partial(getattr(staging, explain), CallError("something"))
        with monkeypatch.context() as patch:
            if not at_entry:
                patch.setattr(type(staging), "_explain", interrupt)
            with pytest.raises(StopError):
                (entered if at_entry else operator.call)(run)
        assert staging.memory.read(FAULT_KIND, 4) == bytes(4)
        assert int.from_bytes(staging.memory.read(STACK_TOP, 4), "little") == STACK
        assert service.call("neighbour", "text", ["x"]) == "x"


HIGH_BYTES = """(@interface it_version "0.28.0")
  (@interface type (func (param $size: i32) (param $tag: i32) (result i32)))
  (@interface type (func (param $ptr: i32) (param $size: i32)))
  (@interface type (func (param $data: byte_array)))
  (@interface type (func))
  (@interface type (func (result byte_array)))
  (@interface func (type 2)
    arg.get 0 byte_array.size i32.push 1 call-core 0 arg.get 0 byte_array.lower_memory call-core 1)
  (@interface func (type 4) call-core 2 i32.push -8 i32.push 4 byte_array.lift_memory)
  (@interface export "allocate" (func 0))
  (@interface export "take" (func 1))
  (@interface export "give" (func 3))
  (@interface implement (func 1) (func 2))
  (@interface implement (func 3) (func 4))"""


def test_byte_arrays_at_high_addresses(serve: Serve) -> None:
    """Byte arrays have instructions of their own; a vector of bytes in a description is another type."""
    wat = """(module (memory (export "memory") 1) (func (export "give")) (func (export "take") (param i32 i32))
      (func (export "allocate") (param i32 i32) (result i32) (i32.const -2147483648)))"""
    service = serve({"m": make_guest(wat, HIGH_BYTES)})
    with pytest.raises(CallError, match=r"3 bytes at address 2147483648 are outside the memory of 65536 bytes$"):
        service.call("m", "take", [b"abc"])
    with pytest.raises(CallError, match=r"4 bytes at address 4294967288 are outside the memory of 65536 bytes$"):
        service.call("m", "give")


def test_a_helper_of_another_signature(serve: Serve) -> None:
    """A module without adapters for its helpers may have them in any form; a host function that needs one says so."""
    adapters = """(@interface it_version "0.28.0")
        (@interface type (func)) (@interface type (func))
        (@interface func (type 0) call-core 0)
        (@interface export "f" (func 1)) (@interface implement (func 1) (func 0))"""
    wat = """(module (import "host" "callback" (func $host)) (memory (export "memory") 1)
        (func (export "f") (call $host)) (func (export "allocate") (param i64) (result i64) (i64.const 8)))"""
    functions = {"callback": HostFunction.of(lambda: "text", [], Prim.STRING)}
    service = serve({"m": make_guest(wat, adapters)}, host_functions=functions)
    with pytest.raises(CallError, match=r"the module exports no usable `allocate`, which the result"):
        service.call("m", "f")


def test_arrays_that_are_larger_than_staging() -> None:
    with staged({"neighbour": neighbour()}) as (service, _):
        for count in (20_000, 7000, 40_000):
            assert service.call("neighbour", "numbers", [[count] * count]) == [count] * count
            assert service.call("neighbour", "texts", [["a"] * count]) == ["a"] * count
