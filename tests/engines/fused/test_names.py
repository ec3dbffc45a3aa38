"""Names of modules that mean something in Wasm text, in the glue or in Python: a fused service runs all the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from marine_gen.generate import Member, Named, RecordDeclaration, Signature, Vector
from marine_runtime.adapters import taking_apart
from marine_runtime.types import Prim
from tests.support.echo import function, take_logs
from tests.support.engines import load, outcome, shown
from tests.support.fused import Link, line, unfused
from tests.support.hostile_names import ENDLESS, LONG

SYMBOLS = ("staging", "inside", "utf8", "check", "core", "export", "0")
SYNTAX = ("$", ";;", "(;", "\n(unreachable)\n", '"', "\\", "\0", "", "é", " ", "_", LONG[0])
NAMES = (*SYMBOLS, *SYNTAX, ENDLESS[0])
"""The last is too long for an import, so it has to be the end of the line."""

SOME = NAMES[len(NAMES) % 3 - 1 :: 3]
"""A part of them, and the last."""

RECORD = RecordDeclaration(
    "(;", (Member("$ptr", Prim.STRING), Member(";;", Vector(Prim.STRING)), Member("at", Prim.BOOLEAN))
)
SIGNATURES = [
    Signature("entry.0", (Member("at", Prim.STRING), Member("at.ptr", Prim.U8)), Prim.STRING),
    Signature('") (export "x', (Member("(local", Named("(;")),), Named("(;")),
    Signature("(;", (Member(";)", Vector(Named("(;"))),), Vector(Named("(;"))),
    function("trap", Prim.STRING),
]
VALUE = ("é", ["", "x"], True)
ARGS = {"entry.0": ["text", 7], '") (export "x': [VALUE], "(;": [[VALUE, ("", [], False)]]}


@pytest.mark.parametrize("names", [SOME, pytest.param(NAMES, marks=pytest.mark.slow)], ids=["some", "all"])
def test_a_line_of_modules_with_hostile_names(names: Sequence[str]) -> None:
    modules = line(
        [Link(name, {"trap": "unreachable"} if not index else {}) for index, name in enumerate(names)],
        SIGNATURES,
        [RECORD],
    )
    assert not any(unfused(modules).values())
    with load(modules, "fused") as service, load(modules, "interpreter") as slow:
        for module in (names[0], names[len(names) // 2], names[-1]):
            for name, args in ARGS.items():
                assert shown(service.call(module, name, args)) == shown(args[0])
                assert shown(service.call_batch(module, name, [args] * 3)) == shown([args[0]] * 3)
                slow.call(module, name, args)
                for _ in range(3):
                    slow.call(module, name, args)
            found = outcome(lambda: service.call(module, "trap", ["x"]))  # noqa: B023  # called at once
            assert found == outcome(lambda: slow.call(module, "trap", ["x"]))  # noqa: B023
            assert len(found.sites) == 2 * names.index(module) + 1
        assert take_logs(service) == take_logs(slow)


def test_modules_and_records_of_one_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table of sites names modules, and an error reads it where the record classes are not."""
    monkeypatch.setattr(taking_apart, "LARGE", 0)
    takes_data = Signature("f", (Member("data", Named("Data")),), Named("Data"))
    modules = line(
        [Link("Data", {"trap": "unreachable"}), Link("_")],
        [function("trap", Prim.STRING), takes_data],
        [replace(RECORD, name="Data")],
    )
    with load(modules, "fused") as service, load(modules, "interpreter") as slow:
        found = outcome(lambda: service.call("_", "trap", ["x"]))
        assert found == outcome(lambda: slow.call("_", "trap", ["x"]))
        assert found.sites


@pytest.mark.parametrize("name", ["at", "free", "ptr0", "name_ptr", "p0", "x_out", "x_len", "size0"])
def test_names_of_parameters_in_wasm(name: str) -> None:
    """Locals of the glue, and what passes call their values."""
    modules = line(
        [Link("one"), Link("two")],
        [Signature("f", (Member(name, Prim.STRING), Member("x", Prim.STRING), Member("at", Prim.U64)), Prim.STRING)],
    )
    with load(modules, "fused") as service:
        assert service.call("two", "f", ["text", "", 2**64 - 1]) == "text"
