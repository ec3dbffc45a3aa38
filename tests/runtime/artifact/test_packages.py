"""Built directories as typed packages: what they give at run time is what their classes say."""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import inspect
import json
import pickle
import shutil
import subprocess
import sys
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import marine_gen
import marine_runtime
from marine_gen.artifact import BUILT_ENGINES as ENGINES
from marine_runtime import ArgumentError, LoadError, PythonModule
from marine_runtime.pool import AsyncPool
from marine_runtime.texts import identifier
from tests.support.echo import Memory, echo_module
from tests.support.engines import guests, normalised
from tests.support.hostile_names import NAMES, SOME, description
from tests.support.packages import imported, mypy
from tests.support.paths import ROOT

SHARING = ("records_effector", "records_pure", "records_passing_effector", "records_passing_pure", "greeting")
OWN = ("records", "_functions", "_handles", "_name", "_call", "self", "Service", "load", "loader", "marine_runtime")


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A service whose modules have records in common."""
    directory = tmp_path_factory.mktemp("packages") / "sharing"
    marine_gen.build(guests(*SHARING), directory)
    return directory


@pytest.fixture(scope="module")
def package(built: Path) -> Iterator[Any]:
    with imported(built) as module:
        yield module


@pytest.fixture(
    scope="module", params=[pytest.param(SOME, id="some"), pytest.param(NAMES, id="all", marks=pytest.mark.slow)]
)
def hostile(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Modules, functions, parameters, records and fields of names that must not mean anything."""
    directory = tmp_path_factory.mktemp("packages") / "hostile"
    modules = ('"""\n', "_handles", "load", "pool", "str", "records")
    # All names in one module; records of the same names in the others, a part each.
    names = request.param
    parts = [names, *(names[start::10] for start in range(1, len(modules)))]
    contents = {
        name: echo_module(description((*part, *OWN), ""), Memory()) for name, part in zip(modules, parts, strict=True)
    }
    marine_gen.build(contents, directory)
    return directory


@pytest.mark.parametrize("call_layer", ["fast", "public"])
@pytest.mark.parametrize("engine", ENGINES)
def test_values_are_of_the_classes_of_the_package(package: Any, engine: str, call_layer: str) -> None:
    with package.load(engine=engine, call_layer=call_layer) as service:
        assert type(service) is package.MarineService
        assert isinstance(service, marine_runtime.Service)
        assert service.engine == engine
        modules = service.modules
        assert isinstance(modules.greeting, package.GreetingModule)
        assert modules.greeting.greeting("John") == modules.greeting.greeting(name="John") == "Hi, John"
        record = modules.records_pure.invoke()
        assert type(record) is package.TestRecord
        by_name = service.call("records_effector", "mutate_struct", [record])
        assert type(by_name) is package.TestRecord
        assert by_name == modules.records_effector.mutate_struct(record)
        made = dataclasses.replace(record, field_11="made here")
        (batch,) = service.call_batch("records_effector", "mutate_struct", [[made]])
        assert batch == modules.records_effector.mutate_struct(made)
        assert type(batch) is package.TestRecord
        nested = package.DroppableRecord(package.Droppable(1), [package.Droppable(2)])
        given = modules.records_passing_pure.pass_droppable_record(nested, [nested])
        assert {type(item) for item in given} == {package.DroppableRecord}
        assert {type(item.data) for item in given} == {package.Droppable}
        assert modules.records_pure.records == modules.records_effector.records == {"TestRecord": package.TestRecord}


def test_another_load_does_not_disturb_the_first(package: Any) -> None:
    with package.load() as first, package.load(engine="closures") as second:
        record = first.modules.records_pure.invoke()
        assert record == second.modules.records_pure.invoke()
        assert second.modules.records_effector.mutate_struct(record) == first.modules.records_effector.mutate_struct(
            record
        )
        assert pickle.loads(pickle.dumps(record)) == record


def test_without_the_package_nothing_is_different(built: Path, package: Any) -> None:
    with marine_runtime.load(built) as service:
        assert type(service) is marine_runtime.Service
        record = service.modules.records_pure.invoke()
        assert type(record) is not package.TestRecord
        assert normalised(service.modules.records_effector.mutate_struct(record))


def agree(service: Any) -> int:
    """Compares every function with the method that its class declares; gives their number."""
    compared = 0
    hints = typing.get_type_hints(type(service.modules))
    attributes = [name for name in hints if name in vars(service.modules)]
    assert len(attributes) == len(service.modules)
    for attribute in attributes:
        handle = getattr(service.modules, attribute)
        declared = type(handle)
        assert hints[attribute] is declared
        methods = {name: method for name, method in vars(declared).items() if inspect.isfunction(method)}
        assert len(methods) == len(handle)
        for name, method in methods.items():
            function = getattr(handle, name)
            assert function in [handle[known] for known in handle]
            first, *params = inspect.signature(method).parameters.values()
            assert [item.name for item in params] == list(inspect.signature(function).parameters)
            assert typing.get_type_hints(method) == typing.get_type_hints(function)
            assert method.__doc__.splitlines()[0].strip() == function.__doc__.strip()
            assert first.name not in [item.name for item in params]
            compared += 1
    return compared


@pytest.mark.parametrize("engine", ENGINES)
def test_functions_are_what_the_classes_say(package: Any, engine: str) -> None:
    with package.load(engine=engine) as service:
        assert agree(service) >= 10
        greeting = package.GreetingModule.greeting
        assert inspect.getdoc(greeting) == (
            "greeting(name: string) -> string\n\nExport adapter of `greeting` in the Wasm module `greeting`."
        )
        assert greeting(service.modules.greeting, "John") == "Hi, John"


@pytest.mark.parametrize("engine", ENGINES)
def test_hostile_names(hostile: Path, engine: str) -> None:
    with imported(hostile) as package, package.load(engine=engine) as service:
        assert agree(service) > 1.4 * len(SOME)
        for module in service.modules:
            handle = service.modules[module]
            for name in (*NAMES, *OWN):
                if name in handle:
                    value = handle[name](**{identifier(name): ("text",)})
                    assert normalised(value) == ("text",)
                    assert type(value) is handle.records[name]
                    assert getattr(package, type(value).__name__) is type(value)
        assert set(package.__all__) <= set(vars(package))


@pytest.mark.slow
def test_hostile_packages_are_clean(hostile: Path, built: Path) -> None:
    rules = ("--isolated", "--no-cache", "--target-version", "py311", "--select", "E,F,W,I,B,UP,C4,PIE,PGH")
    done = subprocess.run(
        [sys.executable, "-m", "ruff", "check", *rules, hostile / "__init__.py", hostile / "pool.py", built],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    paths = [hostile.parent, built.parent]
    assert mypy(hostile.parent, "-m", "hostile", "-m", "hostile.pool", "-p", "sharing", paths=paths)[0] == 0


CLIENT = """
import sharing
from marine_runtime.pool import AsyncPool
from sharing.pool import MarineServicePool, open_pool


def twice(service: sharing.MarineService, record: sharing.TestRecord) -> sharing.TestRecord:
    return service.modules.records_effector.mutate_struct(service.modules.records_effector.mutate_struct(record))


def use(pool: MarineServicePool) -> str:
    return pool.modules.greeting.greeting(name="John")


async def wait(pool: AsyncPool[MarineServicePool]) -> str:
    return await pool.run(pool.pool.modules.greeting.greeting, "John")


async def several() -> str:
    async with AsyncPool(open_pool, workers=1, kind="threads") as pool:
        return await wait(pool)


with sharing.load(engine="closures", timeout=10) as service:
    record = twice(service, service.modules.records_pure.invoke())
    number: int = record.field_1
    names: str = record.field_11 + service.modules.greeting.greeting("John")

with open_pool(workers=1, kind="threads") as pool:
    print(use(pool))
"""
MISTAKES = {
    "service.modules.greeting.greeting(7)": "arg-type",
    "service.modules.greeting.greeting()": "call-arg",
    "service.modules.greeting.greeting(surname='x')": "call-arg",
    "service.modules.greeting.greting('x')": "attr-defined",
    "service.modules.greting.greeting('x')": "attr-defined",
    "record.field_77": "attr-defined",
    "record.field_1 = 2": "misc",
    "sharing.TestRecord(True)": "call-arg",
    "sharing.Droppable(id='x')": "arg-type",
    "size: int = service.modules.greeting.greeting('x')": "assignment",
    "service.modules.records_effector.mutate_struct(sharing.Droppable(1))": "arg-type",
    "sharing.load(engin='fused')": "call-arg",
    "open_pool(workers='two')": "arg-type",
    "AsyncPool(open_pool).run(pool.modules.greeting.greeting, 7)": "arg-type",
    "AsyncPool(open_pool, worker=1)": "call-arg",
}


def test_mypy_accepts_a_right_program_and_rejects_wrong_ones(built: Path, tmp_path: Path) -> None:
    (tmp_path / "client.py").write_text(CLIENT)
    assert mypy(tmp_path, "client.py", paths=[built.parent]) == (0, "Success: no issues found in 1 source file\n")
    (tmp_path / "client.py").write_text(CLIENT + "\n".join(MISTAKES))
    code, output = mypy(tmp_path, "client.py", paths=[built.parent])
    start = CLIENT.count("\n") + 1
    found = {
        int(line.split(":")[1]) - start: line.rpartition("[")[2].removesuffix("]")
        for line in output.splitlines()
        if ": error: " in line
    }
    assert code == 1
    assert found == dict(enumerate(MISTAKES.values())), output


@pytest.mark.parametrize("kind", ["threads", "processes"])
def test_pools(package: Any, built: Path, kind: str) -> None:
    with imported_pool(built).open_pool(workers=1, kind=kind) as pool:
        assert pool.modules.greeting.greeting("John") == pool.modules["greeting"]["greeting"](name="John") == "Hi, John"
        record = pool.modules.records_pure.invoke()
        assert type(record) is package.TestRecord
        assert type(pool.call("records_effector", "mutate_struct", [record])) is package.TestRecord
        with pytest.raises(ArgumentError, match=r"\$\.name: expected string, got int"):
            pool.modules.greeting.greeting(7)
        with pytest.raises(AttributeError, match="there is no function `greting`"):
            _ = pool.modules.greeting.greting


def test_pools_from_asyncio(package: Any, built: Path) -> None:
    async def several() -> None:
        async with AsyncPool(imported_pool(built).open_pool, workers=1, kind="threads") as pool:
            greeting, invoke = pool.pool.modules.greeting.greeting, pool.pool.modules.records_pure.invoke
            found, record = await asyncio.gather(pool.run(greeting, name="A"), pool.run(invoke))
            assert found == await pool.modules.greeting.greeting("A") == "Hi, A"
            assert type(record) is package.TestRecord
            for function in (len, pool.modules.greeting.greeting):
                with pytest.raises(ArgumentError, match="run takes a function of `modules` of the pool itself, got <"):
                    await pool.run(function, "x")
            with pytest.raises(ArgumentError, match=r"\$\.name: expected string, got int"):
                await pool.run(greeting, 7)

    asyncio.run(several())


def imported_pool(built: Path) -> Any:
    """The pool module of a package that is imported."""
    return importlib.import_module(f"{built.name}.pool")


def test_importing_a_package_imports_neither_pools_nor_the_compiler(built: Path) -> None:
    program = "import json, sys, sharing; print(json.dumps([*sys.modules]))"
    environment = {"PYTHONPATH": f"{ROOT / 'runtime'}:{built.parent}"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True, cwd="/"
    )
    loaded = set(json.loads(done.stdout))
    assert "sharing" in loaded
    assert not {name for name in loaded if name.startswith(("marine_gen", "marine_runtime.pool", "jinja2", "sharing."))}


def test_a_package_that_does_not_belong_to_the_modules_is_refused(built: Path, tmp_path: Path) -> None:
    shutil.copytree(built, tmp_path / "changed")
    source = (built / "__init__.py").read_text()
    (tmp_path / "changed" / "__init__.py").write_text(source.replace("{6: TestRecord}", "{}"))
    with imported(tmp_path / "changed") as package, pytest.raises(LoadError, match="are not those that its package"):
        package.load()


def test_a_package_in_a_zip_file_says_that_it_has_to_be_unpacked(built: Path, tmp_path: Path) -> None:
    marine_gen.build(guests("greeting"), tmp_path / "zipped")
    archive = Path(shutil.make_archive(str(tmp_path / "archive"), "zip", tmp_path, "zipped"))
    with imported(archive / "zipped") as package, pytest.raises(LoadError, match="out of a zip file, unpack it"):
        package.load()


@pytest.mark.parametrize("engine", ENGINES)
def test_modules_in_python_are_beside_those_that_are_declared(tmp_path: Path, engine: str) -> None:
    def greeting(name: str) -> str:
        return f"Python: hi, {name}"

    donkey = PythonModule("donkey", {"greeting": greeting})
    marine_gen.build({"donkey": donkey, **guests("shrek")}, tmp_path / "mixed")
    with imported(tmp_path / "mixed") as package, package.load(engine=engine, python_modules=[donkey]) as service:
        assert service.modules.shrek.greeting("Jane") == ["Shrek: hi, Jane", "Python: hi, Jane"]
        assert type(service.modules.shrek) is package.ShrekModule
        assert service.modules.donkey.greeting("Jane") == service.modules["donkey"]["greeting"]("Jane")
        assert list(service.modules) == ["donkey", "shrek"]
