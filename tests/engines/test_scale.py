"""Services with many functions: work grows with the functions that are called, code with their number.

Counted is what is made, never time.
"""

from __future__ import annotations

import gc
import typing
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import CodeType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import marine_gen
import marine_runtime
from marine_gen.artifact import ENGINES
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Vector
from marine_runtime.abi import plan
from marine_runtime.adapters import taking_apart
from marine_runtime.adapters.pieces import Namespace, Pieces
from marine_runtime.adapters.staging import StepInfo
from marine_runtime.artifact import BYTECODE_END
from marine_runtime.artifact.bytecode import read_compiled
from marine_runtime.lazy.table import RowTable, pack_table
from marine_runtime.types import Prim
from marine_runtime.values.instances import RecordBase
from marine_runtime.wasm.capi.objects import NativeInstance
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


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """The number of times that something is done for a function: at a load, or at a call."""
    found: Counter[str] = Counter()

    def count(owner: Any, name: str, what: str) -> None:
        real = getattr(owner, name)

        def counted(*args: Any) -> Any:
            found[what] += 1
            return real(*args)

        monkeypatch.setattr(owner, name, counted)

    count(Pieces, "code", "code that is unmarshalled")
    count(RowTable, "row", "rows that are read")
    count(plan, "_read", "signatures")
    count(NativeInstance, "export", "exports")
    count(StepInfo, "__init__", "places of errors")
    return found


def test_a_load_does_nothing_for_functions_that_are_not_called(
    modules: dict[int, bytes], steps: Counter[str], tmp_path: Path
) -> None:
    """Imports of glue are handed over at once, and instantiating it is the work of Wasmtime."""
    counts = []
    for count in (FEW, MANY):
        built = marine_gen.build({"m": modules[count]}, tmp_path / f"built_{count}").directory
        steps.clear()
        with marine_runtime.load(built) as service:
            assert steps.keys() <= {"exports", "rows that are read"}  # of the memory, and the table of sites
            assert steps["rows that are read"] <= 4 * count.bit_length()  # names are found by bisection
            loaded = steps["exports"]
            for name in ("f3", "f4", "f5"):
                assert service.call("m", name, ["x", 1]) == "x"
            counts.append((loaded, dict(steps)))
    (few, called), (many, called_of_many) = counts
    assert few == many <= 3
    assert called["signatures"] == called_of_many["signatures"] <= 3
    assert called["exports"] == called_of_many["exports"]
    assert called["code that is unmarshalled"] == called_of_many["code that is unmarshalled"] > 3
    assert called_of_many["rows that are read"] <= 1.5 * called["rows that are read"]  # found by bisection


def test_pieces_that_were_changed_are_not_executed(modules: dict[int, bytes], tmp_path: Path) -> None:
    """The file of a service that runs: another one may take its place, the same one can't change."""
    built = marine_gen.build({"m": modules[FEW]}, tmp_path / "built").directory
    (path,) = built.glob(f"*_fused{BYTECODE_END}")
    whole = path.read_bytes()
    with marine_runtime.load(built) as service:
        assert service.modules.m.f1("x", 1) == "x"
        path.unlink()
        path.write_bytes(b"another build")
        assert service.modules.m.f2("x", 1) == "x"
    for damage in (whole[:-1000], whole[:-1_000] + bytes(1_000), whole[: len(whole) // 2]):
        path.write_bytes(whole)
        with marine_runtime.load(built) as service:
            path.write_bytes(damage)
            with pytest.raises(marine_runtime.LoadError, match="was changed after it was loaded: load the service"):
                call_all(service, FEW)


def call_all(service: marine_runtime.Service, count: int) -> None:
    for number in range(count):
        service.call("m", f"f{number}", ["x", 1])


@given(st.dictionaries(st.text(), st.integers(), max_size=9), st.text())
def test_tables_are_mappings(rows: dict[str, int], other: str) -> None:
    table = RowTable[str, int](pack_table(rows))
    assert list(table.items()) == list(rows.items())
    assert all(table[key] == value for key, value in rows.items())
    assert table.get(other) == rows.get(other)
    with pytest.raises(ValueError, match="cut off"):
        RowTable(pack_table(rows | {"x": 1})[:6])


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
        codes = [found.code(name, "m_fused.py") for name in found.definitions]
        sizes.append(sum(length for _, _, length, _ in found.definitions.values()))
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
    with pytest.raises(SyntaxError, match="`__records` is not a table"):
        taking_apart.take_apart(f"__records: dict[int, type] = dict()\n{rest}", "x.py")
