"""Services with many functions: work grows with the functions that are called, code with their number.

Counted is what is made, never time.
"""

from __future__ import annotations

import gc
import marshal
import typing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType

import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import ENGINES
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Vector
from marine_runtime.adapters import pieces, taking_apart
from marine_runtime.adapters.pieces import Namespace, Pieces
from marine_runtime.artifact import BYTECODE_END
from marine_runtime.artifact.bytecode import read_compiled
from marine_runtime.types import Prim
from marine_runtime.values.instances import RecordBase
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import guests

FEW, MANY = 30, 60


def module(count: int) -> bytes:
    """A module with so many functions of a text and a number."""
    return echo_module(
        Description((), tuple(function(f"f{number}", Prim.STRING, Prim.U32) for number in range(count))), Memory()
    )


@pytest.fixture(scope="module")
def modules() -> dict[int, bytes]:
    return {count: module(count) for count in (FEW, MANY)}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The definitions that are executed."""
    found: list[str] = []
    real = Namespace._make

    def make(self: Namespace, name: str) -> None:
        before = set(self._made)
        real(self, name)
        found.extend(sorted(self._made - before))

    monkeypatch.setattr(Namespace, "_make", make)
    return found


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_what_is_executed_grows_with_the_calls(
    modules: dict[int, bytes], made: list[str], engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking_apart, "LARGE", 0)  # closures of so few functions are no large file
    counts = []
    for count, cache in ((FEW, False), (MANY, True), (MANY, True)):  # the last one is in the cache
        made.clear()
        with marine_gen.load({"m": modules[count]}, engine=engine, cache=cache) as service:
            assert made == []
            assert service.modules.m.f3("x", 1) == "x"
            one = len(made)
            assert service.call("m", "f3", ["y", 1]) == "y"
            assert len(made) == one
            assert service.call("m", "f4", ["z", 1]) == "z"
            counts.append((one, len(made)))
    assert counts[0] == counts[1] == counts[2]
    assert 0 < counts[0][0] < counts[0][1] <= 2 * counts[0][0]


def record_classes() -> list[str]:
    """The record classes of generated code that there are."""
    gc.collect()
    return sorted(cls.__name__ for cls in RecordBase.__subclasses__() if cls.__module__ == "marine_built.lazily")


@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_record_classes_are_made_for_what_is_called(engine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(taking_apart, "LARGE", 0)
    records = tuple(RecordDeclaration(f"R{number}", (Member("x", Vector(Named(f"S{number}"))),)) for number in range(9))
    inner = tuple(RecordDeclaration(f"S{number}", (Member("y", Prim.STRING),)) for number in range(9))
    functions = tuple(function(f"f{number}", Named(f"R{number}")) for number in range(9))
    wasm = echo_module(Description((*inner, *records), functions), Memory())
    with marine_gen.load({"lazily": wasm}, engine=engine) as service:
        assert record_classes() == []
        handle = service.modules.lazily
        assert set(handle.records) == {item.name for item in (*inner, *records)}
        result = handle.f3({"x": [{"y": "z"}]})
        assert record_classes() == ["R3", "S3"]
        assert result == handle.records["R3"]([handle.records["S3"]("z")])
        assert handle.f3(result) == result
        assert typing.get_type_hints(handle.f5)["return"] is handle.records["R5"]
        with ThreadPoolExecutor(4) as threads:
            assert len(set(threads.map(lambda _: handle.records["R7"], range(16)))) == 1
        assert record_classes() == ["R3", "R5", "R7", "S3", "S5"]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_a_record_of_many_fields(engine: str) -> None:
    """The sum over its lists is no expression that Python's compilers give up on."""
    count = 2_200
    record = RecordDeclaration("R", tuple(Member(f"x{number}", Vector(Prim.U16)) for number in range(count)))
    module = echo_module(Description((record,), (function("f", Named("R")),)), Memory())
    value = {f"x{number}": [number] for number in range(count)}
    with marine_gen.load({"m": module}, engine=engine) as service:
        result = service.call("m", "f", [value])
        assert [getattr(result, name) for name in value] == list(value.values())


def test_code_grows_with_the_functions(modules: dict[int, bytes], tmp_path: Path) -> None:
    sizes, largest = [], []
    for count in (FEW, MANY):
        built = marine_gen.build({"m": modules[count]}, tmp_path / f"built_{count}").directory
        found = read_compiled((built / f"m_fused{BYTECODE_END}").read_bytes(), "m_fused.py")
        assert isinstance(found, Pieces)
        codes = [marshal.loads(code) for _, code in found.definitions.values()]
        sizes.append(sum(len(code) for _, code in found.definitions.values()))
        largest.append(max(map(variables, codes)))
    assert sizes[1] / sizes[0] < 1.1 * MANY / FEW
    assert largest[0] == largest[1]  # compilers take more than linear time for a function with many variables


def variables(code: CodeType) -> int:
    """The variables of the code with most of them, itself or inside of it."""
    inner = (variables(item) for item in code.co_consts if isinstance(item, CodeType))
    return max(len(code.co_varnames) + len(code.co_cellvars) + len(code.co_freevars), *inner, 0)


@pytest.mark.parametrize("native", [True, False], ids=["native", "portable"])
def test_tracebacks_and_places_are_as_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, native: bool) -> None:
    """The same errors, with the same places, taken apart or not."""
    said = []
    for least in (1 << 60, 0):
        monkeypatch.setattr(taking_apart, "LARGE", least)
        built = marine_gen.build(guests("failing"), tmp_path / f"built_{least}", native=native).directory
        for engine in ("fused", "closures"):
            with marine_runtime.load(built, engine=engine) as service:
                for name, signature in service.interface.modules["failing"].functions.items():
                    values = [0 if item.type is not Prim.STRING else "" for item in signature.params]
                    try:
                        said.append(f"{name}: {service.call('failing', name, values)!r}")
                    except marine_runtime.MarineError as error:
                        said.append(f"{name}: {error!r} {getattr(error, 'site', None)}")
    half = len(said) // 2
    assert said[:half] == said[half:]
    assert any("Error" in item for item in said)


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_are_listed_and_found_by_any_name(modules: dict[int, bytes], engine: str) -> None:
    with marine_gen.load({"m": modules[MANY]}, engine=engine, collect_statistics=True) as service:
        handle = service.modules.m
        assert len(handle) == MANY
        assert {"f0", f"f{MANY - 1}"} <= set(dir(handle))
        assert handle["f7"]("x", 1) == "x" == handle.f7("x", 1)
        with pytest.raises(AttributeError, match="there is no function `g`"):
            _ = handle.g
        with pytest.raises((TypeError, marine_runtime.ArgumentError), match=r"^f6\(\) "):
            handle.f6()
        assert service.call_batch("m", "f8", [["a", 1], ["b", 2]]) == ["a", "b"]
        assert service.call_json("m", "f9", '["c", 1]') == '"c"'
        assert service.statistics().functions["m", "f7"].calls == 2


def test_a_file_that_is_no_glue_is_not_taken_apart() -> None:
    assert taking_apart.take_apart("value = 1\n", "x.py") is None
    assert taking_apart.take_apart("def __bind(link):\n    pass\n", "x.py") is None
    rest = "def __bind(link):\n    link.x = 1\n    return dict(exports={})\n"
    with pytest.raises(SyntaxError, match="line 3 that defines nothing"):
        taking_apart.take_apart(f"__records: dict[int, type] = {{}}\n{rest}", "x.py")
    with pytest.raises(SyntaxError, match="`__records` is no table"):
        taking_apart.take_apart(f"__records: dict[int, type] = dict()\n{rest}", "x.py")
    assert pieces.Pieces.from_marshal((b"x", {}, {})) is None
