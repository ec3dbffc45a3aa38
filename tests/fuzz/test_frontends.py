"""Damaged inputs: every front end answers with a value or a `DiagnosticError`, never with anything else.

The mutations are the same in every run: each seed is cut, flipped, repeated and spliced with others by a generator with
a fixed start.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TypeVar

import pytest
from wasmtime import wat2wasm

from marine_gen.binary import decode, embed, encode, extract
from marine_gen.diagnostics import DiagnosticError
from marine_gen.interfaces import Interfaces
from marine_gen.text import parse, print_interfaces
from marine_gen.wasm import (
    MANIFEST_SECTION,
    append_custom_section,
    embed_sdk_version,
    find_sdk_version,
    parse_manifest,
    read_manifest,
    read_signatures,
)
from tests.support.golden import GOLDEN

_Input = TypeVar("_Input", bytes, str)

SHORT = """(@interface it_version "0.28.0") ;; version
(@interface type (func (param $a: bool $"b c": array (u8)) (result array (record 1))))
(@interface type (record $R: (field $x : byte_array field $: s64)))
(@interface import "n\\u{e9}" "\\c3\\a9" (func (type 0))) (; (; nested ;) ;)
(@interface func (type 0) arg.get 0x1 i32.push -1 array.lift_memory record 1 dup call-core 1_0)
(@interface export "f" (func 0))(@interface implement (func 1) (func 0))"""


def dumps() -> list[str]:
    return [path.read_bytes().decode() for path in sorted((GOLDEN / "text").glob("*.it"))]


def modules() -> list[bytes]:
    rich = """
        (module
          (type $s (struct (field i8)))
          (import "env" "f" (func (param i32 (ref null $s)) (result f64)))
          (import "env" "m" (memory 1 2))
          (func $start)
          (memory (export "memory") 1)
          (global (export "g") i32 (i32.const 1))
          (export "start" (func $start))
          (start $start))
    """
    bare = bytes(wat2wasm('(module (func (export "f")))'))
    marked = embed_sdk_version(bytes(wat2wasm(rich)), "0.14.0")
    return [
        embed(append_custom_section(marked, MANIFEST_SECTION, manifest()), parse(SHORT)),
        embed(bare, Interfaces("0.28.0")),
    ]


def manifest() -> bytes:
    fields = (b"a", b"0.1.0", b"text", b"", b"2022-04-12T18:16:34Z")
    return b"".join(len(field).to_bytes(8, "little") + field for field in fields)


def mutate(random: Random, seeds: list[_Input], alphabet: _Input) -> _Input:
    """One to four changes to one of the seeds."""
    data = random.choice(seeds)
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(data) + 1)
        end = min(len(data), start + random.choice((0, 1, 1, 2, 8, 40)))
        at = random.randrange(len(alphabet))
        other = random.choice(seeds)
        cut = random.randrange(len(other) + 1)
        inserted = random.choice(
            (
                alphabet[at : at + 1],  # flip or insert
                data[:0],  # delete
                data[start:end] * 3,  # repeat
                other[cut : cut + 30],  # splice
            )
        )
        data = data[:start] + inserted + (data[:0] if random.random() < 0.1 else data[end:])
    return data


def survives(check: Callable[[_Input], object], data: _Input) -> bool:
    """True if `check` accepted the input; fails the test when it did anything but refuse with a diagnostic."""
    try:
        check(data)
    except DiagnosticError as error:
        if not str(error).startswith("error[MG"):
            pytest.fail(f"a DiagnosticError without diagnostics\ninput: {data!r}")
        return False
    except Exception as error:
        pytest.fail(f"{type(error).__name__}: {error}\ninput: {data!r}")
    return True


def run(check: Callable[[_Input], object], seeds: list[_Input], alphabet: _Input, count: int, start: int) -> None:
    random = Random(start)
    for seed in seeds:
        assert survives(check, seed)
    accepted = sum(survives(check, mutate(random, seeds, alphabet)) for _ in range(count))
    # Mutations that are all refused, or all accepted, would test next to nothing.
    assert 0 < accepted < count


def check_payload(payload: bytes) -> None:
    interfaces = decode(payload)
    assert decode(encode(interfaces)) == interfaces


def check_module(wasm: bytes) -> None:
    find_sdk_version(wasm)
    read_manifest(wasm)
    read_signatures(wasm)
    extract(wasm)


def check_text(text: str) -> None:
    interfaces = parse(text, "fuzz")
    assert parse(print_interfaces(interfaces)) == interfaces


ALL_BYTES = bytes(range(256)) + b"\x00\x01\x02\x36\x3c\x7f\x80\xff" * 16


def test_binary_sections() -> None:
    run(check_payload, [encode(parse(text)) for text in [*dumps(), SHORT]], ALL_BYTES, 5_000, 1)


def test_modules() -> None:
    run(check_module, modules(), ALL_BYTES, 4_000, 2)


def test_manifests() -> None:
    run(parse_manifest, [manifest()], ALL_BYTES, 1_000, 3)


def test_changed_adapter_texts() -> None:
    alphabet = '()";;$:@\\"  \n-0x_9aZ,\0é\ud800' * 2
    run(check_text, [SHORT], alphabet, 800, 4)
    run(check_text, dumps(), alphabet, 80, 5)


def test_random_bytes() -> None:
    random = Random(6)
    for _ in range(1_000):
        data = random.randbytes(random.randrange(64))
        survives(decode, data)
        survives(check_module, b"\0asm\x01\0\0\0" + data)
        survives(check_text, data.decode("latin-1"))
