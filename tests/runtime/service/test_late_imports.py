"""Modules that the runtime imports at their first use, in programs that take away what imports need."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import marine_gen
from marine_runtime.lazy import preload
from tests.support.children import lines_of
from tests.support.engines import guests
from tests.support.paths import ROOT
from tests.support.troubles import modules

pytestmark = pytest.mark.host_side

RUNTIME = ROOT / "runtime" / "marine_runtime"
PROGRAM = """
import sys
BEFORE
import marine_runtime

SOURCE, LAYER = sys.argv[1:]

def tell(work):
    try:
        print(work())
    except Exception as error:
        print(f"{type(error).__name__}: {error}")

with marine_runtime.load(SOURCE, call_layer=LAYER) as service:
    sys.path.clear()
    sys.meta_path.clear()
    sys.path_importer_cache.clear()
    WORK
"""
TRAPS = """
    tell(lambda: service.call("first", "f", ["x"]))
    tell(lambda: service.call("third", "f", ["x"]))
    tell(lambda: service.call("endless", "recurse"))
    tell(lambda: service.call("endless", "spin", timeout=0.1))
"""
JSON = """
    tell(lambda: service.call_json("greeting_record", "greeting_record", "[]"))
"""
EVERYTHING = """
    tell(lambda: service.call_json("greeting", "greeting", "[1]"))
    tell(lambda: service.call("greeting", "greeting", [1]))
    tell(lambda: service.call("greeting", "greet", []))
    tell(lambda: service.call_batch("greeting", "greeting", [["a"], ["b"]]))
    tell(lambda: "greeting" in str(service.interface))
    tell(lambda: service.modules.greeting_record.greeting_record())
    from marine_runtime.pool import ServicePool
    with ServicePool(SOURCE, kind="threads", workers=1) as pool:
        tell(lambda: pool.call("greeting", "greeting", ["pool"]))
    with marine_runtime.load(SOURCE, call_layer=LAYER, fuel=10_000, trace=marine_runtime.Tracer()) as other:
        tell(lambda: other.call("endless", "spin"))
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    everything = guests("greeting", "greeting_record", "endless") | dict(modules("trap_chain"))
    return marine_gen.build(everything, tmp_path_factory.mktemp("late") / "built", native=False).directory


def told(built: Path, layer: str, work: str, before: str = "") -> list[str]:
    """The lines that a program prints which works on when its import path is gone."""
    code = PROGRAM.replace("BEFORE", before).replace("WORK", work.strip())
    return lines_of("-c", code, str(built), layer)


def kinds(lines: list[str]) -> list[str]:
    """The classes of the errors among them, and everything else as it is."""
    return [line.partition(": ")[0] for line in lines]


@pytest.mark.parametrize("layer", ["fast", "public"])
def test_faults_of_guests_need_no_import(built: Path, layer: str) -> None:
    lines = told(built, layer, TRAPS)
    assert kinds(lines) == [*["TrapError"] * 3, "CallTimeoutError"]


def test_an_import_that_fails_is_an_error_of_python(built: Path) -> None:
    """The service can be called afterwards."""
    lines = told(built, "fast", JSON + '    tell(lambda: service.call("greeting", "greeting", ["x"]))')
    assert lines == ["ModuleNotFoundError: No module named 'marine_runtime.values.json'", "Hi, x"]


@pytest.mark.parametrize("layer", ["fast", "public"])
def test_everything_can_be_imported_before(built: Path, layer: str) -> None:
    lines = told(built, layer, TRAPS + JSON + EVERYTHING, "import marine_runtime.lazy.preload")
    assert kinds(lines) == [
        *(*["TrapError"] * 3, "CallTimeoutError", '{"str":"Hello, world!","num":42}', *["ArgumentError"] * 3),
        *("['Hi, a', 'Hi, b']", "True", "GreetingRecord(str='Hello, world!', num=42)", "Hi, pool", "FuelLimitError"),
    ]


def imported_by_functions(path: Path) -> Iterator[str]:
    """The modules that functions of a file import."""
    for outer in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(outer):
                if isinstance(node, ast.Import):
                    yield from (alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module is not None:
                    yield node.module


def test_each_module_of_the_standard_library_is_among_them() -> None:
    files = (path for path in RUNTIME.rglob("*.py") if "ray" not in path.relative_to(RUNTIME).parts)
    found = {name for path in files for name in imported_by_functions(path)}
    standard = {name for name in found if name.partition(".")[0] in sys.stdlib_module_names and name[0] != "_"}
    assert standard == set(preload.STANDARD) | ({"resource"} if sys.platform == "win32" else set())
