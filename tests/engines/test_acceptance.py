"""Answers of modules, as JSON and as Python values: the tests of Marine's core and runtime."""

from __future__ import annotations

import json
import logging
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from marine_gen.generate import Description
from marine_runtime import ArgumentError, ModuleConfig, Service, ServiceConfig, TrapError
from marine_runtime.values.scalars import to_f32
from tests.support import echo
from tests.support.engines import guests, normalised
from tests.support.golden import GOLDEN, Case, load_cases

Serve = Callable[..., Service]

I32_MIN, I32_MAX, I64_MIN, I64_MAX = -(2**31), 2**31 - 1, -(2**63), 2**63 - 1
F32_MAX, F64_MAX = 3.4028234663852886e38, 1.7976931348623157e308


def check(service: Service, module: str, function: str, args: str, expected: Any) -> None:
    """Call with JSON text, and with Python values wherever they are a list or an object."""
    assert json.loads(service.call_json(module, function, args)) == expected
    given = json.loads(args)
    if isinstance(given, (list, dict)) and given != [[1]]:  # a list of one stands for its element in JSON only
        called = normalised(service.call(module, function, given))
        if isinstance(called, bytes):
            called = list(called)
        if isinstance(expected, (list, int, float, str)):
            assert called == expected


def test_greeting(serve: Serve) -> None:
    service = serve(guests("greeting"))
    assert service.call("greeting", "greeting", ["Fluence"]) == "Hi, Fluence"
    assert service.modules.greeting.greeting("") == "Hi, "
    assert service.modules.greeting.greeting(name="имя 😀") == "Hi, имя 😀"
    assert service.call("greeting", "greeting", {"name": "x"}) == "Hi, x"
    assert str(service.interface).endswith("greeting:\n  func greeting(name: string) -> string\n")


def test_unknown_names(serve: Serve) -> None:
    service = serve(guests("greeting"))
    for module, function, text in (
        ("_", "greeting", "there is no module `_`; available: `greeting`"),
        ("greeting", "_", "there is no function `_` in module `greeting`; available: `greeting`"),
        ("_", "_", "there is no module `_`; available: `greeting`"),
    ):
        for call in (service.call, lambda module, function: service.call_json(module, function, "[]")):
            with pytest.raises(ArgumentError, match="^" + text) as caught:
                call(module, function)
            assert str(caught.value) == text


def test_only_functions_with_an_adapter_can_be_called(serve: Serve) -> None:
    """Neither the ABI helpers nor Wasm exports that no adapter serves."""
    module = echo.echo_module(
        Description(functions=(echo.function("f"),)), echo.Memory(), fields='(func (export "bare"))'
    )
    service = serve({"m": module})
    assert list(service.modules.m) == ["f"]
    for name in ("allocate", "bare"):
        with pytest.raises(ArgumentError, match=f"there is no function `{name}` in module `m`"):
            service.call("m", name)


@pytest.mark.parametrize("case", load_cases(GOLDEN / "runtime" / "interfaces.golden"), ids=str)
def test_interfaces(serve: Serve, case: Case) -> None:
    """Names, parameters and types of all functions, and the records that they use."""
    case.check(str(serve(guests(*case.input.split())).interface).rstrip())


RECORD = (True, 1, 2, 3, 4, 5, 6, 7, 8, 9.0, 10.0, "field_11", b"\x13\x37")


def test_records_are_returned(serve: Serve) -> None:
    service = serve(guests("records_effector", "records_pure"))
    assert normalised(service.call("records_pure", "invoke")) == RECORD


@pytest.mark.parametrize("as_object", [True, False])
@pytest.mark.parametrize("named", [True, False])
def test_mutate_struct(serve: Serve, as_object: bool, named: bool) -> None:
    service = serve(guests("records_effector"))
    fields = [False, *[0] * 10, "", []]
    given: Any = {f"field_{index}": value for index, value in enumerate(fields)} if as_object else fields
    args: Any = {"test_record": given} if named else [given]
    expected = {f"field_{index}": value for index, value in enumerate([*RECORD[:-1], [0x13, 0x37]])}
    assert json.loads(service.call_json("records_effector", "mutate_struct", json.dumps(args))) == expected
    assert normalised(service.call("records_effector", "mutate_struct", args)) == RECORD


def all_types() -> list[int]:
    block = bytes([0, 1, 0, 2, 0, 0, 0, 3, *[0] * 7, 4, 5, 0, 6, 0, 0, 0, 7, *[0] * 7])
    return list((block + struct.pack(">fd", 8.1, 9.1) + b"fluence" + bytes([19, 55])) * 2)


NUMBERS = [
    *(("i32", args, 3) for args in ('{"arg":1}', "1", "[[1]]")),
    ("i32", f"[{I32_MAX - 2}]", I32_MAX),
    ("i32", f"[{I32_MIN}]", I32_MIN + 2),
    *(("i64", args, 3) for args in ('{"arg":1}', "1", "[1]")),
    ("i64", f"[{I64_MAX - 2}]", I64_MAX),
    ("i64", f"[{I64_MIN}]", I64_MIN + 2),
    *((name, args, 3) for name in ("u32", "u64") for args in ('{"arg":1}', "1")),
    ("u32", f"[{2**32 - 3}]", 2**32 - 1),
    ("u64", f"[{2**64 - 3}]", 2**64 - 1),
    *((name, args, 3.0) for name in ("f32", "f64") for args in ('{"arg":1.0}', "1.0")),
    ("f32", f"[{F32_MAX - 2.0}]", to_f32(F32_MAX)),
    ("f32", f"[{-F32_MAX}]", to_f32(-F32_MAX + 2.0)),
    ("f64", f"[{F64_MAX - 2.0}]", F64_MAX),
    ("f64", f"[{-F64_MAX}]", -F64_MAX + 2.0),
    *(("bytearray", args, [19, 55, 1, 1]) for args in ('{"arg":[19,55]}', "[[19,55]]")),
    ("bytearray", "[[19]]", [19, 1, 1]),
    *(("bool", args, True) for args in ('{"arg":false}', "false", "[false]")),
    *(("string", args, "Fluence_Fluence_Fluence_Fluence") for args in ('{"arg":"Fluence"}', '"Fluence"')),
]


def test_arguments_passing(serve: Serve) -> None:
    service = serve(guests("arguments_passing_effector", "arguments_passing_pure"))
    name = "arguments_passing_pure"
    for kind, args, expected in NUMBERS:
        for suffix in ("_type", "_ref_type"):
            check(service, name, kind + suffix, args, expected)
    check(service, name, "str_type", '"Fluence"', "Fluence_Fluence_Fluence_Fluence")
    values = [*range(8), 8.1, 9.1, "fluence", [19, 55]]
    for function in ("all_types", "all_ref_types"):
        check(service, name, function, json.dumps(values), all_types())
        check(service, name, function, json.dumps({f"arg_{i}": value for i, value in enumerate(values)}), all_types())
    for args in ("{}", "[]"):
        check(service, name, "empty_type", args, "success")
    functions = service.interface.modules[name].functions
    assert len(functions) == 22
    assert functions == service.interface.modules["arguments_passing_effector"].functions
    for function, signature in functions.items():
        for args in ("{}", "[]") if signature.params else ("[1]",):
            with pytest.raises(ArgumentError):
                service.call_json(name, function, args)
            with pytest.raises(ArgumentError):
                service.call(name, function, json.loads(args))


ONE = {"field_0": 0, "field_1": [[1]]}
TEN = list(range(1, 11))


def item(number: int, *inner: list[int]) -> dict[str, Any]:
    return {"field_0": number, "field_1": list(inner)}


ARRAYS = [
    *(("i32", args, [0, 1, 2, 3, 4, 0, 2]) for args in ("[[]]", '{"arg":[]}')),
    ("i32", "[[1]]", [1, 0, 1, 2, 3, 4, 0, 2]),
    *(("i64", args, [1, 0, 1, 2, 3, 4, 1, 1]) for args in ('{"arg":[1]}', "[[1]]")),
    *(("u32", args, [1, 0, 13, 37, 2]) for args in ('{"arg":[1]}', "[[1]]")),
    *(("u64", args, [1, 0, 1, 2, 3, 4, 2]) for args in ('{"arg":[1]}', "[[1]]")),
    *(("f64", args, [1.0, 0.0, 13.37, 1.0]) for args in ('{"arg":[1.0]}', "[[1.0]]")),
    ("f32", "[[1.0]]", [1.0, 0.0, to_f32(13.37), 1.0]),
    *(
        ("string", args, ["Fluence", "marine", "from effector", "test"])
        for args in ('{"arg":["Fluence"]}', '[["Fluence"]]')
    ),
    ("byte", "[[19,55]]", [19, 55, 0, 1, 2]),
    ("bool", "[[false]]", [True, True, False, True, False, True]),
]


def test_arrays_passing(serve: Serve) -> None:
    service = serve(guests("arrays_passing_effector", "arrays_passing_pure"))
    name = "arrays_passing_pure"
    for kind, args, expected in ARRAYS:
        check(service, name, f"{kind}_type", args, expected)
    nested = service.call_json(name, "inner_arrays_1", "[[[[[19,55]]]]]")
    assert json.loads(nested) == [[[[19, 55]]], [[[0]]], [], [[]], [[[]]], [[TEN]], [[[2]]]]
    assert service.call(name, "inner_arrays_1", [[[[b"\x13\x37"]]]])[5] == [[bytes(TEN)]]
    expected = [
        *([[[item(0, [1])]]], [[[item(0, [1]), item(0)]]], [], [[]], [[[]]]),
        *([[[item(0, [1, 2, 3, 4])]]], [[[item(1, [2]), item(0)]]]),
    ]
    for record in (ONE, [0, [[1]]]):
        text = service.call_json(name, "inner_arrays_2", json.dumps([[[[[record]]]]]))
        assert json.loads(text) == expected
    for args in ("{}", "[]"):
        check(service, name, "empty_type", args, ["from effector"])
    functions = service.interface.modules[name].functions
    assert len(functions) == 12
    for function, signature in functions.items():
        for args in ("{}", "[]") if signature.params else ("[1]",):
            with pytest.raises(ArgumentError):
                service.call_json(name, function, args)


def test_records_passing(serve: Serve) -> None:
    service = serve(guests("records_passing_effector", "records_passing_pure"))
    inner = {"field_0": 1, "field_1": "", "field_2": [1], "test_record_0": {"field_0": 1}}
    given = {"test_record": {"test_record_0": {"field_0": 0}, "test_record_1": inner}}
    answer = {"field_0": 1, "field_1": "fluence", "field_2": [19, 55], "test_record_0": {"field_0": 5}}
    for function in ("test_record", "test_record_ref"):
        text = service.call_json("records_passing_pure", function, json.dumps(given))
        assert json.loads(text) == {"test_record_0": {"field_0": 1}, "test_record_1": answer}
        result = service.call("records_passing_pure", function, given)
        assert normalised(result) == ((1,), (1, "fluence", b"\x13\x37", (5,)))
        assert type(result).__name__ == "TestRecord2"
        assert result.test_record_1.field_1 == "fluence"


@pytest.mark.parametrize("as_json", [True, False])
def test_records_destruction(serve: Serve, as_json: bool) -> None:
    """No leak and no double drop: the destructor counts of both modules are exact."""
    service = serve(guests("records_passing_effector", "records_passing_pure"))
    args = [{"data": {"id": 3}, "data2": [{"id": 4}]}, [{"data": {"id": 1}, "data2": [{"id": 2}]}]]
    name = "records_passing_pure"
    if as_json:
        text = service.call_json(name, "pass_droppable_record", json.dumps(args))
        assert json.loads(text) == [args[1][0], args[0]]  # type: ignore[index]
        assert service.call_json(name, "get_drop_count", "[]") == "[16,8]"
    else:
        assert normalised(service.call(name, "pass_droppable_record", args)) == [((1,), [(2,)]), ((3,), [(4,)])]
        assert service.call(name, "get_drop_count") == [16, 8]


def test_shrek_calls_donkey(serve: Serve) -> None:
    service = serve(guests("donkey", "shrek"))
    assert service.call("shrek", "greeting", ["Fiona"]) == ["Shrek: hi, Fiona", "Donkey: hi, Fiona"]
    assert service.call_json("donkey", "greeting", '["Fiona"]') == '"Donkey: hi, Fiona"'


def test_records_and_void_functions(serve: Serve) -> None:
    service = serve(guests("greeting_record"))
    assert normalised(service.modules.greeting_record.greeting_record()) == ("Hello, world!", 42)
    assert service.modules.greeting_record.void_fn() is None
    assert service.call_json("greeting_record", "void_fn", "[]") == "null"


def test_call_parameters_have_defaults(serve: Serve) -> None:
    service = serve(guests("call_parameters"))
    strings = ("service_id", "service_creator_peer_id", "host_id", "worker_id")
    particle = {"id": "", "init_peer_id": "", "timestamp": 0, "ttl": 0, "script": "", "signature": [], "token": ""}
    expected = {"particle": particle, **dict.fromkeys(strings, ""), "tetraplets": []}
    assert json.loads(service.call_json("call_parameters", "call_parameters", "[]")) == expected


def test_the_logger_keeps_what_it_can_read(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    service = serve(guests("logger"))
    caplog.set_level(1)
    for level in ("error", "warn", "info", "debug", "trace"):
        service.call("logger", f"log_{level}")
    service.call("logger", "log_line", [9, 1, "100% {} %s имя"])
    service.call("logger", "log_garbage")
    assert [(record.name, record.levelno, record.getMessage()) for record in caplog.records] == [
        ("logger", logging.ERROR, "error"),
        ("logger", logging.WARNING, "warn"),
        ("logger", logging.INFO, "info"),
        ("logger", logging.DEBUG, "debug"),
        ("logger", 5, "trace"),
        ("logger", 5, "100% {} %s имя"),
        ("logger", logging.WARNING, "a log message of this module is not UTF-8 and is lost"),
    ]


def test_failing(serve: Serve) -> None:
    service = serve(guests("failing"))
    for _ in range(2):
        with pytest.raises(TrapError) as caught:
            service.call("failing", "failing")
        assert str(caught.value) == (
            "module `failing`, export adapter of `failing`, instruction #0 `call-core 6`: "
            "wasm trap: wasm `unreachable` instruction executed"
        )


def test_the_example_service(serve: Serve, tmp_path: Path) -> None:
    """Mounted binaries are host functions here, so the example needs one."""
    from marine_gen import HostFunction
    from marine_runtime.types import Array, Field, Prim, RecordType

    result = RecordType(
        "MountedBinaryResult",
        (
            *(Field("ret_code", Prim.S32), Field("error", Prim.STRING)),
            *(Field("stdout", Prim.BYTE_ARRAY), Field("stderr", Prim.BYTE_ARRAY)),
        ),
    )
    commands = []

    def curl(cmd: list[str]) -> tuple[int, str, bytes, bytes]:
        commands.append(cmd)
        return 0, "", b"page of " + cmd[-1].encode(), b""

    functions = {"curl": HostFunction.of(curl, [("cmd", Array(Prim.STRING))], result)}
    config = ServiceConfig(modules={"local_storage": ModuleConfig(mapped_dirs={"sites": str(tmp_path)})})
    service = serve(guests("curl", "local_storage", "facade"), host_functions=functions, config=config)
    saved = service.modules.facade.get_n_save("http://x", "name")
    assert isinstance(saved, str)
    assert commands
    assert commands[0][-1] == "http://x"
    assert service.modules.local_storage.get("name") == b"page of http://x"
