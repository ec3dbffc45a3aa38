"""Properties: print and parse are inverse, and so are encode and decode, also across the two formats."""

from __future__ import annotations

from hypothesis import given

from marine_gen.binary import decode, encode
from marine_gen.interfaces import Interfaces
from marine_gen.text import parse, print_interfaces
from marine_runtime.types import Array, FunctionType, Prim
from tests.support.strategies import interfaces


@given(interfaces())
def test_parse_inverts_print(value: Interfaces) -> None:
    text = print_interfaces(value)
    assert parse(text) == value
    assert print_interfaces(parse(text)) == text


@given(interfaces())
def test_decode_inverts_encode(value: Interfaces) -> None:
    payload = encode(value)
    assert decode(payload) == value
    assert encode(decode(payload)) == payload


def test_only_the_binary_form_keeps_the_second_spelling_of_a_byte_array() -> None:
    value = Interfaces("0.28.0", (FunctionType((), (Array(Prim.U8), Array(Array(Prim.U8)))),))
    assert decode(encode(value)) == value
    assert parse(print_interfaces(value)).types == (FunctionType((), (Prim.BYTE_ARRAY, Array(Prim.BYTE_ARRAY))),)
