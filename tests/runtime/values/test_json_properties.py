"""JSON properties: results read back as arguments, and any document is bound or refused, for random types."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from marine_runtime.abi.layout import INTEGER_RANGES
from marine_runtime.errors import ArgumentError, ResultError
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from marine_runtime.values.json import JsonCodec
from marine_runtime.values.json_spelling import spell_float

INPUT = 'arguments from json deserialization error in module "m", function "f": '

HOSTILE = st.text(max_size=3) | st.sampled_from(["class", "__init__", 'a"b', "a\n", "x" * 10_000])


@st.composite
def typed_values(draw: st.DrawFn) -> tuple[IType, dict[int, RecordType], Any]:
    """A type, the records it needs, and an internal value of it with finite floats."""
    records: dict[int, RecordType] = {}

    def make_type(depth: int) -> IType:
        kinds = ["prim"] * 3 + (["array", "record"] if depth else [])
        match draw(st.sampled_from(kinds)):
            case "array":
                return Array(make_type(depth - 1))
            case "record":
                names = draw(st.lists(HOSTILE, min_size=1, max_size=3, unique=True))
                # The number is taken before the fields, which may claim more and may refer back through an array.
                number = len(records)
                records[number] = RecordType("pending", ())
                fields = [Field(name, make_type(depth - 1)) for name in names]
                if draw(st.booleans()) and "again" not in names:
                    fields.append(Field("again", Array(Record(number))))
                records[number] = RecordType(draw(HOSTILE), tuple(fields))
                return Record(number)
        return draw(st.sampled_from(list(Prim)))

    def make_value(ty: IType, depth: int) -> Any:
        if ty is Prim.BYTE_ARRAY or ty == Array(Prim.U8):
            return draw(st.binary(max_size=4))
        if isinstance(ty, Array):
            length = draw(st.integers(0, 2)) if depth < 6 else 0
            return [make_value(ty.element, depth + 1) for _ in range(length)]
        if isinstance(ty, Record):
            return tuple(make_value(field.type, depth + 1) for field in records[ty.id].fields)
        if ty in INTEGER_RANGES:
            return draw(st.integers(*INTEGER_RANGES[ty]))
        if ty is Prim.BOOLEAN:
            return draw(st.booleans())
        if ty is Prim.STRING:
            return draw(st.text(max_size=5))
        return draw(st.floats(width=32 if ty is Prim.F32 else 64, allow_nan=False, allow_infinity=False))

    ty = make_type(3)
    return ty, records, make_value(ty, 0)


@given(typed_values())
def test_results_are_arguments(sample: tuple[IType, dict[int, RecordType], Any]) -> None:
    ty, records, value = sample
    codec = JsonCodec(FunctionType((Field("a", ty),), (ty,)), records, module="m", function="f")
    text = codec.results([value])
    assert "\n" not in text
    for document in (f"[{text}]", f'{{"a":{text}}}'):
        back = codec.arguments(document)
        assert back == [value]
        assert codec.results(back) == text


@given(typed_values(), st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_any_document_binds_or_is_refused(sample: tuple[IType, dict[int, RecordType], Any], document: Any) -> None:
    ty, records, _ = sample
    codec = JsonCodec(FunctionType((Field("a", ty),)), records, module="m", function="f")
    for whole in (document, [document], {"a": document}):
        problem = "none"
        try:
            (value,) = codec.arguments_from_document(whole)
        except ArgumentError as error:
            problem = str(error)
        if problem == "none":
            JsonCodec(FunctionType((), (ty,)), records, module="m", function="f").results([value])
        else:
            assert problem.startswith(INPUT)
            assert problem.isprintable()


DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 300) | st.floats() | st.text(max_size=2) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HOSTILE, inner, max_size=3),
    max_leaves=8,
)


@given(typed_values(), DOCUMENTS, st.integers(0, 3))
def test_c_loops_do_what_single_steps_do(
    sample: tuple[IType, dict[int, RecordType], Any], document: Any, replaced: int
) -> None:
    """Usual documents, damaged ones and values of other types, with and without the converters for usual ones."""
    ty, records, value = sample
    signature = FunctionType((Field("a", ty),), (ty,))
    fast, general = (JsonCodec(signature, records, module="m", function="f") for _ in range(2))
    general._usual_arguments = general._usual_result = None
    usual = json.loads(fast.results([value]))
    if isinstance(usual, list) and len(usual) > replaced:
        usual[replaced] = document
    for whole in ([usual], {"a": usual}, [document], document):
        assert _outcome(fast.arguments_from_document, whole) == _outcome(general.arguments_from_document, whole)
    for result in (value, usual, document):
        assert _outcome(fast.results, [result]) == _outcome(general.results, [result])


def _outcome(run: Any, given: Any) -> str:
    try:
        return repr(run(given))
    except (ArgumentError, ResultError) as error:
        return f"{type(error).__name__}: {error}"


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_spelled_floats_read_back(value: float) -> None:
    text = spell_float(value)
    assert float(text) == value
    assert len(text) <= len(repr(value)) + 2
    assert "+" not in text
