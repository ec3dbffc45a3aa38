"""Names of types in generated code."""

from __future__ import annotations

import pytest

from marine_gen.codegen.type_names import Aliases, Annotations, type_key
from marine_runtime.types import Array, FunctionType, IType, Prim, Record


@pytest.mark.parametrize(
    ("ty", "key"),
    [
        (Prim.S64, "s64"),
        (Prim.STRING, "string"),
        (Array(Prim.U8), "bytes"),
        (Array(Array(Prim.BOOLEAN)), "array_array_bool"),
        (Array(Record(6)), "array_record_6"),
    ],
    ids=str,
)
def test_types_as_parts_of_identifiers(ty: IType, key: str) -> None:
    assert type_key(ty) == key


def test_equivalent_types_have_one_key() -> None:
    assert type_key(Prim.BYTE_ARRAY) == type_key(Array(Prim.U8))


def test_annotations_of_results() -> None:
    annotations = Annotations({}, {6: "Point"})
    shown = [
        annotations.results(FunctionType((), results)) for results in ((), (Prim.F32,), (Record(6), Array(Prim.U8)))
    ]
    assert shown == ["None", "float", "tuple[Point, bytes]"]


def test_every_class_that_hides_a_type_has_another_name_for_it() -> None:
    aliases = Aliases(["Point"])
    annotations = Annotations({}, {6: "Point"})
    texts, points = Array(Prim.STRING), Array(Record(6))
    assert annotations.of(texts, aliases.within(["x"])) == "list[str]"
    assert annotations.of(texts, aliases.within(["str"])) == "list[_str]"
    assert annotations.of(texts, aliases.within(["str", "_str"])) == "list[_str_2]"
    assert annotations.of(points, aliases.within(["list", "Point"])) == "_list[_Point]"
    assert annotations.of(Prim.STRING, aliases.within(["str"])) == "_str"
    assert aliases.items() == [("Point", "_Point"), ("list", "_list"), ("str", "_str"), ("str", "_str_2")]
