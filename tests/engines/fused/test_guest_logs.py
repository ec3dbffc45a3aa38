"""Guests can't tell the fused engine: the same calls of their ABI helpers, with the same arguments, in the same order.

After a failure there is one difference: adapters release a module's objects right after lifting, fused ones after the
copy, so when the allocation for the copy fails, the module it comes from has not been released. The rest is equal.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Vector
from marine_runtime import Service
from marine_runtime.types import Prim
from tests.support.echo import PAGE, Memory, function, take_logs
from tests.support.engines import Modules, load, outcome
from tests.support.fused import Link, line
from tests.support.samples import sampled

NAMES = ("first", "second", "third")
RESULT = "(global.set $ptr (i32.const {})) (global.set $size (i32.const {}))"
PASS = "(call $import{} (i32.const {}) (i32.const {}))"
FUNCTIONS = ("text", "bad", "outside", "trap", "pass_bad", "pass_outside", "long")
PAIR = RecordDeclaration("Pair", (Member("text", Prim.STRING), Member("flags", Vector(Prim.BOOLEAN))))
PAIRS = function("pairs", Vector(Named("Pair")), Prim.STRING, Named("Pair"))
SIGNATURES: list[Signature] = [*(function(name, Prim.STRING) for name in FUNCTIONS), PAIRS]
BAD = r'(data (i32.const 70000) "ab\ff")'
ENGINES = ("fused", "interpreter")


def modules(*, small: str = "") -> Modules:
    """Three modules in a row; the memory of one may be too small for anything but short texts."""
    ample = Memory(pages=2, base=2 * PAGE)
    full = Memory(pages=2, base=2 * PAGE - 64, gap=0, limit=2)
    first = {
        "bad": RESULT.format(70_000, 3),
        "outside": RESULT.format(-8, 9),
        "trap": "unreachable",
        "long": RESULT.format(70_100, 100),
    }
    # Imports are numbered like the functions; these pass on what is not valid.
    third = {"pass_bad": PASS.format(4, 70_000, 3), "pass_outside": PASS.format(5, -8, 9)}
    bodies = {"first": first, "second": {}, "third": third}
    return line(
        [Link(name, bodies[name], fields=BAD, memory=full if name == small else ample) for name in NAMES],
        SIGNATURES,
        [PAIR],
    )


@pytest.fixture(scope="module")
def services() -> Iterator[list[Service]]:
    made = modules()
    with load(made, "fused") as fused, load(made, "interpreter") as interpreter:
        yield [fused, interpreter]


PAIR_VALUE = ("é", [True, False])


@pytest.mark.parametrize("module", NAMES)
@pytest.mark.parametrize("name", [*FUNCTIONS, "pairs"])
def test_logs_are_equal(services: list[Service], module: str, name: str) -> None:
    args: list[Any] = [[PAIR_VALUE, ("", [])], "x", PAIR_VALUE] if name == "pairs" else ["text"]
    found = []
    for service in services:
        first = outcome(lambda: service.call(module, name, args))  # noqa: B023  # called at once
        again = outcome(lambda: service.call(module, "text", ["again"]))  # noqa: B023
        found.append((first, again, take_logs(service)))
    assert found[0] == found[1]
    failing = name not in ("text", "long", "pairs") and (not name.startswith("pass") or module == "third")
    assert bool(found[0][0].error) == failing
    assert found[0][2][module]


def failed(small: str, module: str, name: str, args: list[Any]) -> list[dict[str, list[str]]]:
    """The logs under both engines after a call that fails in the same way under both."""
    logs, outcomes = [], []
    made = modules(small=small)
    for engine in ENGINES:
        with load(made, engine) as service:
            outcomes.append(outcome(lambda: service.call(module, name, args)))  # called at once
            logs.append(take_logs(service))
            assert service.call("third", "text", ["x"]) == "x"
    assert outcomes[0] == outcomes[1]
    assert "`allocate` returned 0" in outcomes[0].error[-1]
    return logs


def test_the_callee_has_no_room() -> None:
    """The argument of `second` is lifted, and by the interpreter released, before `first` is asked for room."""
    fused, interpreted = failed("first", "third", "text", ["x" * 100])
    assert interpreted["second"][-1] == "release_objects"
    assert fused == {**interpreted, "second": interpreted["second"][:-1]}


def test_the_caller_has_no_room() -> None:
    """The result of `first` is lifted, and by the interpreter released, before `second` is asked for room."""
    fused, interpreted = failed("second", "third", "long", ["x"])
    assert interpreted["first"][-1] == "release_objects"
    assert fused == {**interpreted, "first": interpreted["first"][:-1]}


def test_the_called_module_has_no_room() -> None:
    """Nothing was lifted from a guest yet: no difference."""
    fused, interpreted = failed("first", "first", "text", ["x" * 100])
    assert fused == interpreted


@pytest.mark.parametrize("length", sampled(range(0, 200, 23), lambda length: length % 3 == 1))
def test_memory_that_runs_out_anywhere(length: int) -> None:
    """At most releases are missing at the end, wherever it is that an allocation fails."""
    for small in NAMES:
        made = modules(small=small)
        found = []
        value = [("x" * (length % 30), [True] * (length // 5))] * (length // 40)
        for engine in ENGINES:
            with load(made, engine) as service:
                result = outcome(lambda: service.call("third", "pairs", [value, "y" * length, ("", [])]))  # noqa: B023
                found.append((result, take_logs(service)))
        (fused, fused_logs), (interpreted, logs) = found
        assert fused == interpreted
        for name in NAMES:
            missing = logs[name][len(fused_logs[name]) :]
            assert logs[name][: len(fused_logs[name])] == fused_logs[name]
            assert missing in ([], ["release_objects"] if fused.error else [])
