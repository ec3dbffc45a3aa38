"""Compiled Python in builds: used where it fits, done without where it does not."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path
from types import CodeType

import pytest

import marine_gen
import marine_runtime
from marine_runtime.adapters import pieces
from marine_runtime.artifact import BYTECODE_END, BYTECODE_KINDS, compiled_python, read_manifest
from marine_runtime.artifact.bytecode import read_compiled
from marine_runtime.artifact.files import BuiltModule
from marine_runtime.wasm import open_runtime
from marine_runtime.wasm.module import Shape
from marine_runtime.wasm.reflection import shape_of
from tests.guests.descriptions import GUESTS_FOLDER
from tests.support.engines import guests


@pytest.fixture
def built(tmp_path: Path) -> Path:
    return marine_gen.build(GUESTS_FOLDER / "greeting.wasm", tmp_path / "built").directory


def never(*_: object) -> None:
    raise AssertionError("Python was compiled")


@pytest.fixture
def nothing_is_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "spec_from_file_location", never)


@pytest.mark.usefixtures("nothing_is_compiled")
@pytest.mark.parametrize("engine", ["fused", "closures"])
def test_a_build_has_its_python_compiled(built: Path, engine: str) -> None:
    with marine_runtime.load(built, engine=engine) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"


@pytest.mark.usefixtures("nothing_is_compiled")
def test_the_cache_has_it_too() -> None:
    with marine_gen.load(GUESTS_FOLDER / "greeting.wasm") as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"


def test_a_portable_build_has_none(tmp_path: Path) -> None:
    """It is the same for every Python."""
    built = marine_gen.build(GUESTS_FOLDER / "greeting.wasm", tmp_path / "built", native=False).directory
    assert not list(built.glob(f"*{BYTECODE_END}"))
    with marine_runtime.load(built) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"


@pytest.mark.parametrize("change", ["another Python's", "cut off", "rubbish", "no code", "gone"])
def test_what_does_not_fit_is_compiled_from_the_source(built: Path, change: str) -> None:
    (path,) = built.glob(f"*_fused{BYTECODE_END}")
    data = path.read_bytes()
    magic = data[:4]
    other = {"another Python's": b"\0\0\r\n" + data[4:], "cut off": data[:50], "rubbish": magic + b"rubbish"}
    other["no code"] = magic + b"N"
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(other[change])
    with marine_runtime.load(built) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"
    assert change == "gone" or read_compiled(other[change], "x.py") is None


@pytest.mark.parametrize("own", [False, True], ids=["CPython's", "own"])
def test_code_names_the_place_of_its_source(
    built: Path, tmp_path: Path, own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if own:
        monkeypatch.setattr(pieces, "_fix_filename", None)
    moved = tmp_path / "moved"
    shutil.move(built, moved)
    (path,) = moved.glob(f"*_fused{BYTECODE_END}")
    code = read_compiled(path.read_bytes(), str(moved / "new.py"))
    assert isinstance(code, pieces.Pieces)
    place = str(moved / "new.py")
    pending, seen = [pieces.unmarshalled(code.head, place), *(code.code(name, place) for name in code.definitions)], 0
    while pending:
        part = pending.pop()
        assert part.co_filename == place
        pending += [item for item in part.co_consts if isinstance(item, type(code))]
        seen += 1
    assert seen > 3


def test_adapters_are_bound_at_the_first_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The code of a small module is executed once for all services of a build, and only for modules that are called."""
    target = dict.fromkeys(("called", "idle"), GUESTS_FOLDER / "greeting.wasm")
    built = marine_gen.build(target, tmp_path / "built").directory
    executed = []
    make = pieces.Namespace._make

    def watched(self: pieces.Namespace, name: str) -> None:
        executed.append(name)
        make(self, name)

    monkeypatch.setattr(pieces.Namespace, "_make", watched)
    monkeypatch.setattr("marine_runtime.artifact.shared._SETTLED", 0)  # the build is young
    with marine_runtime.load(built) as service, marine_runtime.load(built) as second:
        assert not executed
        for item in (service, second, service):
            assert item.modules.called.greeting("x") == "Hi, x"
        assert executed.count(pieces.BIND) == 1


def test_compiled_code_does_what_its_source_says() -> None:
    code = read_compiled(compiled_python("value = __file__ + 'x'\n", "a.py"), "a.py")
    assert isinstance(code, CodeType)
    scope = {"__file__": "f"}
    exec(code, scope)
    assert scope["value"] == "fx"


def test_recorded_shapes_are_those_of_the_modules(tmp_path: Path) -> None:
    names = sorted(path.stem for path in GUESTS_FOLDER.glob("*_passing_*.wasm"))
    built = marine_gen.build(dict(guests(*names)), tmp_path / "built").directory
    runtime = open_runtime()
    for entry in read_manifest(built).modules:
        assert "code" in entry.shapes
        for kind, shape in entry.shapes.items():
            runtime.deserialize((built / entry.files[kind].name).read_bytes(), shape)
            source = kind.replace("code", "wasm")
            wasm = (built / entry.files[source].name).read_bytes()
            assert shape_of(wasm) == shape == Shape.from_json(json.loads(json.dumps(shape.to_json())))


def test_shapes_that_somebody_edited_are_not_believed(built: Path) -> None:
    """The fast layer calls without checks, so it must not call by a signature that is not the function's."""
    path = built / "manifest.json"
    document = json.loads(path.read_text())
    signatures = document["modules"][0]["shapes"]["code"][0]
    signatures[:] = [[["f64", *params], results] for params, results in signatures]
    path.write_text(json.dumps(document, indent=1))
    (entry,) = read_manifest(built).modules
    assert entry.shapes == {}
    assert BuiltModule(built, entry, open_runtime()).code().shape.exports
    with marine_runtime.load(built) as service:
        assert service.modules.greeting.greeting("x") == "Hi, x"


def test_kinds_are_those_of_generated_python(built: Path) -> None:
    (entry,) = read_manifest(built).modules
    python = {kind for kind, item in entry.files.items() if item.name.endswith(".py")}
    assert python == set(BYTECODE_KINDS)
