"""Limits of a glue module: what is beyond them runs as closures, the rest is fused, and everybody says the same."""

from __future__ import annotations

import pytest

import marine_gen
from marine_gen.artifact import compile_service, read_target
from marine_gen.artifact.fuse import Fusion, fusions
from marine_gen.generate import Description, ExternModule, ImportedFunction, Member, Named, RecordDeclaration, Vector
from marine_runtime.types import Prim
from tests.support.echo import Memory, chain, echo_module, function

COUNT = 104
"""Modules that one imports from: a Wasm module has at most 100 memories."""


def last(modules: dict[str, bytes]) -> Fusion:
    return fusions([item.fusible for item in compile_service(read_target(dict(modules)))])[-1]


@pytest.fixture(scope="module")
def star() -> dict[str, bytes]:
    """A module that imports from many others, which are all alike; it forwards the function of the first."""
    functions = [function(f"f{number}", Prim.STRING) for number in range(COUNT)]
    modules = {}
    for number in range(COUNT):
        modules[f"m{number}"] = echo_module(Description((), (functions[number],)), Memory())
    imports = tuple(ExternModule(f"m{number}", (ImportedFunction(functions[number]),)) for number in range(COUNT))
    return modules | {"hub": echo_module(Description((), (functions[0],), imports), Memory())}


@pytest.mark.slow
def test_a_module_that_imports_from_many_others(star: dict[str, bytes]) -> None:
    found = last(star)
    assert found.output is not None
    fused = len(found.output.code.imports)
    assert 90 < fused < COUNT
    assert len(found.failed) == COUNT - fused
    assert all(key.startswith("import ") and "memor" in reason for key, reason in found.failed.items())


@pytest.mark.slow
def test_it_runs(star: dict[str, bytes]) -> None:
    with marine_gen.load(dict(star)) as service:
        assert 0 < len(service.warnings) < 10
        assert service.call("hub", "f0", ["a text"]) == "a text"


def test_records_that_nest_and_have_many_fields() -> None:
    """Code in place is bounded: 16 times 16 times 16 strings do not become as many copies of a check."""
    records = [RecordDeclaration("R0", tuple(Member(f"s{number}", Prim.STRING) for number in range(16)))]
    for level in (1, 2):
        inner = tuple(Member(f"r{number}", Named(f"R{level - 1}")) for number in range(16))
        records.append(RecordDeclaration(f"R{level}", inner))
    found = last(chain([function("f", Named("R2")), function("g", Vector(Named("R2")))], records))
    assert found.failed == {}
    assert found.output is not None
    assert len(found.output.wasm["glue"]) < 120_000


def test_records_of_many_fields() -> None:
    wide = RecordDeclaration("Wide", tuple(Member(f"s{number}", Prim.STRING) for number in range(600)))
    found = last(chain([function("f", Named("Wide"))], [wide]))
    assert found.output is not None
    assert found.failed == {}
