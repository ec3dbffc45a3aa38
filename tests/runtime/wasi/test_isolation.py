"""A module never reaches directories, descriptors or variables of another one, nor anything outside its directories."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from marine_runtime import Service
from marine_runtime.config.model import ModuleConfig
from marine_runtime.wasi.functions import FUNCTIONS, NAMESPACES, PREVIEW1
from tests.support.engines import Configuration
from tests.support.wasi import (
    BADF,
    NOTCAPABLE,
    PERM,
    ROOM,
    SUCCESS,
    SWEEPS,
    Player,
    load_configured,
    wasi_guest,
)

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

CREATE, DIRECTORY = 1, 2
SECRET = b"the victim's secret"


@pytest.fixture
def roots(tmp_path: Path) -> dict[str, Path]:
    """A host directory for each module, with a secret in those of the victims."""
    made = {name: tmp_path / name for name in ("before", "hostile", "after")}
    for place in made.values():
        place.mkdir()
    (made["before"] / "secret").write_bytes(SECRET)
    (made["after"] / "secret").write_bytes(SECRET)
    (tmp_path / "outside").write_bytes(SECRET)
    return made


@pytest.fixture(params=NAMESPACES)
def service(request: pytest.FixtureRequest, configuration: Configuration, roots: dict[str, Path]) -> Iterator[Service]:
    """A hostile module between two victims; all have a directory, an open file and a secret variable."""
    settings = {
        name: ModuleConfig(envs={f"TOKEN_{name}": name}, mapped_dirs={f"dir_{name}": str(place)})
        for name, place in roots.items()
    }
    with load_configured({name: wasi_guest(request.param) for name in roots}, configuration, settings) as made:
        for name in ("before", "after"):
            assert Player(made, name).open(3, "secret", write=True) == 4
        yield made


@pytest.fixture
def hostile(service: Service) -> Player:
    """The hostile module, played by the test."""
    return Player(service, "hostile")


def victims_are_well(service: Service, roots: dict[str, Path]) -> None:
    """Their files and descriptors are as they were."""
    for name in ("before", "after"):
        assert {item.name for item in roots[name].iterdir()} == {"secret"}
        assert (roots[name] / "secret").read_bytes() == SECRET
        victim = Player(service, name)
        assert victim.preopens() == {3: f"dir_{name}"}
        assert victim("fd_seek", 4, 0, 0, ROOM) == SUCCESS
        assert victim("fd_pread", 4, *victim.pieces((ROOM, 100)), 0, ROOM + 200) == SUCCESS
        assert victim.peek(ROOM, victim.word(ROOM + 200)) == SECRET


def test_no_descriptor_number_leads_to_a_foreign_file(
    hostile: Player, service: Service, roots: dict[str, Path]
) -> None:
    """Every descriptor argument of every function, with every number that is not the module's own."""
    count = len(SWEEPS) if hostile.namespace == PREVIEW1 else len(SWEEPS) - 1
    for which in range(count):
        for first, last in ((4, 2001), (2**32 - 2000, 2**32 - 1), (2**31 - 5, 2**31 + 5), (2**29 - 5, 2**29 + 5)):
            assert hostile.sweep(which, first, last) == 0, (SWEEPS[which], first)
    victims_are_well(service, roots)


def test_descriptors_inside_subscriptions_are_translated(hostile: Player, service: Service) -> None:
    stride = 48 if hostile.namespace == PREVIEW1 else 56
    for fd in (*range(4, 40), 1023, 1024, 2**31, 2**32 - 1):
        for tag in (1, 2):
            hostile.poke(ROOM, struct.pack("<QB7xI", 1, tag, fd).ljust(stride, b"\0"))
            assert hostile("poll_oneoff", ROOM, ROOM + 104, 1, ROOM + 200) == BADF


def test_own_descriptors_reach_the_own_directory_only(hostile: Player, roots: dict[str, Path]) -> None:
    assert hostile.preopens() == {3: "dir_hostile"}
    assert hostile.names(3) == set()
    (roots["hostile"] / "mine").touch()
    for fd in (0, 1, 2):
        assert hostile.open(fd, "secret") < 0
        assert hostile("fd_readdir", fd, ROOM, 1000, 0, ROOM + 2000) != SUCCESS
    assert hostile.names(3) == {"mine"}


def test_environments_are_apart(service: Service, roots: dict[str, Path]) -> None:
    for name, place in roots.items():
        assert Player(service, name).environment() == [f"TOKEN_{name}={name}", f"dir_{name}={place}"]


ESCAPES = [
    *(
        "..",
        "../before/secret",
        "../outside",
        "sub/../../outside",
        "./.././outside",
        "/",
        "/etc/passwd",
        "//etc/passwd",
    ),
    *("link_file", "link_dir/secret", "link_up/outside", "sub/deep/outside", "dir_before/secret", "\0", "a\0b", ""),
]


def test_no_path_leads_out(hostile: Player, service: Service, roots: dict[str, Path]) -> None:
    """Links out of the directory were put there by the host; a guest can't make them."""
    place = roots["hostile"]
    (place / "sub").mkdir()
    (place / "link_file").symlink_to(roots["before"] / "secret")
    (place / "link_dir").symlink_to("../before")
    (place / "link_up").symlink_to("..")
    (place / "sub" / "deep").symlink_to("../..")
    (place / "own").write_bytes(b"own")
    content = {item.name for item in place.iterdir()}
    for path in ESCAPES:
        for flags in (0, CREATE, DIRECTORY):
            assert hostile.open(3, path, flags, write=flags == CREATE) < 0, path
        bad = hostile.path(path)
        own, new = hostile.path("own", ROOM + 99), hostile.path("new", ROOM + 199)
        calls: list[tuple[str, tuple[int, ...]]] = [
            ("path_filestat_get", (3, 1, *bad, ROOM + 0x1000)),
            ("path_filestat_set_times", (3, 1, *bad, 0, 0, 5)),
            ("path_link", (3, 1, *bad, 3, *new)),
            ("path_link", (3, 0, *own, 3, *bad)),
        ]
        if path != "link_file":  # as a name, not followed, the link is the module's own
            calls += [
                ("path_create_directory", (3, *bad)),
                ("path_unlink_file", (3, *bad)),
                ("path_remove_directory", (3, *bad)),
                ("path_rename", (3, *bad, 3, *new)),
                ("path_rename", (3, *own, 3, *bad)),
                ("path_symlink", (*own, 3, *bad)),
            ]
        for name, args in calls:
            assert hostile(name, *args) != SUCCESS, (name, path)
    assert {item.name for item in place.iterdir()} == content
    assert (place.parent / "outside").read_bytes() == SECRET
    victims_are_well(service, roots)


def test_links_that_a_guest_makes_lead_nowhere(hostile: Player, service: Service, roots: dict[str, Path]) -> None:
    for target in ("/etc/passwd", str(roots["before"])):
        assert hostile("path_symlink", *hostile.path(target, ROOM + 99), 3, *hostile.path("l")) in (NOTCAPABLE, PERM)
    hostile("path_symlink", *hostile.path("../before/secret", ROOM + 99), 3, *hostile.path("l"))
    assert hostile.open(3, "l") < 0
    assert hostile.open(3, "l", CREATE, write=True) < 0
    victims_are_well(service, roots)


def test_nothing_moves_between_directories_of_modules(
    hostile: Player, service: Service, roots: dict[str, Path]
) -> None:
    own = roots["hostile"] / "own"
    own.write_bytes(b"own")
    for foreign in (*range(4, 30), 1023, 1024):
        for source, target in ((3, foreign), (foreign, 3)):
            first = hostile.path("own" if source == 3 else "secret")
            second = hostile.path("stolen", ROOM + 99)
            assert hostile("path_rename", source, *first, target, *second) == BADF
            assert hostile("path_link", source, 0, *first, target, *second) == BADF
    assert own.read_bytes() == b"own"
    assert os.listdir(roots["hostile"]) == ["own"]
    victims_are_well(service, roots)


def test_renumbering_touches_no_foreign_descriptor(hostile: Player, service: Service, roots: dict[str, Path]) -> None:
    (roots["hostile"] / "own").write_bytes(b"own")
    fd = hostile.open(3, "own")
    for foreign in (*range(5, 30), 1023, 1024, -1):
        assert hostile("fd_renumber", foreign, fd) == BADF
        assert hostile("fd_renumber", fd, foreign) == BADF
    assert hostile("fd_renumber", fd, 3) == SUCCESS
    assert hostile.read(3) == b"own"
    assert hostile.preopens() == {}
    victims_are_well(service, roots)


def test_closing_touches_no_other_module(
    hostile: Player, service: Service, roots: dict[str, Path], capfd: pytest.CaptureFixture[str]
) -> None:
    """A descriptor that the hostile module closes, and whose native number is used again, is lost for it alone."""
    for fd in range(4):
        assert hostile("fd_close", fd) == SUCCESS
    victims_are_well(service, roots)
    victim = Player(service, "before")
    again = [victim.open(3, "secret") for _ in range(5)]
    assert again == [5, 6, 7, 8, 9]
    for fd in range(20):
        assert hostile.read(fd) == -BADF
    assert victim.read(9) == SECRET
    assert victim.write(1, b"still printing") == 14
    assert capfd.readouterr().out == "still printing"
    victims_are_well(service, roots)


def test_every_function_is_in_the_sweep() -> None:
    """A function with a descriptor that the table forgets would be forwarded as it is."""
    swept = {title.split()[0] for title in SWEEPS}
    for function in FUNCTIONS[NAMESPACES[0]].values():
        assert (function.name in swept) == function.name.startswith(("fd_", "path_", "sock_"))
    assert {"path_link #4", "path_rename #3", "path_symlink #2", "fd_renumber #1"} <= set(SWEEPS)
