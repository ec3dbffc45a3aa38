"""Odd paths, flags, positions and directories: the answers that bare Wasmtime gives."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.support.wasi_play import (
    APPEND,
    CREATE,
    DIRECTORY,
    EXCLUSIVE,
    READ_ONLY,
    RIGHTS,
    ROOT,
    TRUNCATE,
    Play,
    harvest,
    plant,
)
from tests.support.wasi_reference import Reference, Shimmed

PATHS = (
    *("f", "f/", "f/.", "f/..", "f/g", "./f", ".//f", "/f", "//", "/", "", ".", "./", "..", "../", "../x"),
    *("sub", "sub/", "sub/.", "sub/./", "sub/..", "sub/../", "sub/../f", "sub//g", "sub/../..", "sub/../../x"),
    *("sub/inner", "sub/inner/", "none", "none/", "none/.", "none/..", "none/x", "none/../f", "sub/none", "sub/none/"),
    *("l", "l/", "l/.", "ls", "ls/", "ls/.", "ls/..", "ls/g", "ls/none", "ls/none/", "ls/back", "sub/back", "up"),
    *("slash", "dangling", "dangling/", "loop", "loop/", "loop/x", "a", "a/", "absolute", "absolute/", "inside"),
    *("out", "out/", "out/x", "é", "a" * 255, "a" * 256, "sub/../" * 40 + "f", "sub/" * 1200, " ", "\\f", "f\n"),
)

OFLAGS = [
    sum(flags)
    for count in range(5)
    for flags in itertools.combinations((CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE), count)
]


def opened(play: Play, fd: int, path: str, oflags: int, rights: int, flags: int) -> None:
    found = play.open(path, oflags, rights, flags, fd)
    if found != 999:
        play.state(found)
        play.write(found, b"xyz")
        play.read(found, 4)
        play.call("fd_close", found)


Operation = Callable[[Play, int, str], object]

OPERATIONS: Mapping[str, Operation] = {
    "attributes": lambda play, fd, path: play.stat(path, 1, fd),
    "attributes of the link": lambda play, fd, path: play.stat(path, 0, fd),
    "make a directory": lambda play, fd, path: play.call("path_create_directory", fd, path),
    "remove a directory": lambda play, fd, path: play.call("path_remove_directory", fd, path),
    "remove a file": lambda play, fd, path: play.call("path_unlink_file", fd, path),
    "read a link": lambda play, fd, path: play.link_target(path, fd),
    "rename": lambda play, fd, path: play.call("path_rename", fd, path, fd, "new"),
    "rename, with a slash": lambda play, fd, path: play.call("path_rename", fd, path, fd, "new/"),
    "rename over it": lambda play, fd, path: play.call("path_rename", fd, "f", fd, path),
    "rename a directory over it": lambda play, fd, path: play.call("path_rename", fd, "sub/inner", fd, path),
    "link": lambda play, fd, path: play.call("path_link", fd, 0, path, fd, "new"),
    "link what it leads to": lambda play, fd, path: play.call("path_link", fd, 1, path, fd, "new"),
    "link at it": lambda play, fd, path: play.call("path_link", fd, 0, "f", fd, path),
    "make a link at it": lambda play, fd, path: play.call("path_symlink", "f", fd, path),
    "make a link to it": lambda play, fd, path: play.call("path_symlink", path, fd, "new"),
    "set times": lambda play, fd, path: play.call("path_filestat_set_times", fd, 1, path, 5, 7, 5),
    "set times of the link": lambda play, fd, path: play.call("path_filestat_set_times", fd, 0, path, 5, 7, 5),
    **{
        f"open {oflags:04b} {'read' if rights == READ_ONLY else 'write'} {flags}": (
            lambda play, fd, path, oflags=oflags, rights=rights, flags=flags: opened(
                play, fd, path, oflags, rights, flags
            )
        )
        for oflags in OFLAGS
        for rights, flags in ((READ_ONLY, 0), (RIGHTS, 0), (RIGHTS, APPEND))
    },
}
"""Actions with every path, each time in a directory of its own."""


_QUICK = (
    "attributes",
    "rename over it",
    "make a link at it",
    "open 0000 read 0",
    "open 0001 write 0",
    "open 1101 write 1",
)
"""One operation of each kind; the others take half a minute together."""


@pytest.mark.parametrize(
    "name", [name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow) for name in OPERATIONS]
)
def test_paths(name: str, tmp_path: Path) -> None:
    found = []
    place = tmp_path / "place"
    for kind in (Reference, Shimmed):
        plant(place / "d" / "tree")
        whole = harvest(place / "d")
        host = kind(place)
        play = Play(host)
        trees = []
        try:
            for path in PATHS:
                play.title = f"{path[:40]!r}"
                fd = play.open("tree", DIRECTORY)
                OPERATIONS[name](play, fd, path)
                play.call("fd_close", fd)
                trees.append((path, harvest(place / "d")))
                if trees[-1][1] != whole:
                    shutil.rmtree(place / "d" / "tree", ignore_errors=True)
                    plant(place / "d" / "tree")
        finally:
            host.close()
        shutil.rmtree(place)
        found.append((play.heard, trees))
    (wanted, trees), (heard, own) = found
    assert [pair for pair in zip(wanted, heard, strict=True) if pair[0] != pair[1]] == []
    assert [path for (path, tree), (_, other) in zip(trees, own, strict=True) if tree != other] == []


def rights_that_get_fewer(play: Play) -> None:
    fd = play.open("f", rights=RIGHTS)
    for rights in (RIGHTS, 0x2FFFFF, 1 << 1, 1 << 1 | 1 << 6, 0):
        play.call("fd_fdstat_set_rights", fd, rights, rights)
        play.state(fd)
        play.read(fd, 1)
        play.write(fd, b"w")
        play.seek(fd, 0)
        play.stat(fd)
    directory = play.open("sub", DIRECTORY, rights=1 << 13)
    play.state(directory)
    play.open("g", rights=RIGHTS, fd=directory)
    play.names(directory)
    play.call("path_create_directory", directory, "new")


def descriptors_that_move(play: Play) -> None:
    first, second = play.open("f", rights=RIGHTS), play.open("sub/g", rights=RIGHTS)
    for old, new in ((first, first), (first, second), (first, second), (second, 1), (77, second), (second, 77)):
        play.call("fd_renumber", old, new)
        for fd in (first, second, 1):
            play.stat(fd)
    play.call("fd_renumber", ROOT, second)
    play.call("fd_prestat_get", second, 0x1000)
    play.call("fd_close", second)
    play.call("fd_close", second)


def positions(play: Play) -> None:
    fd = play.open("f", rights=RIGHTS)
    for offset, whence in (
        (100, 0),
        (-1, 0),
        (-101, 1),
        (2**62, 0),
        (2**63 - 1, 1),
        (5, 2),
        (-11, 2),
        (-10, 2),
        (0, 1),
    ):
        play.seek(fd, offset, whence)
        play.call("fd_tell", fd, 0x1000)
        play.read(fd, 3)
    play.seek(fd, 20)
    play.read(fd, 5)
    play.write(fd, b"")
    play.stat(fd)
    play.write(fd, b"behind the end")
    play.read(fd, 5)
    play.stat(fd)
    play.read(fd, 40, at=0)
    play.read(fd, 40, at=1000)
    play.read(fd, 40, at=-1)
    play.write(fd, b"far", at=60)
    play.call("fd_filestat_set_size", fd, 4)
    play.read(fd, 40)
    play.seek(fd, 0)
    play.read(fd, 40)
    play.read(fd, 0)


def appending(play: Play) -> None:
    fd = play.open("f", rights=RIGHTS, flags=APPEND)
    play.seek(fd, 2)
    play.write(fd, b"A")
    play.call("fd_tell", fd, 0x1000)
    play.write(fd, b"B", at=1)
    for flags in (0, APPEND, 4, APPEND | 4, 0):
        play.call("fd_fdstat_set_flags", fd, flags)
        play.state(fd)
        play.seek(fd, 0)
        play.write(fd, b"C")
        play.seek(fd, 0)
        play.read(fd, 40)


def times(play: Play) -> None:
    fd = play.open("f", rights=RIGHTS)
    for flags, seen, written in (
        (5, 7, 9),
        (1, 11, 0),
        (4, 0, 13),
        (2, 0, 0),
        (8, 0, 0),
        (5, 0, 0),
        (5, 10**9, 10**18),
    ):
        play.call("fd_filestat_set_times", fd, seen, written, flags)
        play.stat(fd)
        play.call("path_filestat_set_times", ROOT, 0, "l", seen, written, flags)
        play.stat("l", 0)
        play.stat("l")
    for flags in (3, 12, 15, 16):
        play.call("fd_filestat_set_times", fd, 0, 0, flags)
    play.call("fd_filestat_set_times", fd, -1, -1, 5)
    play.call("path_filestat_set_times", ROOT, 1, "sub", 5, 6, 5)
    play.stat("sub")


def directories_that_go(play: Play) -> None:
    fd = play.open("sub/inner", DIRECTORY)
    play.names(fd)
    play.call("path_remove_directory", ROOT, "sub/inner")
    play.names(fd)
    play.names(fd, 2)
    play.stat(fd)
    play.open("x", CREATE, rights=RIGHTS, fd=fd)
    play.call("path_create_directory", fd, "x")
    play.stat(".", fd=fd)
    play.call("path_rename", fd, ".", ROOT, "back")
    play.call("fd_close", fd)
    moved = play.open("sub", DIRECTORY)
    play.call("path_rename", ROOT, "sub", ROOT, "elsewhere")
    play.names(moved)
    play.open("g", fd=moved)
    play.open("back", fd=moved)
    play.call("path_unlink_file", moved, "g")
    play.names(moved)


def files_that_go(play: Play) -> None:
    fd = play.open("f", rights=RIGHTS)
    play.call("path_unlink_file", ROOT, "f")
    play.stat(fd)
    play.write(fd, b"still")
    play.seek(fd, 0)
    play.read(fd, 40)
    play.call("path_link", ROOT, 0, "l", ROOT, "new")
    play.stat("l")
    play.call("fd_close", fd)
    play.read(fd, 1)


def files_in_place_of_directories(play: Play) -> None:
    fd = play.open("f", rights=RIGHTS)
    play.names(fd)
    play.open("x", fd=fd)
    play.stat("x", fd=fd)
    play.call("path_create_directory", fd, "x")
    directory = play.open("sub", DIRECTORY)
    play.read(directory, 1)
    play.write(directory, b"x")
    play.seek(directory, 0)
    play.call("fd_filestat_set_size", directory, 0)
    play.call("fd_sync", directory)
    play.call("fd_datasync", directory)
    play.call("fd_allocate", fd, 5, 20)
    play.call("fd_allocate", directory, 5, 20)
    play.call("fd_advise", directory, 0, 0, 0)


SEQUENCES = (
    *(rights_that_get_fewer, descriptors_that_move, positions, appending, times),
    *(directories_that_go, files_that_go, files_in_place_of_directories),
)


@pytest.mark.parametrize("run", SEQUENCES, ids=lambda run: run.__name__)
def test_sequences(run: Callable[[Play], None], tmp_path: Path) -> None:
    found = []
    place = tmp_path / "place"
    for kind in (Reference, Shimmed):
        plant(place / "d")
        host = kind(place)
        play = Play(host)
        try:
            run(play)
        finally:
            host.close()
        found.append((play.heard, harvest(place / "d")))
        shutil.rmtree(place)
    (wanted, tree), (heard, own) = found
    steps = enumerate(zip(wanted, heard, strict=True))
    assert [(number, *pair) for number, pair in steps if pair[0] != pair[1]] == []
    assert tree == own


def test_new_descriptors_are_the_lowest_free_ones(tmp_path: Path) -> None:
    plant(tmp_path / "d")
    host = Shimmed(tmp_path)
    play = Play(host)
    first, second = play.open("f"), play.open("sub/g")
    play.call("fd_close", second)
    play.call("fd_close", first)
    assert [play.open("f"), play.open("f")] == [first, second] == [ROOT + 1, ROOT + 2]
    host.close()
