"""Services in which some adapters are fused and others are not: nobody can tell, also when something fails.

A line of three modules forwards; every choice of sides whose adapters can't be fused is tried, against the interpreter.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from marine_gen import HostFunction
from marine_gen.generate import Description, ExternModule, ImportedFunction, generate
from marine_runtime import Service
from marine_runtime.adapters.staging import DATA, STACK, Staging
from marine_runtime.types import Prim
from tests.support.adapters import with_prelude
from tests.support.echo import PAGE, Memory, echo_module, function, take_logs
from tests.support.engines import CONFIGURATIONS, Configuration, Modules, Outcome, assemble, load, outcome
from tests.support.fused import SIDES, Link, fused_outputs, line, position, staged, unfused
from tests.support.samples import sampled

NAMES = ("first", "second", "third")
FUNCTIONS = ("ok", "trap", "bad", "outside", "host", "stop")
SIGNATURES = [function(name, Prim.STRING) for name in FUNCTIONS]
CHOICES = [(name, side) for name in NAMES for side in SIDES if (name, side) != ("first", "import")]
RESULT = "(global.set $ptr (i32.const {})) (global.set $size (i32.const {}))"
BODIES = {
    "trap": "unreachable",
    "bad": RESULT.format(70_000, 3),
    "outside": RESULT.format(-6, 7),
    "host": "(call $fail)",
    "stop": "(call $stop)",
}


BAD_DATA = r'(data (i32.const 70000) "ab\ff")'


class Stop(BaseException):
    """A BaseException that is no Exception passes too."""


def fail() -> None:
    raise ValueError("of the host")


def stop() -> None:
    raise Stop


HOST = {"fail": HostFunction.of(fail), "stop": HostFunction.of(stop)}
HEAD = '(import "host" "fail" (func $fail)) (import "host" "stop" (func $stop))'


def modules(clumsy: set[tuple[str, str]]) -> Modules:
    """The line; what fails, fails in its first module."""
    sides = [side for name, side in clumsy if name == "first"]
    first = Link("first", BODIES, sides, BAD_DATA, HEAD, memory=Memory(pages=2, base=2 * PAGE))
    rest = [Link(name, clumsy=[side for other, side in clumsy if other == name]) for name in NAMES[1:]]
    return line([first, *rest], SIGNATURES)


def tried(call: Callable[[], object]) -> Outcome:
    try:
        return outcome(call)
    except Stop:
        return Outcome(error=("Stop",))


def story(service: Service, staging: Staging | None = None) -> list[object]:
    """All functions of all modules, twice, and what the guests saw."""
    found: list[object] = []
    for _ in range(2):
        for name, called in itertools.product(NAMES, FUNCTIONS):
            result = tried(lambda: service.call(name, called, ["é"]))  # noqa: B023  # called at once
            assert bool(result.error) == (called != "ok")
            found.append((name, called, result))
            if staging:
                assert position(staging) == STACK
    return [*found, take_logs(service)]


@pytest.mark.parametrize("number", sampled(range(1 << len(CHOICES)), lambda number: number % 10 == 1 or number == 31))
def test_every_mix(number: int) -> None:
    clumsy = {choice for bit, choice in enumerate(CHOICES) if number >> bit & 1}
    mixed = modules(clumsy)
    expected = {
        name: sorted(
            f"{side} {'' if side == 'export' else NAMES[NAMES.index(name) - 1] + '.'}{called}"
            for other, side in clumsy
            if other == name
            for called in (*FUNCTIONS, *(("take_log",) if side == "export" else ()))
        )
        for name in NAMES
    }
    # An import that takes in a clumsy export is clumsy too.
    for importer, exporter in itertools.pairwise(reversed(NAMES)):
        if (exporter, "export") in clumsy:
            expected[importer] = sorted({*expected[importer], *(f"import {exporter}.{called}" for called in FUNCTIONS)})
    assert unfused(mixed) == expected
    with load(mixed, "interpreter", host_functions=HOST) as service:
        told = story(service)
    if all((name, "export") in clumsy for name in NAMES):  # nothing is left to fuse, so there is no staging memory
        with load(mixed, "fused", host_functions=HOST) as service:
            assert story(service) == told
    else:
        with staged(mixed, host_functions=HOST) as found:
            assert story(*found) == told


def test_failures_while_a_service_is_loaded(configuration: Configuration) -> None:
    """Initialisers that call fused imports fail like all others."""
    bad = function("bad", Prim.STRING)
    imported = ExternModule("inner", (ImportedFunction(bad),))
    memory = Memory(pages=2, base=2 * PAGE)
    inner = echo_module(Description(functions=(bad,)), memory, {"bad": BODIES["bad"]}, BAD_DATA)
    start = '(func (export "{}") (call $import0 (i32.const 0) (i32.const 0)))'
    for initialiser in ("_initialize", "_start"):
        fields = start.format(initialiser)
        outer = echo_module(Description(functions=(bad,), imports=(imported,)), Memory(), {}, fields)
        made = {"inner": inner, "outer": outer}
        found = outcome(lambda: load(made, configuration.engine, configuration.call_layer))  # noqa: B023  # called at once
        assert found.sites == (
            f"module `outer`, initialiser `{initialiser}`",
            "module `outer`, import adapter of `inner.bad`, instruction #4 `call-core 7`",
            "module `inner`, export adapter of `bad`, instruction #9 `string.lift_memory`",
        )


def test_failures_that_return_leave_no_trace() -> None:
    """Thousands of failures do not fill the stack of positions, which is short."""
    mixed = modules({("second", "export"), ("third", "export")})
    with staged(mixed, host_functions=HOST) as (service, staging):
        for _ in range(400):
            for called in FUNCTIONS[1:]:
                assert tried(lambda: service.call("third", called, ["x"])).error  # noqa: B023  # called at once
        assert position(staging) == STACK
        assert service.call("third", "ok", ["x"]) == "x"


A = """
(@interface type (func (result string)))
(@interface type (func))
(@interface func (type 6) call-core 6 call-core 3 call-core 2 string.lift_memory call-core 1)
(@interface export "f" (func 7))
(@interface implement (func 7) (func 6))"""
_SET = "dup string.size i32.push 1 call-core 0 swap2 string.lower_memory call-core 4 call-core 5)"
B = f"""
(@interface type (func (result string)))
(@interface type (func))
(@interface type (func))
(@interface type (func (result string)))
(@interface type (func))
(@interface import "a" "f" (func (type 6)))
(@interface import "a" "f" (func (type 8)))
(@interface func (type 7) call-core 7 {_SET}
(@interface implement (func 8) (func 7))
(@interface func (type 9) call-core 6 call-core 3 call-core 2 string.lift_memory call-core 1)
(@interface export "g" (func 10))
(@interface implement (func 10) (func 9))"""
C = f"""
(@interface type (func (result string)))
(@interface type (func))
(@interface type (func))
(@interface type (func (result string)))
(@interface type (func))
(@interface type (func))
(@interface type (func (result string string)))
(@interface type (func))
(@interface import "a" "f" (func (type 6)))
(@interface import "a" "f" (func (type 8)))
(@interface import "b" "g" (func (type 9)))
(@interface import "b" "g" (func (type 11)))
(@interface func (type 7) call-core 7 {_SET}
(@interface func (type 10) call-core 8 {_SET}
(@interface implement (func 8) (func 7))
(@interface implement (func 11) (func 10))
(@interface func (type 12) call-core 7 call-core 8)
(@interface export "both" (func 13))
(@interface implement (func 13) (func 12))"""
WAT = """(module {head}
  (memory (export "memory") 1)
  (global $ptr (mut i32) (i32.const 0)) (global $size (mut i32) (i32.const 0)) (global $count (mut i32) (i32.const 48))
  (func (export "allocate") (param i32 i32) (result i32) (i32.const 1024))
  (func (export "release_objects"))
  (func (export "get_result_size") (result i32) (global.get $size))
  (func (export "get_result_ptr") (result i32) (global.get $ptr))
  (func (export "set_result_size") (param i32) (global.set $size (local.get 0)))
  (func (export "set_result_ptr") (param i32) (global.set $ptr (local.get 0)))
  {fields})"""


def test_a_value_that_another_module_would_overwrite() -> None:
    """`c` gets a text from `a`, then calls `b`, which calls `a` again: the same bytes of `a` hold another text then."""
    count = """(func (export "f")
      (global.set $count (i32.add (global.get $count) (i32.const 1)))
      (i32.store8 (i32.const 16) (global.get $count))
      (global.set $ptr (i32.const 16)) (global.set $size (i32.const 1)))"""
    imports = '(import "a" "f" (func $f)) '
    made = {
        "a": assemble(WAT.format(head="", fields=count), with_prelude(A)),
        "b": assemble(WAT.format(head=imports, fields='(func (export "g") (call $f))'), with_prelude(B)),
        "c": assemble(
            WAT.format(head=imports + '(import "b" "g" (func $g))', fields='(func (export "both"))'), with_prelude(C)
        ),
    }
    found = []
    for configuration in CONFIGURATIONS:
        with load(made, configuration.engine, configuration.call_layer) as service:
            found.append([service.call("c", "both"), service.call("c", "both")])
    assert found == [[("1", "2"), ("3", "4")]] * len(CONFIGURATIONS)
    output = fused_outputs(made)["c"]
    assert output is not None
    assert list(output.module.unfused) == ["export both"]


def test_a_guest_whose_allocator_calls_its_import() -> None:
    """Without an end: the call fails before its positions run over into the arguments."""
    signature = function("f", Prim.STRING)
    interfaces = generate(Description((), (signature,), (ExternModule("inner", (ImportedFunction(signature),)),)))
    wat = WAT.format(
        head='(import "inner" "f" (func $f (param i32 i32)))',
        fields='(func (export "f") (param i32 i32) (global.set $ptr (local.get 0)) (global.set $size (local.get 1)))',
    )
    again = "(if (i32.eq (local.get 0) (i32.const 1)) (then (call $f (i32.const 0) (i32.const 1)))) (i32.const 1024))"
    assert "(i32.const 1024))" in wat
    made = {
        "inner": echo_module(Description(functions=(signature,)), Memory()),
        "outer": assemble(wat.replace("(i32.const 1024))", again), interfaces),
    }
    with staged(made) as (service, staging):
        for _ in range(2):
            assert service.call("outer", "f", ["fine"]) == "fine"
            found = outcome(lambda: service.call("outer", "f", ["x"]))
            assert len(found.sites) > 1000
            assert found.error[-1].endswith(": wasm trap: call stack exhausted")
            assert position(staging) == STACK
            assert staging.memory.read(DATA, 1) == b"x"
