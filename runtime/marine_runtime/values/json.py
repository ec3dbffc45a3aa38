"""JSON in, JSON out: the arguments and results of a call as JSON text (spec interface-types §9).

Arguments go the way of Python values (`values.Coercers`) under JSON's rules: an integer is a number without fraction
or exponent, a one-element array stands for a bool, number or string, byte arrays are arrays of numbers, records are
objects or arrays. Results are compact text with fields in declaration order, numbers spelled as Rust's `serde_json`
does. Two things are lossy there: NaN and the infinities become `null`, which no argument accepts, and of two record
fields with the same name the last value stands. Several results, which the reference aborts on, become an array.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any, assert_never

from marine_runtime.abi.layout import FLOATS, Bytes, Flat, Kind, List, Shape, Struct, Text, shape
from marine_runtime.errors import ArgumentError, ResultError
from marine_runtime.messages import counted, printable
from marine_runtime.types import FunctionType, IType, Prim, Records, describe
from marine_runtime.values.coerce import Coercers, Members
from marine_runtime.values.scalars import BULK, Bulk, Coercer, Mismatch, abbreviated, scalars

MAX_DEPTH = 128
"""Arrays and objects that an arguments document may nest."""

_JSON_INTEGERS = range(-(2**63), 2**64)  # numbers beyond are floats to the reference
_CONSTANTS = re.compile(r'"(?:[^"\\]|\\.)*"|NaN|-?Infinity')


class _MinusZero(int):
    """`-0`: the integer 0, but a negative zero as a float."""


_MINUS_ZERO = _MinusZero()


# Text to document


def parse(text: str) -> Any:
    """The document that `text` is. Of equal keys the last one counts.

    Raises:
        ArgumentError: it is not JSON; the message has line and column. `NaN` and `Infinity` are not JSON.
    """
    if not isinstance(text, str):
        raise ArgumentError(f"expected JSON text as str, got {_kind(text)}")
    try:
        if text.startswith("\ufeff"):
            return json.loads(text)  # refuses it
        # The hook costs a call per number, so it is there only for texts that may need it.
        return (_EXACT if "-0" in text else _USUAL).decode(text)
    except json.JSONDecodeError as error:
        problem = error.msg[:1].lower() + error.msg[1:]
        raise ArgumentError(f"invalid JSON at line {error.lineno}, column {error.colno}: {problem}") from None
    except _NotJsonError as error:
        constant = next(match for match in _CONSTANTS.finditer(text) if match[0][0] != '"')
        raise ArgumentError(f"invalid JSON at {_place(text, constant.start())}: {error} is not a JSON number") from None
    except RecursionError:
        raise ArgumentError(f"the JSON text is nested more than {MAX_DEPTH} levels deep") from None
    except ValueError:
        # All that is left is the interpreter's limit on the digits of an int.
        limit = sys.get_int_max_str_digits()
        number = re.search(rf"\d{{{limit + 1},}}", text)
        place = f" at {_place(text, number.start())}" if number else ""
        raise ArgumentError(f"invalid JSON{place}: a number has more than {limit} digits") from None


class _NotJsonError(Exception):
    pass


def _refuse(constant: str) -> Any:
    raise _NotJsonError(constant)


def _parse_int(digits: str) -> int:
    return _MINUS_ZERO if digits == "-0" else int(digits)


_USUAL = json.JSONDecoder(parse_constant=_refuse)
_EXACT = json.JSONDecoder(parse_constant=_refuse, parse_int=_parse_int)


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    return f"line {line}, column {position - text.rfind(chr(10), 0, position)}"


# Document to arguments


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case _MinusZero():
            return "-0"
        case float():
            return spell_float(value) if math.isfinite(value) else "a number that is out of range"
        case int():
            return abbreviated(value)
        case str():
            return "string"
        case list():
            return "array"
        case dict():
            return "object"
    return printable(type(value).__name__)


def _json_scalars() -> dict[Prim, Coercer]:
    table = scalars(_kind)
    for ty in FLOATS:
        table[ty] = _float(table[ty], ty)
    return {ty: _unwrapping(plain, ty) for ty, plain in table.items()}


def _float(plain: Coercer, ty: Prim) -> Coercer:
    def coerce(value: Any, depth: int) -> float:
        if value is _MINUS_ZERO:
            return -0.0
        try:
            number = float(value) if type(value) is int and value not in _JSON_INTEGERS else value
        except OverflowError:
            number = math.inf
        if type(number) is float and not math.isfinite(number):
            raise Mismatch(f"expected {ty.value}, got a number that is out of range")
        result: float = plain(number, depth)
        return result

    return coerce


def _unwrapping(plain: Coercer, ty: Prim) -> Coercer:
    expected = describe(ty, {})

    def coerce(value: Any, depth: int) -> Any:
        if type(value) is not list:
            return plain(value, depth)
        if len(value) != 1:
            raise Mismatch(f"expected {expected}, got an array of {counted(len(value), 'element')}")
        try:
            return plain(value[0], depth)
        except Mismatch as mismatch:
            mismatch.steps.append("[0]")
            raise

    return coerce


def _bulk_finite(plain: Bulk) -> Bulk:
    def bulk(items: list[Any]) -> list[Any] | None:
        whole = plain(items)
        return whole if whole is not None and all(map(math.isfinite, items)) else None

    return bulk


class _JsonCoercers(Coercers):
    """The rules for the values of a JSON document."""

    scalars = _json_scalars()
    bulk: Mapping[Prim, Bulk] = {**BULK, **{ty: _bulk_finite(BULK[ty]) for ty in FLOATS}}
    max_depth = MAX_DEPTH
    aliases = False

    def kind(self, value: object) -> str:
        return _kind(value)

    def octets(self, value: Any) -> bytes | None:
        return None

    def elements(self, value: Any, expected: str) -> list[Any]:
        if type(value) is not list:
            raise self.wrong(expected, value)
        return list(value)

    def fields(self, value: Any, members: Members, expected: str) -> Sequence[Any]:
        if not isinstance(value, (list, dict)):
            raise self.wrong(expected, value)
        return super().fields(value, members, expected)


# Results to text


def spell_float(value: float) -> str:
    """A finite float as `serde_json` spells it: the shortest digits, `1e16`, `1.0`, `-0.0`, `0.00001`."""
    text = repr(value)
    mantissa, marker, exponent = text.partition("e")
    if not marker:
        return text
    power = int(exponent)
    if power != -5:
        return f"{mantissa}e{power}"
    # Python turns to exponents one digit earlier.
    sign, digits = ("-", mantissa[1:]) if mantissa[0] == "-" else ("", mantissa)
    return f"{sign}0.0000{digits.replace('.', '')}"


def _write_float(value: float) -> str:
    return spell_float(value) if math.isfinite(value) else "null"


_Writer = Callable[[Any], str]


class _Writers:
    """Compiles types to functions that write an internal value. Values have been checked before."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._known: dict[int, _Writer] = {}

    def of(self, ty: IType) -> _Writer:
        return self._of(shape(ty))

    def _of(self, part: Shape) -> _Writer:
        match part:
            case Flat(kind=kind):
                return _write_flat(kind)
            case Text():
                return encode_basestring
            case Bytes():
                return _write_list(str)
            case List(element=element):
                return _write_list(self._of(element))
            case Struct(id=index):
                return self._record(index)
            case _:
                assert_never(part)

    def _record(self, index: int) -> _Writer:
        known = self._known
        if index not in self._records:
            return str  # no value of such a type passes the check
        if index in known:
            return known[index]
        members: list[tuple[str, int, _Writer]] = []

        def write(value: Any) -> str:
            return "{" + ",".join([key + one(value[position]) for key, position, one in members]) + "}"

        known[index] = write
        fields = self._records[index].fields
        last = {field.name: position for position, field in enumerate(fields)}
        members.extend((f"{encode_basestring(name)}:", at, self.of(fields[at].type)) for name, at in last.items())
        return write


def _write_flat(kind: Kind) -> _Writer:
    match kind:
        case Kind.BOOLEAN:
            return lambda value: "true" if value else "false"
        case Kind.SIGNED | Kind.UNSIGNED:
            return str
        case Kind.FLOAT:
            return _write_float
        case _:
            assert_never(kind)


def _write_list(element: _Writer) -> _Writer:
    return lambda values: f"[{','.join(map(element, values))}]"


class JsonCodec:
    """Arguments and results of one function as JSON. Make one per function that is called more than once.

    Args:
        signature: the function's type.
        records: the records of its module.
        module: the module's name, for messages.
        function: the function's name, for messages.
    """

    def __init__(self, signature: FunctionType, records: Records, *, module: str, function: str) -> None:
        place = f'in module "{printable(module)}", function "{printable(function)}": '
        self._arguments_failed = f"arguments from json deserialization error {place}"
        self._results_failed = f"output to json serialization error {place}"
        self._shown = f"{printable(function)}{printable(str(signature))}"
        self._members = Members(signature.params, "argument", f"{printable(function)}()", aliases=False)
        arguments, results, writers = _JsonCoercers(records), Coercers(records), _Writers(records)
        try:
            self._parameters = [arguments.of(param.type) for param in signature.params]
            self._checks = [results.of(ty) for ty in signature.results]
            self._writers = [writers.of(ty) for ty in signature.results]
        except RecursionError:
            raise ArgumentError(f"{self._arguments_failed}a type of the signature is nested too deeply") from None

    def arguments(self, text: str) -> list[Any]:
        """The internal arguments that a JSON text stands for.

        Raises:
            ArgumentError: the text is not JSON, or does not fit the signature.
        """
        try:
            document = parse(text)
        except ArgumentError as error:
            raise ArgumentError(f"{self._arguments_failed}{error}") from None
        return self.arguments_from_document(document)

    def arguments_from_document(self, document: Any) -> list[Any]:
        """The same for a text that is parsed already, as `parse` or `json.loads` does it.

        Raises:
            ArgumentError: the document does not fit the signature.
        """
        result: list[Any] = []
        try:
            given = self._arrange(document)
            try:
                for coercer, value in zip(self._parameters, given, strict=True):
                    result.append(coercer(value, 2))  # the document itself is the first level
            except Mismatch as mismatch:
                mismatch.steps.append(self._members.steps[len(result)])
                raise
        except Mismatch as mismatch:
            raise self._failure(str(mismatch), mismatch.path()) from None
        except RecursionError:
            raise self._failure(f"the value is nested more than {MAX_DEPTH} levels deep", "$") from None
        return result

    def _arrange(self, document: Any) -> Sequence[Any]:
        wanted = len(self._parameters)
        if isinstance(document, dict):
            return self._members.arrange(document)
        if isinstance(document, list):
            if len(document) != wanted:
                raise Mismatch(f"function requires {counted(wanted, 'argument')}, {len(document)} provided")
            return document
        if document is None:
            if wanted == 0:
                return []
        elif wanted == 1:
            return [document]
        raise Mismatch(f"expected an object or an array with the arguments of {self._shown}, got {_kind(document)}")

    def _failure(self, message: str, path: str) -> ArgumentError:
        # The prefix goes before the path, so the path can't be left to the error's own text.
        error = ArgumentError(f"{self._arguments_failed}{message if path == '$' else f'{path}: {message}'}")
        error.path = path
        return error

    def results(self, values: Sequence[Any]) -> str:
        """The JSON text of internal results: `null` for none, the value for one, an array for several.

        Raises:
            ResultError: a value is not of its declared type, or there are too few or too many.
        """
        if len(values) != len(self._checks):
            raise ResultError(f"{self._results_failed}{len(self._checks)} results declared, {len(values)} returned")
        texts = []
        for number, (check, write, value) in enumerate(zip(self._checks, self._writers, values, strict=True)):
            try:
                texts.append(write(check(value, 1)))
            except Mismatch as mismatch:
                path = mismatch.path("$" if len(values) == 1 else f"$[{number}]")
                raise ResultError(f"{self._results_failed}{path}: {mismatch}") from None
            except RecursionError:
                raise ResultError(f"{self._results_failed}the value is nested too deeply") from None
        if len(texts) == 1:
            return texts[0]
        return f"[{','.join(texts)}]" if texts else "null"


def arguments_from_json(
    text: str, signature: FunctionType, records: Records, *, module: str, function: str
) -> list[Any]:
    """The internal arguments that a JSON text stands for (`JsonCodec.arguments`)."""
    return JsonCodec(signature, records, module=module, function=function).arguments(text)


def results_to_json(
    values: Sequence[Any], signature: FunctionType, records: Records, *, module: str, function: str
) -> str:
    """The JSON text of internal results (`JsonCodec.results`)."""
    return JsonCodec(signature, records, module=module, function=function).results(values)
