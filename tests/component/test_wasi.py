"""WASI of components: what a module can do, the same as in the runtime, and that no module reaches another's files."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import wasmtime

from marine_gen.artifact import Source
from marine_gen.artifact import component as make
from marine_gen.component_backend import ComponentError, ComponentOptions
from marine_gen.generate import Description
from marine_runtime import CallError, ModuleConfig, ServiceConfig
from marine_runtime.types import Prim
from marine_runtime.wasi.functions import FUNCTIONS, NAMESPACES, PREVIEW1
from tests.support.components import ComponentService, lines, made, wit_of
from tests.support.echo import echo_module, function
from tests.support.engines import assemble, guest, load
from tests.support.wasi import BADF, MEMORY, ROOM, SUCCESS, SWEEPS, Player, wasi_guest

CREATE, DIRECTORY, TRUNCATE = 1, 2, 8
SECRET = b"the victim's secret"
ALL_RIGHTS = 0x1FFFFFFF
OPENING = f"""
  (data (i32.const {ROOM}) "secret")
  (func (export "_initialize")
    (if (call $path_open (i32.const 3) (i32.const 1) (i32.const {ROOM}) (i32.const 6) (i32.const 0)
          (i64.const {ALL_RIGHTS}) (i64.const {ALL_RIGHTS}) (i32.const 0) (i32.const {ROOM + 16}))
      (then unreachable)))"""
"""A guest with this has its file open before anything is called."""


class Played:
    """A component in the place of a service: its facade is played, as `Player` does with modules."""

    def __init__(self, service: ComponentService, module: str, namespace: str) -> None:
        self._service = service
        self.modules = {module: [namespace]}

    def call(self, module: str, name: str, arguments: Any) -> Any:
        assert module in self.modules
        return self._service.call(name, list(arguments))


def configured(modules: Mapping[str, bytes], settings: Mapping[str, ModuleConfig], **options: Any) -> Any:
    config = ServiceConfig(modules=settings)
    return make(Source("service", modules, config.to_json()), ComponentOptions("test:service", **options))


def running(component: Any, directories: Mapping[str, Path]) -> ComponentService:
    def wasi() -> wasmtime.WasiConfig:
        config = wasmtime.WasiConfig()
        config.env = [("HOST_SECRET", "1")]
        config.argv = ["program"]
        for name, path in directories.items():
            config.preopen_dir(str(path), name)
        return config

    return ComponentService(component, wasi=wasi)


def playing(service: ComponentService, module: str = "m", namespace: str = PREVIEW1) -> Player:
    return Player(Played(service, module, namespace), module)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def components() -> Callable[[str], Any]:
    """The component of a victim and a hostile module, by the generation of WASI; made once each."""
    known: dict[str, Any] = {}

    def component(namespace: str) -> Any:
        if namespace not in known:
            settings = {
                name: ModuleConfig(envs={f"TOKEN_{name}": name}, mapped_dirs={f"dir_{name}": "/nowhere"})
                for name in ("victim", "hostile")
            }
            modules = {"victim": wasi_guest(namespace, OPENING), "hostile": wasi_guest(namespace)}
            known[namespace] = configured(modules, settings)
        return known[namespace]

    return component


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    """A directory for each module, by the name that the component finds it under, and one for nobody."""
    found = {"victim/dir_victim": tmp_path / "victim", "hostile/dir_hostile": tmp_path / "hostile"}
    found["other/dir"] = tmp_path / "other"
    for path in found.values():
        path.mkdir()
        (path / "secret").write_bytes(SECRET)
    (tmp_path / "hostile" / "secret").unlink()
    (tmp_path / "outside").write_bytes(SECRET)
    return found


@pytest.fixture(params=NAMESPACES)
def hostile(request: pytest.FixtureRequest, components: Callable[[str], Any], roots: dict[str, Path]) -> Player:
    """The hostile module, beside a victim that has its file open."""
    service = running(components(request.param), roots)
    return playing(service, "hostile", request.param)


def test_no_descriptor_leads_to_a_foreign_file(hostile: Player) -> None:
    """Every descriptor argument of every function, with every number that is not the module's own."""
    count = len(SWEEPS) if hostile.namespace == PREVIEW1 else len(SWEEPS) - 1
    for which in range(count):
        for first, last in ((4, 2100), (2**32 - 2000, 2**32 - 1), (2**31 - 5, 2**31 + 5)):
            assert hostile.sweep(which, first, last) == 0, (SWEEPS[which], first)
    for fd in range(20):
        assert hostile.read(fd) in (b"", -BADF)


def test_nothing_of_wasi_lies_in_the_memory_of_a_module(hostile: Player, roots: dict[str, Path]) -> None:
    """A guest that overwrites numbers in its own memory can't forge a handle: there is none."""
    (roots["hostile/dir_hostile"] / "own").write_bytes(b"own")
    start, size = ROOM, 0x4000  # behind the log that this guest keeps, before its heap
    arguments = (3, 1, *hostile.path("own", ROOM + 0x700), 0, ALL_RIGHTS & ~(1 << 6), ALL_RIGHTS, 0, ROOM + 0x800)
    assert hostile("path_open", *arguments) == SUCCESS
    before = hostile.peek(start, size)
    assert hostile("path_open", *arguments) == SUCCESS
    after = hostile.peek(start, size)
    assert [at for at in range(0, size, 4) if before[at : at + 4] != after[at : at + 4]] == [0x800]
    assert struct.unpack_from("<I", before, 0x800) + struct.unpack_from("<I", after, 0x800) == (4, 5)
    for number in range(16):
        hostile.poke(ROOM + 0x2000, struct.pack("<I", number) * 0x400)
        assert hostile.read(5) == (b"own" if number == 0 else b"")


def test_own_directory_environment_and_arguments(hostile: Player, roots: dict[str, Path]) -> None:
    assert hostile.preopens() == {3: "dir_hostile"}
    assert hostile.environment() == ["TOKEN_hostile=hostile", "dir_hostile=dir_hostile"]
    assert hostile("args_sizes_get", ROOM, ROOM + 4) == SUCCESS
    assert hostile.peek(ROOM, 8) == bytes(8)
    assert hostile.names(3) == set()
    (roots["hostile/dir_hostile"] / "mine").touch()
    assert hostile.names(3) == {"mine"}
    for fd in (0, 1, 2):
        assert hostile.open(fd, "secret") < 0


@pytest.mark.parametrize(
    "path",
    ["..", "../victim/secret", "../outside", "sub/../../outside", "/etc/passwd", "link_file", "link_dir/secret", ""],
)
def test_no_path_leads_out(hostile: Player, roots: dict[str, Path], path: str) -> None:
    place = roots["hostile/dir_hostile"]
    (place / "sub").mkdir()
    (place / "link_file").symlink_to(roots["victim/dir_victim"] / "secret")
    (place / "link_dir").symlink_to("../victim")
    content = {item.name for item in place.iterdir()}
    for flags in (0, CREATE, DIRECTORY):
        assert hostile.open(3, path, flags, write=flags == CREATE) < 0
    bad, new = hostile.path(path), hostile.path("new", ROOM + 199)
    assert hostile("path_filestat_get", 3, 1, *bad, ROOM + 0x1000) != SUCCESS
    assert hostile("path_link", 3, 1, *bad, 3, *new) != SUCCESS
    if path != "link_file":  # as a name, not followed, the link is the module's own
        assert hostile("path_unlink_file", 3, *bad) != SUCCESS
        assert hostile("path_rename", 3, *bad, 3, *new) != SUCCESS
    assert {item.name for item in place.iterdir()} == content
    assert (roots["victim/dir_victim"] / "secret").read_bytes() == SECRET


def script(player: Player) -> Iterator[object]:
    """Steps of a program with files; the outcome of each."""
    yield player.open(3, "none")
    yield player("path_create_directory", 3, *player.path("sub"))
    yield player("path_create_directory", 3, *player.path("sub"))
    fd = player.open(3, "sub/file", CREATE, write=True)
    yield fd
    yield player.write(fd, b"hello, world")
    yield player("fd_tell", fd, ROOM), player.peek(ROOM, 8)
    yield player("fd_seek", fd, 7, 0, ROOM), player.peek(ROOM, 8)
    yield player.read(fd, 3)
    yield player("fd_seek", fd, -5, 2, ROOM), player.peek(ROOM, 8)
    yield player("fd_seek", fd, -500, 1, ROOM)
    yield player.read(fd)
    yield player.read(fd)
    player.poke(ROOM + 0x1000, b"HELLO")
    yield (
        player("fd_pwrite", fd, *player.pieces((0, 0), (ROOM + 0x1000, 5)), 0, ROOM + 0x800),
        player.word(ROOM + 0x800),
    )
    yield player("fd_pread", fd, *player.pieces((ROOM + 0x1000, 8)), 2, ROOM + 0x800), player.peek(ROOM + 0x1000, 8)
    yield player("fd_filestat_get", fd, ROOM), player.peek(ROOM + 16, 24)
    yield player("fd_filestat_set_size", fd, 5), player("fd_sync", fd), player("fd_datasync", fd)
    yield player("path_filestat_get", 3, 1, *player.path("sub/file"), ROOM + 64), player.peek(ROOM + 80, 24)
    yield player("path_filestat_set_times", 3, 1, *player.path("sub/file"), 5_000_000_007, 9 * 10**9, 5)
    yield player("fd_filestat_get", fd, ROOM), player.peek(ROOM + 40, 16)
    yield player("path_link", 3, 0, *player.path("sub/file"), 3, *player.path("linked", ROOM + 99))
    yield player("path_symlink", *player.path("sub/file"), 3, *player.path("symbolic", ROOM + 99))
    yield player("path_readlink", 3, *player.path("symbolic"), ROOM + 0x1000, 100, ROOM + 0x800)
    yield player.peek(ROOM + 0x1000, player.word(ROOM + 0x800))
    yield player("path_rename", 3, *player.path("linked"), 3, *player.path("moved", ROOM + 99))
    yield sorted(player.names(3))
    for name in ("path_unlink_file", "path_remove_directory"):
        for path in ("sub", "none", "symbolic", "moved"):
            yield name, path, player(name, 3, *player.path(path))
    directory = player.open(3, "sub", DIRECTORY)
    yield directory, player.names(directory), player.open(directory, "file")
    yield player("fd_close", directory), player("fd_close", directory)
    yield player.open(3, "sub/file", TRUNCATE, write=True)
    yield player("fd_filestat_get", fd, ROOM), player.peek(ROOM + 32, 8)
    yield player("fd_readdir", fd, ROOM, 100, 0, ROOM + 0x800) != SUCCESS
    yield player("fd_renumber", fd, 20), player("fd_close", fd)
    for clock in range(4):
        yield player("clock_res_get", clock, ROOM), player("clock_time_get", clock, 0, ROOM)
    yield player("random_get", ROOM, 64), player("sched_yield"), player.read(0), player("fd_close", 0), player.read(0)


def test_files_as_in_the_runtime(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    settings = {"m": ModuleConfig(mapped_dirs={"d": str(tmp_path / "one")})}
    component = configured({"m": wasi_guest()}, settings)
    service = running(component, {"m/d": tmp_path / "two"})
    with load({"m": wasi_guest()}, "fused", config=ServiceConfig(modules=settings)) as runtime:
        wanted = script(Player(runtime, "m"))
        found = script(playing(service))
        for number, (left, right) in enumerate(zip(wanted, found, strict=True)):
            assert left == right, number


def test_large_listings_and_files(tmp_path: Path) -> None:
    names = {f"file {number}" for number in range(300)}
    for name in names:
        (tmp_path / name).touch()
    settings = {"m": ModuleConfig(mapped_dirs={"d": "/nowhere"})}
    player = playing(running(configured({"m": wasi_guest()}, settings), {"m/d": tmp_path}))
    found, cookie = set(), 0
    while True:
        assert player("fd_readdir", 3, ROOM + 0x1000, 200, cookie, ROOM + 0x800) == SUCCESS
        data = player.peek(ROOM + 0x1000, player.word(ROOM + 0x800))
        at = 0
        while at + 24 <= len(data):
            following, _, length = struct.unpack_from("<QQI", data, at)
            if at + 24 + length > len(data):
                break
            found.add(data[at + 24 : at + 24 + length].decode())
            at, cookie = at + 24 + length, following
        if len(data) < 200:
            break
    assert found == {*names, ".", ".."}
    fd = player.open(3, "large", CREATE, write=True)
    content = b"0123456789abcdef" * 4096 + b"x"
    assert player.write(fd, content) == 1 << 16
    assert (tmp_path / "large").read_bytes() == content[:-1]


@pytest.mark.parametrize("given", ["m/e", "m/first", "d", "m/dd", "e/d"])
def test_a_directory_that_the_host_does_not_give(tmp_path: Path, capfd: pytest.CaptureFixture[str], given: str) -> None:
    """It is told by name, before anything is called; a directory of another name is not taken for it."""
    settings = {"m": ModuleConfig(mapped_dirs={"first": "/nowhere", "d": "/nowhere"})}
    component = configured({"m": wasi_guest()}, settings)

    def wasi() -> wasmtime.WasiConfig:
        config = wasmtime.WasiConfig()
        config.inherit_stderr()
        for name in {"m/first", given}:
            config.preopen_dir(str(tmp_path), name)
        return config

    with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
        ComponentService(component, wasi=wasi)
    assert capfd.readouterr().err == "component: the host gives no directory `m/d`, which the module `m` needs\n"
    assert list(tmp_path.iterdir()) == []


def test_output_goes_to_the_standard_streams(capfd: pytest.CaptureFixture[str]) -> None:
    config = wasmtime.WasiConfig()
    config.inherit_stdout()
    config.inherit_stderr()
    service = ComponentService(made({"m": wasi_guest()}), wasi=lambda: config)
    player = playing(service)
    assert player.write(1, b"out\n") == 4
    assert player.write(2, b"err\n") == 4
    assert player.write(1, b"x" * 5000) == 4096
    assert player.write(0, b"x") == -BADF
    assert player.open(3, "x") == -BADF
    found = capfd.readouterr()
    assert (found.out, found.err) == ("out\n" + "x" * 4096, "err\n")


def test_sleeping() -> None:
    service = running(made({"m": wasi_guest()}), {})
    player = playing(service)
    player("clock_time_get", 1, 0, ROOM + 0x900)
    subscription = struct.pack("<QB7xI4xQQH6x", 7, 0, 1, 20_000_000, 0, 0)
    player.poke(ROOM, subscription)
    assert player("poll_oneoff", ROOM, ROOM + 0x100, 1, ROOM + 0x200) == SUCCESS
    player("clock_time_get", 1, 0, ROOM + 0x908)
    start, end = struct.unpack("<QQ", player.peek(ROOM + 0x900, 16))
    assert end - start >= 20_000_000
    assert player.word(ROOM + 0x200) == 1
    assert player.peek(ROOM + 0x100, 11) == struct.pack("<QHB", 7, 0, 0)


def test_a_module_that_exits_ends_the_instance() -> None:
    service = running(made({"m": wasi_guest()}), {})
    player = playing(service)
    with pytest.raises(wasmtime.WasmtimeError):
        player("proc_exit", 0)


def test_wrong_pointers(tmp_path: Path) -> None:
    """No function takes a pointer, a size or a flag that it does not take in the runtime; a trap ends the instance."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_bytes(b"content")
    settings = {"m": ModuleConfig(mapped_dirs={"d": str(tmp_path / "one")})}
    service = running(configured({"m": wasi_guest()}, settings), {"m/d": tmp_path / "two"})
    traps = 0

    def outcome(player: Player, name: str, arguments: list[int]) -> int | None:
        """The error number; None for a trap."""
        for fd in range(4, 8):
            player("fd_close", fd)
        player.open(3, "file", write=True)
        try:
            return player(name, *arguments)
        except (wasmtime.WasmtimeError, CallError):
            return None

    with load({"m": wasi_guest()}, "fused", config=ServiceConfig(modules=settings)) as runtime:
        for name, function in FUNCTIONS[PREVIEW1].items():
            places = [place for place, code in enumerate(function.params) if code == "i"]
            for place in [] if name in ("proc_exit", "proc_raise") else places:
                arguments = [ROOM + 0x2000 + 0x100 * at if at in places else 0 for at in range(len(function.params))]
                for descriptor in function.descriptors:
                    arguments[descriptor] = 3 if name.startswith("path_") else 4
                arguments[place] = 0xFFFFFFF0
                found = outcome(playing(service), name, arguments)
                if found is None:
                    traps += 1
                    service.restart()
                assert found != SUCCESS or outcome(Player(runtime, "m"), name, arguments) == SUCCESS, (name, place)
    assert traps > 40


@pytest.mark.parametrize("count", [0, 15, 16, 17, 1000])
def test_random_bytes_of_a_host_that_miscounts(count: int) -> None:
    """Too many bytes would lie behind the guest's buffer, and missing ones would be what somebody staged."""
    fields = '(import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))'
    bodies = {"fill": f"(call $random (i32.const {ROOM}) (local.get 0))"}
    wasm = echo_module(Description((), (function("fill", Prim.U32, result=Prim.U32),)), MEMORY, bodies, "", fields)
    host = {"wasi:random/random@0.2.0": {"get-random-bytes": lambda _, length: bytes(count)}}
    service = ComponentService(made({"m": wasm}), host)
    if count == 16:
        assert service.call("fill", [16]) == SUCCESS
    else:
        with pytest.raises(wasmtime.WasmtimeError, match="unreachable"):
            service.call("fill", [16])


def test_what_is_imported_depends_on_what_is_used() -> None:
    assert "wasi:" not in made({"greeting": guest("greeting")}).wit
    whole = configured({"m": wasi_guest()}, {"m": ModuleConfig(mapped_dirs={"d": "/nowhere"})})
    assert lines(wit_of(whole.wasm)) == lines(whole.wit)
    assert "wasi:filesystem" not in made({"m": wasi_guest()}).wit


def test_every_native_function_is_there() -> None:
    for namespace in NAMESPACES:
        for name in FUNCTIONS[namespace]:
            assert name in [item.split()[0] for item in SWEEPS] or not name.startswith(("fd_", "path_"))


def test_imports_that_wasi_does_not_have() -> None:
    adapters = '(@interface it_version "0.28.0")'
    for line, message in (
        ('(import "wasi_snapshot_preview1" "fd_rad" (func))', "which WASI preview 1 does not have"),
        ('(import "wasi_snapshot_preview1" "fd_read" (func))', "but WASI has it as"),
    ):
        wasm = assemble(f"(module {line})", adapters)
        with pytest.raises(ComponentError, match=message):
            made({"first": wasm, "greeting": guest("greeting")})
