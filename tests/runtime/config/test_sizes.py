"""Sizes in configurations: numbers, texts with every unit, what is unlimited, what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from marine_runtime.config.sizes import MAX_SIZE, parse_size
from marine_runtime.errors import ConfigError

POWERS = {"k": 1, "m": 2, "g": 3, "t": 4, "p": 5}


@pytest.mark.parametrize("letter", POWERS)
@pytest.mark.parametrize("spelling", [str.lower, str.upper, str.title])
def test_every_unit(letter: str, spelling: Any) -> None:
    for end, base in (("", 1000), ("b", 1000), ("i", 1024), ("ib", 1024)):
        assert parse_size(f"3 {spelling(letter + end)}", "x") == 3 * base ** POWERS[letter]


@pytest.mark.parametrize(
    ("given", "size"),
    [
        *((0, 0), (100, 100), (MAX_SIZE, MAX_SIZE), ("100", 100), ("0", 0), ("7b", 7), ("7 B", 7)),
        *(("10 MiB", 10485760), ("10MiB", 10485760), ("  10 \t MiB ", 10485760), ("256 mib", 268435456)),
        *(("1.5 KiB", 1536), ("1.9999 b", 1), ("0.3 k", 300), (".5k", 500), ("2. k", 2000), ("00010", 10)),
        ("18446744073709551615", MAX_SIZE),
    ],
)
def test_sizes_are_read(given: int | str, size: int) -> None:
    assert parse_size(given, "x") == size


@pytest.mark.parametrize("given", ["Infinity", "infinity"])
def test_infinity_is_no_limit(given: str) -> None:
    assert parse_size(given, "x") is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        *((-1, "x must not be negative"), (MAX_SIZE + 1, "x must be less than 2^64 bytes")),
        *(("20000 PiB", "x must be less than 2^64 bytes"), ("9" * 100, "x must be less than 2^64 bytes")),
        *(("1 EiB", "x has the unknown unit `EiB`"), ("1 bytes", "x has the unknown unit `bytes`")),
        *((value, "x must be a number of bytes, a string such as") for value in (True, 1.5, None, [], {}, b"1")),
        *((value, "x must be a number of bytes, a string such as") for value in ("", " ", "MiB", "-1", "+1", "1e3")),
        *((value, "x must be a number of bytes, a string such as") for value in ("1 0", "1_000", "0x10", "1,5 k", "٣")),
        *((value, "x must be a number of bytes, a string such as") for value in ("9" * 5000, "INFINITY", "inf", "nan")),
    ],
)
def test_refused(given: Any, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_size(given, "x")
    assert str(caught.value).startswith(message)
    assert len(str(caught.value)) < 250
