"""Packed values: what crosses between Python and Wasm as a row and columns arrives, and leaves guests as it should.

The interpreter is the reference, for values, for the whole memory of each guest, and for the order of its allocations.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import pytest
from hypothesis import strategies as st

from marine_gen.generate import Description, Member, Named, RecordDeclaration, Signature, Type, Vector
from marine_runtime import ArgumentError, CallError
from marine_runtime.types import Prim
from marine_runtime.wasm.memory import Meter
from tests.support.echo import Memory, chain, echo_module, function, take_logs
from tests.support.engines import load, shown
from tests.support.random_values import arguments, drivers, memory_of

MODULES = ("inner", "outer")

PERSON = RecordDeclaration("Person", (Member("age", Prim.U32), Member("name", Prim.STRING), Member("score", Prim.F64)))


def compare(records: tuple[RecordDeclaration, ...], signature: Signature, calls: list[tuple[Any, ...]]) -> None:
    """Every call twice: with plain values, and with the instances that came back."""
    modules = chain([signature], records)
    seen = []
    for engine in ("interpreter", "fused"):
        with load(modules, engine, "fast") as service:
            run = service.modules.outer.f
            found: list[Any] = []
            for args in calls:
                result = run(*args)
                again = run(result, *args[1:])
                assert shown(again) == shown(result)
                found += [shown(result), [memory_of(service, name) for name in MODULES]]
            seen.append((found, take_logs(service)))
    assert seen[0] == seen[1]


def check(records: tuple[RecordDeclaration, ...], signature: Signature, data: st.DataObject, count: int) -> None:
    compare(records, signature, arguments(records, signature, data, count))


test_random_values, test_many_random_values = drivers(check, 6, calls=2)


TEXTS = ["", "a", "\0", "a\0b", "Grüße", "€" * 6, "x" * 15, "x" * 16, "y" * 16 + "\0", "z" * 40, "\U0001f600" * 33]


@pytest.mark.parametrize("count", [0, 1, 2, len(TEXTS)])
@pytest.mark.parametrize("nul", [False, True], ids=["plain", "with NUL"])
def test_strings_of_arrays(count: int, nul: bool) -> None:
    """NUL ends the strings of a column, unless one of them holds it."""
    texts = [text for text in TEXTS if nul or "\0" not in text][:count]
    compare((PERSON,), function("f", Vector(Prim.STRING)), [(texts,)])
    compare((PERSON,), function("f", Vector(Named("Person"))), [([(1, text, 0.5) for text in texts],)])
    compare((), function("f", Vector(Vector(Prim.STRING))), [([texts, [], texts],)])


@pytest.mark.parametrize(
    ("ty", "value"),
    [
        (Vector(Prim.BOOLEAN), [True, False, True]),
        (Vector(Prim.F32), [1.5, 1e300, float("-inf")]),
        (Vector(Vector(Prim.U8)), [b"", b"abc", b"\xff" * 20]),
        (Vector(Vector(Vector(Prim.S16))), [[[1, -2], []], [], [[3]]]),
        # The columns of lengths are read after the column of bytes.
        (Vector(Vector(Vector(Vector(Prim.U8)))), [[[b"ab", b""], []], [], [[b"c"]]]),
    ],
    ids=str,
)
def test_odd_columns(ty: Type, value: Any) -> None:
    compare((), function("f", ty), [(value,), ([],)])


def echo(ty: Type) -> dict[str, bytes]:
    return {"m": echo_module(Description((PERSON,), (function("f", ty),)), Memory())}


def test_any_byte_but_0_is_true() -> None:
    """In an array of booleans that a guest returns."""
    store = "(i32.store align=1 (local.get 0) (i32.const 0x00ff0200))"
    bodies = {"f": f"{store} (global.set $ptr (local.get 0)) (global.set $size (i32.const 4))"}
    module = echo_module(Description((), (function("f", Vector(Prim.BOOLEAN)),)), Memory(), bodies)
    with load({"m": module}, "fused", "fast") as service:
        assert service.modules.m.f([False] * 4) == [False, True, True, False]


def test_what_is_unusual_is_refused_as_before() -> None:
    """Before the guest runs, with the place of what does not fit."""
    with load(echo(Vector(Named("Person"))), "fused", "fast") as service:
        run = service.modules.m.f
        good = run([(1, "a", 0.5)])
        assert run(tuple(good)) == good
        assert run([{"age": 1, "name": "a", "score": 0.5}]) == good
        for bad, place in (
            ([(1, "a", 0.5), (-1, "a", 0.5)], "$.p0[1].age"),
            ([good[0], None], "$.p0[1]"),
            ([(1, "\ud800", 0.5)], "$.p0[0].name"),
            ([(1, b"a", 0.5)], "$.p0[0].name"),
            ([(True, "a", 0.5)], "$.p0[0].age"),
        ):
            with pytest.raises(ArgumentError) as caught:
                run(bad)
            assert caught.value.path == place
        assert run([type(good[0])(1, "a", 2)]) == [type(good[0])(1, "a", 2.0)]
        with pytest.raises(ArgumentError):
            run([type(good[0])(2**32, "a", 0.5)])
        with pytest.raises(ArgumentError):
            run([type(good[0])(1, "\udfff", 0.5)])


def test_lists_that_change_are_packed_of_one_piece() -> None:
    """Others change inner lists while they are packed; the guest never sees bytes that nobody passed."""
    with load(echo(Vector(Vector(Prim.STRING))), "fused", "fast") as service:
        inner: list[str] = ["a"] * 3

        def change(frame: FrameType, event: str, _: Any) -> Any:
            if "pack" not in frame.f_code.co_name:
                return None
            inner.append("c")
            return change

        sys.settrace(change)
        try:
            found = service.modules.m.f([inner, ["b"]])
        finally:
            sys.settrace(None)
        assert len(inner) > 3
        assert found[1] == ["b"]
        assert found[0] == inner[: len(found[0])]


@pytest.mark.parametrize("text", ["\0", "abc\0", "\0" + "x" * 20, "x" * 20 + "\0", "x" * 15 + "\0" + "x" * 3])
def test_a_single_nul(text: str) -> None:
    with load(echo(Vector(Prim.STRING)), "fused", "fast") as service:
        assert service.modules.m.f([text, "b"]) == [text, "b"]


def test_results_are_beyond_what_staging_had(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wasm made it longer. Large columns are made with a look at the clock."""
    texts = function("texts", Prim.U32, result=Vector(Prim.STRING))
    bodies = {"texts": "(global.set $ptr (i32.const 131072)) (global.set $size (local.get 0))"}
    with load({"m": echo_module(Description((), (texts,)), Memory(pages=100), bodies)}, "fused", "fast") as service:
        assert service.modules.m.texts(300_000) == [""] * 300_000

        def late(_: Meter) -> None:
            raise CallError("too late")

        monkeypatch.setattr(Meter, "tick", late)
        assert service.modules.m.texts(1000) == [""] * 1000
        with pytest.raises(CallError, match="too late"):
            service.modules.m.texts(2000)
