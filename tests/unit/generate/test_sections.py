"""Descriptions in the sections that the Rust SDK makes: what they mean, and everything that can be wrong with them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marine_gen.diagnostics import Code, DiagnosticError
from marine_gen.generate import (
    Description,
    ExternModule,
    ImportedFunction,
    Member,
    Named,
    RecordDeclaration,
    Signature,
    Vector,
    generate,
    read_description,
)
from marine_gen.generate.sections import PREFIXES
from marine_gen.text import print_interfaces
from marine_gen.wasm import append_custom_section
from marine_runtime.types import Prim
from tests.support.golden import GOLDEN, Case, load_cases

EMPTY = b"\0asm\x01\0\0\0"


def module(*sections: Any, prefix: str = PREFIXES[0]) -> bytes:
    """A module with description sections, given as documents or as text."""
    wasm = EMPTY
    for index, item in enumerate(sections):
        payload = item if isinstance(item, bytes) else json.dumps(item).encode()
        wasm = append_custom_section(wasm, f"{prefix}item_{index}", payload)
    return wasm


def ty(kind: str, style: str = "ByValue") -> dict[str, Any]:
    return {kind: style}


def vector(element: Any, style: str = "ByValue") -> dict[str, Any]:
    return {"Vector": [element, style]}


def named(name: str, style: str = "ByValue") -> dict[str, Any]:
    return {"Record": [name, style]}


def members(**types: Any) -> list[dict[str, Any]]:
    return [{"name": name, "ty": value} for name, value in types.items()]


def signature(name: str, result: Any = None, /, **params: Any) -> dict[str, Any]:
    return {"name": name, "arguments": members(**params), "output_types": [] if result is None else [result]}


def function(name: str, result: Any = None, /, **params: Any) -> dict[str, Any]:
    return {"ast_type": "Function", "signature": signature(name, result, **params)}


def extern(namespace: str, **functions: Any) -> dict[str, Any]:
    imports = [
        {"link_name": name if item["name"] != name else None, "signature": item} for name, item in functions.items()
    ]
    return {"ast_type": "ExternMod", "namespace": namespace, "imports": imports}


POINT, POINTS = named("Point"), vector(named("Point"))
SECTIONS = (
    function(
        "all",
        POINTS,
        a=ty("Boolean"),
        b=ty("I8"),
        c=ty("U16", "ByRef"),
        d=ty("I32"),
        e=ty("U64"),
        f=ty("F32"),
        g=ty("F64"),
        s=ty("Utf8Str", "ByRef"),
        v=vector(ty("U8")),
        w=vector(vector(ty("U8"))),
        q=vector(ty("I64")),
        p=POINT,
        ps=vector(POINT, "ByRef"),
    ),
    extern("__marine_host_api_v3", log_utf8_string=signature("log_utf8_string", None, level=ty("I32"))),
    function("flag", ty("Boolean")),
    extern(
        "geo",
        area=signature("area", ty("F64"), ps=POINTS, name=ty("Utf8String", "ByRef"), flag=ty("Boolean")),
        make_label=signature("label", ty("Utf8String"), p=named("Point", "ByMutRef"), n=ty("U32")),
        blob=signature("blob", vector(ty("U8"))),
    ),
    {"ast_type": "Record", "name": "Point", "fields": {"Named": members(x=ty("F64"), y=ty("F64"))}},
)


@pytest.mark.parametrize("prefix", PREFIXES)
def test_the_complete_example(prefix: str) -> None:
    interfaces = generate(read_description(module(*SECTIONS, prefix=prefix)))
    assert print_interfaces(interfaces) + "\n" == (GOLDEN / "generate" / "point.it").read_text("utf-8")


def test_every_form() -> None:
    wasm = module(
        {"ast_type": "Record", "name": "Unit", "fields": "Unit", "since": "later"},
        {"ast_type": "Record", "name": "Pair", "fields": {"Unnamed": [{"name": None, "ty": ty("U8")}] * 2}},
        extern("m", far=signature("near", None, p=vector(named("Pair", "ByRef")))),
        function("f"),
    )
    assert read_description(wasm) == Description(
        (
            RecordDeclaration("Unit", None),
            RecordDeclaration("Pair", (Member("", Prim.U8), Member("", Prim.U8))),
        ),
        (Signature("f"),),
        (ExternModule("m", (ImportedFunction(Signature("near", (Member("p", Vector(Named("Pair"))),)), "far"),)),),
    )


def test_both_prefixes_and_file_order_count() -> None:
    wasm = append_custom_section(EMPTY, f"{PREFIXES[1]}b", json.dumps(function("b")).encode())
    wasm = append_custom_section(wasm, "__marine", b"other")
    wasm = append_custom_section(wasm, f"{PREFIXES[0]}a", json.dumps(function("a")).encode())
    assert [item.name for item in read_description(wasm).functions] == ["b", "a"]


def test_sections_that_a_linker_joined() -> None:
    one, two = (json.dumps(extern("m", **{name: signature(name)})).encode() for name in ("f", "g"))
    apart, joined = read_description(module(one, two)), read_description(module(b" " + one + two + b"\n"))
    assert joined == apart
    assert [item.functions[0].name for item in joined.imports] == ["f", "g"]


@pytest.mark.parametrize("case", load_cases(GOLDEN / "generate" / "sections.golden"), ids=str)
def test_diagnostics(case: Case) -> None:
    with pytest.raises(DiagnosticError) as caught:
        read_description(module(case.input.encode()))
    case.check(str(caught.value.with_source("m.wasm")))


def failing(wasm: bytes) -> list[tuple[Code, str]]:
    with pytest.raises(DiagnosticError) as caught:
        generate(read_description(wasm))
    return [(item.code, item.message) for item in caught.value.diagnostics]


def test_a_module_without_descriptions() -> None:
    assert [code for code, _ in failing(EMPTY)] == [Code.SECTION_MISSING]


def test_every_broken_section_is_reported() -> None:
    assert failing(module(b"\xff", function("f"), b"7", b"[" * 100_000)) == [
        (Code.SECTION_CONTENT, "the description is not UTF-8"),
        (Code.SECTION_CONTENT, "expected an object, got 7"),
        (Code.SECTION_CONTENT, "the description is nested too deeply"),
    ]


def test_items_that_contradict_each_other() -> None:
    record = {"ast_type": "Record", "name": "R", "fields": {"Named": members(x=ty("U8"))}}
    other = {"ast_type": "Record", "name": "R", "fields": {"Named": members(x=ty("U16"))}}
    assert failing(module(record, other, record, function("f", named("S")), function("f"))) == [
        (Code.SECTION_CONTENT, "record `R` is declared twice, with different fields"),
        (Code.SECTION_CONTENT, "record `S` is not declared"),
        (Code.ADAPTER_DUPLICATE, "`f` is the name of another function"),
    ]


PIECES = st.sampled_from(
    ["Vector", "Record", "U8", "ByValue", "Named", "name", "ty", "R", "Unit", "ast_type", "fields"]
)
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | PIECES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(PIECES, inner, max_size=3),
)


@given(st.sampled_from(SECTIONS), st.data())
def test_changed_sections_are_read_or_refused(document: dict[str, Any], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(document))
    place: Any = changed
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], (dict, list)) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = data.draw(DOCUMENTS)
        break
    with suppress(DiagnosticError):
        generate(read_description(module(changed)))
