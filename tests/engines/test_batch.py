"""`call_batch`: results in order, an exception for each row that fails, and otherwise as if called one by one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from types import FrameType
from typing import Any

import pytest

from marine_gen import HostFunction
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Vector
from marine_runtime import ArgumentError, CallError, Service, StateError
from marine_runtime.abi.packed import MAX_PLACES
from marine_runtime.adapters.batch import BATCH_ROWS
from marine_runtime.types import Prim
from tests.runtime.service.test_lifecycle import in_thread
from tests.support.echo import TAKE_LOG, Memory, chain, echo_module, function, take_logs
from tests.support.engines import OFTEN, Configuration, Modules, Outcome, failure, load, outcome, shown

Serve = Callable[..., Service]

POINT = RecordDeclaration("Point", (Member("x", Prim.S32), Member("name", Prim.STRING), Member("w", Prim.F32)))
TREE = RecordDeclaration("Tree", (Member("name", Prim.STRING), Member("parts", Vector(Named("Tree")))))
WIDE = RecordDeclaration("Wide", tuple(Member(f"m{number}", Prim.U8) for number in range(MAX_PLACES)))
RECORDS = [POINT, TREE, WIDE]
SIGNATURES = [
    function("text", Prim.STRING),
    function("data", Vector(Prim.U8), Prim.STRING),
    function("point", Named("Point")),
    function("points", Vector(Named("Point")), Prim.U64, Prim.STRING),
    function("numbers", Prim.S64, Prim.U32, Prim.F64, Prim.BOOLEAN, Prim.S8),
    function("float", Prim.F32, Vector(Prim.F32)),
    function("flag", Prim.BOOLEAN),
    function("flags", Vector(Prim.BOOLEAN)),
    function("nothing"),
    function("lists", Vector(Vector(Prim.U64))),
    # Without a packed form: such calls run one by one.
    function("tree", Named("Tree"), Prim.U32),
    function("wide", Named("Wide")),
]
ROWS: dict[str, Sequence[Any]] = {
    "text": [["a"], ("é😀",), {"p0": "named"}, [""], ["a\0b"], ["x" * 5000]],
    "data": [[b"\0\xff", "t"], {"p1": "u", "p0": b""}, [bytearray(b"ab"), ""], [[1, 2], ""]],
    "point": [[(1, "a", 0.5)], [{"x": 2, "name": "", "w": 1}], [(-(2**31), "é", float("inf"))]],
    "points": [[[(1, "a", 0.5)] * 3, 2**64 - 1, "t"], [[], 0, ""], [[{"x": 1, "name": "n", "w": 2.5}], 7, "é"]],
    "numbers": [[-(2**63), 2**32 - 1, -0.0, True, -128], [0, 0, 1, False, 127], [5, 6, float("nan"), True, 0]],
    "float": [[1.5, [0.1]], [1e300, []], [-1e300, [1e300, -1e39]], [float("nan"), [3]], [7, [1e-50]]],
    "flag": [[True], [False]],
    "flags": [[[True, False, True]], [[]]],
    "nothing": [[], (), {}],
    "lists": [[[[1, 2], []]], [[]]],
    "tree": [[("a", [("b", []), ("é", [("c", [])])]), 1], {"p0": {"name": "", "parts": ()}, "p1": 2}],
    "wide": [[tuple(range(MAX_PLACES))], {"p0": {f"m{number}": number for number in range(MAX_PLACES)}}],
}
UNFIT: dict[str, Sequence[Any]] = {
    "text": [
        [1],
        [None],
        ["\ud800"],
        [],
        ["a", "b"],
        {},
        {"other": "a"},
        {"p0": "a", "x": 1},
        "a",
        "ab",
        b"a",
        None,
        3,
    ],
    "data": [[b"", 1], ["", ""], [[256], ""], [b""], {"p0": b""}],
    "point": [[(1, "a")], [None], [{"x": 1}], [(2**31, "a", 0.0)], [(1, "a", "0")], ["abc"]],
    "points": [[[(1, "a", 0.5), (1, 2, 3)], 0, ""], [[], -1, ""], [[], 2**64, ""], [[], 0, None], [5, 0, ""]],
    "numbers": [[2**63, 0, 0.0, True, 0], [0, -1, 0.0, True, 0], [0, 0, "0", True, 0], [0, 0, 0.0, 1, 0], [True] * 5],
    "float": [["1.5", []], [None, []], [1.5, ["x"]]],
    "flag": [[1], [0.0], ["true"]],
    "flags": [[[1]], [True]],
    "nothing": [[1], {"a": 1}, "", None, 0],
    "lists": [[[[1], [-1]]], [[None]]],
    "tree": [[("a", [("b", [None])]), 1], [("a", []), -1], [("\ud800", []), 0], [("a", [])]],
    "wide": [[tuple(range(MAX_PLACES - 1))], [(256,) * MAX_PLACES], [None]],
}


@pytest.fixture(scope="module")
def services() -> Iterator[list[Service]]:
    modules = chain(SIGNATURES, RECORDS)
    with ExitStack() as stack:
        yield [stack.enter_context(load(modules, item.engine, item.call_layer)) for item in (*OFTEN, PUBLIC)]


PUBLIC = Configuration("fused", "public")


def each(service: Service, module: str, name: str, rows: Sequence[Any]) -> list[Outcome]:
    """Outcomes of the same calls, one by one."""
    return [outcome(lambda: service.call(module, name, row)) for row in rows]  # noqa: B023  # called at once


def batch(service: Service, module: str, name: str, rows: Sequence[Any]) -> list[Outcome]:
    found = service.call_batch(module, name, rows)
    return [failure(item) if isinstance(item, Exception) else Outcome(shown(item)) for item in found]


@pytest.mark.parametrize("name", ROWS)
def test_equal_to_single_calls(services: list[Service], name: str) -> None:
    good, bad = ROWS[name], UNFIT[name]
    mixed = [row for pair in zip(good * len(bad), bad * len(good), strict=True) for row in pair]
    expected = {module: each(services[-2], module, name, mixed) for module in ("inner", "outer")}
    assert [bool(item.error) for item in expected["inner"]] == [False, True] * (len(mixed) // 2)
    assert all("ArgumentError: " in item.error[0] for item in expected["inner"] if item.error)
    for service in services:
        for module in ("inner", "outer"):
            assert batch(service, module, name, mixed) == expected[module]
            for rows in (good, bad, mixed[:1], mixed[1:2], mixed[::-1]):
                assert batch(service, module, name, rows) == each(service, module, name, rows)
            assert service.call_batch(module, name, []) == []


def test_lists_that_change_are_packed_of_one_piece(services: list[Service]) -> None:
    """Another thread changes an argument while rows are packed; the guest never sees bytes that nobody passed."""
    inner = [1] * 3

    def change(frame: FrameType, event: str, _: Any) -> Any:
        if "pack" in frame.f_code.co_name and len(inner) < 100:
            inner.append(2)
        return change

    for name, rows in (("float", [[0.5, inner], [1.5, [7]]]), ("lists", [[[inner, [3]]], [[[4], []]]])):
        del inner[3:]
        sys.settrace(change)
        try:
            found = services[-1].call_batch("inner", name, rows)
        finally:
            sys.settrace(None)
        if name == "float":
            assert found == [0.5, 1.5]
        else:
            assert found[1] == [[4], []]
            assert found[0][1] == [3]
            assert found[0][0] == inner[: len(found[0][0])]
        assert len(inner) > 3


def test_guests_see_the_same(services: list[Service]) -> None:
    logs = []
    for service in services:
        take_logs(service)
        service.call_batch("outer", "points", [*ROWS["points"], *UNFIT["points"], *ROWS["points"]])
        logs.append(take_logs(service))
    assert logs == [logs[0]] * len(logs)


def test_records_come_out_as_their_classes(services: list[Service]) -> None:
    for service in services:
        cls = service.modules.outer.records["Point"]
        one, two = service.call_batch("outer", "point", [[(1, "a", 0.5)], [cls(2, "b", 1.0)]])
        assert one == cls(1, "a", 0.5)
        assert two == cls(2, "b", 1.0)
        (several,) = service.call_batch("outer", "points", [[[one, two], 0, ""]])
        assert several == [one, two]


@pytest.mark.parametrize("count", [BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, 3 * BATCH_ROWS + 5])
def test_many_rows(services: list[Service], count: int) -> None:
    """More than one entry into Wasm takes, with faults at the seams."""
    faults = {0, 1, BATCH_ROWS - 2, BATCH_ROWS - 1, BATCH_ROWS, BATCH_ROWS + 1, count - 1} & set(range(count))
    rows = [[None] if index in faults else [f"{index}"] for index in range(count)]
    for service in (services[0], services[-1]):
        found = service.call_batch("inner", "text", iter(rows))
        assert len(found) == count
        assert {index for index, item in enumerate(found) if isinstance(item, ArgumentError)} == faults
        assert [item for item in found if isinstance(item, str)] == [row[0] for row in rows if row[0] is not None]
        assert service.call_batch("inner", "nothing", [[]] * count) == [None] * count
        numbers = [[index, index, 0.0, True, 0] for index in range(count)]
        assert service.call_batch("inner", "numbers", numbers) == list(range(count))


def test_sequences_of_other_kinds(services: list[Service]) -> None:
    """Whatever `call` takes for arguments; a row is never taken for its keys or its characters."""

    class Row(list[str]):
        pass

    for service in services:
        assert service.call_batch("inner", "text", (Row([text]) for text in "ab")) == ["a", "b"]
        (found,) = service.call_batch("inner", "flag", [range(1)])
        assert isinstance(found, ArgumentError)
        (found,) = service.call_batch("inner", "text", [{"text": "a"}])
        assert str(found) == "`inner.text`: missing `p0`; unknown `text` (arguments: `p0`)"
        (found,) = service.call_batch("inner", "text", [iter(["a"])])
        assert "arguments must be a sequence or a mapping" in str(found)


def test_unknown_names(services: list[Service]) -> None:
    for service in services:
        with pytest.raises(ArgumentError, match="there is no module `nobody`"):
            service.call_batch("nobody", "text", [])
        with pytest.raises(ArgumentError, match="there is no function `nothere` in module `inner`"):
            service.call_batch("inner", "nothere", [])


# Failures while calls run. `step` fails by the length of its argument, and counts its calls.

STEP = function("step", Prim.STRING)
BODY = """
  (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
  (call $callback (local.get 1))
  (if (i32.eq (local.get 1) (i32.const 1)) (then unreachable))
  (global.set $ptr (local.get 0))
  (global.set $size (local.get 1))
  (if (i32.eq (local.get 1) (i32.const 2)) (then (global.set $ptr (i32.const -1))))
  (if (i32.eq (local.get 1) (i32.const 3)) (then (i32.store8 (local.get 0) (i32.const 255))))"""
COUNT = function("count", Prim.U32)


class Interrupt(BaseException):
    """Like KeyboardInterrupt, which pytest would take for its own."""


def fragile() -> Modules:
    module = echo_module(
        Description(functions=(STEP, COUNT, TAKE_LOG)),
        Memory(),
        {"step": BODY, "count": "(global.get $calls)"},
        "(global $calls (mut i32) (i32.const 0))",
        '(import "host" "callback" (func $callback (param i32)))',
    )
    return {"m": module}


def callback(length: int) -> None:
    if length == 4:
        raise ValueError("of the host")
    if length == 5:
        raise KeyboardInterrupt
    if length == 6:
        raise Interrupt
    if length == 7:
        raise StateError("of another service")
    if length == 8:
        raise CallError("of another service")


HOST = {"callback": HostFunction.of(callback, [Prim.S32])}


def text(length: int) -> str:
    return "abcdefghijklmnop"[:length]


@pytest.mark.parametrize("failing", [1, 2, 3, 4, 7, 8])
def test_a_failing_row_does_not_stop_the_others(serve: Serve, failing: int) -> None:
    service = serve(fragile(), host_functions=HOST)
    (expected,) = each(service, "m", "step", [[text(failing)]])
    assert expected.error
    lengths = [failing, 9, 0, failing, failing, 10, 11, failing]
    for rows in ([[text(length)] for length in lengths], [[text(failing)]] * 3, [[text(12)], [text(failing)]]):
        before = service.call("m", "count", [0])
        found = batch(service, "m", "step", rows)
        assert service.call("m", "count", [0]) == before + len(rows)
        assert found == [expected if len(row[0]) == failing else Outcome(repr(row[0])) for row in rows]


def test_every_kind_of_failure_in_one_batch(serve: Serve) -> None:
    service = serve(fragile(), host_functions=HOST)
    rows = [[text(length)] for length in (9, 1, 2, 10, 3, 4, 7, 8, 11)] * 3
    assert batch(service, "m", "step", rows) == each(service, "m", "step", rows)
    found = service.call_batch("m", "step", rows)
    assert [type(item).__name__ for item in found[:9]] == [
        *("str", "TrapError", "CallError", "str", "CallError", "ValueError", "StateError", "CallError", "str")
    ]
    assert len({id(item) for item in found if isinstance(item, Exception)}) == 18


def test_a_host_function_fails_by_turns(serve: Serve) -> None:
    """Each exception belongs to its own row and is the very one that was raised."""
    raised: list[Exception] = []

    def fail(length: int) -> None:
        if length % 2:
            raised.append(ValueError(length))
            raise raised[-1]

    service = serve(fragile(), host_functions={"callback": HostFunction.of(fail, [Prim.S32])})
    found = service.call_batch("m", "step", [["x" * length] for length in range(4, 16)])
    assert found[1::2] == raised
    assert all(one is other for one, other in zip(found[1::2], raised, strict=True))
    assert found[0::2] == ["x" * length for length in range(4, 16, 2)]


@pytest.mark.parametrize(("length", "expected"), [(5, KeyboardInterrupt), (6, Interrupt)])
def test_what_is_no_exception_stops_the_batch(serve: Serve, length: int, expected: type[BaseException]) -> None:
    service = serve(fragile(), host_functions=HOST)
    rows = [[text(9)], [text(1)], [text(length)], [text(10)], [text(11)]]
    for _ in range(2):
        before = service.call("m", "count", [0])
        with pytest.raises(expected):
            service.call_batch("m", "step", rows)
        assert service.call("m", "count", [0]) == before + 3
        assert service.call("m", "step", [text(12)]) == text(12)
        assert service.call_batch("m", "step", [[text(12)]] * 2) == [text(12)] * 2


def test_who_may_call(serve: Serve) -> None:
    """As for a single call: a closed, busy or foreign service refuses the whole batch."""
    kept: list[Service] = []

    def again(length: int) -> None:
        kept[0].call_batch("m", "count", [[0]] * length)

    service = serve(fragile(), host_functions={"callback": HostFunction.of(again, [Prim.S32])})
    kept.append(service)
    with pytest.raises(StateError, match="is busy"):
        service.call("m", "step", [text(9)])
    found = service.call_batch("m", "step", [[text(9)], [text(10)]])
    assert [type(item) for item in found] == [StateError, StateError]
    with pytest.raises(StateError, match="belongs to the thread"):
        in_thread(lambda: service.call_batch("m", "count", [[0]]))
    assert service.call_batch("m", "count", [[0]]) == [3]
    service.close()
    for rows in ([[0]], []):
        with pytest.raises(StateError, match="is closed"):
            service.call_batch("m", "count", rows)


def test_rows_are_read_before_anything_runs(serve: Serve) -> None:
    """A generator that fails, or that calls the service itself, is no trouble."""
    service = serve(fragile(), host_functions=HOST)

    def rows() -> Iterator[list[str]]:
        yield [text(9)]
        assert service.call("m", "count", [0]) == 0
        yield [text(10)]
        raise LookupError

    with pytest.raises(LookupError):
        service.call_batch("m", "step", rows())
    assert service.call("m", "count", [0]) == 0


def test_names_of_parameters_mean_nothing(serve: Serve) -> None:
    """Also those that the generated code uses for itself."""
    names = (
        "a",
        "utf8_0",
        "a_utf8",
        "fused_f",
        "in_0",
        "p0",
        "n0",
        "r0",
        "row",
        "rows",
        "cells",
        "chunks",
        "end",
        "str",
    )
    names += (
        "view",
        "staging",
        "staging_memory",
        "stage",
        "many_f",
        "direct",
        "large_f",
        "call_f",
        "position",
        "bad",
        "link",
        "batch",
        "len",
    )
    signature = function("f", *[Prim.STRING] * len(names))
    params = tuple(Member(name, Prim.STRING) for name in names)
    service = serve(chain([type(signature)("f", params, Prim.STRING)]))
    args = [f"value of {name}" for name in names]
    for module in ("inner", "outer"):
        assert service.call(module, "f", args) == args[0]
        assert service.call_batch(module, "f", [args, dict(zip(names, args, strict=True))]) == [args[0]] * 2
