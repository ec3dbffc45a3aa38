"""Dumps of real modules parse, print byte for byte, and encode to the bytes that the modules carry."""

from __future__ import annotations

import pytest

from marine_gen.binary import decode, encode
from marine_gen.text import parse, print_interfaces
from tests.support.golden import GOLDEN, check_file

DUMPS = ("failing", "generated", "greeting", "records_pure")


def _read(name: str) -> str:
    return (GOLDEN / "text" / f"{name}.it").read_bytes().decode()


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_is_printed_byte_for_byte(name: str) -> None:
    interfaces = parse(_read(name), f"{name}.it")
    check_file(GOLDEN / "text" / f"{name}.it", print_interfaces(interfaces) + "\n")


@pytest.mark.parametrize("name", DUMPS)
def test_a_dump_survives_the_binary_form(name: str) -> None:
    interfaces = parse(_read(name))
    assert decode(encode(interfaces)) == interfaces


@pytest.mark.parametrize("name", ["failing", "greeting", "records_pure"])
def test_a_dump_encodes_to_the_bytes_of_the_module(name: str) -> None:
    payload = encode(parse(_read(name)))
    for offset, expected, _ in _listing(name):
        assert payload[offset : offset + len(expected)] == expected, f"at {offset:04x}"


def test_the_complete_listing_leaves_no_byte_out() -> None:
    listing = _listing("failing")
    payload = encode(parse(_read("failing")))
    assert len(payload) == 481
    ends = [offset for offset, _, _ in listing[1:]] + [len(payload)]
    for (offset, expected, elided), end in zip(listing, ends, strict=True):
        assert offset + len(expected) < end if elided else offset + len(expected) == end


def _listing(name: str) -> list[tuple[int, bytes, bool]]:
    """Offset, bytes, and whether more bytes follow that the listing elides."""
    lines = (GOLDEN / "binary" / f"{name}.bytes").read_text().splitlines()
    parts = [line.split("  ") for line in lines]
    return [(int(at, 16), bytes.fromhex(data.removesuffix(" ..")), data.endswith("..")) for at, data in parts]
