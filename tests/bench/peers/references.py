"""The same work without any of our code: values packed by hand, JSON of the standard library, a callback of `ctypes`.

The gate holds our engines to these, so that it notices what makes all engines slower at once.
"""

from __future__ import annotations

import ctypes
import json
import struct
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from tests.bench.cases.host_side import document
from tests.bench.model import Case
from tests.bench.peers.base import Contender, NotMeasuredError, contender
from tests.bench.peers.floors import FLOOR

_PERSON = struct.Struct("<IId")


def _pack_people(people: list[tuple[int, str, float]]) -> bytes:
    texts = [name.encode() for _, name, _ in people]
    heads = [_PERSON.pack(age, len(text), score) for (age, _, score), text in zip(people, texts, strict=True)]
    return b"".join([*heads, *texts])


def _unpack_people(data: bytes, count: int) -> list[tuple[int, str, float]]:
    at = count * _PERSON.size
    people = []
    for age, size, score in _PERSON.iter_unpack(data[:at]):
        people.append((age, data[at : at + size].decode(), score))
        at += size
    return people


def _people(people: list[tuple[int, str, float]]) -> list[tuple[int, str, float]]:
    return _unpack_people(_pack_people(people), len(people))


def _person(person: tuple[int, str, float]) -> tuple[int, str, float]:
    return _people([person])[0]


def _numbers(numbers: list[int]) -> list[int]:
    return list(struct.unpack(f"<{len(numbers)}Q", struct.pack(f"<{len(numbers)}Q", *numbers)))


def _strings(strings: list[str]) -> list[str]:
    texts = [text.encode() for text in strings]
    sizes, data = struct.pack(f"<{len(texts)}I", *map(len, texts)), b"".join(texts)
    found, at = [], 0
    for (size,) in struct.iter_unpack("<I", sizes):
        found.append(data[at : at + size].decode())
        at += size
    return found


_PACKED: dict[str, Callable[[Any], Any]] = {
    "record": _person,
    "records": _people,
    "u64s": _numbers,
    "strings": _strings,
}


@dataclass(frozen=True, slots=True)
class Packed:
    """A value written to bytes with `struct` and read back, by code for its type alone."""

    name: str = "struct by hand"
    about: str = f"{FLOOR}records and arrays written to bytes and read back with `struct`, by code for the one type"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if case.kind != "call" or case.crossing or case.name not in _PACKED:
            raise NotMeasuredError("a floor of records and arrays from the host only")
        return contender(partial(_PACKED[case.name], case.work.arguments[0]))


@dataclass(frozen=True, slots=True)
class StandardJson:
    """The text of the arguments, parsed and written by `json`."""

    name: str = "json both ways"
    about: str = f"{FLOOR}`json.loads` of the arguments, and `json.dumps` of the same"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if case.kind != "json":
            raise NotMeasuredError("a floor of JSON only")
        text = document(case.work)
        made = contender(lambda: json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False))
        return Contender(made.watch)


@dataclass(frozen=True, slots=True)
class Callback:
    """A Python function that C calls."""

    name: str = "ctypes callback"
    about: str = f"{FLOOR}a Python function that is called through `ctypes`, with numbers only"

    def prepare(self, case: Case, stack: ExitStack) -> Contender:
        """See `Peer`."""
        if case.kind != "host":
            raise NotMeasuredError("a floor of host functions only")
        callback = ctypes.CFUNCTYPE(ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32)(lambda pointer, size: size)
        made = contender(partial(callback, 1024, 10))
        return Contender(made.watch)
