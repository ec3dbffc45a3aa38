"""Directories that change while they are listed, and names that no guest can use."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from marine_runtime import TrapError
from marine_runtime.config.model import ModuleConfig
from marine_runtime.wasi.listing import without_padding
from tests.support.echo import PAGE
from tests.support.engines import Configuration
from tests.support.wasi import BADF, ROOM, SUCCESS, Player, load_configured, wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

DIRECTORY, ILSEQ = 2, 25
MANY = 300


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A directory with many files."""
    root = tmp_path / "root"
    (root / "sub" / "inner").mkdir(parents=True)
    for number in range(MANY):
        (root / f"file-{number}").touch()
        (root / "sub" / "inner" / f"file-{number}").touch()
    return root


@pytest.fixture
def guest(configuration: Configuration, place: Path) -> Iterator[Player]:
    """A module that sees the directory."""
    config = ModuleConfig(mapped_dirs={"data": str(place)})
    with load_configured({"m": wasi_guest()}, configuration, {"m": config}) as made:
        yield Player(made, "m")


def entries(guest: Player, fd: int, cookie: int = 0, size: int = 512) -> Iterator[tuple[int, str]]:
    """Cookies and names, read as C libraries do: one buffer at a time, from the last entry that was complete."""
    used = size
    while used == size:
        assert guest("fd_readdir", fd, ROOM + 0x1000, size, cookie, ROOM + 0x800) == SUCCESS
        used = guest.word(ROOM + 0x800)
        data = guest.peek(ROOM + 0x1000, used)
        at = 0
        while at + 24 <= used:
            end = at + 24 + int.from_bytes(data[at + 16 : at + 20], "little")
            if end > used:
                break
            cookie = int.from_bytes(data[at : at + 8], "little")
            yield cookie, data[at + 24 : end].decode()
            at = end


@pytest.mark.parametrize("path", ["", "sub/inner"])
def test_a_directory_can_be_emptied_while_it_is_listed(guest: Player, place: Path, path: str) -> None:
    fd = guest.open(3, path, DIRECTORY) if path else 3
    for _, name in entries(guest, fd):
        if name.startswith("file-"):
            assert guest("path_unlink_file", fd, *guest.path(name, ROOM + 0x100)) == SUCCESS
    assert not list((place / path).glob("file-*"))
    assert not [name for _, name in entries(guest, fd) if name.startswith("file-")]


def test_a_directory_that_grows_is_listed_once(guest: Player, place: Path) -> None:
    seen = []
    for _, name in entries(guest, 3):
        seen.append(name)
        (place / f"new-{len(seen)}").touch()
    assert sorted(seen) == sorted([".", "..", "sub", *(f"file-{number}" for number in range(MANY))])
    names = [name for _, name in entries(guest, 3)]
    assert len(names) == len(set(names)) == MANY + 3 + len(seen)


def test_a_listing_goes_on_at_any_cookie(guest: Player) -> None:
    everything = list(entries(guest, 3))
    for position in (0, 1, 100, MANY + 2):
        cookie = everything[position][0]
        assert list(entries(guest, 3, cookie)) == everything[position + 1 :]
    assert list(entries(guest, 3, MANY + 3)) == list(entries(guest, 3, 2**40)) == []


def test_two_directories_are_listed_at_a_time(guest: Player) -> None:
    fd = guest.open(3, "sub/inner", DIRECTORY)
    one, other = entries(guest, 3), entries(guest, fd)
    pairs = list(zip(one, other, strict=False))
    assert len(pairs) == MANY + 2
    assert {second for _, (_, second) in pairs} == {".", "..", *(f"file-{number}" for number in range(MANY))}


def test_a_descriptor_that_comes_back_is_listed_afresh(guest: Player, place: Path) -> None:
    fd = guest.open(3, "sub", DIRECTORY)
    next(entries(guest, fd, size=32))
    assert guest("fd_close", fd) == SUCCESS
    fd = guest.open(3, "sub/inner", DIRECTORY)
    assert [name for cookie, name in entries(guest, fd, 2)][:1] != ["inner"]


BAD = b"\xff\xfe"


@pytest.mark.parametrize("path", ["", "sub", "sub/inner", "./sub/../sub"])
def test_names_that_are_not_utf8_are_left_out(guest: Player, place: Path, path: str) -> None:
    fd = guest.open(3, path, DIRECTORY) if path else 3
    before = set(entries(guest, fd))
    with open(os.fsencode(place / path) + b"/" + BAD, "w"):
        pass
    os.symlink("nowhere", place / path / "link")
    assert {name for _, name in entries(guest, fd)} == {name for _, name in before} | {"link"}
    assert guest("fd_readdir", fd, ROOM + 0x1000, 0x1000, 0, ROOM + 0x800) == SUCCESS
    head = guest.peek(ROOM + 0x1000, 24 + 1)
    assert (head[24:], head[20]) == (b".", 3)


def test_numbers_and_types_are_those_of_attributes(guest: Player, place: Path) -> None:
    with open(os.fsencode(place) + b"/" + BAD, "w"):
        pass
    assert guest("fd_readdir", 3, ROOM + 0x1000, 0x4000, 0, ROOM + 0x800) == SUCCESS
    data, at = guest.peek(ROOM + 0x1000, guest.word(ROOM + 0x800)), 0
    while at < len(data):
        length = int.from_bytes(data[at + 16 : at + 20], "little")
        name = data[at + 24 : at + 24 + length].decode()
        if name != "..":
            assert guest("path_filestat_get", 3, 0, *guest.path(name, ROOM + 0x100), ROOM + 0x200) == SUCCESS
            assert guest.peek(ROOM + 0x208, 9) == data[at + 8 : at + 16] + data[at + 20 : at + 21]
        at += 24 + length


def test_padding_of_entries_holds_nothing(guest: Player) -> None:
    for cookie in (0, 2):
        assert guest("fd_readdir", 3, ROOM + 0x1000, 0x4000, cookie, ROOM + 0x800) == SUCCESS
        data, at = guest.peek(ROOM + 0x1000, guest.word(ROOM + 0x800)), 0
        while at < len(data):
            assert data[at + 21 : at + 24] == bytes(3)
            at += 24 + int.from_bytes(data[at + 16 : at + 20], "little")


def test_what_wasmtime_leaves_in_the_padding_stays_here() -> None:
    entry = struct.Struct("<QQIB3s")
    data = b"".join(entry.pack(n, 7, 3, 4, b"abc") + b"x%d " % n for n in range(1, 4))
    for size in range(len(data) + 1):
        wanted = data.replace(b"abc", bytes(3))[:size]
        assert without_padding(data[:size]) == wanted


def test_a_directory_that_moved_is_not_taken_for_another(guest: Player, place: Path) -> None:
    fd = guest.open(3, "sub/inner", DIRECTORY)
    with open(os.fsencode(place / "sub" / "inner") + b"/" + BAD, "w"):
        pass
    (place / "sub").rename(place / "moved")
    shutil.copytree(place / "moved", place / "sub")
    (place / "sub" / "inner" / "other").touch()
    assert guest("fd_readdir", fd, ROOM + 0x1000, 0x1000, 0, ROOM + 0x800) == ILSEQ


def test_what_is_no_directory_is_not_listed(guest: Player) -> None:
    fd = guest.open(3, "file-1")
    assert guest("fd_readdir", fd, ROOM + 0x1000, 0x1000, 0, ROOM + 0x800) == BADF


def test_wrong_pointers_are_traps(guest: Player) -> None:
    """As everywhere, what is not written needs no room."""
    end = 4 * PAGE
    for arguments in ((3, end - 100, 200, 0, ROOM), (3, ROOM, 200, 0, end), (3, ROOM, 200, 0, end - 3)):
        with pytest.raises(TrapError, match="a pointer that is out of bounds"):
            guest("fd_readdir", *arguments)
    with pytest.raises(TrapError, match="a pointer that is not aligned to 4"):
        guest("fd_readdir", 3, ROOM, 200, 0, ROOM + 2)
    assert guest("fd_readdir", 3, end, 200, 2**40, ROOM) == SUCCESS
    assert guest.word(ROOM) == 0
