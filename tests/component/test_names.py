"""Component names: how words are split, what has no name, what collides."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_gen.component_backend import ComponentError, Logger
from marine_gen.component_backend.interface import full_name, interface_of
from marine_gen.component_backend.names import check_package, kebab, unique
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType
from tests.support.components import made, wit_of
from tests.support.engines import guest
from tests.support.strategies import HOSTILE_NAMES


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("greeting", "greeting"),
        ("get_n_save", "get-n-save"),
        ("getHTTPResponse", "get-http-response"),
        ("HTTPServer", "http-server"),
        ("field_0", "field0"),
        ("inner_arrays_1", "inner-arrays1"),
        ("a1B2", "a1-b2"),
        ("__init__", "init"),
        ("a..b", "a-b"),
        ("I32", "i32"),
        ("list", "list"),
    ],
)
def test_words(name: str, expected: str) -> None:
    assert kebab(name, "function") == expected


@pytest.mark.parametrize("name", ["", "_", "0", "1st", "имя", "é", "naïve_name", "😀", "a é", "\0"])
def test_names_that_components_can_not_have(name: str) -> None:
    with pytest.raises(ComponentError, match="has no name in a component"):
        kebab(name, "function")


@given(st.text(max_size=12) | st.sampled_from(HOSTILE_NAMES))
def test_a_name_is_valid_or_refused(name: str) -> None:
    try:
        text = kebab(name, "field")
    except ComponentError:
        return
    assert re.fullmatch(r"[a-z][a-z0-9]*(-[a-z][a-z0-9]*)*", text)
    assert kebab(text, "field") == text


def test_two_names_that_are_one() -> None:
    with pytest.raises(ComponentError, match=r"^the fields `a_b` and `aB` would both be named `a-b` in a component"):
        unique(["x", "a_b", "aB"], "field")
    with pytest.raises(ComponentError, match="`a0` and `a_0`"):
        unique(["a0", "a_0"], "parameter")
    with pytest.raises(ComponentError, match="`x` and `x`"):
        unique(["x", "x"], "field")


@pytest.mark.parametrize("package", ["a:b", "marine:greeting@1.0.0", "a-b:c1@0.1.0-rc.1+build.5"])
def test_packages(package: str) -> None:
    assert check_package(package) == package


@pytest.mark.parametrize(
    "package",
    ["", "a", "a:", ":b", "A:b", "a:b/c", "a:b@", "a:b@1", "a:b@1.2", "a:b@01.0.0", "a:b@1.0.0@2", "a:b\n", "a_b:c"],
)
def test_what_is_no_package(package: str) -> None:
    with pytest.raises(ComponentError, match="is not the name of a package"):
        check_package(package)


def test_numbers_of_versions_have_64_bits() -> None:
    assert check_package(f"a:b@{2**64 - 1}.0.0")
    for version in (f"{2**64}.0.0", f"0.0.{2**64}", f"0.{'9' * 5000}.0"):
        with pytest.raises(ComponentError, match="is not the name of a package"):
            check_package(f"a:b@{version}")


def test_the_package_of_the_world() -> None:
    with pytest.raises(ComponentError, match=r"^the package `root:component` is that of the component's own world"):
        check_package("root:component")
    assert check_package("root:component@1.0.0")


@pytest.mark.parametrize("package", ["list:func@1.0.0", "use:as", "package:record-world", "root:component@1.0.0"])
@pytest.mark.parametrize("module", ["greeting", "interface", "stream-list"])
def test_keywords_in_packages_and_interfaces(package: str, module: str) -> None:
    component = made({module: guest("greeting")}, package=package)
    assert wit_of(component.wasm) == component.wit


@pytest.mark.parametrize(
    ("name", "package", "options"),
    [
        ("logging", "marine:host", {"logger": Logger.IMPORT}),
        ("logging", "marine:host@2.0.0", {"logger": Logger.IMPORT}),
        ("fault", "marine:host", {"fault_import": True, "logger": Logger.NONE}),
        ("stderr", "wasi:cli", {}),
        ("streams", "wasi:io@0.2.0", {}),
    ],
)
def test_an_interface_is_imported_or_exported(name: str, package: str, options: dict[str, Any]) -> None:
    with pytest.raises(ComponentError, match=r"would import and export an interface .*: give the package another name"):
        made({name: guest("logger")}, package=package, **options)


def test_a_version_stands_behind_the_interface() -> None:
    assert full_name("a:b@1.0.0", "c") == "a:b/c@1.0.0"
    assert full_name("a:b", "c") == "a:b/c"


NUMBER = Field("number", Prim.U32)
RECORDS = {
    0: RecordType("Greeting", (NUMBER,)),
    1: RecordType("Tree", (Field("children", Array(Record(1))),)),
    2: RecordType("Holder", (Field("tree", Record(1)),)),
    3: RecordType("Empty", ()),
    4: RecordType("greeting", (NUMBER, NUMBER)),
    5: RecordType("Greeting", (NUMBER,)),
}


def giving(ty: int) -> FunctionType:
    return FunctionType((), (Record(ty),))


def test_a_record_that_is_named_like_a_function() -> None:
    found, left_out = interface_of("a:b/c", {"greeting": giving(0)}, RECORDS)
    assert not left_out
    assert [item.name for item in found.functions] == ["greeting"]
    assert [item.name for item in found.records] == ["greeting-record"]


def test_equal_records_are_one() -> None:
    found, _ = interface_of("a:b/c", {"x": giving(0), "y": giving(5)}, RECORDS)
    assert [item.name for item in found.records] == ["greeting"]
    assert found.record_names == {0: "greeting", 5: "greeting"}


def test_records_that_contain_themselves() -> None:
    found, left_out = interface_of("a:b/c", {"x": giving(0), "y": giving(1), "z": giving(2)}, RECORDS)
    assert [item.name for item in found.functions] == ["x"]
    assert [(item.name, item.reason.split(" contains")[0]) for item in left_out] == [
        ("y", "the record `Tree` → `Tree`"),
        ("z", "the record `Tree` → `Tree`"),
    ]


def test_several_results() -> None:
    ty = FunctionType((), (Prim.U8, Prim.U8))
    _, left_out = interface_of("a:b/c", {"x": ty}, RECORDS)
    assert [item.name for item in left_out] == ["x"]


@pytest.mark.parametrize(
    ("functions", "message"),
    [
        ({"x": giving(3)}, "the record `Empty` has no fields"),
        ({"x": giving(4)}, "the fields `number` and `number` would both be named `number`"),
        ({"x": giving(0), "X": giving(0)}, "`x` and `X` would both be named `x`"),
        ({"ы": giving(0)}, "the function `ы` has no name"),
        ({"greeting": giving(0), "greeting_record": giving(0)}, "`greeting_record` and `Greeting`"),
        ({"x": FunctionType((Field("1", Prim.U8),))}, "the parameter `1` has no name"),
    ],
)
def test_what_an_interface_can_not_have(functions: dict[str, FunctionType], message: str) -> None:
    with pytest.raises(ComponentError) as caught:
        interface_of("a:b/c", functions, RECORDS)
    assert message in str(caught.value)
