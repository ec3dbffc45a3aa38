"""Adapters in the stub, which need nothing of their importer: calls, errors, and calls that come too early."""

from __future__ import annotations

import re

import pytest

from marine_gen.generate import Description, ExternModule, ImportedFunction, Signature, generate
from marine_runtime.types import Prim
from tests.support.echo import Memory, echo_module, echo_wat, function
from tests.support.engines import assemble, load, outcome
from tests.support.fused import fused_outputs

SIGNATURES = [
    *(function(str(ty), ty) for ty in (Prim.U8, Prim.S16, Prim.U32, Prim.S64, Prim.F64, Prim.BOOLEAN)),
    function("two", Prim.U16, Prim.S8),
    function("text", Prim.STRING),
    Signature("nothing", (), None),
]
VALUES = {"u8": 255, "s16": -300, "u32": 2**32 - 1, "s64": -(2**63), "f64": -0.5, "bool": True, "text": "a text"}
BODIES = {
    "u8": "(i32.const 300)",  # no u8
    "s16": "unreachable",
    "bool": "(i32.const 17)",
}
CALLER = Description((), tuple(SIGNATURES), (ExternModule("callee", tuple(map(ImportedFunction, SIGNATURES))),))


def service(bodies: dict[str, str] | None = None, fields: str = "") -> dict[str, bytes]:
    """A module and one that forwards to it."""
    interfaces = generate(CALLER)
    caller = assemble(echo_wat(interfaces, Memory(), {}, fields, ""), interfaces)
    return {"callee": echo_module(Description((), tuple(SIGNATURES)), Memory(), bodies), "caller": caller}


def test_adapters_over_numbers_are_in_the_stub() -> None:
    output = fused_outputs(service())["caller"]
    assert output is not None
    stub, glue = output.code.stub, output.code.glue
    direct = [number for number, (_, name) in enumerate(output.code.imports) if name != "text"]
    assert list(map(int, re.findall(r"^  \(func \$import\.(\d+)\b", stub, re.MULTILINE))) == direct
    (rest,) = set(range(len(SIGNATURES))) - set(direct)
    assert f"(func $import.{rest} " in glue
    assert f"(elem (table $stub) (i32.const 0) func $import.{rest})" in glue
    assert all(owner == "callee" for owner, _ in output.code.stub_needs)


@pytest.mark.parametrize("bodies", [{}, BODIES], ids=["values", "errors"])
def test_calls_are_as_ever(bodies: dict[str, str]) -> None:
    found = []
    for engine in ("fused", "interpreter"):
        with load(service(bodies), engine) as loaded:
            calls = [(name, [value]) for name, value in VALUES.items()] + [("two", [65535, -128]), ("nothing", [])]
            found.append([outcome(lambda: loaded.call("caller", *call)) for call in calls * 2])  # noqa: B023
    assert found[0] == found[1]
    assert any(item.error for item in found[0]) == bool(bodies)


@pytest.mark.parametrize("name", ["nothing", "u32"])
def test_a_start_function_calls_too_early(name: str) -> None:
    """As on every engine: the module is not linked when it starts."""
    number = [item.name for item in SIGNATURES].index(name)
    call = "(call $import8)" if name == "nothing" else f"(drop (call $import{number} (i32.const 1)))"
    modules = service(fields=f"(func $begin {call}) (start $begin)")
    found = [outcome(lambda: load(modules, engine)) for engine in ("fused", "closures", "interpreter")]  # noqa: B023
    assert found[0] == found[1] == found[2]
    assert found[0].error
