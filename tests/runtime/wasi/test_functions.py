"""WASI as a module sees it: files, environment, standard streams, clocks, the end of a program."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from marine_runtime import ExitError, Service, TrapError
from marine_runtime.config.model import ModuleConfig
from marine_runtime.wasi.functions import NAMESPACES, PREVIEW1, UNSTABLE
from tests.support.echo import PAGE
from tests.support.engines import Configuration
from tests.support.wasi import BADF, INVAL, ROOM, SUCCESS, Player, load_configured, wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
MFILE, NAMETOOLONG, NOTDIR, NOTSOCK, NOTSUP = 33, 37, 54, 57, 58
END = 4 * PAGE


@pytest.fixture(params=NAMESPACES)
def namespace(request: pytest.FixtureRequest) -> str:
    """Both generations of WASI."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """Two host directories."""
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    return first, second


@pytest.fixture
def service(configuration: Configuration, places: tuple[Path, Path], namespace: str) -> Iterator[Service]:
    """One module with two directories and an environment."""
    config = ModuleConfig(
        envs={"MODE": "test", "EMPTY": "", "NAME": "Grüße"},
        mapped_dirs={"data": str(places[0]), "/abs/logs": str(places[1])},
    )
    with load_configured({"m": wasi_guest(namespace)}, configuration, {"m": config}) as made:
        yield made


@pytest.fixture
def guest(service: Service) -> Player:
    """The module, played by the test."""
    return Player(service, "m")


def test_environment_and_arguments(guest: Player, service: Service, places: tuple[Path, Path]) -> None:
    first, second = map(str, places)
    assert guest.environment() == ["MODE=test", "EMPTY=", "NAME=Grüße", f"data={first}", f"/abs/logs={second}"]
    assert service.wasi["m"].mapped_dirs == {"data": first, "/abs/logs": second}
    assert [f"{name}={value}" for name, value in service.wasi["m"].envs.items()] == guest.environment()
    guest.poke(ROOM, b"\xff" * 8)
    assert guest("args_sizes_get", ROOM, ROOM + 4) == SUCCESS
    assert guest.peek(ROOM, 8) == bytes(8)
    assert guest("args_get", ROOM, ROOM) == SUCCESS


def test_directories_are_found_by_name(guest: Player) -> None:
    assert guest.preopens() == {3: "data", 4: "/abs/logs"}
    assert guest("fd_prestat_dir_name", 3, ROOM, 3) == NAMETOOLONG
    assert [guest("fd_prestat_get", fd, ROOM) for fd in (0, 1, 2, 5, -1)] == [BADF] * 5
    assert [guest("fd_prestat_dir_name", fd, ROOM, 4) for fd in (0, 1, 2, 5, -1)] == [NOTDIR] * 3 + [BADF] * 2


def test_files_and_directories(guest: Player, places: tuple[Path, Path]) -> None:
    fd = guest.open(3, "a.txt", CREATE | EXCLUSIVE, write=True)
    assert fd == 5
    assert guest.write(fd, b"hello") == 5
    assert (places[0] / "a.txt").read_bytes() == b"hello"
    assert guest.open(3, "a.txt", CREATE | EXCLUSIVE, write=True) < 0
    assert guest("fd_close", fd) == SUCCESS
    assert guest("fd_close", fd) == BADF
    fd = guest.open(3, "a.txt")
    assert guest.read(fd, 3) == b"hel"
    assert guest("fd_tell", fd, ROOM) == SUCCESS
    assert guest.peek(ROOM, 8) == struct.pack("<Q", 3)
    assert guest.read(fd) == b"lo"
    assert guest.read(fd) == b""
    assert guest("path_rename", 3, *guest.path("a.txt"), 4, *guest.path("b.txt", ROOM + 99)) == SUCCESS
    assert (places[1] / "b.txt").read_bytes() == b"hello"
    assert guest("path_create_directory", 4, *guest.path("sub")) == SUCCESS
    assert guest("path_link", 4, 0, *guest.path("b.txt"), 4, *guest.path("sub/c", ROOM + 99)) == SUCCESS
    assert guest("path_symlink", *guest.path("c"), guest.open(4, "sub", DIRECTORY), *guest.path("d", ROOM + 99)) == 0
    assert guest.names(4) == {"b.txt", "sub"}
    assert guest.names(guest.open(4, "sub", DIRECTORY)) == {"c", "d"}
    assert guest("path_readlink", 4, *guest.path("sub/d"), ROOM + 200, 9, ROOM + 300) == SUCCESS
    assert guest.peek(ROOM + 200, guest.word(ROOM + 300)) == b"c"
    assert guest.read(guest.open(4, "sub/d")) == b"hello"
    for name in ("sub/c", "sub/d"):
        assert guest("path_unlink_file", 4, *guest.path(name)) == SUCCESS
    assert guest("path_remove_directory", 4, *guest.path("sub")) == SUCCESS
    assert guest.names(4) == {"b.txt"}


@pytest.mark.parametrize("how", ["path", "descriptor"])
def test_attributes_have_the_layout_of_the_generation(
    guest: Player, namespace: str, places: tuple[Path, Path], how: str
) -> None:
    (places[0] / "f").write_bytes(b"1234567")
    (places[0] / "g").hardlink_to(places[0] / "f")
    info = (places[0] / "f").stat()
    layout = "<QQB7xQQQQQ" if namespace == PREVIEW1 else "<QQB3xIQQQQ"
    size = struct.calcsize(layout)
    before = guest.peek(0, 64)
    inodes: set[int] = set()
    for at in (ROOM + 0x3008, END - size):  # in the middle, and where nothing fits behind it
        guest.poke(at - 8, b"\xaa" * (min(size + 16, END - at + 8)))
        if how == "path":
            assert guest("path_filestat_get", 3, 1, *guest.path("f"), at) == SUCCESS
        else:
            assert guest("fd_filestat_get", guest.open(3, "f"), at) == SUCCESS
        _, inode, kind, links, length, _, modified, _ = struct.unpack(layout, guest.peek(at, size))
        inodes.add(inode)
        assert (kind, links, length, modified) == (4, 2, 7, info.st_mtime_ns)
        around = guest.peek(at - 8, 8) + guest.peek(at + size, min(8, END - at - size))
        assert set(around) == {0xAA}
    with pytest.raises(TrapError, match="a pointer that is out of bounds"):
        guest("fd_filestat_get", 3, END - size + 8)
    with pytest.raises(TrapError, match="a pointer that is not aligned to 8"):
        guest("fd_filestat_get", 3, ROOM + 4)
    assert guest.peek(0, 64) == before
    assert len(inodes) == 1


def test_seeking_counts_in_the_numbers_of_the_generation(
    guest: Player, namespace: str, places: tuple[Path, Path]
) -> None:
    (places[0] / "f").write_bytes(b"0123456789")
    fd = guest.open(3, "f")
    start, current, end = (0, 1, 2) if namespace == PREVIEW1 else (2, 0, 1)
    for offset, whence, expected in ((4, start, 4), (2, current, 6), (-1, end, 9)):
        assert guest("fd_seek", fd, offset, whence, ROOM) == SUCCESS
        assert guest.word(ROOM) == expected
    if namespace == UNSTABLE:
        assert guest("fd_seek", fd, 0, 3, ROOM) == INVAL
    else:
        with pytest.raises(TrapError, match="Invalid enum value Whence"):
            guest("fd_seek", fd, 0, 3, ROOM)


def subscriptions(namespace: str, *items: tuple[int, int]) -> bytes:
    """Subscriptions of a poll: tag 0 with a timeout in nanoseconds, or tag 1 or 2 with a descriptor."""
    data = b""
    for number, (tag, value) in enumerate(items):
        old = namespace == UNSTABLE
        clock = (b"\x77" * 8 if old else b"") + struct.pack("<I4xQQH6x", 1, value, 0, 0)
        union = clock if tag == 0 else struct.pack("<I28x", value) + (bytes(8) if old else b"")
        data += struct.pack("<QB7x", number + 100, tag) + union
    return data


@pytest.mark.parametrize("overlap", [False, True])
def test_a_poll_waits_for_what_comes_first(
    guest: Player, namespace: str, places: tuple[Path, Path], overlap: bool
) -> None:
    (places[0] / "f").write_bytes(b"1234")
    # The descriptors of guest and host differ, so an event tells that the right one was asked.
    guest.open(3, "f")
    assert guest("fd_close", 3) == SUCCESS
    fd = guest.open(4, "g", CREATE, write=True)
    assert fd == 3
    given = subscriptions(namespace, (2, fd), (0, 10**10))
    at = guest.poke(ROOM + 0x2000, given)
    out = at if overlap else ROOM + 0x3000
    assert guest("poll_oneoff", at, out, 2, ROOM) == SUCCESS
    assert guest.word(ROOM) == 1
    assert struct.unpack("<QHB", guest.peek(out, 11)) == (100, SUCCESS, 2)
    assert guest.peek(at + 32 * overlap, len(given) - 32 * overlap) == given[32 * overlap :]
    guest.poke(at, waiting := subscriptions(namespace, (0, 1000), (0, 10**11)))
    assert guest("poll_oneoff", at, ROOM + 0x3000, 2, ROOM) == SUCCESS
    assert struct.unpack("<QHB", guest.peek(ROOM + 0x3000, 11)) == (100, SUCCESS, 0)
    assert guest.peek(at, len(waiting)) == waiting


def test_poll_refuses(guest: Player, namespace: str) -> None:
    given = subscriptions(namespace, (0, 0), (1, 77))
    at = guest.poke(ROOM + 0x2000, given)
    assert guest("poll_oneoff", at, ROOM + 0x3000, 2, ROOM) == BADF
    assert guest.peek(at, len(given)) == given
    assert guest("poll_oneoff", ROOM, ROOM, 1025, ROOM) == INVAL
    assert guest("poll_oneoff", ROOM, ROOM, 0, ROOM) == INVAL
    guest.poke(at, given := subscriptions(namespace, (0, 0), (2, 3)))
    outside = ((END - 48, at, 2, ROOM), (at, END - 32, 2, ROOM), (at, ROOM, 1, END - 4 + 4))
    misaligned = ((at + 4, ROOM, 1, ROOM), (at, ROOM + 4, 1, ROOM), (at, ROOM, 1, ROOM + 2))
    for problem, wrong in (("out of bounds", outside), ("not aligned", misaligned)):
        for arguments in wrong:
            with pytest.raises(TrapError, match=f"a pointer that is {problem}"):
                guest("poll_oneoff", *arguments)
            assert guest.peek(at, len(given)) == given
    clock = 16 if namespace == PREVIEW1 else 24
    for position, value in ((8, 3), (clock, 4), (clock + 24, 2)):
        odd = bytearray(subscriptions(namespace, (2, 3), (0, 0)))
        odd[len(odd) // 2 + position] = value
        guest.poke(at, bytes(odd))
        assert guest("poll_oneoff", at, ROOM + 0x3000, 2, ROOM) == INVAL
        assert guest.peek(at, len(odd)) == odd


def test_wrong_pointers_are_traps(guest: Player) -> None:
    path = guest.path("x")
    memory = guest.peek(ROOM, PAGE)
    for bad, problem in ((END - 3, "out of bounds"), (-4, "out of bounds"), (-1, "out of bounds"), (2, "not aligned")):
        for name, arguments in (
            ("args_sizes_get", (ROOM, bad)),
            ("args_sizes_get", (bad, ROOM)),
            ("environ_sizes_get", (bad, ROOM)),
            ("environ_sizes_get", (ROOM, bad)),
            ("environ_get", (bad, ROOM)),
            ("fd_prestat_get", (3, bad)),
            ("path_open", (3, 0, *path, CREATE, 0, 0, 0, bad)),
        ):
            with pytest.raises(TrapError, match=f"a pointer that is {problem}"):
                guest(name, *arguments)
        if problem == "out of bounds":
            for name, arguments in (("environ_get", (ROOM, bad)), ("fd_prestat_dir_name", (3, bad, 10))):
                with pytest.raises(TrapError, match="a pointer that is out of bounds"):
                    guest(name, *arguments)
    with pytest.raises(TrapError, match="a pointer that is out of bounds"):
        guest("random_get", ROOM, END)  # more than what is asked of the host at once
    assert guest.peek(ROOM, PAGE) == memory
    assert guest.names(3) == set()


def test_streams_clocks_and_random(guest: Player) -> None:
    assert guest.read(0) == b""
    assert guest("clock_time_get", 0, 1, ROOM) == SUCCESS
    assert struct.unpack("<Q", guest.peek(ROOM, 8))[0] > 1_600_000_000 * 10**9
    assert guest("clock_res_get", 1, ROOM) == SUCCESS
    assert guest("random_get", ROOM, 32) == SUCCESS
    first = guest.peek(ROOM, 32)
    assert guest("random_get", ROOM + 32, PAGE + 40) == SUCCESS
    assert guest.peek(ROOM + 32, 32) != first != guest.peek(ROOM + PAGE + 40, 32) != bytes(32)
    assert guest("random_get", ROOM, 32) == SUCCESS
    assert first != guest.peek(ROOM, 32)
    assert guest("sched_yield") == SUCCESS
    assert guest("proc_raise", 2) == NOTSUP


def test_sockets_are_refused(guest: Player) -> None:
    assert guest("sock_send", 1, ROOM, 0, 0, ROOM) == NOTSOCK
    assert guest("sock_recv", 3, ROOM, 0, 0, ROOM, ROOM) == NOTSOCK
    assert guest("sock_shutdown", 9, 0) == BADF


def test_renumber_moves_descriptors(guest: Player, places: tuple[Path, Path]) -> None:
    (places[0] / "f").write_bytes(b"f")
    one, two = guest.open(3, "f"), guest.open(3, "f")
    assert guest("fd_renumber", one, one) == SUCCESS
    assert guest("fd_renumber", one, two) == SUCCESS
    assert guest.read(one) == -BADF
    assert guest.read(two) == b"f"
    assert guest("fd_renumber", 4, 3) == SUCCESS  # a directory keeps its name
    assert guest.preopens() == {3: "/abs/logs"}
    assert guest("fd_renumber", two, 0) == SUCCESS
    assert guest("fd_seek", 0, 0, 0, ROOM) in (SUCCESS, INVAL)
    assert guest("fd_renumber", 0, 77) == BADF


def test_descriptors_run_out_and_come_back(guest: Player, places: tuple[Path, Path]) -> None:
    (places[0] / "f").write_bytes(b"f")
    opened = [guest.open(3, "f")]
    while opened[-1] >= 0:
        opened.append(guest.open(3, "f"))
    assert opened[-1] == -MFILE
    assert opened[:-1] == list(range(5, 1024))
    assert guest("fd_close", 500) == SUCCESS
    assert guest.open(3, "f") == 500


def test_exit_ends_the_call(guest: Player) -> None:
    for code in (0, 7, 125, 126, 4000000000):
        with pytest.raises(TrapError, match=f"proc_exit\\({code}\\)") as caught:
            guest("proc_exit", code - 2**32 if code >= 2**31 else code)
        assert isinstance(caught.value, ExitError), code
        assert caught.value.code == code
        assert guest("sched_yield") == SUCCESS, code
