"""Mistakes of descriptions: every finding is reported, with its place, and none raises anything else."""

from dataclasses import replace

import pytest

from marine_gen.binary.limits import MAX_TYPE_DEPTH
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
)
from marine_gen.ir import build_module
from marine_runtime.abi.host_api import HOST_NAMESPACES
from marine_runtime.abi.measures import MAX_RECORD_DEPTH
from marine_runtime.types import Array, Prim, RecordType


def record(name: str, **fields) -> RecordDeclaration:
    return RecordDeclaration(name, tuple(Member(field, ty) for field, ty in fields.items()))


def findings(description: Description) -> list[tuple[Code, str, str]]:
    with pytest.raises(DiagnosticError) as caught:
        generate(description)
    return [(item.code, item.message, item.within) for item in caught.value.diagnostics]


def test_unknown_record_in_a_record():
    assert findings(Description((record("A", x=Vector(Named("Nowhere"))),))) == [
        (Code.SECTION_CONTENT, "record `Nowhere` is not declared", "record `A`, `x`")
    ]


def test_unknown_records_in_functions_and_imports_are_reported_together():
    description = Description(
        functions=(Signature("f", (Member("a", Named("P")),), Vector(Named("Q"))),),
        imports=(ExternModule("m", (ImportedFunction(Signature("g", (), Named("R"))),)),),
    )
    assert findings(description) == [
        (Code.SECTION_CONTENT, "record `P` is not declared", "function `f`, `a`"),
        (Code.SECTION_CONTENT, "record `Q` is not declared", "function `f`, result"),
        (Code.SECTION_CONTENT, "record `R` is not declared", "import `m.g`, result"),
    ]


def test_host_functions_may_mention_unknown_records():
    module = ExternModule("__marine_host_api_v3", (ImportedFunction(Signature("f", (), Named("R"))),))
    assert generate(Description(imports=(module,))).imports == ()


def test_empty_record():
    description = Description((record("A"), record("B", a=Named("A"))), (Signature("f", (), Named("A")),))
    assert findings(description) == [(Code.SECTION_CONTENT, "record `A` has no fields", "record `A`")]


def test_unit_record_in_use():
    assert findings(Description((RecordDeclaration("U", None), record("A", u=Named("U"))))) == [
        (Code.SECTION_CONTENT, "record `U` has no fields, so it has no values", "record `A`, `u`")
    ]


def test_different_duplicates():
    assert findings(Description((record("A", x=Prim.U8), record("A", x=Prim.U16)))) == [
        (Code.SECTION_CONTENT, "record `A` is declared twice, with different fields", "record `A`")
    ]


def test_record_in_itself():
    assert findings(Description((record("A", x=Named("A")),))) == [
        (Code.RECORD_NESTING, "record `A` contains itself: `A` → `A`", "record `A`")
    ]


def test_records_in_each_other():
    description = Description((record("Z", b=Named("B")), record("B", c=Named("C")), record("C", x=Named("B"))))
    assert findings(description) == [(Code.RECORD_NESTING, "record `B` contains itself: `B` → `C` → `B`", "record `B`")]


def test_recursion_through_a_vector_is_fine():
    types = generate(Description((record("Tree", children=Vector(Named("Tree"))),))).types
    assert isinstance(types[6], RecordType)


def chain(length: int) -> Description:
    inner = [record(f"R{index}", x=Named(f"R{index + 1}")) for index in range(length - 1)]
    return Description((*inner, record(f"R{length - 1}", x=Prim.U8)))


def test_nesting_limit():
    assert len(generate(chain(MAX_RECORD_DEPTH)).types) == 6 + MAX_RECORD_DEPTH
    assert findings(chain(MAX_RECORD_DEPTH + 1)) == [
        (Code.RECORD_NESTING, "records are nested 129 deep, and 128 is the limit", "record `R0`")
    ]


@pytest.mark.parametrize("depth", [1, MAX_RECORD_DEPTH, MAX_RECORD_DEPTH + 1, 1023])
def test_what_is_generated_is_not_refused_later(depth: int):
    try:
        interfaces = generate(replace(chain(depth), functions=(Signature("f", (Member("r", Named("R0")),)),)))
    except DiagnosticError:
        assert depth > MAX_RECORD_DEPTH
    else:
        assert build_module("m", interfaces).records


@pytest.mark.parametrize("namespace", HOST_NAMESPACES)
def test_the_host_needs_no_adapters(namespace: str):
    module = ExternModule(namespace, (ImportedFunction(Signature("f")),))
    assert generate(Description(imports=(module,))).imports == ()


@pytest.mark.parametrize("namespace", ["__marine_host_api_v", "__marine_host_api_v0", "__marine_host_api_v9"])
def test_unknown_versions_of_the_host(namespace: str):
    module = ExternModule(namespace, (ImportedFunction(Signature("f")),))
    assert findings(Description(imports=(module,))) == [
        (Code.SECTION_CONTENT, f"the host provides no namespace `{namespace}`", f"import from `{namespace}`")
    ]


def test_diamonds_of_records_take_linear_time():
    records = [record(f"R{index}", x=Named(f"R{index + 1}"), y=Named(f"R{index + 1}")) for index in range(100)]
    assert len(generate(Description((*records, record("R100", x=Prim.U8)))).types) == 107


def nested(depth: int) -> Vector | Prim:
    ty: Vector | Prim = Prim.U16
    for _ in range(depth):
        ty = Vector(ty)
    return ty


def test_vector_limit():
    interfaces = generate(Description(functions=(Signature("f", (), nested(MAX_TYPE_DEPTH)),)))
    ty = interfaces.types[6].results[0]
    depth = 0
    while isinstance(ty, Array):
        ty, depth = ty.element, depth + 1
    assert (ty, depth) == (Prim.U16, MAX_TYPE_DEPTH)
    assert findings(Description(functions=(Signature("f", (), nested(5000)),))) == [
        (Code.SECTION_CONTENT, "vectors are nested 5000 deep, and 128 is the limit", "function `f`, result")
    ]


@pytest.mark.parametrize("prim", [Prim.I32, Prim.I64, Prim.BYTE_ARRAY])
def test_types_without_a_description(prim):
    assert findings(Description(functions=(Signature("f", (), prim),))) == [
        (Code.SECTION_CONTENT, f"the type `{prim}` can't be used in a description", "function `f`, result")
    ]


def test_function_names_are_unique():
    description = Description(functions=(Signature("f"), Signature("f"), Signature("allocate")))
    assert findings(description) == [
        (Code.ADAPTER_DUPLICATE, "`f` is the name of another function", "function `f`"),
        (
            Code.ADAPTER_DUPLICATE,
            "`allocate` is the name of an ABI helper of every module",
            "function `allocate`",
        ),
    ]


def test_the_message_names_place_and_help():
    with pytest.raises(DiagnosticError) as caught:
        generate(Description(functions=(Signature("f", (Member("a", Named("P")),)),)))
    assert str(caught.value.with_source("geo.wasm")) == (
        "error[MG106]: record `P` is not declared\n"
        "  --> geo.wasm\n"
        "   in function `f`, `a`\n"
        "  help: declare it, or correct the name"
    )
