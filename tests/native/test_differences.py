"""Rows of docs/differences-from-marine.md against Marine's own runtime: it does what the page says, and we do not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import marine_gen
from marine_gen.generate import Description, Member, Named, RecordDeclaration
from marine_runtime import ConfigError, MarineError, MarineWarning, Service, TrapError
from marine_runtime.types import Prim
from tests.bench.peers.base import NotMeasuredError
from tests.bench.peers.native_marine import BINARY, NativeProcess
from tests.native.test_native_marine import ours, theirs
from tests.support.echo import Memory, echo_module, function
from tests.support.engines import assemble

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not BINARY.is_file(), reason="`make bench-native` builds Marine")]

NUMBER = "s32.from_i32"
BODIES = {
    "recurse": ("s32", f"call-core 0 {NUMBER}", "(i32.add (call $recurse) (i32.const 1))"),
    "far": ("s32", f"call-core 1 {NUMBER}", "(i32.const -8)"),
    "none": ("s32", f"call-core 2 {NUMBER}", "(i32.const 0)"),
    "one": ("s32", f"call-core 3 {NUMBER}", "(i32.const 1)"),
    "last": ("s32", f"call-core 4 {NUMBER}", "(i32.const 65535)"),
    "seek": ("s32", f"call-core 5 {NUMBER}", "(call $seek (i32.const 0) (i64.const 0) (i32.const 0) (i32.const 16))"),
    "shut": ("s32", f"call-core 6 {NUMBER}", "(call $shutdown (i32.const 0) (i32.const 0))"),
    "raise": ("s32", f"call-core 7 {NUMBER}", "(call $raise (i32.const 0))"),
    "first": (
        "string",
        "call-core 8 call-core 3 string.lift_memory",
        "(drop (call $name (i32.const 3) (i32.const 64) (i32.const 1))) (i32.const 64)",
    ),
    "empty": ("array (string)", "call-core 9 call-core 3 array.lift_memory string", "(i32.const 128)"),
    "edge": ("string", "call-core 4 call-core 3 string.lift_memory", "(i32.const 0)"),
}
"""Functions of a guest, by name: the type of the result, the adapter, and the core function."""

WASI = {
    "seek": ("fd_seek", "i32 i64 i32 i32"),
    "shutdown": ("sock_shutdown", "i32 i32"),
    "raise": ("proc_raise", "i32"),
    "name": ("fd_prestat_dir_name", "i32 i32 i32"),
}


def odd() -> bytes:
    """The guest."""
    imports = "".join(
        f'(import "wasi_snapshot_preview1" "{name}" (func ${short} (param {params}) (result i32)))'
        for short, (name, params) in WASI.items()
    )
    functions = "".join(
        f'(func {"$recurse" if name == "recurse" else ""} (export "{name}") (result i32) {body})'
        for name, (_, _, body) in BODIES.items()
    )
    lines = ['(@interface it_version "0.20.0")']
    for result, _, _ in BODIES.values():
        lines += [f"(@interface type (func (result {result})))", "(@interface type (func (result i32)))"]
    lines += [f'(@interface export "{name}" (func {2 * index + 1}))' for index, name in enumerate(BODIES)]
    lines += [f"(@interface func (type {2 * index}) {body})" for index, (_, body, _) in enumerate(BODIES.values())]
    lines += [f"(@interface implement (func {2 * index + 1}) (func {2 * index}))" for index in range(len(BODIES))]
    data = r'(data (i32.const 128) "\f8\ff\ff\ff\00\00\00\00")'  # the slot of an empty string far outside
    memory = f'(memory (export "memory") 1) {data}'
    return assemble(f"(module {imports} {memory} {functions})", "\n".join(lines))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("native") / "odd.wasm"
    path.write_bytes(odd())
    return path


@pytest.fixture
def native(file: Path) -> Iterator[NativeProcess]:
    with NativeProcess() as process:
        process.must("load", modules=[["odd", str(file)]])
        yield process


@pytest.fixture
def service(file: Path) -> Iterator[Service]:
    with marine_gen.load({"odd": file}) as service:
        yield service


RESULTS: Mapping[str, tuple[object, object]] = {
    "empty": (None, ([""],)),
    "edge": (None, ("\0",)),
    "seek": ((8,), (70,)),
    "shut": ((8,), (57,)),
    "raise": (None, (58,)),
}
"""Results of functions of the guest, of Marine and of ours; None for a call that fails."""


@pytest.mark.parametrize("function", RESULTS)
def test_results_that_differ(native: NativeProcess, service: Service, function: str) -> None:
    found = (theirs(native, "odd", function, "[]"), ours(service, "odd", function, "[]"))
    assert found == RESULTS[function]


def test_endless_recursion_ends_the_process_of_marine(native: NativeProcess, service: Service) -> None:
    with pytest.raises(NotMeasuredError, match="ended with code -11"):
        native.ask("call", module="odd", fn="recurse", args=[])
    with pytest.raises(TrapError, match="call stack exhausted"):
        service.call("odd", "recurse")
    assert service.call("odd", "one") == 1


def test_a_service_without_modules_is_loaded_by_marine(native: NativeProcess) -> None:
    native.must("load", modules=[], slot="nothing")
    with pytest.raises(MarineError, match="at least one module"):
        marine_gen.load({})


def test_equal_records_appear_twice_in_marines_listing(native: NativeProcess, tmp_path: Path) -> None:
    """A record that contains another one appears once for each number that the other one has."""
    point = RecordDeclaration("Point", (Member("x", Prim.F64),))
    line = RecordDeclaration("Line", (Member("start", Named("Point")),))
    other = RecordDeclaration("Other", (Member("y", Prim.U8),))
    files = {}
    for name, records in (("first", (point, line)), ("second", (other, point, line))):
        functions = tuple(function(f"take_{item.name}", Named(item.name)) for item in records)
        files[name] = tmp_path / f"{name}.wasm"
        files[name].write_bytes(echo_module(Description(records, functions), Memory()))
    native.must("load", modules=[[name, str(path)] for name, path in files.items()])
    assert native.must("interface")["text"].count("data Line:\n  start: Point\n") == 2
    with marine_gen.load(dict(files)) as service:
        assert str(service.interface).count("data Line:\n  start: Point\n") == 1


def configure(file: Path, text: str) -> Path:
    """A configuration beside the guest."""
    path = file.parent / "Config.toml"
    limit = "" if "total_memory_limit" in text else 'total_memory_limit = "Infinity"\n'
    path.write_text(f'modules_dir = "."\n{limit}{text}')
    return path


MODULE = '[[module]]\nname = "odd"\n'


def test_mapped_directories_are_opened_in_any_order_by_marine(native: NativeProcess, file: Path) -> None:
    """The first of six; the chance that a dozen loads agree is one in 362 million."""
    config = configure(
        file, f"{MODULE}[module.wasi.mapped_dirs]\n" + "".join(f'{name} = "{name}"\n' for name in "fbdace")
    )
    for name in "fbdace":
        (file.parent / name).mkdir(exist_ok=True)
    found = set()
    for _ in range(12):
        native.must("load", config=str(config), working_dir=str(file.parent))
        found.add(theirs(native, "odd", "first", "[]"))
    assert len(found) > 1
    with marine_gen.load(config) as service:
        assert service.call("odd", "first") == "f"


def test_a_configuration_without_a_limit_is_refused_by_marine(native: NativeProcess, file: Path) -> None:
    path = file.parent / "Unlimited.toml"
    path.write_text(f'modules_dir = "."\n{MODULE}')
    assert not native.ask("load", config=str(path), working_dir=str(file.parent))["ok"]
    with pytest.warns(MarineWarning, match="without `total_memory_limit`"):
        marine_gen.load(path).close()


ODD_SETTINGS: Mapping[str, tuple[str, bool]] = {
    "an empty name of a module": ('[[module]]\nname = ""\nload_from = "odd.wasm"', True),
    "a name with an equals sign": (f'{MODULE}[module.wasi.envs]\n"A=" = "b"', True),
    "an empty name of a variable": (f'{MODULE}[module.wasi.envs]\n"" = "b"', True),
    "a date": (f"{MODULE}[module.wasi.envs]\nA = 2020-01-01", True),
    "blanks around a size": (f'total_memory_limit = " 10 MiB "\n{MODULE}', False),
    "a size beyond 64 bits": (f'total_memory_limit = "99999 PiB"\n{MODULE}', True),
}
"""Settings, and whether Marine takes them; we do the opposite."""


@pytest.mark.parametrize(("text", "taken"), ODD_SETTINGS.values(), ids=ODD_SETTINGS)
def test_odd_settings(native: NativeProcess, file: Path, text: str, taken: bool) -> None:
    config = configure(file, text)
    assert native.ask("load", config=str(config), working_dir=str(file.parent))["ok"] is taken
    if taken:
        with pytest.raises(ConfigError):
            marine_gen.load(config)
    else:
        marine_gen.load(config).close()
