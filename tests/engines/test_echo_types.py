"""Every interface type, with its difficult values, through both kinds of adapters on every engine.

A value goes from the host into `outer`, through its import into `inner`, and all the way back; it must come back as it
was, and all guests must have seen what they see under the first configuration.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime.abi.layout import layout_of
from marine_runtime.types import Prim
from tests.support.echo import PAGE, Memory, chain, decode_log, function, take_logs
from tests.support.engines import CONFIGURATIONS, OFTEN, load, shown
from tests.support.samples import sampled
from tests.support.values import SCALARS, edge_values

HIGH = 2**31 + 5 * PAGE


def check(
    signature: Signature,
    arguments: Sequence[Sequence[Any]],
    records: Sequence[RecordDeclaration] = (),
    memory: Memory | None = None,
) -> dict[str, list[str]]:
    """Call `signature` on both modules under the usual configurations; the log of the guests under the first."""
    modules = chain([signature], records, memory)
    logs = []
    for configuration in OFTEN:
        with load(modules, configuration.engine, configuration.call_layer) as service:
            for args in arguments:
                for module in service.modules:
                    assert shown(service.call(module, signature.name, args)) == shown(args[0]), (configuration, module)
            logs.append((str(configuration), take_logs(service)))
    for configuration_name, log in logs[1:]:
        assert log == logs[0][1], (configuration_name, logs[0][0])
    return logs[0][1]


@pytest.mark.parametrize("ty", SCALARS, ids=str)
def test_scalars_and_strings(ty: Prim) -> None:
    check(function("f", ty), [[value] for value in edge_values(ty)])


@pytest.mark.parametrize("ty", sampled(SCALARS, SCALARS[::2].__contains__), ids=str)
def test_arrays(ty: Prim) -> None:
    values: list[Any] = [bytes(edge_values(ty)) if ty is Prim.U8 else edge_values(ty), b"" if ty is Prim.U8 else []]
    check(function("f", Vector(ty)), [[value] for value in [*values, values[0][:1]]])


@pytest.mark.parametrize("ty", sampled(SCALARS, SCALARS[1::3].__contains__), ids=str)
def test_arrays_of_arrays(ty: Prim) -> None:
    full = bytes(edge_values(ty)) if ty is Prim.U8 else edge_values(ty)
    check(function("f", Vector(Vector(ty))), [[[full, full[:0], full[1:]]], [[full[:0]]], [[]]])


EVERYTHING = RecordDeclaration(
    "Everything",
    (
        *(Member(f"f{index}", ty) for index, ty in enumerate(SCALARS)),
        Member("bytes", Vector(Prim.U8)),
        Member("texts", Vector(Prim.STRING)),
        Member("numbers", Vector(Prim.S64)),
    ),
)
FULL = (*(edge_values(ty)[1] for ty in SCALARS), b"\0\xff", ["", "two"], [-(2**63), 2**63 - 1])
EMPTY = (*(edge_values(ty)[0] for ty in SCALARS), b"", [], [])


def test_records_of_everything() -> None:
    check(function("f", Named("Everything")), [[FULL], [EMPTY]], [EVERYTHING])


def test_arrays_of_records() -> None:
    check(function("f", Vector(Named("Everything"))), [[[FULL, EMPTY, FULL]], [[]]], [EVERYTHING])


def test_records_in_records() -> None:
    """Also a record shared by two fields, and one with a single field, which is a tuple of one."""
    single = RecordDeclaration("Single", (Member("x", Prim.U16),))
    inner = RecordDeclaration("Inner", (Member("a", Named("Single")), Member("b", Prim.STRING)))
    outer = RecordDeclaration(
        "Outer", (Member("x", Named("Inner")), Member("y", Named("Inner")), Member("z", Vector(Named("Single"))))
    )
    value = (((1,), "one"), ((2,), ""), [(3,), (65535,)])
    check(function("f", Named("Outer")), [[value]], [single, inner, outer])
    check(function("f", Vector(Vector(Named("Single")))), [[[[(1,)], [], [(2,), (3,)]]]], [single])


def test_recursive_records() -> None:
    tree = RecordDeclaration("Tree", (Member("name", Prim.STRING), Member("children", Vector(Named("Tree")))))
    deep: tuple[str, list[Any]] = ("leaf", [])
    for level in range(40):
        deep = (str(level), [deep])
    wide = ("root", [("a", []), ("b", [("c", []), ("", [])]), ("d", [])])
    check(function("f", Named("Tree")), [[deep], [wide], [("", [])]], [tree])
    check(function("f", Vector(Named("Tree"))), [[[wide, deep]], [[]]], [tree])


def test_records_that_contain_each_other() -> None:
    one = RecordDeclaration("One", (Member("twos", Vector(Named("Two"))), Member("tag", Prim.U8)))
    two = RecordDeclaration("Two", (Member("ones", Vector(Vector(Named("One")))), Member("flag", Prim.BOOLEAN)))
    value = ([([[([], 1)], [], [([([], True)], 2), ([], 3)]], False)], 4)
    check(function("f", Named("One")), [[value]], [one, two])


@pytest.mark.parametrize("first", sampled(range(12), lambda first: first % 3 == 1))
def test_many_arguments(first: int) -> None:
    """Each kind of carrier among the first twelve parameters, and every one of them as the echoed one."""
    types: list[Type] = [*SCALARS[:9], Vector(Prim.U8), Prim.STRING, Prim.F64]
    args = [*(edge_values(ty)[1] for ty in SCALARS[:9]), b"bytes", "text", -0.0]
    check(function("f", *types[first:], *types[:first]), [[*args[first:], *args[:first]]])


def test_no_result_and_no_arguments() -> None:
    modules = chain([Signature("f"), Signature("g")])
    for configuration in OFTEN:
        with load(modules, configuration.engine, configuration.call_layer) as service:
            assert service.call("outer", "f") is None
            assert service.call("outer", "g") is None
            assert take_logs(service) == {"inner": ["call 0", "call 1"], "outer": ["call 0", "call 1"]}


def test_a_long_string_and_a_long_array() -> None:
    check(function("f", Prim.STRING), [["é😀x" * 100_000]])
    check(function("f", Vector(Prim.F64)), [[[float(index) for index in range(50_000)]]])


@pytest.mark.parametrize(
    "memory", [Memory(fresh=True), Memory(fresh=True, gap=0), Memory(pages=2, base=2 * PAGE - 9, gap=3)], ids=str
)
def test_memory_that_grows_inside_allocate(memory: Memory) -> None:
    """Views and addresses from before an allocation must not be used after it."""
    check(function("f", Vector(Named("Everything")), Prim.STRING), [[[FULL] * 5, "x" * 99]], [EVERYTHING], memory)


def test_addresses_above_two_gigabytes() -> None:
    """Pointers are unsigned, though they travel as signed numbers."""
    memory = Memory(pages=HIGH // PAGE + 1, base=HIGH, gap=3)
    logs = check(
        function("f", Named("Everything"), Prim.STRING, Vector(Prim.STRING), Vector(Prim.U8), Vector(Prim.U64)),
        [[FULL, "text", ["a", "b"], b"bytes", [2**64 - 1]]],
        [EVERYTHING],
        memory,
    )
    pointers = [int(line.split()[1]) for line in logs["outer"] if line.startswith("set_result_ptr")]
    assert pointers
    assert all(pointer > HIGH for pointer in pointers)


def test_a_value_may_end_at_the_end_of_memory() -> None:
    """A range that ends with the last byte is inside (docs/spec/memory.md#ranges)."""
    memory = Memory(pages=2, base=2 * PAGE - 24, gap=0)
    check(function("f", Prim.STRING), [["x" * 24]], memory=memory)
    check(function("f", Vector(Prim.U64)), [[[1, 2, 2**64 - 1]]], memory=memory)
    check(
        function("f", Vector(Named("Three"))),
        [[[(1, 2, 3)]]],
        [RecordDeclaration("Three", tuple(Member(name, Prim.U8) for name in "abc"))],
        Memory(pages=2, base=2 * PAGE - 7, gap=0),
    )


@pytest.mark.parametrize(
    ("ty", "value", "allocations"),
    [
        (Prim.STRING, "ab", ["2 1"]),
        (Prim.STRING, "", ["0 1"]),
        (Vector(Prim.U8), b"", ["0 1"]),
        (Vector(Prim.U16), [], []),
        *(
            (Vector(ty), [edge_values(ty)[1]] * 3, [f"{3 * layout_of(ty).size} {layout_of(ty).tag}"])
            for ty in SCALARS[:5]
        ),
        (Vector(Prim.U64), [1, 2], ["16 4"]),
        (Vector(Prim.F32), [1.5], ["4 9"]),
        (Vector(Prim.STRING), ["ab", "", "c"], ["24 3", "2 1", "0 1", "1 1"]),
        (Vector(Vector(Prim.U8)), [b"\1\2", b""], ["16 3", "2 1", "0 1"]),
        (Vector(Vector(Prim.U16)), [[7, 8], []], ["16 3", "4 2"]),
        (Vector(Named("Pair")), [(9, 10), (11, 12)], ["8 3", "9 1", "9 1"]),
        (
            Named("Worked"),
            (True, -1, 1.5, "hi", b"\xaa\xbb", [0x1122, 0x3344], (1, 2)),
            ["2 1", "2 1", "4 2", "9 1", "34 1"],
        ),
    ],
    ids=str,
)
def test_allocations_of_lowering(ty: Type, value: Any, allocations: list[str]) -> None:
    """Sizes, tags and order of what guests are asked for (docs/spec/memory.md#arrays)."""
    pair = RecordDeclaration("Pair", (Member("x", Prim.U8), Member("y", Prim.U64)))
    worked = RecordDeclaration(
        "Worked",
        (
            *(Member("b", Prim.BOOLEAN), Member("s8", Prim.S8), Member("f32", Prim.F32), Member("str", Prim.STRING)),
            *(Member("ba", Vector(Prim.U8)), Member("arr", Vector(Prim.U16)), Member("inner", Named("Pair"))),
        ),
    )
    logs = check(function("f", ty), [[value]], [pair, worked])
    for name, times in (("inner", 2), ("outer", 2)):  # the host called both, and each value is lowered twice in outer
        seen = [line.removeprefix("allocate ") for line in logs[name] if line.startswith("allocate ")]
        assert seen == allocations * times


def test_order_of_helper_calls() -> None:
    """The complete story of one forwarded call (docs/spec/calls.md#order-of-events)."""
    with load(chain([function("f", Prim.STRING, Prim.U32)]), CONFIGURATIONS[0].engine) as service:
        service.call("outer", "f", ["abc", 9])
        assert take_logs(service) == {
            "outer": [
                *("allocate 3 1", "call 0", "argument 65537", "argument 3", "argument 9", "release_objects"),
                *("allocate 3 1", "set_result_size 3", "set_result_ptr 65537"),
                *("get_result_ptr", "get_result_size", "release_objects"),
            ],
            "inner": [
                *("allocate 3 1", "call 0", "argument 65537", "argument 3", "argument 9"),
                *("get_result_ptr", "get_result_size", "release_objects"),
            ],
        }
        assert decode_log(service.call("inner", "take_log")) == []
