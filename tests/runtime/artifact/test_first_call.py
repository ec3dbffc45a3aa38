"""Imports on the way from a built directory to a first call, in a process of its own."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
import typing
from pathlib import Path
from types import FunctionType

import pytest

import marine_gen
import marine_runtime.lazy.typing
from marine_runtime.wasm.speedups import speedups
from tests.support.engines import guests
from tests.support.paths import ROOT

STANDARD = (
    *("__future__", "_ctypes", "_json", "_queue", "_sha2", "_sha256", "_thread", "atexit", "collections.abc"),
    *(
        "contextlib",
        "ctypes",
        "ctypes._layout",
        "enum",
        "errno",
        "faulthandler",
        "functools",
        "itertools",
        "keyword",
        "marshal",
        "mmap",
    ),
    *("opcode", "operator", "os", "resource", "struct", "sys", "time", "types", "weakref"),
)
"""The modules of the standard library that may be imported on the way, with what they import. Others take time and have
nothing to do with it: `typing` with `re`, for example, a tenth of the whole, see `marine_runtime.lazy.typing`. Since
Python 3.14, `ctypes` imports `_layout` for its first structure. Python 3.13 begins `-c` with `linecache`, out of which
`weakref.finalize`, which needs `atexit`, removes what a service has there."""

NOT_IMPORTED = {
    *("wasmtime", "marine_gen"),
    *(f"marine_runtime.{name}" for name in ("config.toml", "host.function", "pool", "traces.recorder", "values.json")),
    *(f"marine_runtime.{name}" for name in ("config.sizes", "host.resolve", "service.interface", "wasi.functions")),
    *(f"marine_runtime.{name}" for name in ("abi.helpers", "abi.layout", "adapters.codec", "adapters.entry")),
    *(f"marine_runtime.{name}" for name in ("wasm.baseline", "wasm.installed", "wasm.refusals")),
}
"""Modules that have nothing to do with a call of a function of a text."""

_ALLOWED = """
import sys
for name in sys.argv[1:]:
    try:
        __import__(name)
    except ImportError:
        pass
print(*sys.modules)
"""

_PROGRAM = """
import sys
import marine_runtime
with marine_runtime.load(sys.argv[1]) as service:
    assert service.modules.greeting.greeting("x") == "Hi, x"
print(*sys.modules)
"""


def _imported(program: str, *arguments: str, **more: str) -> set[str]:
    """The modules at the end of a program. Installed packages, which may import anything, have no say in it."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)), **more}
    command = [sys.executable, "-S", "-P", "-c", program, *arguments]
    return set(subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split())


def test_a_first_call_imports_little(tmp_path: Path) -> None:
    built = marine_gen.build(dict(guests("greeting")), tmp_path / "built").directory
    _imported(_PROGRAM, str(built))  # what is known of the library
    allowed = _imported(_ALLOWED, *STANDARD)
    assert not allowed & {"typing", "re", "importlib", "array", "json", "hashlib"}
    nowhere = str(built / "manifest.json")  # as where there is no place for a cache
    more = _imported(_ALLOWED, "hashlib", "json")
    not_imported = NOT_IMPORTED - ({"marine_runtime.abi.layout"} if speedups() else set())  # its entries have layouts
    for written, cache in (("1", {}), ("", {}), ("", {"MARINE_GEN_CACHE": nowhere})):
        found = _imported(_PROGRAM, str(built), PYTHONDONTWRITEBYTECODE=written, **cache)
        assert "ctypes" in found
        assert not not_imported & found
        assert {name for name in found if not name.startswith("marine_")} <= allowed | (more if cache else set())


def test_names_of_types_are_imported_from_one_module() -> None:
    """Modules that need a name of `typing` which is not there import all of them from `typing`.

    So does a module whose protocol is public: only one of `typing` can be a base of another.
    """
    found = {}
    for path in sorted((ROOT / "runtime" / "marine_runtime").rglob("*.py")):
        if path != Path(marine_runtime.lazy.typing.__file__):
            for node in ast.parse(path.read_text("utf-8")).body:
                if isinstance(node, ast.ImportFrom) and node.module == "typing":
                    found[str(path)] = {alias.name for alias in node.names} - set(marine_runtime.lazy.typing.__all__)
    assert [Path(name).stem for name, others in found.items() if not others] == ["resolve"]
    assert typing.Protocol in marine_runtime.HostFunctions.__mro__


def test_erased_names_do_what_those_of_typing_do() -> None:
    """At run time they check nothing either, and annotations with them have a value."""
    erased = marine_runtime.lazy.typing
    assert {name for name in erased.__all__ if not hasattr(typing, name)} == set()
    assert erased.cast("int", "text") == "text"
    assert erased.overload(len) is len
    with pytest.raises(AssertionError, match="unreachable"):
        erased.assert_never(1)
    hints = typing.get_type_hints(marine_runtime.Service.call)
    assert (hints["return"], hints["options"]) == (object, object)


def test_annotations_of_the_public_interface_have_values() -> None:
    """Those that name classes which are imported on demand have none, as `typing` can't find them."""
    unresolved = []
    for name in marine_runtime.__all__:
        owner = getattr(marine_runtime, name)
        members = {f"{name}.{key}": item for key, item in vars(owner).items()} if isinstance(owner, type) else {}
        for label, item in {name: owner, **members}.items():
            function = getattr(item, "fget", getattr(item, "__func__", item))
            if isinstance(function, type | FunctionType) and not label.rpartition(".")[2].startswith("_"):
                try:
                    typing.get_type_hints(function)
                except NameError as error:
                    unresolved.append((label, error.name))
    on_demand = {"HostFunction", "HostFunctions", "Interface", "Path", "PythonModule", "Statistics", "WasiState"}
    assert {missing for _, missing in unresolved} <= on_demand
    assert {label for label, _ in unresolved} <= {
        *("HostFunctions.items", "LoadOptions", "RunOptions", "load"),
        *("Service.interface", "Service.load_module", "Service.statistics", "Service.wasi"),
    }


def test_exports_have_their_types_and_their_list() -> None:
    """They are imported when they are asked for, and listed all the same."""
    from marine_runtime import abi, adapters, artifact, host, support, values, wasi

    for package in (marine_runtime, abi, adapters, artifact, host, support, values, wasi):
        assert set(package.__all__) <= set(dir(package))
        for name in package.__all__:
            getattr(package, name)
