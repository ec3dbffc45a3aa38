"""Python functions that modules import: values of every type, errors, and what they may not do."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector, generate
from marine_runtime import ArgumentError, CallError, LinkError, Service, StateError
from marine_runtime.host.function import HostType
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType
from tests.support.echo import Memory, chain, echo_module, forward, function, raw_wat
from tests.support.engines import Configuration, assemble, guests, load, outcome, shown
from tests.support.values import SCALARS, edge_values

Serve = Callable[..., Service]

INNER = RecordDeclaration("Inner", (Member("id", Prim.U16), Member("tags", Vector(Prim.STRING))))
OUTER = RecordDeclaration("Outer", (Member("one", Named("Inner")), Member("many", Vector(Named("Inner")))))


def host_type(ty: Type) -> HostType:
    """The type of a host function that stands for a described type."""
    if isinstance(ty, Vector):
        # `Array` holds types without declarations, but `HostFunction.of` takes both.
        return Array(host_type(ty.element))  # type: ignore[arg-type]
    if isinstance(ty, Named):
        record = next(item for item in (INNER, OUTER) if item.name == ty.name)
        assert record.fields
        return RecordType(
            "Renamed" + record.name,
            tuple(Field(item.name, host_type(item.type)) for item in record.fields),  # type: ignore[arg-type]
        )
    return ty


def calling(signature: Signature, namespace: str = "host", name: str = "callback") -> bytes:
    """A module whose function passes everything to a host function and returns its result."""
    description = Description((INNER, OUTER), (signature, function("plain", Prim.STRING)))
    interfaces = generate(description)
    ty = interfaces.types[interfaces.exports[6].type_index]
    assert isinstance(ty, FunctionType)
    head = f'(import "{namespace}" "{name}" (func $host {raw_wat(ty)}))'
    return echo_module(description, Memory(), {signature.name: "".join(forward("$host", ty))}, head=head)


TEXT = function("f", Prim.STRING)
MODULES = {"m": calling(TEXT)}


def text_function(body: Callable[[str], Any]) -> dict[str, HostFunction]:
    return {"callback": HostFunction.of(body, [Prim.STRING], Prim.STRING)}


@pytest.mark.host_side
@pytest.mark.parametrize("ty", SCALARS, ids=str)
def test_scalars_and_strings_both_ways(serve: Serve, ty: Prim) -> None:
    seen: list[Any] = []

    def echo(value: Any) -> Any:
        seen.append(value)
        return value

    functions = {"callback": HostFunction.of(echo, [ty], ty)}
    service = serve({"m": calling(function("f", ty))}, host_functions=functions)
    values = edge_values(ty)
    assert shown([service.call("m", "f", [value]) for value in values]) == shown(values)
    assert shown(seen) == shown(values)


@pytest.mark.host_side
@pytest.mark.parametrize(
    ("ty", "value"),
    [
        (Vector(Prim.U8), b"\0\xff"),
        (Vector(Prim.U8), b""),
        (Vector(Prim.S64), [1, -(2**63)]),
        (Vector(Prim.BOOLEAN), [True, False]),
        (Vector(Vector(Prim.STRING)), [["a", ""], [], ["é"]]),
        (Named("Inner"), (7, ["a", "b"])),
        (Named("Outer"), ((7, []), [(1, ["x"]), (2, [])])),
        (Vector(Named("Outer")), [((7, []), [(1, ["x"]), (2, [])])]),
    ],
    ids=str,
)
def test_values_in_memory_both_ways(serve: Serve, ty: Type, value: Any) -> None:
    """Records are described by the host function; the module's own numbering does not matter."""
    functions = {"callback": HostFunction.of(lambda given: given, [host_type(ty)], host_type(ty))}
    service = serve({"m": calling(function("f", ty))}, host_functions=functions)
    assert shown(service.call("m", "f", [value])) == shown(value)


def test_records_arrive_as_dataclasses(serve: Serve) -> None:
    kinds = []

    def rename(inner: Any) -> Any:
        kinds.append((type(inner).__name__, inner.id, inner.tags))
        return {"id": inner.id + 1, "tags": [*inner.tags, "host"]}

    functions = {"callback": HostFunction.of(rename, [host_type(Named("Inner"))], host_type(Named("Inner")))}
    service = serve({"m": calling(function("f", Named("Inner")))}, host_functions=functions)
    assert shown(service.call("m", "f", [(1, ["a"])])) == shown((2, ["a", "host"]))
    assert kinds == [("RenamedInner", 1, ["a"])]


@pytest.mark.host_side
def test_narrow_arguments_are_truncated(serve: Serve) -> None:
    """A guest may leave rubbish in the upper bits (docs/spec/host.md)."""
    seen = []
    types = (Prim.S8, Prim.U8, Prim.S16, Prim.U16, Prim.BOOLEAN)
    functions = {"callback": HostFunction.of(lambda *args: seen.append(args), types)}
    passed = " ".join(f"(i32.const {number})" for number in (0x180, 0x1FF, 0x18000, 0x1FFFF, 2))
    module = echo_module(
        Description(functions=(Signature("f"),)),
        Memory(),
        {"f": f"(call $host {passed})"},
        head='(import "host" "callback" (func $host (param i32 i32 i32 i32 i32)))',
    )
    serve({"m": module}, host_functions=functions).call("m", "f")
    assert seen == [(-128, 255, -32768, 65535, True)]


class Stop(BaseException):
    """Not an `Exception`, like KeyboardInterrupt."""


@pytest.mark.parametrize("raised", [ValueError("mine"), KeyboardInterrupt(), Stop(), SystemExit(3)], ids=repr)
def test_what_it_raises_comes_out_as_it_is(serve: Serve, raised: BaseException) -> None:
    def faulty_function(text: str) -> str:
        if text == "fine":
            return "fine"
        raise raised

    service = serve(MODULES, host_functions=text_function(faulty_function))
    for _ in range(2):
        with pytest.raises(type(raised)) as caught:
            service.call("m", "f", ["x"])
        assert caught.value is raised
        assert "faulty_function" in [frame.name for frame in traceback.extract_tb(raised.__traceback__)]
        assert service.call("m", "f", ["fine"]) == "fine"
        assert service.call("m", "plain", ["x"]) == "x"


def test_what_it_raises_crosses_modules(serve: Serve) -> None:
    error = LookupError("not there")

    def faulty_function(text: str) -> str:
        raise error

    modules = {"inner": calling(TEXT), "outer": chain([TEXT])["outer"]}
    service = serve(modules, host_functions=text_function(faulty_function))
    with pytest.raises(LookupError) as caught:
        service.call("outer", "f", ["x"])
    assert caught.value is error
    assert service.call("inner", "plain", ["x"]) == "x"


def test_a_result_that_does_not_fit(serve: Serve) -> None:
    answers: list[Any] = [1, "a\ud800", None]
    service = serve(MODULES, host_functions=text_function(lambda text: answers.pop(0)))
    found = [outcome(lambda: service.call("m", "f", ["x"])).error[-1] for _ in range(3)]
    place = "CallError: module `m`, import adapter of `host.callback`, instruction #0 `(host function)`: "
    assert found == [
        f"{place}the host function returned a value that does not fit: {text}"
        for text in (
            "expected string, got int",
            "expected string, got a lone surrogate U+D800 at character 1, which UTF-8 can't encode",
            "expected string, got None",
        )
    ]


def test_arguments_that_can_not_be_lifted(serve: Serve) -> None:
    module = echo_module(
        Description(functions=(Signature("f"),)),
        Memory(),
        {"f": "(call $host (i32.const -1) (i32.const 2))"},
        head='(import "host" "callback" (func $host (param i32 i32)))',
    )
    service = serve({"m": module}, host_functions={"callback": HostFunction.of(print, [("text", Prim.STRING)])})
    assert outcome(lambda: service.call("m", "f")).error == (
        "CallError: module `m`, export adapter of `f`, instruction #0 `call-core 6`: failed in module `m`, import "
        "adapter of `host.callback`: $.text: 2 bytes at address 4294967295 are outside the memory of 65536 bytes",
        "CallError: module `m`, import adapter of `host.callback`, instruction #0 `(host function)`: "
        "$.text: 2 bytes at address 4294967295 are outside the memory of 65536 bytes",
    )


def test_calling_back_into_the_busy_service_is_refused(serve: Serve) -> None:
    services: list[Service] = []
    service = serve(MODULES, host_functions=text_function(lambda text: services[0].call("m", "plain", [text])))
    services.append(service)
    with pytest.raises(StateError) as caught:
        service.call("m", "f", ["x"])
    assert str(caught.value) == ("service `m` is busy: a host function can't call back into the service that called it")
    assert service.call("m", "plain", ["x"]) == "x"
    services.clear()


def test_closing_the_busy_service_is_refused(serve: Serve) -> None:
    services: list[Service] = []
    service = serve(MODULES, host_functions=text_function(lambda text: str(services[0].close())))
    services.append(service)
    with pytest.raises(StateError, match="is busy"):
        service.call("m", "f", ["x"])
    assert not service.closed
    assert service.call("m", "plain", ["x"]) == "x"
    services.clear()


def test_calling_another_service_is_fine(configuration: Configuration, serve: Serve) -> None:
    with load(guests("greeting"), configuration.engine, configuration.call_layer) as other:
        service = serve(MODULES, host_functions=text_function(lambda text: other.modules.greeting.greeting(text)))
        assert service.call("m", "f", ["x"]) == "Hi, x"


def test_a_chain_of_services_that_fails(configuration: Configuration, serve: Serve) -> None:
    """The inner service's error keeps its own place and becomes the cause of the outer one's."""
    with load(guests("failing"), configuration.engine, configuration.call_layer) as other:
        service = serve(MODULES, host_functions=text_function(lambda text: other.modules.failing.failing()))
        found = outcome(lambda: service.call("m", "f", ["x"]))
        assert found.error[-1].startswith("TrapError: module `failing`, export adapter of `failing`")
        assert outcome(lambda: service.call("m", "f", ["x"])) == found


@pytest.mark.host_side
@pytest.mark.parametrize("namespace", ["host", "__marine_host_api_v1", "__marine_host_api_v2", "__marine_host_api_v3"])
def test_host_namespaces(serve: Serve, namespace: str) -> None:
    service = serve({"m": calling(TEXT, namespace)}, host_functions=text_function(str.upper))
    assert service.call("m", "f", ["x"]) == "X"


@pytest.mark.host_side
def test_functions_with_a_namespace_of_their_own(serve: Serve) -> None:
    functions = {
        ("env", "callback"): HostFunction.of(str.upper, [Prim.STRING], Prim.STRING),
        "callback": HostFunction.of(str.lower, [Prim.STRING], Prim.STRING),
    }
    service = serve({"m": calling(TEXT, "env"), "n": calling(TEXT)}, host_functions=functions)
    assert (service.call("m", "f", ["xY"]), service.call("n", "f", ["xY"])) == ("XY", "xy")


def refusal(serve: Serve, *args: Any, **options: Any) -> str:
    with pytest.raises(LinkError) as caught:
        serve(*args, **options)
    return str(caught.value)


@pytest.mark.host_side
def test_imports_that_nothing_provides(serve: Serve) -> None:
    assert refusal(serve, MODULES) == (
        "module `m` imports `host.callback`, and nothing provides it (no adapter, no host function, not WASI)"
    )
    assert refusal(serve, {"m": calling(TEXT, "env")}, host_functions=text_function(str)) == (
        "module `m` imports `env.callback`, and nothing provides it (no adapter, no host function, not WASI)"
    )
    modules = {**chain([TEXT]), "m": calling(TEXT, "inner", "f")}
    assert refusal(serve, modules) == (
        "module `m` imports `inner.f` without an adapter for it, and nothing provides it "
        "(no adapter, no host function, not WASI)"
    )
    assert refusal(serve, {"m": calling(TEXT, "wasi_snapshot_preview1", "fd_none")}) == (
        "module `m` imports `wasi_snapshot_preview1.fd_none`, which WASI preview 1 does not have"
    )


@pytest.mark.host_side
def test_a_host_function_of_another_signature(serve: Serve) -> None:
    functions = {"callback": HostFunction.of(str, [Prim.S64], Prim.STRING)}
    assert refusal(serve, MODULES, host_functions=functions) == (
        "module `m` imports `host.callback` with the Wasm signature (i32, i32) -> (), but the host function is "
        "(arg_0: s64) -> string, which needs (i64) -> ()"
    )


def bare(signature: str, body: str) -> bytes:
    """A module without memory or ABI helpers that imports `host.callback`."""
    adapters = """(@interface it_version "0.28.0")
        (@interface type (func (param $x: s32) (result s32)))
        (@interface type (func (param $x: s32) (result s32)))
        (@interface func (type 0) arg.get 0 i32.from_s32 call-core 0 s32.from_i32)
        (@interface export "f" (func 1))
        (@interface implement (func 1) (func 0))"""
    wat = f'(module (import "host" "callback" (func $host {signature})) '
    return assemble(wat + f'(func (export "f") (param i32) (result i32) {body}))', adapters)


@pytest.mark.host_side
def test_modules_without_memory_may_pass_numbers(serve: Serve) -> None:
    module = bare("(param i32) (result i32)", "(call $host (local.get 0))")
    functions = {"callback": HostFunction.of(lambda value: value * 2, [Prim.S32], Prim.S32)}
    assert serve({"m": module}, host_functions=functions).call("m", "f", [-21]) == -42


@pytest.mark.host_side
def test_modules_without_memory_may_not_pass_text(serve: Serve) -> None:
    module = bare("(param i32 i32)", "(call $host (i32.const 0) (i32.const 0)) (i32.const 0)")
    functions = {"callback": HostFunction.of(print, [Prim.STRING])}
    assert refusal(serve, {"m": module}, host_functions=functions) == (
        "module `m` imports `host.callback` as (arg_0: string), which passes values in memory, "
        "but the module exports no memory"
    )


def test_results_need_abi_helpers(serve: Serve) -> None:
    adapters = """(@interface it_version "0.28.0")
        (@interface type (func)) (@interface type (func))
        (@interface func (type 0) call-core 0)
        (@interface export "f" (func 1)) (@interface implement (func 1) (func 0))"""
    wat = """(module (import "host" "callback" (func $host)) (memory (export "memory") 1)
        (func (export "f") (call $host)))"""
    functions = {"callback": HostFunction.of(lambda: "text", [], Prim.STRING)}
    service = serve({"m": assemble(wat, adapters)}, host_functions=functions)
    with pytest.raises(CallError, match="the module exports no usable `allocate`, which the result of a host function"):
        service.call("m", "f")


def test_records_by_number_are_refused() -> None:
    with pytest.raises(ArgumentError, match="record 3 refers to a record by its index in a module"):
        HostFunction.of(print, [Array(Record(3))])
