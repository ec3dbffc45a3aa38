"""The UTF-8 check of the glue against Python's decoder: everywhere, at every length, and with the same error texts.

A harness inside the glue module runs the check over many strings per call, so that it can be exhaustive.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import wasmtime

from marine_gen.generate import Vector
from marine_runtime.types import Prim
from tests.support.echo import chain, function
from tests.support.engines import guests, load, outcome
from tests.support.fused import fused_outputs

PAGE = 0x10000
PAGES = 300
SIZE = PAGES * PAGE
TABLE = PAGE
HARNESS = """
  ;; For all strings of $width bytes, in the order of their numbers: is it UTF-8? One byte each at $out.
  (func (export "all") (param $width i32) (param $out i32)
    (local $i i32) (local $end i32)
    (local.set $end (i32.shl (i32.const 1) (i32.mul (local.get $width) (i32.const 8))))
    (loop $next
      (i32.store $donkey (i32.const 16)
        (i32.shr_u
          (i32.or
            (i32.or (i32.shl (local.get $i) (i32.const 24))
                    (i32.shl (i32.and (local.get $i) (i32.const 0xff00)) (i32.const 8)))
            (i32.and (i32.shr_u (local.get $i) (i32.const 8)) (i32.const 0xff00)))
          (i32.sub (i32.const 32) (i32.mul (local.get $width) (i32.const 8)))))
      (i32.store8 $donkey (i32.add (local.get $out) (local.get $i))
        (call $check.donkey.string (i32.const 16) (local.get $width) (i32.const 0)))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.ne (local.get $i) (local.get $end)))))

  ;; For $count strings of $width bytes at $table, each put to $at: are the $size bytes at $ptr UTF-8?
  (func (export "each")
    (param $table i32) (param $count i32) (param $width i32) (param $at i32) (param $ptr i32) (param $size i32)
    (param $out i32)
    (loop $next
      (memory.copy $donkey $donkey (local.get $at) (local.get $table) (local.get $width))
      (i32.store8 $donkey (local.get $out) (call $check.donkey.string (local.get $ptr) (local.get $size) (i32.const 0)))
      (local.set $table (i32.add (local.get $table) (local.get $width)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br_if $next (local.get $count))))
)
"""


@dataclass(frozen=True)
class Harness:
    """The check over a memory of `SIZE` bytes that belongs to no guest."""

    memory: wasmtime.Memory
    store: wasmtime.Store
    run_all: Callable[..., Any]
    run_each: Callable[..., Any]

    def all(self, width: int) -> bytes:
        """True where it is UTF-8, for every string of `width` bytes."""
        self.run_all(self.store, width, TABLE)
        return bytes(self.memory.read(self.store, TABLE, TABLE + (1 << 8 * width)))

    def each(self, strings: list[bytes], before: int, after: int, end: int) -> list[bool]:
        """The same for strings of one width, with that much ASCII around them, ending at the address `end`."""
        width = len(strings[0])
        size = before + width + after
        out = TABLE + width * len(strings)
        assert out + len(strings) < end - size
        self.memory.write(self.store, b"".join(strings), TABLE)
        self.memory.write(self.store, b"a" * size, end - size)
        self.run_each(self.store, TABLE, len(strings), width, end - after - width, end - size, size, out)
        return list(map(bool, self.memory.read(self.store, out, out + len(strings))))


@pytest.fixture(scope="module")
def harness() -> Iterator[Harness]:
    output = fused_outputs(guests("donkey"))["donkey"]
    assert output is not None
    text = output.code.glue.rstrip().removesuffix(")") + HARNESS
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, wasmtime.wat2wasm(text))
    imports: list[Any] = []
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(PAGES, PAGES)))
    for item in module.imports:
        if isinstance(item.type, wasmtime.FuncType):
            imports.append(wasmtime.Func(store, item.type, lambda *_: 0))
        elif item.name == "staging":
            imports.append(wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None))))
        else:
            imports.append(memory)
    exports = wasmtime.Instance(store, module, imports).exports(store)
    run_all, run_each = exports["all"], exports["each"]
    assert isinstance(run_all, wasmtime.Func)
    assert isinstance(run_each, wasmtime.Func)
    yield Harness(memory, store, run_all, run_each)
    store.close()


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


@pytest.mark.parametrize("width", [1, 2])
def test_all_short_strings(harness: Harness, width: int) -> None:
    strings = itertools.product(range(256), repeat=width)
    assert harness.all(width) == bytes(decodes(bytes(item)) for item in strings)


def test_all_strings_of_three_bytes(harness: Harness) -> None:
    """Expected are the encodings of all texts that take three bytes; trying to decode 16 million takes too long."""
    expected = bytearray(1 << 24)
    characters = [chr(code).encode() for code in range(0x10000) if not 0xD800 <= code < 0xE000]
    by_length = {length: [item for item in characters if len(item) == length] for length in (1, 2, 3)}
    assert [len(items) for items in by_length.values()] == [128, 1920, 61440]
    for first, second in itertools.product(range(128), repeat=2):
        start = first << 16 | second << 8
        expected[start : start + 128] = b"\1" * 128
    for item in by_length[2]:
        start = int.from_bytes(item, "big")
        expected[start << 8 : (start << 8) + 128] = b"\1" * 128
        for first in range(128):
            expected[first << 16 | start] = 1
    for item in by_length[3]:
        expected[int.from_bytes(item, "big")] = 1
    assert harness.all(3) == expected


EDGES = (0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xFF)


def test_strings_of_four_bytes(harness: Harness) -> None:
    """Every pair of first bytes that begins a long sequence or nearly does, with all edges after it."""
    firsts = itertools.product((0xE0, 0xED, 0xEF, *range(0xF0, 0xF9), 0xFF), range(256))
    strings = [bytes((*first, *rest)) for first in firsts for rest in itertools.product(EDGES, repeat=2)]
    found = harness.each(strings, 0, 0, SIZE)
    assert [string for string, valid in zip(strings, found, strict=True) if valid != decodes(string)] == []
    assert sum(found) > 10_000


def long_strings() -> dict[int, list[bytes]]:
    """Valid and invalid strings by width, with something to say in each of their bytes."""
    valid = ["\x7f", "\x80", "é", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uffff", "\U00010000", "\U0010ffff", "aé"]
    strings = [text.encode() for text in valid]
    strings += [string[:-1] for string in strings]  # cut short
    strings += [string[1:] for string in strings]  # without its first byte
    strings += [string + b"\x80" for string in strings]  # one too many
    strings += [b"\xc0\x80", b"\xc1\xbf", b"\xe0\x9f\xbf", b"\xed\xa0\x80", b"\xf0\x8f\xbf\xbf", b"\xf4\x90\x80\x80"]
    strings += [
        b"\xf5\x80\x80\x80",
        b"\xff",
        b"\xfe",
        b"\xf8\x88\x80\x80\x80",
        b"\xe2a\xac",
        b"\xf0\x9fa\x80",
        b"\xc3a",
    ]
    strings += ["日本語テキスト".encode(), "日本語テキスト".encode()[:-1], b"\x00"]
    by_width: dict[int, list[bytes]] = {}
    for string in filter(None, dict.fromkeys(strings)):
        by_width.setdefault(len(string), []).append(string)
    return by_width


@pytest.mark.parametrize("end", [SIZE, SIZE - 1, SIZE - 7, SIZE - 16, SIZE - PAGE + 3])
def test_every_place_in_a_string(harness: Harness, end: int) -> None:
    """ASCII of all lengths around the 16 bytes that the check takes at a time, also at the very end of memory."""
    for strings in long_strings().values():
        for before, after in itertools.product(range(18), (0, 1, 2, 14, 15, 16, 17, 33)):
            expected = [decodes(b"a" * before + string + b"a" * after) for string in strings]
            assert harness.each(strings, before, after, end) == expected, (before, after)


def test_error_texts() -> None:
    """A bad string in a result, in an array and on its way between modules; texts say which byte is wrong."""
    signatures = [
        function("one", Vector(Prim.U8), result=Prim.STRING),
        function("many", Vector(Vector(Prim.U8)), result=Vector(Prim.STRING)),
    ]
    modules = chain(signatures)
    strings = [string for group in long_strings().values() for string in group]
    with load(modules, "fused") as fused, load(modules, "interpreter") as interpreter:
        for string, before in itertools.product(strings, (0, 5, 16, 31)):
            data = b"a" * before + string + b"z"
            for module in ("inner", "outer"):
                for name, args in (("one", [data]), ("many", [[b"", b"fine", data, b"\xff"]])):
                    found, wanted = (
                        outcome(lambda: service.call(module, name, args))  # noqa: B023  # called at once
                        for service in (fused, interpreter)
                    )
                    assert found == wanted
                    assert bool(found.error) == (name == "many" or not decodes(data))
