"""The staging memory of a component: room that grows when it must, blocks that do not meet, fixed places."""

from __future__ import annotations

from itertools import chain
from typing import Any

import pytest

from marine_gen.idl import parse_description
from tests.guests.kit_guests import kit_guest
from tests.support.components import ComponentService, made
from tests.support.echo import Memory, echo_module
from tests.support.engines import guests

PAGE = 1 << 16
FIRST = 4096


def echoing(description: str) -> ComponentService:
    """A component whose functions give back what they get."""
    return ComponentService(made({"echo": echo_module(parse_description(description, "echo.idl"), Memory())}))


@pytest.fixture(scope="module")
def texts() -> ComponentService:
    """Echoes of a string, of two, and of records of them."""
    return echoing(
        """
data Pair:
  one: string
  two: string
data Deep:
  flag: bool
  pair: Pair
  number: u64
data Single:
  number: u8
export:
  fn text(value: string) -> string
  fn pair(value: Pair) -> Pair
  fn deep(value: Deep) -> Deep
  fn single(value: Single) -> Single
  fn pairs(value: [Pair]) -> [Pair]
  fn nothing()
"""
    )


@pytest.fixture(scope="module")
def shapes() -> ComponentService:
    """Echoes of records whose two forms differ in every way that there is."""
    return echoing(
        """
data Tiny:
  flag: bool
data Holder:
  tiny: Tiny
  other: bool
data Number:
  number: u8
data Mixed:
  a: u8
  b: [u64]
  c: u16
  d: [Holder]
  e: s64
  f: [string]
  g: [[[u8]]]
  h: u8
data Wide:
  a: bool
  b: Holder
  c: string
  d: Mixed
  e: Number
  f: u16
  g: string
  h: f64
  i: Mixed
export:
  fn holder(value: Holder) -> Holder
  fn holders(value: [Holder]) -> [Holder]
  fn mixed(value: Mixed) -> Mixed
  fn mixeds(value: [Mixed]) -> [Mixed]
  fn wide(value: Wide) -> Wide
  fn wides(value: [Wide]) -> [Wide]
  fn first(a: u8, b: Wide, c: string, d: Holder, e: f64, f: Wide) -> u8
  fn second(a: Wide, b: u8, c: [Wide], d: string, e: Wide) -> Wide
"""
    )


def test_room_ends_at_any_byte_of_a_page(texts: ComponentService) -> None:
    """Arguments and results end before, at and behind the end of the memory, which grows by what is missing."""
    for pages, step in ((1, 3), (3, 11)):
        texts.restart()
        for size in chain(range(pages * PAGE - FIRST - 70, pages * PAGE - FIRST + 20, step), [pages * PAGE // 2 + 9]):
            text = "x" * (size - 2) + "é"
            assert texts.call("text", [text]) == text
            half = (text[: size // 2], text[size // 2 :])
            assert texts.call("pair", [half]) == half


def test_places_of_a_record_are_its_own(texts: ComponentService) -> None:
    value = (True, ("a" * 9, "b" * 8), 2**64 - 1)
    assert texts.call("deep", [value]) == value
    pairs = [(f"{number}", "y" * number) for number in range(20)]
    assert texts.call("pairs", [pairs]) == pairs
    assert texts.call("single", [(255,)]) == (255,)
    assert texts.call("nothing", []) is None
    assert texts.call("deep", [(False, ("", ""), 0)]) == (False, ("", ""), 0)


def test_records_change_their_form_in_place(shapes: ComponentService) -> None:
    """Arguments in memory, elements of arrays: fields move, and a record may be smaller than its pointer."""
    for flag in (False, True):
        holder = ((flag,), not flag)
        assert shapes.call("holder", [holder]) == holder
        assert shapes.call("holders", [[holder, ((not flag,), flag)] * 5]) == [holder, ((not flag,), flag)] * 5
    mixed = (1, [2**64 - 1], 2, [holder, holder], -(2**63), ["", "x" * 17], [[b"ab", b""], []], 255)
    assert shapes.call("mixed", [mixed]) == mixed
    empty: tuple[Any, ...] = (0, [], 0, [], 0, [], [], 0)
    assert shapes.call("mixeds", [[mixed, empty, mixed]]) == [mixed, empty, mixed]
    wide = (True, holder, "text", mixed, (7,), 2**16 - 1, "é" * 9, 0.5, empty)
    assert shapes.call("wide", [wide]) == wide
    assert shapes.call("wides", [[wide] * 3]) == [wide] * 3
    for name in ("first", "second"):
        rest = [3, wide, "between", holder, 0.25, wide] if name == "first" else [wide, 3, [wide], "x", wide]
        assert shapes.call(name, rest) == rest[0]


def test_guests_of_a_component_lend_what_its_glue_has_of_them() -> None:
    """The glue of a component has ABI helpers of guests in place of calls, as that of services has."""
    for modules in (guests("greeting"), {name: kit_guest(name) for name in ("everything", "relay")}):
        assert b"marine-gen:lifted " in made(modules).wasm
