"""JSON in, JSON out: the arguments and results of a call as JSON text (docs/spec/json.md).

Arguments go the way of Python values (`values.Coercers`) under JSON's rules: an integer is a number without fraction or
exponent, a one-element array stands for a bool, number or string, byte arrays are arrays of numbers, records are
objects or arrays. Results are compact text with fields in declaration order, numbers spelled as Rust's `serde_json`
does. Two things are lossy there: NaN and the infinities become `null`, which no argument accepts, and of two record
fields with the same name the last value wins. Several results, which the reference aborts on, become an array.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from json.encoder import encode_basestring

from marine_runtime.abi.layout import FLOATS, Bytes, Flat, Kind, List, Shape, Struct, Text, shape
from marine_runtime.errors import ArgumentError, ResultError
from marine_runtime.lazy.typing import Any, assert_never
from marine_runtime.texts.messages import NEEDS_ROOM, counted, printable
from marine_runtime.types import FunctionType, IType, Prim, Records, describe
from marine_runtime.values.coerce import Coercers, Members
from marine_runtime.values.json_columns import UNUSUAL, Readers, Writers
from marine_runtime.values.json_spelling import write_bytes, write_float
from marine_runtime.values.json_text import MAX_DEPTH, MINUS_ZERO, kind, parse
from marine_runtime.values.scalars import BULK, Bulk, Coercer, Mismatch, scalars

_LONG = 4096
"""Characters of a text that is searched for bools, to save the check of the items of byte arrays."""

_JSON_INTEGERS = range(-(2**63), 2**64)  # numbers beyond are floats to the reference
# Document to arguments


def _json_scalars() -> dict[Prim, Coercer]:
    table = scalars(kind)
    for ty in FLOATS:
        table[ty] = _float(table[ty], ty)
    return {ty: _unwrapping(plain, ty) for ty, plain in table.items()}


def _float(plain: Coercer, ty: Prim) -> Coercer:
    def coerce(value: Any, depth: int) -> float:
        if value is MINUS_ZERO:
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
        return kind(value)

    def octets(self, value: Any) -> bytes | None:
        return None

    def elements(self, value: Any, expected: str, unit: int = 1) -> list[Any]:
        if type(value) is not list:
            raise self.wrong(expected, value)
        return list(value)

    def fields(self, value: Any, members: Members, expected: str) -> Sequence[Any]:
        if not isinstance(value, (list, dict)):
            raise self.wrong(expected, value)
        return super().fields(value, members, expected)


# Results to text


_Writer = Callable[[Any], str]


class _GeneralWriters:
    """Compiles types to functions that write any internal value. Values have been checked before."""

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
                return write_bytes
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
            return write_float
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
        arguments, results, writers = _JsonCoercers(records), Coercers(records), _GeneralWriters(records)
        try:
            self._parameters = [arguments.of(param.type) for param in signature.params]
            self._checks = [results.of(ty) for ty in signature.results]
            self._writers = [writers.of(ty) for ty in signature.results]
        except RecursionError:
            raise ArgumentError(
                f"{self._arguments_failed}a type of the signature is nested too deeply{NEEDS_ROOM}"
            ) from None
        self._signature, self._records = signature, records
        self._usual_arguments = _usual_arguments(signature, records)
        self._usual_result: Callable[[Any], str] | None = None
        if len(signature.results) == 1:
            self._usual_result = Writers(records).of(signature.results[0])

    def arguments(self, text: str) -> list[Any]:
        """The internal arguments that a JSON text represents.

        Raises:
            ArgumentError: the text is not JSON, or does not fit the signature.
        """
        try:
            document = parse(text)
        except ArgumentError as error:
            raise ArgumentError(f"{self._arguments_failed}{error}") from None
        usual = self._arguments_without_bools if len(text) >= _LONG and not _mentions_bools(text) else None
        if usual is not None:
            try:
                return usual(document)
            except UNUSUAL:
                pass
        return self.arguments_from_document(document)

    @cached_property
    def _arguments_without_bools(self) -> Callable[[Any], list[Any]] | None:
        return _usual_arguments(self._signature, self._records, bools=False)

    def arguments_from_document(self, document: Any) -> list[Any]:
        """The same for a text that is parsed already, as `parse` or `json.loads` does it.

        Raises:
            ArgumentError: the document does not fit the signature.
        """
        if self._usual_arguments is not None:
            try:
                return self._usual_arguments(document)
            except UNUSUAL:
                pass
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
        raise Mismatch(f"expected an object or an array with the arguments of {self._shown}, got {kind(document)}")

    def _failure(self, message: str, path: str) -> ArgumentError:
        # The prefix precedes the path, so the path can't be left to the error's own text.
        error = ArgumentError(f"{self._arguments_failed}{message if path == '$' else f'{path}: {message}'}")
        error.path = path
        return error

    def results_of(self, returned: Any) -> str:
        """The JSON text of what an adapter returned: one result, a sequence of several, or None.

        Raises:
            ResultError: see `results`.
        """
        return self.results([returned] if len(self._checks) == 1 else list(returned or ()))

    def results(self, values: Sequence[Any]) -> str:
        """The JSON text of internal results: `null` for none, the value for one, an array for several.

        Raises:
            ResultError: a value is not of its declared type, or there are too few or too many.
        """
        if self._usual_result is not None and len(values) == 1:
            try:
                return self._usual_result(values[0])
            except UNUSUAL:
                pass
        if len(values) != len(self._checks):
            raise ResultError(
                f"{self._results_failed}{counted(len(self._checks), 'result')} declared, {len(values)} returned"
            )
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


def _mentions_bools(text: str) -> bool:
    # One character is found at the speed of memory, several are not.
    return "e" in text and ("true" in text or "false" in text)


def _usual_arguments(
    signature: FunctionType, records: Records, *, bools: bool = True
) -> Callable[[Any], list[Any]] | None:
    """The function that reads documents as they usually are; None when a parameter's type has none.

    Without `bools`, it is for documents that have no `true` or `false` anywhere.
    """
    readers = Readers(records, bools=bools)
    names = [param.name for param in signature.params]
    found = [readers.of(param.type) for param in signature.params]
    converters = [item for item in found if item is not None]
    if len(converters) < len(names) or len(set(names)) < len(names):
        return None

    def convert(document: Any) -> list[Any]:
        if type(document) is dict:
            document = [document[name] for name in names] if len(document) == len(names) else None
        if type(document) is not list or len(document) != len(names):
            raise ValueError
        return [one(value) for one, value in zip(converters, document, strict=True)]

    return convert


def arguments_from_json(
    text: str, signature: FunctionType, records: Records, *, module: str, function: str
) -> list[Any]:
    """The internal arguments that a JSON text represents (`JsonCodec.arguments`)."""
    return JsonCodec(signature, records, module=module, function=function).arguments(text)


def results_to_json(
    values: Sequence[Any], signature: FunctionType, records: Records, *, module: str, function: str
) -> str:
    """The JSON text of internal results (`JsonCodec.results`)."""
    return JsonCodec(signature, records, module=module, function=function).results(values)
