"""Functions of the host: imports of the component, with values of every type in both directions."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from wasmtime import component

import marine_gen
from marine_gen import HostFunction
from marine_gen.artifact import compile_module
from marine_gen.component_backend import ComponentError, host
from marine_gen.generate import Description, Signature, Vector, generate
from marine_gen.wasm_backend.guests import MARK
from marine_runtime import ArgumentError, LinkError
from marine_runtime.types import Array, IType, Prim
from tests.guests.kit_guests import kit_guest
from tests.support.components import ComponentService, lines, plain, wit_of
from tests.support.draw import Draw
from tests.support.echo import PAGE, Memory, echo_module, function
from tests.support.engines import assemble, guest, shown
from tests.support.host_calls import calling

PACKAGE = "test:service"
HOST = "test:service/host"
KIT_HOST = "test:service/host-functions"
"""The same for a service whose facade is the module `host`."""
LOGGING = "marine:host/logging"
FAULT = "marine:host/fault"


def echoing(wasm: bytes, function: str) -> HostFunction:
    """A host function of the signature that the guest's own function has."""
    plan = compile_module("guest", wasm).plan
    return HostFunction(lambda *values: values[0], plan.exports[function], plan.records)


@pytest.mark.parametrize("number", range(6))
def test_values_of_random_types(number: int) -> None:
    draw = Draw(f"component host {number}")
    while True:
        signature = draw.signature("run", 20 if number % 3 == 0 else 4)
        wasm = calling(signature, tuple(draw.records.values()))
        echo = echoing(wasm, "run")
        try:
            made = marine_gen.component({"guest": wasm}, package=PACKAGE, host_functions={"callback": echo})
        except ComponentError:
            continue  # a record that contains itself
        break
    assert wit_of(made.wasm) == made.wit
    seen: list[Any] = []

    def callback(_: Any, *values: Any) -> Any:
        seen[:] = values
        return values[0]

    service = ComponentService(made, {HOST: {"callback": callback}})
    for _ in range(25):
        row = [draw.value(param.type) for param in signature.params]
        assert shown(service.call("run", row)) == shown(row[0])
        bytes_as_lists = [[*value] if isinstance(value, bytes) else value for value in row]
        if not any(isinstance(param.type, Vector) or not isinstance(param.type, Prim) for param in signature.params):
            assert shown([plain(value) for value in seen]) == shown(bytes_as_lists)


def test_calls_free_what_the_host_staged() -> None:
    service = ComponentService(
        _kit(kit_guest("host")), {KIT_HOST: {**_KIT, "join": lambda _, parts, flag: "".join(parts)}}
    )
    for _ in range(60):  # 12 MB in all, of which there is never more than a part
        assert service.call("joined", ["x" * 1000] * 0 or [["x" * 1000] * 100]) == "x" * 100_000


def _kit(wasm: bytes, **options: Any) -> Any:
    functions = {
        "join": HostFunction.of(lambda *_: "", [("parts", Array(Prim.STRING)), ("flag", Prim.BOOLEAN)], Prim.STRING),
        **_program(),
    }
    return marine_gen.component(
        {"host": wasm}, package=PACKAGE, host_functions=functions, **{"logger": "none", **options}
    )


def _program() -> dict[str, HostFunction]:
    from marine_runtime.config.model import MountedBinary
    from marine_runtime.host.mounted_binary import host_function

    return {"program": host_function("program", MountedBinary("/bin/true"))}


def _result(_: Any, arguments: list[str]) -> component.Record:
    made = component.Record()
    vars(made).update({"ret-code": 3, "error": "none", "stdout": " ".join(arguments).encode(), "stderr": b""})
    return made


def _caller(_: Any) -> component.Record:
    def record(**fields: Any) -> component.Record:
        made = component.Record()
        vars(made).update({name.replace("_", "-"): value for name, value in fields.items()})
        return made

    from_ = record(peer_pk="p", service_id="s", function_name="f", lens="l")
    particle = record(
        id="particle", init_peer_id="i", timestamp=2**63, ttl=7, script="x", signature=b"\0\xff", token="t"
    )
    return record(
        particle=particle,
        service_id="s",
        service_creator_peer_id="c",
        host_id="h",
        worker_id="w",
        tetraplets=[[], [from_, from_]],
    )


_KIT: dict[str, Callable[..., Any]] = {
    "join": lambda _, parts, flag: f"{flag}:{','.join(parts)}",
    "program": _result,
    "get-call-parameters": _caller,
}


@pytest.fixture(scope="module")
def kit() -> ComponentService:
    """A guest that uses everything that hosts offer to C."""
    made = _kit(kit_guest("host"))
    assert lines(wit_of(made.wasm)) == lines(made.wit)
    return ComponentService(made, {KIT_HOST: _KIT})


def test_a_function_a_program_and_the_call_parameters(kit: ComponentService) -> None:
    assert kit.call("joined", [["a", "ü", ""]]) == "True:a,ü,"
    assert kit.call("execute", [["x", "y"]]) == "3:none:x y"
    assert kit.call("caller", []) == ("particle", 2**63, 7, b"\0\xff", "h", [[], ["f", "f"]])


def test_call_parameters_may_be_empty() -> None:
    made = _kit(kit_guest("host"), call_parameters="empty")
    assert "get-call-parameters" not in made.wit
    service = ComponentService(made, {KIT_HOST: _KIT})
    for _ in range(2):
        assert service.call("joined", [["dirty " * 100] * 100]).startswith("True:dirty")
        assert service.call("caller", []) == ("", 0, 0, b"", "", [])


def test_an_import_may_be_left_out() -> None:
    with pytest.raises(ComponentError, match=r"imports `__marine_host_api_v3.join`, and its type is unknown"):
        marine_gen.component({"host": kit_guest("host")}, host_functions=_program())
    made = marine_gen.component(
        {"host": kit_guest("host")},
        package=PACKAGE,
        host_functions=_program(),
        stub_imports=["__marine_host_api_v3.join"],
        call_parameters="empty",
        logger="none",
    )
    service = ComponentService(made, {KIT_HOST: {"program": _result}})
    assert service.call("execute", [["x"]]) == "3:none:x"
    with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
        service.call("joined", [[]])
    with pytest.raises(ComponentError, match=r"no module imports `host\.joined`"):
        marine_gen.component({"greeting": guest("greeting")}, stub_imports=["host.joined"])
    with pytest.raises(ArgumentError, match=r"NAMESPACE\.NAME"):
        marine_gen.component({"greeting": guest("greeting")}, stub_imports=["joined"])


def test_adapters_of_host_functions_are_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of a guest is lifted into them, so a region of guest code there is a mistake of the generator."""
    generated = host.generate_glue

    def mistaken(*args: Any, **options: Any) -> Any:
        code = generated(*args, **options)
        region = f"(func (block (drop (i32.const {MARK}))))"  # in staging
        return replace(code, glue=f"{code.glue.rstrip()[:-1]}{region})")

    monkeypatch.setattr(host, "generate_glue", mistaken)
    with pytest.raises(ComponentError, match="the adapters of what `host` imports from the host break a rule"):
        _kit(kit_guest("host"))


def test_an_error_of_the_host_ends_the_call(kit: ComponentService) -> None:
    def fail(*_: Any) -> Any:
        raise ValueError("no such part")

    service = ComponentService(_kit(kit_guest("host")), {KIT_HOST: {**_KIT, "join": fail}})
    with pytest.raises(ValueError, match="no such part"):
        service.call("joined", [["a"]])


def test_functions_of_one_name_and_two_types_are_two_imports() -> None:
    modules = {name: calling(Signature("run", (), ty)) for name, ty in (("first", Prim.STRING), ("second", Prim.U32))}
    functions = {("host", "callback"): HostFunction.of(lambda: "", [], Prim.STRING)}
    with pytest.raises(ComponentError, match=r"imports `host\.callback` with the Wasm signature"):
        marine_gen.component(modules, host_functions=functions)


def test_the_configuration_says_which_functions_there_are(tmp_path: Path) -> None:
    def configure(logger: str) -> Path:
        text = ""
        for name, program in (("one", "true"), ("two", "false")):
            (tmp_path / f"{name}.wasm").write_bytes(kit_guest("host"))
            text += f'[[module]]\nname = "{name}"\nlogger_enabled = {logger}\n'
            text += f'[module.mounted_binaries]\nprogram = "/bin/{program}"\n'
        (tmp_path / "Config.toml").write_text(f'modules_dir = "."\ntotal_memory_limit = "1 GiB"\n{text}')
        return tmp_path / "Config.toml"

    options: Any = {"stub_imports": ["__marine_host_api_v3.join"], "package": PACKAGE, "call_parameters": "empty"}
    made = marine_gen.component(configure("true"), **options)
    assert re.findall(r"([a-z-]+): func\(args", made.wit) == ["one-program", "two-program"]
    with pytest.raises(LinkError, match="switches the logger off"):
        marine_gen.component(configure("false"), **options)


TAKEN: dict[str, tuple[IType, list[tuple[int, bytes]]]] = {
    "a text behind the memory": (Prim.STRING, []),
    "a text that is none": (Prim.STRING, [(PAGE, b"\xff")]),
    "bytes behind the memory": (Prim.BYTE_ARRAY, []),
    "texts behind the memory": (Array(Prim.STRING), []),
    "a text in an array, behind the memory": (Array(Prim.STRING), [(PAGE, struct.pack("<II", 2**32 - 8, 16))]),
    "a text in an array that is none": (
        Array(Prim.STRING),
        [(PAGE, struct.pack("<II", PAGE + 16, 1)), (PAGE + 16, b"\x80")],
    ),
}


def _text(content: bytes) -> str:
    return '"' + "".join(f"\\{byte:02x}" for byte in content) + '"'


@pytest.mark.parametrize("title", TAKEN)
def test_what_guests_pass_is_looked_at(title: str) -> None:
    """The host sees nothing of a wrong argument; the import that is told of faults is told the import's name."""
    ty, data = TAKEN[title]
    at, size = (PAGE, 1) if data else (2**32 - 8, 16)
    told: list[Any] = []
    called: list[Any] = []
    fields = "".join(f"(data (i32.const {place}) {_text(content)})" for place, content in data)
    wasm = echo_module(
        Description((), (function("send", Prim.U32, Prim.U32),)),
        Memory(pages=2, base=PAGE + 64),
        {"send": "(call $take (local.get 0) (local.get 1)) (i32.const 7)"},
        fields,
        '(import "host" "take" (func $take (param i32 i32)))',
    )
    take = HostFunction.of(lambda _: None, [("taken", ty)], None)
    made = marine_gen.component({"guest": wasm}, package=PACKAGE, host_functions={"take": take}, fault_import=True)
    host = {
        HOST: {"take": lambda _, taken: called.append(taken)},
        FAULT: {"report": lambda _, *values: told.append(values)},
    }
    service = ComponentService(made, host)
    if "none" not in title:
        assert service.call("send", [0, 0]) == 7
        assert len(called) == 1
    with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
        service.call("send", [at, size])
    ((kind, adapter, numbers),) = told
    assert kind == "lift"
    assert adapter == "module `guest`, import adapter of `host.take`, instruction #0 `(host function)`"
    assert len(numbers) == 3
    assert len(called) == ("none" not in title)


def test_a_guest_without_what_results_need() -> None:
    text = """(module (import "host" "name" (func $name)) (memory (export "memory") 1) (func (export "allocate"))
      (func (export "release_objects")) (func (export "get_result_size") (result i32) (i32.const 0))
      (func (export "get_result_ptr") (result i32) (i32.const 0)) (func (export "set_result_size") (param i32))
      (func (export "set_result_ptr") (param i32))
      (func (export "run") (param i32) (result i32) (call $name) (local.get 0)))"""
    wasm = assemble(text, generate(Description((), (function("run", Prim.U32),))))
    name = HostFunction.of(lambda: "", [], Prim.STRING)
    with pytest.raises(
        ComponentError, match=r"^the module `guest` exports no usable `allocate`, which the result of `host\.name`"
    ):
        marine_gen.component({"guest": wasm}, host_functions={"name": name})
    marine_gen.component({"guest": wasm}, stub_imports=["host.name"])
