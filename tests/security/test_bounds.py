"""Every address and size at which a check could be wrong, against an oracle: what is inside is a value, and what is not
is an error of the call that says so.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from marine_gen.generate import Description
from marine_runtime import CallError, Service, ValueLimitError
from tests.security.cases import EDGES, END, VALUES, modules
from tests.security.liar import ACTS, HELPERS, RECORDS, TYPES, host_functions
from tests.security.maze import MAZE
from tests.security.oracle import NoValueError, Oracle
from tests.support.echo import PAGE, Memory, echo_module, function
from tests.support.engines import CONFIGURATIONS, HOST_SIDE, Configuration, load, normalised, shown
from tests.support.samples import sampled

Serve = Callable[..., Service]
ALLOCATE = HELPERS.index("allocate")
FIRST_BLOCK = {
    "text": 5,
    "bytes": 3,
    "numbers": 16,
    "flags": 3,
    "texts": 24,
    "grid": 24,
    "pair": 3,
    "pairs": 8,
    "specks": 12,
    "twin": 4,
    "node": 8,
}
"""Bytes of the first block that lowering each of `VALUES` allocates."""

ALONE = ("text", "bytes", "numbers", "flags")
"""Types of which that block is the only one."""

_REFUSALS = re.compile("(is|are) outside the memory of|invalid UTF-8 at byte|records are nested more than")


@pytest.fixture(scope="module", params=sampled(CONFIGURATIONS, HOST_SIDE.__contains__), ids=str)
def running(request: pytest.FixtureRequest) -> Iterator[Service]:
    """One service for all tests: what spoils the liar's memory stands below what needs it."""
    chosen: Configuration = request.param
    functions = host_functions(lambda: None)
    with load(modules("liar"), chosen.engine, chosen.call_layer, functions, timeout=20) as service:
        yield service


@pytest.fixture
def service(running: Service) -> Service:
    running.call("liar", "tell", [0, 0, 0, 0])
    return running


def test_a_block_may_end_where_a_memory_ends_that_has_grown(serve: Serve) -> None:
    service = serve(fresh_blocks(gap=0))
    for data in (b"x" * PAGE, b"y" * PAGE, b"z" * (2 * PAGE)):
        assert service.call("m", "bytes", [data]) == data
        assert service.call("m", "text", [data.decode()]) == data.decode()
    numbers = [2**64 - 1] * (PAGE // 8)
    assert service.call("m", "numbers", [numbers]) == numbers


def fresh_blocks(gap: int) -> dict[str, bytes]:
    """A module whose every allocation grows its memory."""
    echoes = tuple(function(name, ty) for name, ty in TYPES.items())
    return {"m": echo_module(Description(RECORDS, echoes), Memory(fresh=True, gap=gap))}


def _oracle(service: Service) -> Oracle:
    return Oracle(service.call("liar", "at_bytes", [0, END]), {record.name: record for record in RECORDS})


def _attempt(service: Service, module: str, function: str, args: list[Any]) -> Any:
    try:
        return service.call(module, function, args)
    except CallError as error:
        # The right refusal: a trap of the glue, or another check that happens to come later, would not do.
        return NoValueError if type(error) is CallError and _REFUSALS.search(str(error)) else error


def _expected(oracle: Oracle, name: str, ptr: int, size: int) -> Any:
    try:
        return oracle.lift(TYPES[name], ptr, size)
    except NoValueError:
        return NoValueError


def test_results_out_of_the_maze(service: Service) -> None:
    oracle = _oracle(service)
    for title, (ptr, size) in MAZE.entries.items():
        name, _, kind = title.partition(".")
        if kind in ("shared", "doubling"):
            continue
        wanted = _expected(oracle, name, ptr, size)
        for module in ("liar", "outer"):
            assert shown(_attempt(service, module, f"at_{name}", [ptr, size])) == shown(wanted), (module, title)
        if wanted is NoValueError:
            assert _attempt(service, "liar", f"pass_{name}", [ptr, size]) is wanted, title


TEXTS = [
    (b"\x00\x7f", True),
    (b"\x80", False),
    (b"\xbf", False),
    (b"\xc1\xbf", False),
    (b"\xc2\x80", True),
    (b"\xc2", False),
    (b"\xc2\x7f", False),
    (b"\xc2\xc0", False),
    (b"\xe0\x9f\xbf", False),
    (b"\xe0\xa0\x80", True),
    (b"\xe1\x80", False),
    (b"\xe1\x80\xc0", False),
    (b"\xe1\x80\x7f", False),
    (b"\xed\x9f\xbf", True),
    (b"\xed\xa0\x80", False),
    (b"\xee\x80\x80", True),
    (b"\xf0\x8f\xbf\xbf", False),
    (b"\xf0\x90\x80\x80", True),
    (b"\xf1\x80\x80", False),
    (b"\xf1\x80\x80\xc0", False),
    (b"\xf4\x8f\xbf\xbf", True),
    (b"\xf4\x90\x80\x80", False),
    (b"\xf5\x80\x80\x80", False),
    (b"\xff", False),
]
"""Sequences of bytes at the borders of UTF-8 (RFC 3629), and whether they are."""


def test_text_is_utf8_and_nothing_else(service: Service) -> None:
    """In front, in the middle, and as the last bytes of the memory, where reading further would show."""
    for data, good in TEXTS:
        assert (data.decode(errors="ignore").encode() == data) == good
        for before, after in ((0, 0), (13, 0), (15, 0), (16, 3), (17, 20), (31, 1)):
            whole = b"a" * before + data + b"b" * after
            address = END - len(whole)
            service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), address, 0])
            assert service.call("liar", "bytes", [whole]) == whole
            for module in ("liar", "outer"):
                found = _attempt(service, module, "at_text", [address, len(whole)])
                assert found == (whole.decode() if good else NoValueError), (module, whole)
    service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), END - 64, 0])
    service.call("liar", "bytes", [bytes(64)])  # as it was before


ASCII = 290
"""Bytes of a text in which every place is tried: two times the 128 that Wasm takes at once, and some more."""


def test_every_place_of_a_long_ascii_text_is_looked_at(service: Service) -> None:
    """On the way to Python, behind another module, and as an argument of a module and of a function of the host."""
    start = END - 2 * ASCII
    service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), start, 0])
    wrong = b"a" * ASCII + b"\xff" + b"b" * (ASCII - 1)
    assert service.call("liar", "bytes", [wrong]) == wrong
    service.call("liar", "tell", [0, 0, 0, 0])
    for place in range(ASCII):
        address = start + ASCII - place
        for module, way in (("liar", "at"), ("outer", "at"), ("liar", "pass"), ("liar", "host")):
            with pytest.raises(CallError, match=f"invalid UTF-8 at byte {place} of a string of {ASCII} bytes$"):
                service.call(module, f"{way}_text", [address, ASCII])
    service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), start, 0])
    service.call("liar", "bytes", [bytes(2 * ASCII)])  # as it was before


@pytest.mark.parametrize("after", [b"b", b"\xff", b""], ids=["ASCII", "no UTF-8", "end of the memory"])
def test_ascii_of_every_length_is_a_text(service: Service, after: bytes) -> None:
    """Whatever follows it, also in a module that is given it."""
    for length in (*range(18), 31, 32, 33, 126, 127, 128, 129, 143, 144, 145, 255, 256, 257, 383, 384, 385):
        whole = b"a" * length + 130 * after
        address = END - len(whole)
        service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), address, 0])
        assert service.call("liar", "bytes", [whole]) == whole
        service.call("liar", "tell", [0, 0, 0, 0])
        for module in ("liar", "outer"):
            assert service.call(module, "at_text", [address, length]) == "a" * length
        for way in ("pass_text", "host_text"):
            given = service.call("liar", way, [address, length])
            assert service.call("liar", "at_text", [given, length]) == "a" * length
    service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), END - 600, 0])
    service.call("liar", "bytes", [bytes(600)])  # as it was before


@pytest.mark.parametrize("name", TYPES)
def test_results_are_values_where_they_are_inside(service: Service, name: str) -> None:
    oracle = _oracle(service)
    for ptr in EDGES:
        for size in (*EDGES, 2, 3, (END - ptr) // 8, (END - ptr) // 8 + 1, (END - ptr) // 4 + 1):
            # Large values that are well inside say nothing new, and take long.
            if size < 0 or (
                100 < size < END and ptr + size < END - 8 and _expected(oracle, name, ptr, size) is not NoValueError
            ):
                continue
            wanted = _expected(oracle, name, ptr, size)
            for module in ("liar", "outer") if size < 100 or size > END else ("liar",):
                found = _attempt(service, module, f"at_{name}", [ptr, size])
                assert normalised(found) == wanted, (module, ptr, size)


@pytest.mark.parametrize("title", [title for title in MAZE.entries if title.endswith(("shared", "doubling"))])
def test_what_is_shared_too_often(service: Service, title: str) -> None:
    name = title.partition(".")[0]
    for module, target in (("liar", f"at_{name}"), ("liar", f"host_{name}")):
        if title == "twin.shared":  # twice is not too often
            service.call("liar", f"at_{name}", list(MAZE.entries[title]))
        else:
            with pytest.raises(ValueLimitError):
                service.call(module, target, list(MAZE.entries[title]))


@pytest.mark.parametrize("name", TYPES)
def test_arguments_are_written_where_they_are_inside(service: Service, name: str) -> None:
    first = FIRST_BLOCK[name]
    for address in (*EDGES, END - first - 1, END - first, END - first + 1):
        service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), address, 0])
        if address == 0:
            with pytest.raises(CallError, match=f"`allocate` returned 0 for {first} bytes$"):
                service.call("liar", name, [VALUES[name]])
        elif address + first > END:
            outside = f"{first} bytes at address {address} are outside the memory of {END} bytes"
            with pytest.raises(CallError, match=f"{re.escape(outside)}$"):
                service.call("liar", name, [VALUES[name]])
        elif name in ALONE:
            assert service.call("liar", name, [VALUES[name]]) == VALUES[name]


@pytest.mark.parametrize("function", ["pass_text", "host_text"])
def test_results_of_imports_are_written_where_they_are_inside(service: Service, function: str) -> None:
    # A block for the argument of the neighbour is its own; for the result, the liar's.
    for address in EDGES:
        service.call("liar", "tell", [ALLOCATE, ACTS.index("constant"), address, 0])
        if address == 0:
            with pytest.raises(CallError, match=r"`allocate` returned 0 for 4 bytes$"):
                service.call("liar", function, [64, 4])
        elif address + 4 > END:
            with pytest.raises(
                CallError, match=rf"4 bytes at address {address} are outside the memory of {END} bytes$"
            ):
                service.call("liar", function, [64, 4])
        else:
            assert service.call("liar", function, [64, 4]) == address


def test_an_allocation_that_grows_the_memory_can_be_used(serve: Serve) -> None:
    """The block is in pages that did not exist when the call began."""
    service = serve(fresh_blocks(gap=1))
    for _ in range(2):
        for name, value in VALUES.items():
            assert shown(service.call("m", name, [value])) == shown(value)
