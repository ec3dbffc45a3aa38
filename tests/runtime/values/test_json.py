"""JSON arguments and results, row by row of the rules of docs/spec/json.md, and round trips of random values."""

import json
import math
import re
from typing import Any

import pytest

from marine_runtime.abi.layout import INTEGER_RANGES
from marine_runtime.errors import ArgumentError, ResultError
from marine_runtime.types import Array, Field, FunctionType, IType, Prim, Record, RecordType
from marine_runtime.values.json import JsonCodec, arguments_from_json, results_to_json
from marine_runtime.values.json_spelling import spell_float
from marine_runtime.values.json_text import MAX_DEPTH, parse
from marine_runtime.values.scalars import to_f32

POINT, NODE, TWIN = Record(0), Record(1), Record(2)
RECORDS = {
    0: RecordType("Point", (Field("y", Prim.S32), Field("class", Prim.F64), Field("odd name", Prim.BYTE_ARRAY))),
    1: RecordType("Node", (Field("label", Prim.U8), Field("next", Array(NODE)))),
    2: RecordType("Twin", (Field("a", Prim.U8), Field("b", Prim.U8), Field("a", Prim.U8))),
}
INPUT = 'arguments from json deserialization error in module "m", function "f": '
OUTPUT = 'output to json serialization error in module "m", function "f": '


def arguments(text: str, *types: IType) -> list[Any]:
    params = tuple(Field(name, ty) for name, ty in zip("abc", types, strict=False))
    return arguments_from_json(text, FunctionType(params), RECORDS, module="m", function="f")


def result(*values: Any, types: tuple[IType, ...]) -> str:
    return results_to_json(values, FunctionType((), types), RECORDS, module="m", function="f")


def refused(text: str, *types: IType) -> str:
    with pytest.raises(ArgumentError) as caught:
        arguments(text, *types)
    message = str(caught.value)
    assert message.startswith(INPUT)
    message = message.removeprefix(INPUT)
    assert caught.value.path == (message.split(": ")[0] if message.startswith("$") else "$")
    return message


S32, STRING = Prim.S32, Prim.STRING


# The document


@pytest.mark.parametrize(
    ("text", "types", "expected"),
    [
        ('{"a":1,"b":"x"}', (S32, STRING), [1, "x"]),
        ('{"b":"x","a":1}', (S32, STRING), [1, "x"]),
        ('{"a":9,"b":"x","a":1}', (S32, STRING), [1, "x"]),
        (' [ 1 , "x" ] ', (S32, STRING), [1, "x"]),
        ("null", (), []),
        ("[]", (), []),
        ("{}", (), []),
        ("5", (S32,), [5]),
        ('"x"', (STRING,), ["x"]),
        ("true", (Prim.BOOLEAN,), [True]),
        ("[1]", (S32,), [1]),
        ("[[1]]", (S32,), [1]),
        ("[[1,2,3]]", (Array(S32),), [[1, 2, 3]]),
        ('{"a":[1,2,3]}', (Array(S32),), [[1, 2, 3]]),
    ],
)
def test_document(text: str, types: tuple[IType, ...], expected: list[Any]) -> None:
    assert arguments(text, *types) == expected


@pytest.mark.parametrize(
    ("text", "types", "message"),
    [
        ('{"a":1}', (S32, STRING), "f() is missing argument `b`"),
        ("{}", (S32, STRING), "f() is missing arguments `a`, `b`"),
        ('{"a":1,"b":"","c":1}', (S32, STRING), "f() has no argument `c`"),
        ('{"a":1}', (), "f() has no argument `a`"),
        ("[1]", (S32, STRING), "function requires 2 arguments, 1 provided"),
        ("[]", (S32,), "function requires 1 argument, 0 provided"),
        ("[1]", (), "function requires 0 arguments, 1 provided"),
        ("[1,2,3]", (Array(S32),), "function requires 1 argument, 3 provided"),
        (
            "null",
            (S32,),
            "expected an object or an array with the arguments of f(a: s32), got null",
        ),
        ("5", (), "expected an object or an array with the arguments of f(), got 5"),
        ("true", (S32, S32), "expected an object or an array with the arguments of f(a: s32, b: s32), got true"),
        ('{"y":1,"class":1,"odd name":[]}', (POINT,), "f() has no argument `y`"),
        ('"x"', (POINT,), "$.a: expected Point, got string"),
    ],
)
def test_document_refused(text: str, types: tuple[IType, ...], message: str) -> None:
    assert refused(text, *types) == message


def test_equal_parameter_names_need_an_array() -> None:
    signature = FunctionType((Field("a", S32), Field("a", S32)))
    codec = JsonCodec(signature, {}, module="m", function="f")
    assert codec.arguments("[1,2]") == [1, 2]
    with pytest.raises(ArgumentError, match=r"missing argument `a` \(declared more than once: give all by position\)$"):
        codec.arguments('{"a":1}')
    with pytest.raises(ArgumentError, match="no argument `a_2`"):
        codec.arguments('{"a":1,"a_2":2}')


# Values

INTEGERS = sorted(INTEGER_RANGES, key=str)


@pytest.mark.parametrize("ty", INTEGERS)
def test_integers(ty: Prim) -> None:
    low, high = INTEGER_RANGES[ty]
    for number in (low, high, 0):
        assert arguments(f"[{number}]", ty) == [number]
        assert arguments(f"[[{number}]]", ty) == [number]
    for number in (low - 1, high + 1):
        assert f"(out of range {low}..{high})" in refused(f"[{number}]", ty)
    zero = arguments("[-0]", ty)[0]
    assert zero == 0
    assert type(zero) is int
    for text in ("1.0", "1e2", '"1"', "true", "null", "{}", "[]", "[1,2]", "[[1]]", "1e400", "1" + "0" * 400):
        assert refused(f"[{text}]", ty).startswith("$.a")


@pytest.mark.parametrize(
    ("text", "ty", "expected"),
    [
        ("true", Prim.BOOLEAN, True),
        ("[false]", Prim.BOOLEAN, False),
        ("1", Prim.F32, 1.0),
        ("0.1", Prim.F32, to_f32(0.1)),
        ("16777217", Prim.F32, 16777216.0),
        ("1e39", Prim.F32, math.inf),
        ("-1e39", Prim.F32, -math.inf),
        ("1" + "0" * 39, Prim.F32, math.inf),
        ("[2.5]", Prim.F32, 2.5),
        ("1", Prim.F64, 1.0),
        ("1e2", Prim.F64, 100.0),
        ("18446744073709551616", Prim.F64, 18446744073709551616.0),
        ("1e-400", Prim.F64, 0.0),
        ('"\\u00e4\\ud83d\\ude00"', STRING, "ä😀"),
        ('[""]', STRING, ""),
        ("[]", Prim.BYTE_ARRAY, b""),
        ("[0,255]", Prim.BYTE_ARRAY, b"\x00\xff"),
        ("[0,[255]]", Array(Prim.U8), b"\x00\xff"),
        ("[-0]", Array(Prim.U8), b"\x00"),
        ("[[1],[]]", Array(Prim.BYTE_ARRAY), [b"\x01", b""]),
        ("[]", Array(STRING), []),
        ('["a",["b"]]', Array(STRING), ["a", "b"]),
        ("[1,[2]]", Array(S32), [1, 2]),
        ("[1.5,2]", Array(Prim.F64), [1.5, 2.0]),
        ("[1e39,0.1]", Array(Prim.F32), [math.inf, to_f32(0.1)]),
        ("[[],[[true]]]", Array(Array(Array(Prim.BOOLEAN))), [[], [[True]]]),
        ('{"odd name":[1],"class":2,"y":3}', POINT, (3, 2.0, b"\x01")),
        ("[3,2,[1]]", POINT, (3, 2.0, b"\x01")),
        ("[[3],[2],[[1]]]", POINT, (3, 2.0, b"\x01")),
        ('[1,[{"label":2,"next":[]},[3,[]]]]', NODE, (1, [(2, []), (3, [])])),
    ],
)
def test_json_values_become_arguments(text: str, ty: IType, expected: Any) -> None:
    assert arguments(f"[{text}]", ty) == [expected]
    assert arguments(f'{{"a":{text}}}', ty) == [expected]
    assert type(arguments(f"[{text}]", ty)[0]) is type(expected)


@pytest.mark.parametrize(
    ("text", "ty", "message"),
    [
        ("1", Prim.BOOLEAN, "$.a: expected bool, got 1"),
        ('"true"', Prim.BOOLEAN, "$.a: expected bool, got string"),
        ("1.0", S32, "$.a: expected i32, got 1.0"),
        ("1e400", S32, "$.a: expected i32, got a number that is out of range"),
        ("[[5]]", S32, "$.a[0]: expected i32, got array"),
        ("[5,6]", S32, "$.a: expected i32, got an array of 2 elements"),
        ('"1"', Prim.F32, "$.a: expected f32, got string"),
        ("null", Prim.F64, "$.a: expected f64, got null"),
        ("false", Prim.F64, "$.a: expected f64, got false"),
        ("1e400", Prim.F64, "$.a: expected f64, got a number that is out of range"),
        ("-1e400", Prim.F32, "$.a: expected f32, got a number that is out of range"),
        ("1" + "0" * 400, Prim.F32, "$.a: expected f32, got a number that is out of range"),
        ("[1.5,1e400]", Array(Prim.F64), "$.a[1]: expected f64, got a number that is out of range"),
        ("[1e400]", Array(Prim.F32), "$.a[0]: expected f32, got a number that is out of range"),
        ("5", STRING, "$.a: expected string, got 5"),
        ("-0", STRING, "$.a: expected string, got -0"),
        ("null", STRING, "$.a: expected string, got null"),
        ("{}", STRING, "$.a: expected string, got object"),
        (
            '"a\\ud800"',
            STRING,
            "$.a: expected string, got a lone surrogate U+D800 at character 1, which UTF-8 can't encode",
        ),
        ('"AAAA"', Prim.BYTE_ARRAY, "$.a: expected []u8, got string"),
        ("null", Array(Prim.U8), "$.a: expected []u8, got null"),
        ("[1,256]", Prim.BYTE_ARRAY, "$.a[1]: expected u8, got 256 (out of range 0..255)"),
        ("[1,1.0]", Prim.BYTE_ARRAY, "$.a[1]: expected u8, got 1.0"),
        ("[true]", Prim.BYTE_ARRAY, "$.a[0]: expected u8, got true"),
        ("5", Array(S32), "$.a: expected []i32, got 5"),
        ("{}", Array(S32), "$.a: expected []i32, got object"),
        ('[1,"x"]', Array(S32), "$.a[1]: expected i32, got string"),
        ('{"y":1,"class":1}', POINT, "$.a: Point is missing field `odd name`"),
        ('{"y":1,"class":1,"odd name":[],"z":1}', POINT, "$.a: Point has no field `z`"),
        ('{"y":1,"class_":1,"odd name":[]}', POINT, "$.a: Point has no field `class_`; did you mean `class`?"),
        ("[1,2]", POINT, "$.a: expected the 3 fields of Point, got 2"),
        ("[1,2,[3,-1]]", POINT, '$.a["odd name"][1]: expected u8, got -1 (out of range 0..255)'),
        ('"x"', POINT, "$.a: expected Point, got string"),
        ('{"label":1,"next":[{"label":2}]}', NODE, "$.a.next[0]: Node is missing field `next`"),
        ("1", Record(9), "$.a: expected record 9, which the module does not declare"),
    ],
)
def test_values_refused(text: str, ty: IType, message: str) -> None:
    assert refused(f"[{text}]", ty) == message


def test_minus_zero_is_negative_as_a_float() -> None:
    for text in ("[-0]", "[[-0]]", "[-0.0]", "[-0e5]"):
        for ty in (Prim.F32, Prim.F64):
            assert math.copysign(1, arguments(text, ty)[0]) == -1
    assert math.copysign(1, arguments("[[0.5,-0]]", Array(Prim.F64))[0][1]) == -1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "invalid JSON at line 1, column 1: expecting value"),
        ("[1,\n  2", "invalid JSON at line 2, column 4: expecting ',' delimiter"),
        ("[1] 2", "invalid JSON at line 1, column 5: extra data"),
        ('{"a" 1}', "invalid JSON at line 1, column 6: expecting ':' delimiter"),
        ("['a']", "invalid JSON at line 1, column 2: expecting value; strings are in double quotes"),
        ("John", "invalid JSON at line 1, column 1: expecting value; strings are in double quotes"),
        ('["a\nb"]', "invalid JSON at line 1, column 4: invalid control character at"),
        ("[01]", "invalid JSON at line 1, column 3: expecting ',' delimiter"),
        ('["NaN",\n NaN]', "invalid JSON at line 2, column 2: NaN is not a JSON number"),
        ('["\\"Infinity", Infinity]', "invalid JSON at line 1, column 16: Infinity is not a JSON number"),
        ("-Infinity", "invalid JSON at line 1, column 1: -Infinity is not a JSON number"),
        ("[\n1" + "0" * 5000 + "]", "invalid JSON at line 2, column 1: a number has more than 4300 digits"),
        ("[-0,1" + "0" * 5000 + "]", "invalid JSON at line 1, column 5: a number has more than 4300 digits"),
        ("\ufeff[]", "invalid JSON at line 1, column 1: unexpected UTF-8 BOM"),
    ],
)
def test_syntax_errors(text: str, message: str) -> None:
    assert refused(text, S32).startswith(message)
    assert "utf-8-sig" not in refused(text, S32)


def test_text_must_be_text() -> None:
    codec = JsonCodec(FunctionType(), {}, module="m", function="f")
    bad: Any = b"[]"
    with pytest.raises(ArgumentError, match="expected JSON text as str, got bytes"):
        codec.arguments(bad)


def test_depth() -> None:
    def nested(nodes: int) -> str:
        return '{"label":1,"next":[' * nodes + "]}" * nodes

    # The arguments object is one level, each node two.
    fits = (MAX_DEPTH - 1) // 2
    assert arguments(f'{{"a":{nested(fits)}}}', NODE)[0][0] == 1
    message = refused(f'{{"a":{nested(fits + 1)}}}', NODE)
    assert message.endswith(f"the value is cyclic, or nested more than {MAX_DEPTH} levels deep")
    assert "nested more than 128 levels" in refused("[" * 100_000, NODE)
    assert "nested more than 128 levels" in refused("[" * 100_000 + "]" * 100_000, S32)


def test_parsed_documents() -> None:
    codec = JsonCodec(FunctionType((Field("a", Prim.F64),)), {}, module="m", function="f")
    assert codec.arguments_from_document(parse("[0.5]")) == [0.5]
    assert codec.arguments_from_document({"a": 1}) == [1.0]
    for document in ([math.nan], [math.inf], [(1,)], [b"a"], {1: 1}, {1, 2}):
        with pytest.raises(ArgumentError, match=re.escape(INPUT)):
            codec.arguments_from_document(document)


# Results


@pytest.mark.parametrize(
    ("values", "types", "text"),
    [
        ((), (), "null"),
        ((5,), (S32,), "5"),
        (([5],), (Array(S32),), "[5]"),
        ((5, "a"), (S32, STRING), '[5,"a"]'),
        ((True,), (Prim.BOOLEAN,), "true"),
        ((False,), (Prim.BOOLEAN,), "false"),
        ((2**64 - 1,), (Prim.U64,), "18446744073709551615"),
        ((-(2**63),), (Prim.I64,), "-9223372036854775808"),
        ((to_f32(0.1),), (Prim.F32,), "0.10000000149011612"),
        ((to_f32(8.1),), (Prim.F32,), "8.100000381469727"),
        ((1.0,), (Prim.F32,), "1.0"),
        ((0.1,), (Prim.F64,), "0.1"),
        ((-0.0,), (Prim.F64,), "-0.0"),
        ((1e16,), (Prim.F64,), "1e16"),
        ((math.nan,), (Prim.F64,), "null"),
        (([math.inf, -math.inf, 1.5],), (Array(Prim.F64),), "[null,null,1.5]"),
        (('a"\\\n\x01é😀\u2028\x7f/',), (STRING,), '"a\\"\\\\\\n\\u0001é😀\u2028\x7f/"'),
        ((b"\x00\xff",), (Prim.BYTE_ARRAY,), "[0,255]"),
        ((b"\x01",), (Array(Prim.U8),), "[1]"),
        (([1],), (Prim.BYTE_ARRAY,), "[1]"),
        (([],), (Array(POINT),), "[]"),
        (([(1, 2.0, b"\x03")],), (Array(POINT),), '[{"y":1,"class":2.0,"odd name":[3]}]'),
        (((1, [(2, []), (3, [])]),), (NODE,), '{"label":1,"next":[{"label":2,"next":[]},{"label":3,"next":[]}]}'),
        (((1, 2, 3),), (TWIN,), '{"a":3,"b":2}'),
    ],
)
def test_results(values: tuple[Any, ...], types: tuple[IType, ...], text: str) -> None:
    assert result(*values, types=types) == text
    json.loads(text)


@pytest.mark.parametrize(
    ("values", "types", "message"),
    [
        ((), (S32,), "1 result declared, 0 returned"),
        ((1,), (), "0 results declared, 1 returned"),
        (("a",), (S32,), "$: expected i32, got str"),
        ((1, "a"), (S32, S32), "$[1]: expected i32, got str"),
        ((300,), (Prim.U8,), "$: expected u8, got 300 (out of range 0..255)"),
        ((True,), (S32,), "$: expected i32, got bool"),
        (([(1, 2.0)],), (Array(POINT),), "$[0]: expected the 3 fields of Point, got 2"),
        (([(1, None, b"")],), (Array(POINT),), "$[0].class: expected f64, got None"),
        (((1,),), (Record(9),), "$: expected record 9, which the module does not declare"),
    ],
)
def test_results_refused(values: tuple[Any, ...], types: tuple[IType, ...], message: str) -> None:
    with pytest.raises(ResultError) as caught:
        result(*values, types=types)
    assert str(caught.value) == OUTPUT + message


def test_endless_result_is_refused() -> None:
    knot: tuple[int, list[Any]] = (1, [])
    knot[1].append(knot)
    with pytest.raises(ResultError, match="cyclic"):
        result(knot, types=(NODE,))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.0"),
        (1e15, "1000000000000000.0"),
        (123456789012345680.0, "1.2345678901234568e17"),
        (1e16, "1e16"),
        (-1.5e300, "-1.5e300"),
        (0.0001, "0.0001"),
        (0.00001, "0.00001"),
        (-0.000012345, "-0.000012345"),
        (0.000001, "1e-6"),
        (1e-7, "1e-7"),
        (1.25e-7, "1.25e-7"),
        (5e-324, "5e-324"),
        (1.7976931348623157e308, "1.7976931348623157e308"),
    ],
)
def test_spelling_of_floats(value: float, text: str) -> None:
    assert spell_float(value) == text


@pytest.mark.parametrize("odd", ["true", "false", "1.0", "null", '"1"', "[1,2]", "256", "-1"])
@pytest.mark.parametrize("count", [1, 5000])
def test_long_texts_of_bytes_with_something_else(odd: str, count: int) -> None:
    """Bools, which Python takes for numbers, are refused in long texts as in short ones."""
    signature = FunctionType((Field("data", Array(Prim.U8)), Field("flag", Prim.BOOLEAN)), ())
    codec = JsonCodec(signature, {}, module="m", function="f")
    numbers = ",".join(["1"] * count)
    assert codec.arguments(f"[[{numbers}],true]") == [b"\1" * count, True]
    with pytest.raises(ArgumentError, match=rf"\$\.data\[{count}\]: "):
        codec.arguments(f"[[{numbers},{odd}],true]")
    with pytest.raises(ArgumentError, match=r"\$\.flag: "):
        codec.arguments(f"[[{numbers}],1]")
    alone = JsonCodec(FunctionType((Field("data", Array(Prim.U8)),), ()), {}, module="m", function="f")
    assert alone.arguments(f"[[{numbers}]]") == [b"\1" * count]
    with pytest.raises(ArgumentError, match=rf"\$\.data\[{count}\]: "):
        alone.arguments(f"[[{numbers},{odd}]]")
