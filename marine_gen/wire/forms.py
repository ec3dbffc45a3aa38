"""Forms of JSON: byte arrays as base64, and 64-bit integers as decimal strings.

The plain form is that of `Service.call_json`. The others change what JSON does badly: a byte array as an array of
numbers is five times as large, and JavaScript rounds integers beyond 2**53. A form is asked for by parameters of the
media type, as in `application/json; bytes=base64; int64=string`. Decimal strings are accepted as arguments in any form.
"""

from __future__ import annotations

import binascii
import math
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from json.encoder import encode_basestring
from typing import Any, NamedTuple

from marine_runtime.abi import FLOATS
from marine_runtime.texts import field_step
from marine_runtime.types import Array, Field, IType, Prim, Record, Records, is_bytes
from marine_runtime.values import Mismatch, spell_float

WIDE = frozenset({Prim.S64, Prim.U64, Prim.I64})
"""The integers that JavaScript can't hold."""

_DECIMAL = re.compile(r"-?\d{1,20}", re.ASCII)

Convert = Callable[[Any], Any]
Write = Callable[[Any], str]


class JsonForm(NamedTuple):  # a key of what is made once per form; tuples are hashed in C
    """One form of JSON.

    Attributes:
        base64: byte arrays are base64 strings.
        decimal: 64-bit integers are decimal strings.
    """

    base64: bool = False
    decimal: bool = False

    @property
    def media_type(self) -> str:
        """The media type that asks for it."""
        parameters = (("bytes=base64", self.base64), ("int64=string", self.decimal))
        return "; ".join(["application/json", *(text for text, wanted in parameters if wanted)])


PLAIN = JsonForm()


class FormReader:
    """Compiles types to functions that turn a parsed document of a form into one of the plain form.

    Byte arrays become `bytes`, which the rules for JSON values let through. What does not have the shape of its type
    stays as it is: those rules say what is wrong with it.

    Args:
        records: the records of the module.
        form: the form of the document.
        results: whether documents are results, in which `null` stands for a float that is not a number.
    """

    def __init__(self, records: Records, form: JsonForm, *, results: bool = False) -> None:
        self._records, self._form, self._results = records, form, results
        self._known: dict[int, Convert] = {}

    def of(self, ty: IType) -> Convert | None:
        """The function for values of `ty`; None when nothing changes."""
        return self._compile(ty) if self._matters(ty, set()) else None

    def document(self, params: Sequence[Field]) -> Convert | None:
        """The function for arguments documents, by position, by name or bare; None when nothing changes."""
        parts = [self.of(param.type) for param in params]
        if not any(parts):
            return None
        members = _members([param.name for param in params], parts)

        def convert(value: Any) -> Any:
            if not isinstance(value, (dict, list)) and len(parts) == 1:
                return [members([value])[0]]
            return members(value)

        return convert

    def _matters(self, ty: IType, seen: set[int]) -> bool:
        if is_bytes(ty):
            return self._form.base64
        if isinstance(ty, Array):
            return self._matters(ty.element, seen)
        if isinstance(ty, Record):
            if ty.id in seen or ty.id not in self._records:
                return False
            seen.add(ty.id)
            return any(self._matters(field.type, seen) for field in self._records[ty.id].fields)
        return ty in WIDE or (self._results and ty in FLOATS)

    def _compile(self, ty: IType) -> Convert:
        if is_bytes(ty):
            return _decode
        if isinstance(ty, Array):
            return _each(self._compile(ty.element))
        if isinstance(ty, Record):
            return self._record(ty)
        return _integer if ty in WIDE else _float

    def _record(self, ty: Record) -> Convert:
        known, index = self._known, ty.id
        if index not in known:
            known[index] = lambda value: members(value)
            fields = self._records[index].fields
            members = _members([field.name for field in fields], [self.of(field.type) for field in fields])
            known[index] = members
        return known[index]


def _members(names: Sequence[str], parts: Sequence[Convert | None]) -> Convert:
    """Members by name or by position, each by its own function."""
    by_name = {name: part for name, part in zip(names, parts, strict=True) if part is not None}
    steps = [field_step(name) for name in names]

    def convert(value: Any) -> Any:
        if isinstance(value, dict):
            result = dict(value)
            for name, part in by_name.items():
                if name in value:
                    result[name] = _at(field_step(name), part, value[name])
            return result
        if isinstance(value, list) and len(value) == len(parts):
            rows = zip(steps, parts, value, strict=True)
            return [item if part is None else _at(step, part, item) for step, part, item in rows]
        return value

    return convert


def _at(step: str, part: Convert, value: Any) -> Any:
    try:
        return part(value)
    except Mismatch as mismatch:
        mismatch.steps.append(step)
        raise


def _each(element: Convert) -> Convert:
    def convert(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        return [_at(f"[{position}]", element, item) for position, item in enumerate(value)]

    return convert


def _decode(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        raise Mismatch("expected base64, got another string") from None


def _integer(value: Any) -> Any:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        return int(value)
    if isinstance(value, list) and len(value) == 1:  # an array of one element stands for the element
        return [_integer(value[0])] if isinstance(value[0], str) else value
    return value


def _float(value: Any) -> Any:
    return math.nan if value is None else value


class FormWriter:
    """Compiles types to functions that write an internal value, which has been checked, in a form."""

    def __init__(self, records: Records, form: JsonForm) -> None:
        self._records, self._form = records, form
        self._known: dict[int, Write] = {}

    def of(self, ty: IType) -> Write:
        """The function for values of `ty`."""
        if is_bytes(ty):
            return _base64 if self._form.base64 else lambda value: f"[{','.join(map(str, value))}]"
        if isinstance(ty, Array):
            element = self.of(ty.element)
            return lambda values: f"[{','.join(map(element, values))}]"
        if isinstance(ty, Record):
            return self._record(ty)
        if ty is Prim.BOOLEAN:
            return lambda value: "true" if value else "false"
        if ty is Prim.STRING:
            return encode_basestring
        if ty in FLOATS:
            return lambda value: spell_float(value) if math.isfinite(value) else "null"
        if ty in WIDE and self._form.decimal:
            return lambda value: f'"{value}"'
        return str

    def _record(self, ty: Record) -> Write:
        known, index = self._known, ty.id
        if index in known:
            return known[index]
        members: list[tuple[str, int, Write]] = []

        def write(value: Any) -> str:
            return "{" + ",".join([key + one(value[position]) for key, position, one in members]) + "}"

        known[index] = write
        fields = self._records[index].fields
        last = {field.name: position for position, field in enumerate(fields)}  # of equal names the last one counts
        members.extend((f"{encode_basestring(name)}:", at, self.of(fields[at].type)) for name, at in last.items())
        return write


def _base64(value: bytes) -> str:
    return f'"{b64encode(value).decode("ascii")}"'
