"""Values that share their parts: the limit is exact and the same on every engine, and no time limit is overrun."""

from __future__ import annotations

import struct
import time
from collections.abc import Callable

import pytest

from marine_gen import HostFunction
from marine_gen.generate import Description, Member, Named, RecordDeclaration, Vector
from marine_runtime import CallTimeoutError, Service, ValueLimitError, wasm
from marine_runtime.types import Array, Prim
from marine_runtime.wasm.memory import FACTOR, FLOOR, MANY, PART, STEP, Meter
from marine_runtime.wasm.traps import Parking
from tests.support.echo import PAGE, Memory, echo_module, function

Serve = Callable[..., Service]

BYTE = RecordDeclaration("Byte", (Member("id", Prim.U8),))
PAIR = RecordDeclaration("Pair", (Member("left", Prim.STRING), Member("right", Vector(Prim.U16))))
RESULT = "(global.set $ptr (local.get 0)) (global.set $size (local.get 1))"
TYPES = {
    "texts": Vector(Prim.STRING),
    "blobs": Vector(Vector(Prim.U8)),
    "grid": Vector(Vector(Prim.U64)),
    "bytes": Vector(Named("Byte")),
    "pairs": Vector(Named("Pair")),
    "deep": Vector(Vector(Prim.STRING)),
}
LATE = 2.0  # seconds of the call's own processor time, whatever else the machine does
DATA = PAGE
"""Behind the page in which the module logs."""


def sharing(pages: int, data: bytes = b"") -> dict[str, bytes]:
    """A module that returns what lies at an address, and what it lies to is `data` at address `DATA`."""
    text = "".join(f"\\{byte:02x}" for byte in data)
    signatures = [function(name, Prim.U32, Prim.U32, result=ty) for name, ty in TYPES.items()]
    signatures.append(function("give", Prim.U32, Prim.U32))
    head = '(import "host" "take" (func $take (param i32 i32)))'
    bodies = {**dict.fromkeys(TYPES, RESULT), "give": "(call $take (local.get 0) (local.get 1)) (i32.const 0)"}
    memory = Memory(pages=pages, base=pages * PAGE - 4096)
    fields = f'(data (i32.const {DATA}) "{text}")'
    return {"m": echo_module(Description((BYTE, PAIR), tuple(signatures)), memory, bodies, fields, head)}


def take(found: list[str]) -> None:
    assert isinstance(found, list)


HOST = {"take": HostFunction.of(take, [Array(Prim.STRING)])}


def words(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)


def test_time_is_up_while_python_makes_a_value(serve: Serve) -> None:
    """Wasm does not run then, so the watchdog alone would not notice."""
    pages = 64
    service = serve(sharing(pages), host_functions=HOST)
    many = pages * PAGE // 4 - 4096  # all zero: each leads to the record at address 0
    for _ in range(2):
        used = time.thread_time()
        with pytest.raises(CallTimeoutError, match=r"interrupted, as it took longer than 0\.03 s"):
            service.call("m", "bytes", [0, many], timeout=0.03)
        assert time.thread_time() - used < 0.03 + LATE
    assert service.call("m", "texts", [0, 3], timeout=5) == ["", "", ""]


def test_the_clock_is_looked_at_between_elements() -> None:
    """An array of a thousand and more is not made in one go."""
    parking = Parking()
    meter = Meter(wasm.Memory(), parking)
    made: list[int] = []

    def late() -> None:
        for item in meter.watched(list(range(3 * MANY))):
            made.append(item)
            parking.timeout, parking.deadline = 1.0, time.monotonic() - 1

    with pytest.raises(CallTimeoutError):
        late()
    assert made == list(range(MANY))


class Empty(wasm.Memory):
    """A memory without a byte: the fixed amount is its limit."""

    view = memoryview(b"")

    def refresh(self) -> None:
        pass


def test_the_clock_is_looked_at_between_steps() -> None:
    """Whenever parts have added up to some more, long before the limit."""
    parking = Parking()
    meter = Meter(Empty(), parking)
    meter.pay(2 * STEP)
    parking.timeout, parking.deadline = 1.0, time.monotonic() - 1
    with pytest.raises(CallTimeoutError):
        meter.pay(2 * STEP)


COUNT = 4096
SHARE = FLOOR // COUNT
"""The cost of each of `COUNT` equal parts that together are exactly at the limit."""


@pytest.mark.parametrize(
    ("name", "slot"),
    [
        ("texts", (0x8000, SHARE - PART)),
        ("blobs", (0x8000, SHARE - PART)),
        ("grid", (0x8000, (SHARE - PART) // 8)),
    ],
)
@pytest.mark.costly
def test_the_limit_is_exact(serve: Serve, name: str, slot: tuple[int, int]) -> None:
    """One part more, or one byte more in a part, is too much."""
    assert SHARE * COUNT == FLOOR
    data = words(*slot * (COUNT - 1), *slot, *slot)
    with serve(sharing(3, data), host_functions=HOST) as service:
        for _ in range(2):  # every value is counted from zero
            assert len(service.call("m", name, [DATA, COUNT])) == COUNT
        with pytest.raises(ValueLimitError, match=f"add up to more than {FLOOR} bytes"):
            service.call("m", name, [DATA, COUNT + 1])
        if name == "texts":
            service.call("m", "give", [DATA, COUNT])
            with pytest.raises(ValueLimitError):
                service.call("m", "give", [DATA, COUNT + 1])
    more = words(*slot * (COUNT - 1), slot[0], slot[1] + 1)
    with serve(sharing(3, more), host_functions=HOST) as service, pytest.raises(ValueLimitError):
        service.call("m", name, [DATA, COUNT])


@pytest.mark.costly
def test_parts_of_records_count(serve: Serve) -> None:
    """A body, the string in it, and the array in it: 12 + 4 bytes of slots, and what they lead to."""
    size = 16 + 100 + 2 * 50 + 3 * PART
    count = FLOOR // size
    body = DATA + 4 * (count + 1)
    data = words(*[body] * (count + 1), 0, 100, 0, 50)
    with serve(sharing(3, data), host_functions=HOST) as service:
        assert len(service.call("m", "pairs", [DATA, count])) == count
        with pytest.raises(ValueLimitError):
            service.call("m", "pairs", [DATA, count + 1])


@pytest.mark.parametrize("size", [PAGE, 3 * PAGE + 1])
@pytest.mark.costly
def test_the_limit_grows_with_the_memory(serve: Serve, size: int) -> None:
    """A memory of which a fifth is more than the fixed amount: five times its size, and not a byte more."""
    pages = FLOOR // PAGE // FACTOR + 14
    limit = FACTOR * pages * PAGE
    assert limit > FLOOR
    count = limit // size
    data = words(*(2 * PAGE, size - PART) * (count + 1))
    with serve(sharing(pages, data), host_functions=HOST) as service:
        assert len(service.call("m", "texts", [DATA, count])) == count
        with pytest.raises(ValueLimitError, match=f"more than {limit} bytes"):
            service.call("m", "texts", [DATA, count + 1])


@pytest.mark.costly
def test_what_shares_nothing_is_never_too_much(serve: Serve) -> None:
    """The worst value without sharing: records of one byte, so many that the memory is full of them."""
    pages = FLOOR // PAGE // FACTOR + 1
    room = pages * PAGE - 8192
    count = room // 5
    bodies = 4096 + 4 * count
    fill = f"""(func (export "_initialize") (local $i i32)
      (loop $l
        (i32.store (i32.add (i32.const 4096) (i32.mul (local.get $i) (i32.const 4)))
                   (i32.add (i32.const {bodies}) (local.get $i)))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br_if $l (i32.lt_u (local.get $i) (i32.const {count})))))"""
    signature = function("bytes", Prim.U32, Prim.U32, result=Vector(Named("Byte")))
    memory = Memory(pages=pages, base=pages * PAGE - 4096)
    made = {"m": echo_module(Description((BYTE,), (signature,)), memory, {"bytes": RESULT}, fill)}
    assert (PART + 1) * count > FLOOR / 2
    assert len(serve(made).call("m", "bytes", [4096, count])) == count
