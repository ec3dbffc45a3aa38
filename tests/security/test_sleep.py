"""A guest that sleeps: the native function, which nothing interrupts, is asked for a short time again and again."""

from __future__ import annotations

import itertools
import struct
import time
from collections.abc import Callable

import pytest

from marine_runtime import CallTimeoutError, Service, TrapError
from marine_runtime.wasi.functions import NAMESPACES, PREVIEW1
from tests.support.alarms import alarm
from tests.support.echo import PAGE
from tests.support.wasi import ROOM, SUCCESS, Player, wasi_guest

pytestmark = pytest.mark.host_side

Serve = Callable[..., Service]

TIMEOUT, LATE = 0.1, 20.0
LONG = 40 * 10**9
"""Nanoseconds of a sleep that is cut off; a busy machine is late too, but not by so much."""
SLICES = 100 * 10**6
"""Nanoseconds of a sleep that the shim does in slices."""

REALTIME, MONOTONIC = 0, 1
AT, EVENTS, COUNT = ROOM, ROOM + 0x800, ROOM + 0x1000


def clock(namespace: str, which: int, nanoseconds: int, *, absolute: bool) -> bytes:
    """A subscription of a clock."""
    own = struct.pack("<Q", 5) if namespace != PREVIEW1 else b""
    data = struct.pack("<QB7x", 77, 0) + own + struct.pack("<I4xQQH6x", which, nanoseconds, 0, absolute)
    return data.ljust(48 + len(own), b"\0")


def now(player: Player, which: int) -> int:
    assert player("clock_time_get", which, 0, ROOM) == SUCCESS
    found: int = struct.unpack("<Q", player.peek(ROOM, 8))[0]
    return found


@pytest.fixture(params=NAMESPACES)
def namespace(request: pytest.FixtureRequest) -> str:
    chosen: str = request.param
    return chosen


@pytest.mark.parametrize("which", [REALTIME, MONOTONIC])
@pytest.mark.parametrize("absolute", [False, True])
def test_no_sleep_outlasts_the_time_limit(serve: Serve, namespace: str, which: int, absolute: bool) -> None:
    service = serve({"m": wasi_guest(namespace)})
    player = Player(service, "m")
    end = now(player, which) * absolute + LONG
    given = clock(namespace, which, end, absolute=absolute)
    player.poke(AT, given * 2)
    number = player._numbers["poll_oneoff"]
    start = time.monotonic()
    with pytest.raises(CallTimeoutError):
        service.call("m", namespace, [number, AT, EVENTS, 2, COUNT, *[0] * 5], timeout=TIMEOUT)
    assert TIMEOUT < time.monotonic() - start < TIMEOUT + LATE
    assert player("clock_time_get", which, 0, ROOM) == SUCCESS


def test_a_sleep_of_many_slices(serve: Serve, namespace: str) -> None:
    """It is as long as it has to be, and only clocks that have gone off are told."""
    player = Player(serve({"m": wasi_guest(namespace)}), "m")
    for which, absolute in itertools.product((REALTIME, MONOTONIC), (False, True)):
        begun = now(player, which)
        short, long = (
            clock(namespace, which, begun * absolute + nanoseconds, absolute=absolute) for nanoseconds in (SLICES, LONG)
        )
        player.poke(AT, long + short)
        assert player("poll_oneoff", AT, EVENTS, 2, COUNT) == SUCCESS
        assert SLICES <= now(player, which) - begun < LONG
        assert player.word(COUNT) == 1
        assert player.peek(AT, 2 * len(long))[8:] == (long + short)[8:]  # `now` wrote to the first bytes


def test_events_over_the_subscriptions(serve: Serve, namespace: str) -> None:
    """Each slice begins with the guest's own subscriptions."""
    player = Player(serve({"m": wasi_guest(namespace)}), "m")
    player.poke(AT, clock(namespace, MONOTONIC, SLICES, absolute=False))
    begun = now(player, MONOTONIC)
    player.poke(AT, clock(namespace, MONOTONIC, SLICES, absolute=False))
    assert player("poll_oneoff", AT, AT, 1, AT + 40) == SUCCESS
    assert player.word(AT + 40) == 1
    assert struct.unpack("<QHB", player.peek(AT, 11)) == (77, SUCCESS, 0)
    assert now(player, MONOTONIC) - begun >= SLICES


def test_an_output_that_is_ready(serve: Serve, namespace: str) -> None:
    """It ends the wait at once, however long the clock beside it."""
    player = Player(serve({"m": wasi_guest(namespace)}), "m")
    output = struct.pack("<QB7xI", 78, 2, 2).ljust(len(clock(namespace, 0, 0, absolute=False)), b"\0")
    player.poke(AT, clock(namespace, MONOTONIC, LONG, absolute=False) + output)
    begun = now(player, MONOTONIC)
    player.poke(AT, clock(namespace, MONOTONIC, LONG, absolute=False) + output)
    assert player("poll_oneoff", AT, EVENTS, 2, COUNT) == SUCCESS
    assert player.word(COUNT) == 1
    assert struct.unpack("<QHB", player.peek(EVENTS, 11)) == (78, SUCCESS, 2)
    assert now(player, MONOTONIC) - begun < LONG


def test_sleeps_are_interrupted(serve: Serve, namespace: str) -> None:
    player = Player(serve({"m": wasi_guest(namespace)}), "m")
    given = clock(namespace, MONOTONIC, LONG, absolute=False)
    player.poke(AT, given)
    with alarm():
        player("poll_oneoff", AT, EVENTS, 1, COUNT)
    assert player.peek(AT, len(given)) == given


@pytest.mark.parametrize("timeout", [None, 5.0, 1e300])
def test_sleeps_that_fit_are_as_they_were(serve: Serve, namespace: str, timeout: float | None) -> None:
    service = serve({"m": wasi_guest(namespace)}, timeout=timeout)
    player = Player(service, "m")
    for case in itertools.product((REALTIME, MONOTONIC), (False, True)):
        which, absolute = case
        begun = now(player, which)
        given = clock(namespace, which, begun * absolute + 30 * 10**6, absolute=absolute)
        player.poke(AT, given)
        assert player("poll_oneoff", AT, EVENTS, 1, COUNT) == SUCCESS, case
        assert now(player, which) - begun >= 30 * 10**6, case
        assert player.peek(AT + 8, len(given) - 8) == given[8:], case  # `now` wrote to the first bytes
        assert struct.unpack("<QHB", player.peek(EVENTS, 11)) == (77, SUCCESS, 0), case


def test_a_time_that_has_passed(serve: Serve, namespace: str) -> None:
    player = Player(serve({"m": wasi_guest(namespace)}, timeout=5), "m")
    player.poke(AT, clock(namespace, REALTIME, 1, absolute=True))
    assert player("poll_oneoff", AT, EVENTS, 1, COUNT) == SUCCESS
    assert struct.unpack("<QHB", player.peek(EVENTS, 11)) == (77, SUCCESS, 0)


@pytest.mark.parametrize("which", [2, 3])
def test_clocks_that_can_not_wake_anybody(serve: Serve, namespace: str, which: int) -> None:
    """Processor time: refused, or over in time; never a hang."""
    service = serve({"m": wasi_guest(namespace)})
    player = Player(service, "m")
    for absolute in (False, True):
        player.poke(AT, clock(namespace, which, LONG, absolute=absolute))
        number = player._numbers["poll_oneoff"]
        start = time.monotonic()
        try:
            found = service.call("m", namespace, [number, AT, EVENTS, 1, COUNT, *[0] * 5], timeout=TIMEOUT)
        except CallTimeoutError:
            found = -1
        assert found != SUCCESS
        assert time.monotonic() - start < TIMEOUT + LATE


def test_addresses_of_a_poll(serve: Serve, namespace: str) -> None:
    """Aligned ones, so that nothing but the bounds can be wrong with them."""
    player = Player(serve({"m": wasi_guest(namespace)}, timeout=5), "m")
    end = 4 * PAGE
    player.poke(AT, clock(namespace, REALTIME, 1, absolute=True))
    for addresses in ((end, EVENTS, COUNT), (end - 40, EVENTS, COUNT), (AT, end, COUNT), (AT, end - 24, COUNT)):
        with pytest.raises(TrapError, match="a pointer that is out of bounds"):
            player("poll_oneoff", *addresses[:2], 1, addresses[2])
    for result in (end, 2**32 - 4, 2**31):
        with pytest.raises(TrapError, match="a pointer that is out of bounds"):
            player("poll_oneoff", AT, EVENTS, 1, result)
