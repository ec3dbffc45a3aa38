"""Checks of the types that a host function is given by hand, as nothing else reads them before a guest calls it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import is_dataclass

from marine_runtime.errors import ArgumentError
from marine_runtime.lazy.typing import Any
from marine_runtime.types import Field, FunctionType, Prim, Record, Records, RecordType, stripped
from marine_runtime.values.scalars import kind

IS_NO_TYPE = "is not an interface type: give a Prim, such as Prim.STRING, an Array or a RecordType"


def check_signature(signature: FunctionType, records: Records, classes: Mapping[int, type]) -> None:
    """Refuse a signature that is not made of types, or that mentions records which `records` lacks.

    Raises:
        ArgumentError: something is of another class.
    """
    if not isinstance(signature.results, tuple):
        raise ArgumentError(f"the results of a FunctionType must be a tuple of types, not {kind(signature.results)}")
    check_fields(signature.params, "the parameters of a FunctionType")
    pending: list[Any] = [*(item.type for item in signature.params), *signature.results]
    seen: set[int] = set()
    while pending:
        _, inner = stripped(pending.pop())
        match inner:
            case Prim():
                continue
            case Record(id=number) if isinstance(number, int) and number in records:
                if number not in seen:
                    seen.add(number)
                    pending += (item.type for item in check_record(records[number]).fields)
            case Record():
                raise ArgumentError(f"{inner} is not in `records` of the host function")
            case _:
                raise ArgumentError(f"{inner!r:.80} {IS_NO_TYPE}")
    for number, cls in classes.items():
        if not (isinstance(cls, type) and is_dataclass(cls)):
            raise ArgumentError(
                f"`classes` of a host function must be dataclasses; for record {number} it is {kind(cls)}"
            )


def check_record(record: Any) -> RecordType:
    """`record` if it is a declaration.

    Raises:
        ArgumentError: it is something else, or its parts are.
    """
    if not isinstance(record, RecordType) or not isinstance(record.name, str):
        raise ArgumentError(f"a record must be declared by a RecordType with a name, not {record!r:.80}")
    check_fields(record.fields, f"the fields of record `{record.name}`")
    return record


def check_fields(fields: Any, what: str) -> None:
    """Refuse fields or parameters that are none.

    Raises:
        ArgumentError: `what` they are is not a tuple of `Field`, or a name is not text.
    """
    if not isinstance(fields, tuple):
        raise ArgumentError(f"{what} must be a tuple of Field, not {kind(fields)}")
    for item in fields:
        if not isinstance(item, Field) or not isinstance(item.name, str):
            raise ArgumentError(f"{what} must be a tuple of Field with a name and a type; {item!r:.80} is not one")
