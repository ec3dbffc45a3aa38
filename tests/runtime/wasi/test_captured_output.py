"""Captured output as a guest sees it: what it is, and how much of it is taken."""

from __future__ import annotations

import os
import pty
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from marine_runtime.config.model import ModuleConfig
from marine_runtime.wasi.functions import NAMESPACES
from tests.support.echo import PAGE, Memory
from tests.support.engines import Configuration
from tests.support.wasi import BADF, ROOM, SUCCESS, Player, load_configured, wasi_guest

pytestmark = [pytest.mark.host_side, pytest.mark.costly]

ROOT = Path(__file__).parents[3]
UNKNOWN, TERMINAL = 0, 2
ASK = """
import sys
from marine_runtime.config.model import ModuleConfig
from tests.support.engines import Configuration
from tests.support.wasi import ROOM, Player, load_configured, wasi_guest

settings = {"m": ModuleConfig(stdout=print), "n": ModuleConfig(stderr=print)}
for namespace in ("wasi_snapshot_preview1", "wasi_unstable"):
    guest = wasi_guest(namespace)
    with load_configured({"m": guest, "n": guest, "o": guest}, Configuration("interpreter"), settings) as service:
        for name in "mno":
            player = Player(service, name)
            for fd in (1, 2):
                assert player("fd_fdstat_get", fd, ROOM) == 0
                assert player("fd_filestat_get", fd, ROOM + 64) == 0
                print(player.peek(ROOM, 1)[0], player.peek(ROOM + 64 + 16, 1)[0], file=sys.argv[1:] or sys.stdout)
"""


def test_captured_output_is_no_terminal() -> None:
    """The streams of the process are one here; that those of Marine's guests are not is what they can tell."""
    master, slave = pty.openpty()
    program = ASK.replace("sys.argv[1:] or sys.stdout", "sys.stdout")
    done = subprocess.run([sys.executable, "-c", program], stdout=slave, stderr=slave, cwd=ROOT, check=False)
    os.close(slave)
    shown = os.read(master, 10000).decode()
    os.close(master)
    assert done.returncode == 0, shown
    kinds = [tuple(map(int, line.split())) for line in shown.split("\n") if line.strip()]
    one, none = (TERMINAL, TERMINAL), (UNKNOWN, UNKNOWN)
    assert kinds == [none, one, one, none, one, one] * 2


@pytest.mark.parametrize("namespace", NAMESPACES)
def test_a_moved_descriptor_is_still_captured(configuration: Configuration, namespace: str) -> None:
    printed: list[bytes] = []
    settings = {"m": ModuleConfig(stdout=printed.append)}
    with load_configured({"m": wasi_guest(namespace)}, configuration, settings) as service:
        guest = Player(service, "m")
        assert guest("fd_renumber", 1, 0) == SUCCESS
        assert guest.write(0, b"moved") == 5
        assert guest("fd_fdstat_get", 0, ROOM) == SUCCESS
        assert guest.peek(ROOM, 1) == b"\0"
        assert guest("fd_fdstat_get", 1, ROOM) == BADF
    assert printed == [b"moved"]


def test_pieces_are_taken_as_far_as_they_are_right(configuration: Configuration) -> None:
    """A mistake in a later piece is told when it is the first."""
    printed: list[bytes] = []
    settings = {"m": ModuleConfig(stdout=printed.append)}
    with load_configured({"m": wasi_guest()}, configuration, settings) as service:
        guest = Player(service, "m")
        at = guest.poke(ROOM + 0x1000, b"abcdef")

        def written(*pieces: tuple[int, int], where: int = ROOM + 0x2000, count: int | None = None) -> int:
            guest.pieces(*pieces, at=where)
            assert guest("fd_write", 1, where, len(pieces) if count is None else count, ROOM) == SUCCESS
            return guest.word(ROOM)

        assert written((at, 2), (at + 2, 0), (at + 2, 2)) == 4
        assert written((0xFFFFFFFF, 0), (at, 1), (4 * PAGE - 1, 2), (at, 1)) == 1
        assert written((at, 3), where=4 * PAGE - 8, count=2) == 3
        assert written((at, 3), where=4 * PAGE - 8, count=2**29 - 1) == 3
        assert written(*[(at, 1)] * 1500) == 1500
        assert written(*[(at, 0)] * 1500, (at, 6)) == 6
        assert written(count=0) == written((at, 0)) == 0
    assert printed == [b"abcd", b"a", b"abc", b"abc", b"a" * 1500, b"abcdef"]


def test_large_output_comes_in_parts(configuration: Configuration) -> None:
    printed: list[bytes] = []
    settings = {"m": ModuleConfig(stdout=printed.append)}
    with load_configured({"m": wasi_guest()}, configuration, settings) as service:
        guest = Player(service, "m")
        assert guest("fd_write", 1, *guest.pieces(*[(0, 4 * PAGE)] * 5), ROOM) == SUCCESS
        assert guest.word(ROOM) == 1 << 20
        assert guest("fd_write", 1, *guest.pieces(*[(0, 3 * PAGE)] * 7), ROOM) == SUCCESS  # the sixth is cut
        assert guest.word(ROOM) == 1 << 20
    assert [len(part) for part in printed] == [1 << 20] * 2


def test_many_pieces_at_a_time(configuration: Configuration) -> None:
    """Output goes on behind what one call takes; reading fills the first piece with room, as on Wasmtime."""
    count, most = 140_000, 1 << 17
    printed: list[bytes] = []
    module = wasi_guest(memory=Memory(pages=24, base=23 * PAGE))
    with load_configured({"m": module}, configuration, {"m": ModuleConfig(stdout=printed.append)}) as service:
        guest = Player(service, "m")
        at = guest.poke(ROOM + 0x100, b"x")
        many, _ = guest.pieces(*[(at, 1)] * count, at=ROOM + 0x200)
        assert guest("fd_write", 1, many, count, ROOM) == SUCCESS
        assert guest.word(ROOM) == most
        assert guest("fd_write", 1, many + 8 * most, count - most, ROOM) == SUCCESS
        assert guest("fd_read", 0, many, count, ROOM) == SUCCESS
        assert guest.word(ROOM) == 0
    assert [len(part) for part in printed] == [most, count - most]


def test_the_count_may_lie_over_the_pieces(configuration: Configuration) -> None:
    printed: list[bytes] = []
    with load_configured({"m": wasi_guest()}, configuration, {"m": ModuleConfig(stdout=printed.append)}) as service:
        guest = Player(service, "m")
        at, count = guest.pieces((ROOM, 3), (ROOM, 3))
        assert guest("fd_write", 1, at, count, at + 8) == SUCCESS
        assert guest.peek(at, 16) == struct.pack("<IIII", ROOM, 3, 6, 3)
    assert len(printed) == 1
