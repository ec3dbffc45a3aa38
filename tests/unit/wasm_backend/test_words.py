"""Short values in words: strings of every length with something wrong in each place, copies of every length."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import wasmtime

from marine_gen.wasm_backend.code import FunctionCode
from marine_gen.wasm_backend.expressions import const, get
from marine_gen.wasm_backend.library import definitions
from marine_gen.wasm_backend.words import ascii_in_words, move_function, move_in_words

PAGE = 1 << 16
LENGTHS = (*range(41), *range(110, 146))
"""Around every length at which the code goes another way."""


def checked() -> list[str]:
    """The function (ptr, size) -> i32: is a string that is not empty UTF-8?"""
    code = FunctionCode()
    with code.block("block $ascii"):
        ascii_in_words(code, "$ascii", "$here", get("ptr"), get("size"))
        code.line(f"(return (call $utf8.here {get('ptr')} {get('size')}))")
    code.line(const(1))
    return code.function("valid", ' (export "valid") (param $ptr i32) (param $size i32) (result i32)')


def copied() -> list[str]:
    """The function (to, ptr, size) that copies short values in place and leaves others to `$move`."""
    code = FunctionCode()
    operands = get("to"), get("ptr"), get("size")
    with move_in_words(code, "$there", "$here", *operands):
        code.line(f"(call $move {' '.join(operands)})")
    return code.function("copy", ' (export "copy") (param $to i32) (param $ptr i32) (param $size i32)')


@dataclass(frozen=True)
class Words:
    """The code of short values between two memories of one page."""

    store: wasmtime.Store
    here: wasmtime.Memory
    there: wasmtime.Memory
    valid: Callable[..., Any]
    copies: Sequence[Callable[..., Any]]


@pytest.fixture(scope="module")
def words() -> Iterator[Words]:
    lines = [
        '(module (memory $here (export "here") 1) (memory $there (export "there") 1)',
        definitions()["utf8"].replace("MEMORY", "here"),
        *checked(),
        *move_function("move", "$there", "$here"),
        *copied(),
        '(export "move" (func $move)))',
    ]
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, wasmtime.wat2wasm("\n".join(lines)))
    exports: Any = wasmtime.Instance(store, module, []).exports(store)
    here, there, valid, *copies = (exports[name] for name in ("here", "there", "valid", "move", "copy"))
    yield Words(store, here, there, valid, copies)
    store.close()


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def strings(length: int) -> Iterator[bytes]:
    """ASCII of that length, and with something else in each place: all of them, two in turn if it is long."""
    plain = bytes(32 + number % 90 for number in range(length))
    yield plain
    others = (b"\x80", b"\xff", "é".encode(), "水".encode(), "水".encode()[:2], "😀".encode())
    for start in range(length):
        for other in others if length < 41 else others[(start + length) % 3 :: 3]:
            yield (plain[:start] + other + plain[start + len(other) :])[:length]


@pytest.mark.parametrize("end", [PAGE, 5000], ids=["at the end of the memory", "between other bytes"])
def test_strings_of_every_length(words: Words, end: int) -> None:
    """Bytes around a string are not ASCII, and do not count."""
    for length in filter(None, LENGTHS):
        for string in strings(length):
            start = end - length
            words.here.write(words.store, b"\xff" * 24 + string + b"\xff" * min(24, PAGE - end), start - 24)
            assert bool(words.valid(words.store, start, length)) == decodes(string), (length, string)


@pytest.mark.parametrize(("ptr_end", "to_end"), [(PAGE, 5000), (5000, PAGE), (PAGE, PAGE)])
def test_copies_of_every_length(words: Words, ptr_end: int, to_end: int) -> None:
    """All bytes and no others, also at the ends of memories."""
    rng = random.Random(5)
    for length in filter(None, (*LENGTHS, 500, 4096)):
        ptr, to = min(ptr_end, PAGE) - length, to_end - length
        content, before = rng.randbytes(PAGE), rng.randbytes(PAGE)
        for copy in words.copies:
            words.here.write(words.store, content, 0)
            words.there.write(words.store, before, 0)
            copy(words.store, to, ptr, length)
            assert words.there.read(words.store) == before[:to] + content[ptr : ptr + length] + before[to + length :]
            assert words.here.read(words.store) == content
