"""Guests of the C kit: every type both ways, answers like those of hand-written ABI, and memory that is given back."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_runtime import CallError, CallParameters, ModuleConfig, Service, ServiceConfig, TrapError
from marine_runtime.calls.parameters import ParticleParameters, SecurityTetraplet
from marine_runtime.types import Array, Prim
from tests.guests.kit_guests import kit_guest
from tests.support.engines import CONFIGURATIONS, OFTEN, Configuration, guest, load, outcome, shown
from tests.support.samples import sampled
from tests.support.values import SCALARS, edge_values

Serve = Callable[..., Service]

FULL = (
    *(True, -1, -2, -3, -4, 255, 65535, 2**32 - 1, 2**64 - 1, 1.5, -0.0, "täxt", b"\0\xff"),
    *((7, 2**63), [(0, 1), (255, 2)], ["a", "", "日本"], [[], [(1, 2)], [(3, 4), (5, 6)]]),
)
EMPTY = (False, *[0] * 8, 0.0, 0.0, "", b"", (0, 0), [], [], [])
TREE = ("root", [("", []), ("left", [("deep", [("deeper", [])])]), ("right", [])])
DEEP = functools.reduce(lambda inner, _: ("", [inner]), range(120), ("leaf", []))  # the limit of the runtime is 128
MODULES = ("everything", "relay")


def two(serve: Serve) -> Service:
    return serve({name: kit_guest(name) for name in MODULES})


@pytest.fixture(scope="module", params=sampled(CONFIGURATIONS, OFTEN.__contains__), ids=str)
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    """Both guests, for tests that leave them as they were."""
    chosen: Configuration = request.param
    modules = {name: kit_guest(name) for name in MODULES}
    with load(modules, chosen.engine, chosen.call_layer) as service:
        yield service


@pytest.mark.parametrize("ty", SCALARS, ids=str)
def test_scalars_strings_and_their_arrays(running: Service, ty: Prim) -> None:
    edges = edge_values(ty)
    for module in MODULES:
        for value in edges:
            assert shown(running.call(module, f"{ty.value.replace('boolean', 'bool')}_value", [value])) == shown(value)
        for count in (len(edges), 1, 0):
            array: Any = bytes(edges[:count]) if ty is Prim.U8 else edges[:count]
            assert shown(running.call(module, f"{ty.value.replace('boolean', 'bool')}_array", [array])) == shown(array)


VALUES: list[tuple[str, Any]] = [
    *(("bytes_array", value) for value in ([], [b""], [b"a", b"", b"\0" * 100])),
    *(("deep_array", value) for value in ([], [[]], [[[]]], [[[1, 2], []], [], [[65535]]])),
    *(("nested", value) for value in ([], [[]], [[(1, 2)], [], [(255, 2**64 - 1), (0, 0)]])),
    *(("record", value) for value in (FULL, EMPTY)),
    *(("records", value) for value in ([], [EMPTY], [FULL, EMPTY, FULL])),
    *(("tree", value) for value in (("", []), TREE, DEEP)),
]


@pytest.mark.parametrize(("function", "value"), VALUES, ids=lambda item: item if isinstance(item, str) else "")
def test_arrays_and_records(running: Service, function: str, value: Any) -> None:
    for module in MODULES:
        assert shown(running.call(module, function, [value])) == shown(value)


def test_many_parameters_and_none(serve: Serve) -> None:
    service = two(serve)
    for module in MODULES:
        assert shown(service.call(module, "collect", list(FULL))) == shown(FULL)
        assert service.call(module, "nothing") is None


def test_results_may_be_arguments_parts_of_them_and_literals(serve: Serve) -> None:
    service = serve({"m": kit_guest("everything")})
    assert shown(service.call("m", "twice", [FULL])) == shown([FULL, FULL])
    assert shown(service.call("m", "zero")) == shown(EMPTY)
    assert service.call("m", "literal") == "not a block"
    assert service.call("m", "pieces", ["abcdefg", 3]) == ["abc", "def", "g"]
    assert service.call("m", "pieces", ["", 3]) == []
    assert service.call("m", "count_up", [5000]) == list(range(5000))
    assert service.call("m", "format", [-5, "end"]) == "-5, end"
    assert service.call("m", "format", [0, ""]) == "0, "


@pytest.mark.costly
def test_what_is_taken_outlives_calls(serve: Serve) -> None:
    service = serve({"m": kit_guest("everything")})
    texts = [f"text {index} " * (index % 50) for index in range(200)]
    for round_ in range(2):
        for index, text in enumerate(texts):
            assert service.call("m", "keep", [text]) == index + 1
            assert service.call("m", "string_value", ["x" * 100]) == "x" * 100
        assert service.call("m", "kept") == texts, round_
        service.call("m", "forget")
        assert service.call("m", "kept") == []


@pytest.mark.costly
def test_whole_values_are_kept_and_freed(serve: Serve) -> None:
    service = serve({"m": kit_guest("everything")})

    def run() -> None:
        for count in range(1, 40):
            assert service.call("m", "keep_value", [FULL if count % 2 else EMPTY]) == count
        assert shown(service.call("m", "kept_values")) == shown([FULL, EMPTY] * 19 + [FULL])
        service.call("m", "forget_values")
        assert service.call("m", "kept_values") == []
        for tree in (TREE, ("", []), DEEP, TREE):
            service.call("m", "keep_tree", [tree])
            assert shown(service.call("m", "kept_tree")) == shown(tree)

    run()
    before = memory(service)
    for _ in range(10):
        run()
    assert memory(service) == before


def test_memory_that_can_not_be_had(serve: Serve) -> None:
    service = serve({"m": kit_guest("everything")}, config=ServiceConfig(total_memory_limit=4 << 20))
    assert service.call("m", "exhaust", [2**32 - 1]) == 0  # more than there can be
    assert service.call("m", "exhaust", [2**20]) == 0  # more than the limit gives
    with pytest.raises(CallError):
        service.call("m", "count_up", [2**20])
    assert service.call("m", "exhaust", [16]) == 1


@pytest.mark.parametrize(
    ("module", "function", "args"),
    [
        ("everything", "free_literal", []),
        ("everything", "free_twice", ["text"]),
        ("relay", "end_scope_twice", []),
        ("relay", "fail", []),
    ],
)
def test_mistakes_are_traps_and_later_calls_are_whole(
    serve: Serve, module: str, function: str, args: list[Any]
) -> None:
    service = two(serve)
    with pytest.raises(TrapError):
        service.call(module, function, args)
    for name in MODULES:
        assert shown(service.call(name, "record", [FULL])) == shown(FULL)


def memory(service: Service) -> dict[str, int]:
    return dict(service.statistics().memory)


@pytest.mark.costly
def test_memory_does_not_grow(configuration: Configuration, serve: Serve) -> None:
    service = two(serve)
    steps = [("relay", "record", [FULL]), ("relay", "tree", [TREE]), ("everything", "pieces", ["abcdefg" * 30, 4])]
    steps += [("relay", "records", [[FULL] * 5]), ("everything", "count_up", [500])]
    count = 300 if configuration == CONFIGURATIONS[0] else 20

    def run(times: int) -> None:
        for module, function, args in steps:
            for _ in range(0, times, 100):
                results = service.call_batch(module, function, [args] * min(times, 100))
                assert not any(isinstance(result, Exception) for result in results)

    run(20)
    before = memory(service)
    run(count)
    assert memory(service) == before


@pytest.mark.costly
def test_memory_of_calls_that_trap_is_given_back(serve: Serve) -> None:
    service = two(serve)

    def run(times: int) -> None:
        for _ in range(times):
            for module, function, args in (
                ("everything", "free_twice", ["x" * 50_000]),
                ("relay", "fail", []),
                ("relay", "string_value", ["y" * 50_000]),
            ):
                outcome(lambda wanted=(module, function, args): service.call(*wanted))

    run(5)
    before = memory(service)
    run(100)
    assert memory(service) == before


@pytest.mark.costly
def test_a_scope_gives_back_within_a_call(serve: Serve) -> None:
    service = two(serve)
    value = (*FULL[:11], "t" * 10_000, *FULL[12:])
    service.call("relay", "repeat", [2, value])
    before = memory(service)
    assert service.call("relay", "repeat", [200, value]) == 2_000_000
    assert memory(service) == before


CALLS: list[tuple[str, str, list[Any]]] = [
    *(
        ("arguments_passing", f"{kind}{suffix}", [value])
        for kind, ty in {"i32": Prim.S32, "i64": Prim.S64, "u32": Prim.U32, "u64": Prim.U64}.items()
        for suffix in ("_type", "_ref_type")
        for value in edge_values(ty)
    ),
    *(("arguments_passing", f"{kind}_type", [value]) for kind in ("f32", "f64") for value in (0.0, 1.5, float("nan"))),
    *(("arguments_passing", "bool_type", [value]) for value in (True, False)),
    *(("arguments_passing", name, [text]) for name in ("str_type", "string_type") for text in ("", "é", "x" * 300)),
    *(("arguments_passing", "bytearray_type", [data]) for data in (b"", b"\0\xff" * 50)),
    ("arguments_passing", "empty_type", []),
    ("arguments_passing", "all_types", [-1, -2, -3, -4, 255, 65535, 7, 2**64 - 1, 1.5, -2.5, "text", b"\1\2"]),
    *(("arrays_passing", "byte_type", [data]) for data in (b"", b"ab")),
    *(
        ("arrays_passing", f"{kind}_type", [value])
        for kind in ("f32", "f64", "u32", "u64", "i32", "i64", "bool")
        for value in ([], [0, 1, 1] if kind != "bool" else [True, False])
    ),
    *(("arrays_passing", "string_type", [value]) for value in ([], ["", "a", "é" * 100])),
    ("arrays_passing", "empty_type", []),
    *(("arrays_passing", "inner_arrays_1", [value]) for value in ([], [[[b"a", b""], []], []])),
    *(("arrays_passing", "inner_arrays_2", [value]) for value in ([], [[[[(1, [b"x", b""]), (2, [])], []], []], []])),
    ("records", "mutate_struct", [(False, *[0] * 8, 0.0, 0.0, "", b"")]),
    ("records", "invoke", []),
]
COUNTERPARTS = {"arguments_passing": "arguments", "arrays_passing": "arrays", "records": "records"}


@pytest.mark.costly
def test_answers_are_those_of_hand_written_guests(serve: Serve) -> None:
    """The hand-written importer works with either exporter, and both exporters answer alike."""
    for pair, kit in COUNTERPARTS.items():
        effector, pure = f"{pair}_effector", f"{pair}_pure"
        by_hand = serve({effector: guest(effector), pure: guest(pure)})
        by_kit = serve({effector: kit_guest(kit), pure: guest(pure)})
        for module in (effector, pure):
            names = set(by_hand.interface.modules[module].functions)
            for _, function, args in (call for call in CALLS if call[0] == pair and call[1] in names):
                wanted = shown(by_hand.call(module, function, args))
                assert shown(by_kit.call(module, function, args)) == wanted, (module, function, args)


def host_service(serve: Serve) -> Service:
    joined = HostFunction.of(
        lambda parts, flag: "+".join(parts) + str(flag),
        params=[("parts", Array(Prim.STRING)), ("flag", Prim.BOOLEAN)],
        result=Prim.STRING,
    )
    module = ModuleConfig(mounted_binaries={"program": sys.executable}, logger_enabled=True, logging_mask=4)
    return serve(
        {"host": kit_guest("host")}, host_functions={"join": joined}, config=ServiceConfig(modules={"host": module})
    )


def test_what_the_host_gives(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    service = host_service(serve)
    assert service.call("host", "joined", [["a", "", "b"]]) == "a++bTrue"
    code = "import sys; sys.stdout.write(','.join(sys.argv[1:])); sys.exit(3)"
    assert service.call("host", "execute", [["-I", "-c", code, "x", "", "y z"]]) == "3::x,,y z"
    assert service.call("host", "execute", [["-I", "-c", "import os; os.write(1, b'\\xff')"]]) == "not UTF-8"
    with caplog.at_level(5, "host"):
        for target in (0, 4, 8):
            service.call("host", "say", [2, target, f"target {target}"])
        service.call("host", "report", [-7])
    assert caplog.record_tuples == [
        *(("host", logging.WARNING, f"target {target}") for target in (0, 4)),
        ("host", logging.WARNING, "number -7"),
    ]


def test_call_parameters(serve: Serve) -> None:
    service = host_service(serve)
    assert shown(service.call("host", "caller")) == shown(("", 0, 0, b"", "", []))
    parameters = CallParameters(
        particle=ParticleParameters(id="p", timestamp=2**63, ttl=2**32 - 1, signature=b"\1\2"),
        host_id="here",
        tetraplets=[
            [SecurityTetraplet(function_name="f"), SecurityTetraplet(function_name="g")],
            [],
            [SecurityTetraplet(function_name="é")],
        ],
    )
    answer = service.call("host", "caller", call_parameters=parameters)
    assert shown(answer) == shown(("p", 2**63, 2**32 - 1, b"\1\2", "here", [["f", "g"], [], ["é"]]))
