"""The instruction sequences of generated adapters, and the complete example."""

import pytest

from marine_gen.generate import (
    VERSION,
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
from marine_gen.generate.adapters import export_adapter, import_adapter, raw_signature
from marine_gen.text.printer import print_interfaces
from marine_runtime.types import Array, Field, FunctionType, Prim, Record, RecordType
from tests.support.paths import TESTS

GOLDEN = TESTS / "golden" / "generate"
NUMBERS = ("s8", "s16", "s32", "s64", "u8", "u16", "u32", "u64", "f32", "f64")
SIMPLE = FunctionType(tuple(Field(name, Prim(name)) for name in NUMBERS), (Prim.S32,))
COMPLEX = FunctionType((*SIMPLE.params, Field("text", Prim.STRING), Field("data", Prim.BYTE_ARRAY)), (Prim.STRING,))

TO_CORE = [
    line
    for index, name in enumerate(NUMBERS[:-2])
    for line in (f"arg.get {index}", f"i{'64' if name.endswith('64') else '32'}.from_{name}")
] + ["arg.get 8", "arg.get 9"]
FROM_CORE = [
    line
    for index, name in enumerate(NUMBERS[:-2])
    for line in (f"arg.get {index}", f"{name}.from_i{'64' if name.endswith('64') else '32'}")
] + ["arg.get 8", "arg.get 9"]
LOWER_TEXT = ["string.size", "i32.push 1", "call-core 0"]


def lines(instructions) -> list[str]:
    return [str(instruction) for instruction in instructions]


def test_export_of_numbers():
    assert lines(export_adapter(SIMPLE, 0)) == [*TO_CORE, "call-core 0", "s32.from_i32"]


def test_export_of_strings_and_bytes():
    assert lines(export_adapter(COMPLEX, 0)) == [
        *TO_CORE,
        *("arg.get 10", *LOWER_TEXT, "arg.get 10", "string.lower_memory"),
        *("arg.get 11", "array.lower_memory u8"),
        "call-core 0",
        *("call-core 3", "call-core 2", "string.lift_memory", "call-core 1"),
    ]


def test_import_of_numbers():
    assert lines(import_adapter(SIMPLE, 0)) == [*FROM_CORE, "call-core 0", "i32.from_s32"]


def test_import_of_strings_and_bytes():
    assert lines(import_adapter(COMPLEX, 0)) == [
        *FROM_CORE,
        *("arg.get 10", "arg.get 11", "string.lift_memory"),
        *("arg.get 12", "arg.get 13", "byte_array.lift_memory"),
        "call-core 1",
        "call-core 0",
        *("dup", *LOWER_TEXT, "swap2", "string.lower_memory", "call-core 4", "call-core 5"),
    ]


def test_import_of_records_takes_one_argument_and_sets_one_cell():
    function = FunctionType((Field("a", Record(9)), Field("b", Prim.BOOLEAN)), (Record(9),))
    assert lines(import_adapter(function, 7)) == [
        *("arg.get 0", "record.lift_memory 9", "arg.get 1", "bool.from_i32"),
        *("call-core 1", "call-core 7", "record.lower_memory 9", "call-core 5"),
    ]
    assert raw_signature(function) == FunctionType((Field("a", Prim.I32), Field("b", Prim.I32)))


@pytest.mark.parametrize(
    ("result", "raw"),
    [
        (Prim.BOOLEAN, (Prim.S32,)),
        (Prim.U8, (Prim.S32,)),
        (Prim.U64, (Prim.S64,)),
        (Prim.F32, (Prim.F32,)),
        (Prim.STRING, ()),
        (Array(Prim.U16), ()),
        (Record(0), ()),
    ],
    ids=str,
)
def test_raw_results(result, raw):
    assert raw_signature(FunctionType((), (result,))).results == raw


def test_raw_pairs_share_their_name():
    function = FunctionType((Field("s", Prim.STRING), Field("n", Prim.S64), Field("v", Array(Prim.F32))))
    assert raw_signature(function).params == (
        *(Field("s_ptr", Prim.I32), Field("s_ptr", Prim.I32)),
        Field("n", Prim.I64),
        *(Field("v_ptr", Prim.I32), Field("v_ptr", Prim.I32)),
    )


def point_description() -> Description:
    point, points = Named("Point"), Vector(Named("Point"))
    every = {
        "a": Prim.BOOLEAN,
        "b": Prim.S8,
        "c": Prim.U16,
        "d": Prim.S32,
        "e": Prim.U64,
        "f": Prim.F32,
        "g": Prim.F64,
        "s": Prim.STRING,
        "v": Vector(Prim.U8),
        "w": Vector(Vector(Prim.U8)),
        "q": Vector(Prim.S64),
        "p": point,
        "ps": points,
    }
    area = Signature(
        "area", (Member("ps", points), Member("name", Prim.STRING), Member("flag", Prim.BOOLEAN)), Prim.F64
    )
    label = Signature("label", (Member("p", point), Member("n", Prim.U32)), Prim.STRING)
    return Description(
        records=(RecordDeclaration("Point", (Member("x", Prim.F64), Member("y", Prim.F64))),),
        functions=(
            Signature("all", tuple(Member(name, ty) for name, ty in every.items()), points),
            Signature("flag", (), Prim.BOOLEAN),
        ),
        imports=(
            ExternModule("__marine_host_api_v3", (ImportedFunction(Signature("log_utf8_string")),)),
            ExternModule(
                "geo",
                (
                    ImportedFunction(area),
                    ImportedFunction(label, "make_label"),
                    ImportedFunction(Signature("blob", (), Vector(Prim.U8))),
                ),
            ),
        ),
    )


def test_complete_example():
    interfaces = generate(point_description())
    assert interfaces.version == VERSION == "0.28.0"
    assert print_interfaces(interfaces) + "\n" == (GOLDEN / "point.it").read_text(encoding="utf-8")


def test_generation_is_deterministic_and_keeps_the_version():
    assert generate(point_description(), "0.27.0") == generate(point_description(), "0.27.0")
    assert generate(point_description(), "0.27.0").version == "0.27.0"


def test_forward_references_are_numbered_at_their_mention():
    outer = RecordDeclaration("Outer", (Member("list", Vector(Named("Second"))), Member("first", Named("First"))))
    first = RecordDeclaration("First", (Member("x", Prim.U8),))
    second = RecordDeclaration("Second", (Member("outer", Vector(Named("Outer"))),))
    types = generate(Description((outer, first, second))).types
    assert types[6:] == (
        RecordType("Second", (Field("outer", Array(Record(8))),)),
        RecordType("First", (Field("x", Prim.U8),)),
        RecordType("Outer", (Field("list", Array(Record(6))), Field("first", Record(7)))),
    )


def test_unit_records_are_skipped():
    types = generate(
        Description((RecordDeclaration("Unit", None), RecordDeclaration("R", (Member("", Prim.U8),))))
    ).types
    assert types[6:] == (RecordType("R", (Field("", Prim.U8),)),)


def test_equal_duplicates_are_one_record():
    record = RecordDeclaration("R", (Member("x", Prim.U8),))
    assert generate(Description((record, record))) == generate(Description((record,)))


def test_every_import_has_the_next_call_core_index():
    imports = tuple(
        ExternModule(namespace, (ImportedFunction(Signature("f")), ImportedFunction(Signature("g"))))
        for namespace in ("one", "host", "two")
    )
    interfaces = generate(Description(functions=(Signature("f"), Signature("g")), imports=imports))
    assert [lines(adapter.instructions) for adapter in interfaces.adapters] == [
        [f"call-core {index}"] for index in range(6, 12)
    ]
    assert [(item.namespace, item.name) for item in interfaces.imports[::2]] == [
        ("one", "f"),
        ("one", "g"),
        ("two", "f"),
        ("two", "g"),
    ]
