"""The fused glue of each shape, both halves: golden files with every helper but those of the library."""

from __future__ import annotations

import pytest

from marine_gen.artifact.compile import Fusible
from marine_gen.artifact.fuse import fuse_module
from marine_gen.generate import generate
from marine_gen.idl import parse_description
from marine_gen.ir import build_module
from marine_gen.wasm_backend import library
from marine_runtime.wasm import assemble
from tests.support.golden import GOLDEN, Case, load_cases


@pytest.mark.parametrize("case", load_cases(GOLDEN / "fused" / "shapes.golden"), ids=str)
def test_glue(case: Case) -> None:
    module = build_module("m", generate(parse_description(case.input)))
    output, unfused = fuse_module([Fusible(module, "0")])
    assert output is not None
    assert unfused == {}
    shown: list[str] = []
    for number, function in enumerate(module.exports):
        paths = output.python.exports[function]
        halves = (
            (output.python.definitions, (paths.entry, paths.staged, paths.batch, paths.closure)),
            (output.code.definitions, (f"entry.{number}",)),
        )
        for definitions, roots in halves:
            reached = {item.name: item for root in roots for item in definitions.reached(root)}
            shown += [line for item in reached.values() if _is_ours(item.name) for line in item.lines]
    case.check("\n".join(line for line in shown if line.strip()))


def _is_ours(name: str) -> bool:
    return name.split(".")[0] not in library.definitions()


def test_the_library_is_a_module_by_itself() -> None:
    """Every definition assembles with no others than those that it says it uses."""
    names = list(library.definitions())
    assert names[:2] == ["fault", "stage"]
    head = '(module (memory $staging 1) (memory $MEMORY 1) (func (export "f"))\n'
    for name in names:
        needed: list[str] = []
        pending = [name]
        while pending:
            current = pending.pop()
            needed.append(current)
            pending += [item for item in library.USES.get(current, ()) if item not in needed]
        assert assemble(head + "\n".join(library.definitions()[item] for item in dict.fromkeys(needed)) + ")")
    assert assemble(head + "\n".join(library.definitions().values()) + ")")
