"""Four modules in a row and two callers of one callee: values get through, failures say the same on every engine.

Each function fails, or not, at one depth. Afterwards the service works and no adapter counts as running.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from typing import Any

import pytest

import marine_gen
from marine_gen import HostFunction
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Vector,
)
from marine_runtime import CallError, Service, StateError
from marine_runtime.adapters.staging import STACK
from marine_runtime.types import Prim
from tests.support.echo import PAGE, TAKE_LOG, Memory, echo_module, function, take_logs
from tests.support.engines import OFTEN, Configuration, Modules, Outcome, load, outcome, shown
from tests.support.fused import Link, line, position, staged

NAMES = ("c", "b", "a", "facade")
PERSON = RecordDeclaration("Person", (Member("id", Prim.U16), Member("name", Prim.STRING), Member("ok", Prim.BOOLEAN)))
TEAM = RecordDeclaration("Team", (Member("people", Vector(Named("Person"))), Member("lead", Named("Person"))))
VALUES: dict[str, tuple[Signature, list[Any]]] = {
    "text": (function("text", Prim.STRING), ["", "é😀", "x" * 70_000]),
    "data": (function("data", Vector(Prim.U8)), [b"", b"\0\xff" * 40_000]),
    "number": (function("number", Prim.S64), [-(2**63), 0, 2**63 - 1]),
    "texts": (function("texts", Vector(Vector(Prim.STRING))), [[], [[]], [["a", ""], [], ["é" * 99]]]),
    "team": (
        function("team", Named("Team")),
        [([], (0, "", False)), ([(1, "a", True), (2, "", False)], (3, "c", True))],
    ),
    "teams": (function("teams", Vector(Named("Team"))), [[], [([(1, "a", True)] * 5, (3, "c", True))] * 4]),
}
RESULT = "(global.set $ptr (i32.const {})) (global.set $size (i32.const {}))"
# Bad data behind page 0, which is the log's: a text, and two slots of which the second points to it.
BAD = r'(data (i32.const 70000) "ab\ff") (data (i32.const 70016) "\00\00\00\00\00\00\00\00\70\11\01\00\03\00\00\00")'
FAULTS = {
    "trap": "unreachable",
    "divide": "(drop (i32.div_u (i32.const 1) (i32.const 0)))",
    "access": "(drop (i32.load (i32.const -4)))",
    "recursion": "(call $recursion)",
    "utf8": RESULT.format(70_000, 3),
    "inner_utf8": RESULT.format(70_016, 2),
    "pointer": RESULT.format(-1, 2),
    "length": RESULT.format(8, -1),
    "host": "(call $fail)",
}
LISTS = ("inner_utf8",)
HEAD = '(import "host" "fail" (func $fail))'
FIELDS = BAD + "(func $recursion (call $recursion))"


def fail() -> None:
    raise ValueError("of the host")


HOST = {"fail": HostFunction.of(fail)}


def named(fault: str, depth: str) -> Signature:
    return function(f"{fault}_{depth}", Vector(Prim.STRING) if fault in LISTS else Prim.STRING)


FAILING = [named(fault, depth) for fault in FAULTS for depth in NAMES]


@pytest.fixture(scope="module")
def modules() -> Modules:
    links = [
        Link(
            name,
            {f"{fault}_{name}": body for fault, body in FAULTS.items()},
            fields=FIELDS,
            head=HEAD,
            memory=Memory(pages=2, base=2 * PAGE),
        )
        for name in NAMES
    ]
    return line(links, [*(signature for signature, _ in VALUES.values()), *FAILING], [PERSON, TEAM])


@pytest.fixture(scope="module")
def services(modules: Modules) -> Iterator[list[Service]]:
    with ExitStack() as stack:
        yield [stack.enter_context(load(modules, item.engine, item.call_layer, HOST)) for item in OFTEN]


@pytest.mark.parametrize("name", VALUES)
def test_values_through_four_modules(services: list[Service], name: str) -> None:
    for service in services:
        for module in NAMES:
            for value in VALUES[name][1]:
                assert shown(service.call(module, name, [value])) == shown(value)
        rows = [[value] for value in VALUES[name][1]]
        assert shown(service.call_batch("facade", name, rows)) == shown(VALUES[name][1])


def everywhere(services: list[Service], call: Callable[[Service], Any]) -> Outcome:
    found = [outcome(lambda: call(service)) for service in services]  # noqa: B023  # called at once
    assert found == [found[0]] * len(found)
    return found[0]


@pytest.mark.parametrize("depth", NAMES)
@pytest.mark.parametrize("fault", FAULTS)
def test_failures_at_every_depth(services: list[Service], fault: str, depth: str) -> None:
    argument: Any = ["x"] if fault in LISTS else "x"
    for module in NAMES[NAMES.index(depth) :]:
        found = everywhere(services, lambda service: service.call(module, f"{fault}_{depth}", [argument]))  # noqa: B023
        assert found.error
        # The callers between the two, with their import and export adapters, and the failing module's own.
        passed = 2 * (NAMES.index(module) - NAMES.index(depth)) + 1
        if fault != "host":
            assert len(found.sites) == len(found.error) == passed
            assert f"module `{depth}`, export adapter of `{fault}_{depth}`" in found.sites[-1]
        else:
            assert found.error == ("ValueError: of the host",)
        working = everywhere(services, lambda service: service.call("facade", "text", ["still works"]))
        assert working == Outcome("'still works'")


def test_no_position_stays_behind(modules: Modules) -> None:
    with staged(modules, host_functions=HOST) as (service, staging):
        for signature in FAILING:
            argument: Any = ["x"] if isinstance(signature.result, Vector) else "x"
            for call in (service.call, lambda *args: service.call_batch(*args[:2], [args[2]] * 2)):  # type: ignore[misc]
                outcome(lambda: call("facade", signature.name, [argument]))  # noqa: B023  # called at once
                assert position(staging) == STACK
        assert staging.memory.read(0, 32) == bytes(32)


# A diamond: `left` and `right` call `base`, and `top` calls both.

BOTH = [function("text", Prim.STRING), function("bad", Prim.STRING), function("trap", Prim.STRING)]


def join(first: int, second: int) -> str:
    """Call one import with the argument, and another one with what that returned."""
    return f"""(call $import{first} (local.get 0) (local.get 1))
               (call $import{second} (global.get $ptr) (global.get $size))"""


@pytest.fixture(scope="module")
def diamond() -> Modules:
    memory = Memory(pages=2, base=2 * PAGE)
    base = Link("base", {"bad": FAULTS["utf8"], "trap": "unreachable"}, fields=BAD, memory=memory)
    sides = [Link(name, targets=["base"]) for name in ("left", "right")]
    made = line([base, *sides], BOTH)
    imports = tuple(ExternModule(name, tuple(map(ImportedFunction, BOTH))) for name in ("left", "right"))
    bodies = {"text": join(0, 3), "bad": join(0, 4), "trap": join(3, 2)}
    made["top"] = echo_module(Description(functions=(*BOTH, TAKE_LOG), imports=imports), Memory(), bodies)
    return made


def test_a_diamond(diamond: Modules) -> None:
    with ExitStack() as stack:
        services = [stack.enter_context(load(diamond, item.engine, item.call_layer)) for item in OFTEN]
        for text in ("", "é" * 1000, "x"):
            assert everywhere(services, lambda service: service.call("top", "text", [text])).value == repr(text)  # noqa: B023
        bad = everywhere(services, lambda service: service.call("top", "bad", ["x"]))
        assert [site.split(",")[0] for site in bad.sites] == [
            *("module `top`", "module `top`", "module `right`", "module `right`", "module `base`")
        ]
        trap = everywhere(services, lambda service: service.call("top", "trap", ["x"]))
        assert [site.split(",")[0] for site in trap.sites] == [
            *("module `top`", "module `top`", "module `left`", "module `left`", "module `base`")
        ]
        assert everywhere(services, lambda service: service.call("top", "text", ["again"])).value == "'again'"
        logs = [take_logs(service) for service in services]
        assert logs == [logs[0]] * len(logs)
        assert logs[0]["base"].count("release_objects") == 2 * 4 + 2  # two for each `text`, one before each failure


# Host functions that call services.


def caller(body: Callable[[str], str]) -> dict[str, HostFunction]:
    return {"callback": HostFunction.of(body, [Prim.STRING], Prim.STRING)}


@pytest.fixture(scope="module")
def calling() -> Modules:
    """A chain whose first module calls the host."""
    signature = function("f", Prim.STRING)
    imported = ExternModule("host", (ImportedFunction(function("callback", Prim.STRING)),))
    first = echo_module(
        Description(functions=(signature,), imports=(imported,)),
        Memory(),
        {"f": "(call $callback (local.get 0) (local.get 1))"},
        head='(import "host" "callback" (func $callback (param i32 i32)))',
    )
    second = echo_module(
        Description(functions=(signature,), imports=(ExternModule("first", (ImportedFunction(signature),)),)), Memory()
    )
    return {"first": first, "second": second}


def test_calling_back_is_refused(configuration: Configuration, calling: Modules) -> None:
    kept: list[Service] = []
    ways: Sequence[Callable[[Service], Any]] = (
        lambda service: service.call("second", "f", ["x"]),
        lambda service: service.call_batch("second", "f", [["x"]]),
        lambda service: service.call_batch("first", "f", [["x"]]),
        lambda service: service.modules.first.f("x"),
        lambda service: service.close(),
    )
    way = iter(ways)

    def body(text: str) -> str:
        next(way)(kept[0])
        return text

    with load(calling, configuration.engine, configuration.call_layer, caller(body)) as service:
        kept.append(service)
        for _ in ways:
            with pytest.raises(StateError, match="is busy: a host function can't call back"):
                service.call("second", "f", ["x"])
        assert not service.closed
        way = iter(ways)
        found = service.call_batch("second", "f", [["x"]] * len(ways))
        assert [type(item) for item in found] == [StateError] * len(ways)


def test_calling_another_service_in_between(configuration: Configuration, calling: Modules, modules: Modules) -> None:
    """Each has its staging memory; the outer one's arguments stay where they are."""
    with load(modules, configuration.engine, configuration.call_layer, HOST) as other:

        def body(text: str) -> str:
            return str(other.call("facade", "text", [text * 2]))

        with load(calling, configuration.engine, configuration.call_layer, caller(body)) as service:
            assert service.call("second", "f", ["ab"]) == "abab"
            assert service.call_batch("second", "f", [["a"], ["b"]]) == ["aa", "bb"]

        def failing(text: str) -> str:
            return str(other.call("facade", "trap_b", [text]))

        with load(calling, configuration.engine, configuration.call_layer, caller(failing)) as service:
            with pytest.raises(CallError) as caught:
                service.call("second", "f", ["ab"])
            sites = outcome(lambda: service.call("second", "f", ["ab"])).sites
            assert [site.split(",")[0] for site in sites] == [
                *("module `second`", "module `second`", "module `first`"),
                *("module `facade`", "module `facade`", "module `a`", "module `a`", "module `b`"),
            ]
            assert "unreachable" in str(caught.value)
        assert other.call("facade", "text", ["x"]) == "x"


def test_two_services_of_one_kind_do_not_meet(configuration: Configuration, modules: Modules) -> None:
    """The same built code, used by two services in turn."""
    with (
        marine_gen.load(
            dict(modules), engine=configuration.engine, call_layer=configuration.call_layer, host_functions=HOST
        ) as one,
        marine_gen.load(
            dict(modules), engine=configuration.engine, call_layer=configuration.call_layer, host_functions=HOST
        ) as two,
    ):
        for number in range(5):
            assert one.call("facade", "text", [f"one {number}"]) == f"one {number}"
            assert outcome(lambda: two.call("facade", "utf8_c", ["x"])).error
            assert two.call("facade", "texts", [[[str(number)]]]) == [[str(number)]]
